"""Loads a configuration and a tokenizer as programs do with transformers: `VERSION MODEL`. Torch is not needed.

Cache root and endpoint come from the environment.
"""

import sys

import transformers
from transformers import AutoConfig, AutoTokenizer

version, model = sys.argv[1:]
assert transformers.__version__ == version, transformers.__version__
config = AutoConfig.from_pretrained(model)
assert (config.model_type, config.hidden_size) == ("bert", 8), config
tokenizer = AutoTokenizer.from_pretrained(model)
assert tokenizer("hello hub")["input_ids"] == [1, 2], tokenizer("hello hub")
