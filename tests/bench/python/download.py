"""The Python client as the benchmark runs it: REPO REVISION [FILE]; a whole snapshot where no file is named.

Cache root, endpoint and whether the network may be used come from the environment.
"""

import sys

repo, revision, *file = sys.argv[1:]
if file:
    from huggingface_hub import hf_hub_download

    print(hf_hub_download(repo, file[0], revision=revision))
else:
    from huggingface_hub import snapshot_download

    print(snapshot_download(repo, revision=revision))
