"""The Python client beside the command that cares for its cache.

    get KIND REPO [REV] [DIR]      fetch a whole revision into the shared cache, or into a folder
    offline KIND REPO [REV]        read every file of it with the network forbidden
    scan                           print what `scan_cache_dir` says, as one JSON object
    read KIND REPO REV…            `offline` for each revision, and then `scan`

Cache root and endpoint come from the environment.
"""

import json
import os
import sys


def get(kind, repo, revision=None, folder=None):
    from huggingface_hub import snapshot_download

    # One file at a time: without links, two files with the same content take the blob from under each other.
    snapshot_download(repo, repo_type=kind, revision=revision, local_dir=folder, max_workers=1)


def offline(kind, repo, revision=None):
    from huggingface_hub import snapshot_download

    folder = snapshot_download(repo, repo_type=kind, revision=revision, local_files_only=True)
    for parent, _, names in os.walk(folder):
        for name in names:
            with open(os.path.join(parent, name), "rb") as content:
                content.read()


def files_of(revision):
    for file in revision.files:
        yield {"file": file.file_path.relative_to(revision.snapshot_path).as_posix(), "size": file.size_on_disk}


def scan():
    from huggingface_hub import scan_cache_dir

    cache = scan_cache_dir()
    repos = [
        {
            "repo_type": repo.repo_type,
            "repo_id": repo.repo_id,
            "size": repo.size_on_disk,
            "files": repo.nb_files,
            "last_accessed": int(repo.last_accessed),
            "last_modified": int(repo.last_modified),
            "revisions": [
                {
                    "revision": revision.commit_hash,
                    "size": revision.size_on_disk,
                    "last_modified": int(revision.last_modified),
                    "snapshot_path": str(revision.snapshot_path),
                    "refs": sorted(revision.refs),
                    "files": sorted(files_of(revision), key=lambda file: file["file"]),
                }
                for revision in sorted(repo.revisions, key=lambda revision: revision.commit_hash)
            ],
        }
        for repo in sorted(cache.repos, key=lambda repo: (repo.repo_type, repo.repo_id))
    ]
    print(json.dumps({"repos": repos, "warnings": [str(warning) for warning in cache.warnings]}))


def read(kind, repo, *revisions):
    for revision in revisions:
        offline(kind, repo, revision)
    scan()


verb, *words = sys.argv[1:]
{"get": get, "offline": offline, "read": read, "scan": scan}[verb](*(word or None for word in words))
