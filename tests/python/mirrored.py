"""What the real Python client makes of a mirror: each job that is named, in a cache of its own below the folder that is given.

What comes of a job is printed as one JSON object a line: the path, or the error.
"""

import json
import os
import sys

from huggingface_hub import hf_hub_download, snapshot_download

REPO = "acme/mirrored"


def second(**where):
    snapshot_download(REPO, **where)
    return snapshot_download(REPO, revision="next", **where)


JOBS = {
    "config": lambda **where: hf_hub_download(REPO, "config.json", **where),
    "model": lambda **where: hf_hub_download(REPO, "model.bin", **where),
    "snapshot": lambda **where: snapshot_download(REPO, **where),
    "second": second,
}

cache, *names = sys.argv[1:]
for name in names:
    try:
        print(json.dumps({"job": name, "path": JOBS[name](cache_dir=os.path.join(cache, name))}), flush=True)
    except Exception as error:
        print(json.dumps({"job": name, "error": type(error).__name__}), flush=True)
