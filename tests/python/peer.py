"""The real Python client, as scenarios use it: one verb, a file where one is meant, a revision where it is not `main`.

    download FILE [REV]      fetch into the shared cache           force FILE [REV]      the same, anew
    offline FILE [REV]       find in the cache, network forbidden
    snapshot [REV]           fetch the whole revision              offline-snapshot [REV]
    scan                     list the cache; any warning is a failure
    verify [REV]             compare every cached file with the hub's listing, by `hf cache verify`

What is found is printed as one JSON object a line. Cache root, endpoint and token come from the environment.
"""

import json
import os
import subprocess
import sys

REPO = "org/model"


def say(**fields):
    print(json.dumps(fields), flush=True)


def one_file(file, revision, **how):
    from huggingface_hub import hf_hub_download

    say(file=file, path=hf_hub_download(REPO, file, revision=revision, **how))


def whole_snapshot(revision, **how):
    from huggingface_hub import snapshot_download

    folder = snapshot_download(REPO, revision=revision, **how)
    for parent, _, names in os.walk(folder):
        for name in names:
            path = os.path.join(parent, name)
            say(file=os.path.relpath(path, folder), path=path)


def scan():
    from huggingface_hub import scan_cache_dir

    cache = scan_cache_dir()
    for repo in cache.repos:
        for revision in repo.revisions:
            for file in revision.files:
                with open(file.file_path, "rb") as content:
                    content.read()
            say(repo=repo.repo_id, commit=revision.commit_hash, files=len(revision.files), refs=sorted(revision.refs))
    if cache.warnings:
        sys.exit("\n".join(str(warning) for warning in cache.warnings))


def verify(revision):
    hf = os.path.join(os.path.dirname(sys.executable), "hf")
    command = [hf, "cache", "verify", REPO, "--fail-on-missing-files", "--fail-on-extra-files", "--format", "json"]
    sys.exit(subprocess.run(command + (["--revision", revision] if revision else [])).returncode)


def main(verb, *words):
    revision = dict(enumerate(words)).get
    match verb:
        case "download":
            one_file(words[0], revision(1))
        case "force":
            one_file(words[0], revision(1), force_download=True)
        case "offline":
            one_file(words[0], revision(1), local_files_only=True)
        case "snapshot":
            whole_snapshot(revision(0))
        case "offline-snapshot":
            whole_snapshot(revision(0), local_files_only=True)
        case "scan":
            scan()
        case "verify":
            verify(revision(0))
        case _:
            sys.exit(f"`{verb}` is no verb of this script")


main(*sys.argv[1:])
