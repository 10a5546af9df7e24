"""Downloads as programs do with huggingface_hub: `VERSION MODEL FILE… -- DATASET FILE…`; prints name and path of each file.

Works with every version that is in use. Cache root and endpoint come from the environment.
"""

import os
import sys

import huggingface_hub
from huggingface_hub import HfApi, HfFileSystem, hf_hub_download, snapshot_download

version, model, *rest = sys.argv[1:]
cut = rest.index("--")
files, (dataset, *rows) = rest[:cut], rest[cut + 1 :]
assert huggingface_hub.__version__ == version, huggingface_hub.__version__

api = HfApi()
folder = snapshot_download(model)
assert os.path.basename(folder) == api.model_info(model).sha
listed = {entry.path: entry.size for entry in api.list_repo_tree(model, recursive=True) if hasattr(entry, "size")}
assert set(files) <= set(listed) and set(files) <= set(api.list_repo_files(model))
assert not api.file_exists(model, "nope") and api.file_exists(model, files[0])
for file in files:
    path = hf_hub_download(model, file)
    assert path == os.path.join(folder, *file.split("/")) and os.path.getsize(path) == listed[file]
    print(file, path, sep="\t")
for file in rows:
    print(file, hf_hub_download(dataset, file, repo_type="dataset"), sep="\t")

# Without a cache: ranges of a file that is not downloaded.
with HfFileSystem().open(f"{model}/{files[-1]}", block_size=64 * 1024) as opened:
    opened.seek(-10, os.SEEK_END)
    tail = opened.read()
with open(hf_hub_download(model, files[-1]), "rb") as kept:
    assert kept.read().endswith(tail) and len(tail) == 10
