"""What the Python client sees of a server with `acme/tiny` (main, v1) and the dataset `acme/rows`, as one JSON object.

Everything that fails ends the script, except for what must fail. Cache root, endpoint and token come from the environment.
"""

import json
import os

from huggingface_hub import (
    HfApi,
    HfFileSystem,
    auth_check,
    get_safetensors_metadata,
    hf_hub_download,
    snapshot_download,
)
from huggingface_hub.errors import EntryNotFoundError, HfHubHTTPError, RepositoryNotFoundError

REPO = "acme/tiny"

api = HfApi()
files = HfFileSystem()


def fails(error, ask):
    try:
        ask()
    except error as refused:
        return refused
    raise AssertionError(f"no {error.__name__}")


def content(path):
    with open(path, "rb") as file:
        return file.read().decode("latin-1")


folder = snapshot_download(REPO)
old = snapshot_download(REPO, revision="v1")
rows = snapshot_download("acme/rows", repo_type="dataset")
assert content(hf_hub_download(REPO, "empty.txt")) == ""
assert content(hf_hub_download(REPO, "deep/weights.bin")) == "weights"
assert hf_hub_download(REPO, "config.json", revision=os.path.basename(folder)).startswith(folder)

assert api.file_exists(REPO, "config.json") and not api.file_exists(REPO, "nope")
assert api.repo_exists(REPO) and not api.repo_exists("acme/nope")
assert api.revision_exists(REPO, "v1") and not api.revision_exists(REPO, "v2")
auth_check(REPO)
fails(RepositoryNotFoundError, lambda: auth_check("acme/nope"))
# As transformers looks for optional folders.
fails(EntryNotFoundError, lambda: list(api.list_repo_tree(REPO, "additional_chat_templates", recursive=False)))

refs = api.list_repo_refs(REPO)
info = api.model_info(REPO, files_metadata=True)
tree = list(api.list_repo_tree(REPO, recursive=True))
[commit] = api.list_repo_commits(REPO)
assert commit.commit_id == info.sha == os.path.basename(folder)
assert files.ls(REPO, detail=False) and files.ls(f"{REPO}@v1", detail=False)
with files.open(f"{REPO}/deep/weights.bin") as file:
    assert file.read() == b"weights"

refused = [
    lambda: api.create_repo("acme/new"),
    lambda: api.upload_file(path_or_fileobj=b"x", path_in_repo="x", repo_id=REPO),
    lambda: list(api.get_repo_discussions(REPO)),
]

print(
    json.dumps(
        {
            "who": api.whoami()["name"],
            "commits": [os.path.basename(at) for at in (folder, old, rows)],
            "refs": sorted((at.name, at.target_commit) for at in refs.branches + refs.tags),
            "files": [(at.path, at.size, at.blob_id) for at in tree if hasattr(at, "blob_id")],
            "siblings": [(at.rfilename, at.size, at.blob_id) for at in info.siblings],
            "models": [(model.id, model.sha) for model in api.list_models(search="TINY", full=True)],
            "datasets": [dataset.id for dataset in api.list_datasets(author="acme")],
            "tensors": sorted(get_safetensors_metadata(REPO).weight_map),
            "refused": [fails(HfHubHTTPError, ask).response.status_code for ask in refused],
        }
    )
)
