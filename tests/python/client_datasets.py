"""Loads rows as programs do with datasets: `VERSION CSV_DATASET PARQUET_DATASET`, whole and as streams.

Cache root and endpoint come from the environment.
"""

import sys

import datasets
from datasets import load_dataset

version, csv, parquet = sys.argv[1:]
assert datasets.__version__ == version, datasets.__version__
expected = [{"a": 1, "b": 2}, {"a": 3, "b": 4}]
for name in (csv, parquet):
    assert list(load_dataset(name, split="train")) == expected, name
    assert list(load_dataset(name, split="train", streaming=True)) == expected, name
