"""Packages as they lie on a disk, for tests."""

from __future__ import annotations

import os
import struct
from pathlib import Path

HEADER = b'{"w":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}'
WEIGHTS = struct.pack("<Q", len(HEADER)) + HEADER + bytes(8)


def make(folder: Path, **files: bytes | str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in files.items():
        path = folder / name.replace("__", "/").replace("_json", ".json").replace("_md", ".md").replace(
            "_st", ".safetensors"
        )
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data if isinstance(data, bytes) else data.encode())
    return folder


def cache_repo(root: Path, repo_id: str, commits: dict[str, dict[str, bytes]], refs: dict[str, str]) -> Path:
    """A repository as the hub's client lays it out: snapshots of links into blobs."""
    repository = root / f"models--{repo_id.replace('/', '--')}"
    (repository / "blobs").mkdir(parents=True)
    for commit, files in commits.items():
        for path, data in files.items():
            blob = repository / "blobs" / str(abs(hash((commit, path))))
            blob.write_bytes(data)
            link = repository / "snapshots" / commit / path
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(os.path.relpath(blob, link.parent))
    (repository / "refs").mkdir()
    for name, commit in refs.items():
        path = repository / "refs" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(commit)
    return repository
