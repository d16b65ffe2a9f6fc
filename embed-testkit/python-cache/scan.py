"""Whether huggingface_hub finds models whole in a cache: scan.py CACHE ORG/NAME..."""

import sys

from huggingface_hub import scan_cache_dir, snapshot_download

cache, *models = sys.argv[1:]
found = scan_cache_dir(cache)
assert not found.warnings, found.warnings
assert {repository.repo_id for repository in found.repos} == set(models), found
for repository in found.repos:
    (revision,) = repository.revisions
    path = snapshot_download(repository.repo_id, cache_dir=cache, local_files_only=True)
    assert revision.refs == {"main"} and str(revision.snapshot_path) == path, (revision, path)
    print(f"{repository.repo_id}: huggingface_hub finds {len(revision.files)} files")
