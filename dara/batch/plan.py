"""What a run reads and how it judges: a run goes on only where an earlier one under the same plan has stopped."""

from __future__ import annotations

import importlib.metadata
import importlib.resources
import os
import platform
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from hashlib import blake2b
from pathlib import Path
from typing import Any, Final

from clustering.text import escape
from corpora.errors import NotFoundError
from corpora.sources.interface import SnapshotSource
from dara import __version__
from dara.settings import Settings

SHARD: Final = 1_000
SHARD_OF_FILES: Final = 25
"""Entries of a shard, where packages hold metadata alone and where they have their files: about a second of work, in
which a bar moves, and which is what a killed run loses per process."""
_BLOCK: Final = 1 << 20
_PACKAGES: Final = ("naming", "clustering", "corpora", "dara")
_LIBRARIES: Final = ("numpy", "pyarrow", "spacy", "networkx", "scikit-learn")


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything that the tables depend on."""

    snapshot: str
    """As given, for messages."""
    kind: str
    identity: str
    """Digest of what the snapshot consists of; see `snapshot_identity`."""
    total: int
    """Entries of the snapshot."""
    shard: int
    """Entries of a shard."""
    settings: Settings

    @property
    def shards(self) -> int:
        """Number of shards."""
        return -(-self.total // self.shard)

    def span(self, number: int) -> tuple[int, int]:
        """First entry of a shard and the one behind its last."""
        return number * self.shard, min((number + 1) * self.shard, self.total)

    def document(self) -> dict[str, Any]:
        """The plan as plain JSON; two plans are the same when their documents are."""
        return {
            "schema": "dara-batch/1",
            "inputs": {
                "snapshot": self.snapshot,
                "kind": self.kind,
                "identity": self.identity,
                "entries": self.total,
            },
            "settings": {
                "select": list(self.settings.select),
                "ignore": list(self.settings.ignore),
                "min_confidence": self.settings.min_confidence.label,
                "shown_severity": self.settings.shown_severity.label,
                "persona": self.settings.persona,
                "shard": self.shard,
            },
            "versions": versions(),
        }


def versions() -> dict[str, str]:
    """Versions of what the results depend on."""
    from clustering.graphs.fingerprint import VERSION
    from corpora.reference.index import INDEX_FILE

    found = {"dara": __version__, "python": platform.python_version(), "fingerprint": VERSION}
    found.update((name, importlib.metadata.version(name)) for name in _LIBRARIES)
    found["reference"] = blake2b(INDEX_FILE.read_bytes(), digest_size=8).hexdigest()
    found["program"] = program_digest()
    return found


@cache
def program_digest() -> str:
    """Digest of the code and the data files of this program as they were when it was first asked for.

    A version says little about a checkout that somebody works in; a run that goes on must not mix the answers of two
    programs.

    Raises:
        OSError: a file cannot be read.
    """
    digest = blake2b(digest_size=8)
    for package in _PACKAGES:
        root = Path(str(importlib.resources.files(package)))
        files = (path for path in root.rglob("*") if "__pycache__" not in path.parts and path.is_file())
        for path in sorted(files, key=lambda path: path.relative_to(root).as_posix()):
            content = blake2b(path.read_bytes(), digest_size=16).digest()
            name = f"{package}/{path.relative_to(root).as_posix()}".encode("utf-8", "backslashreplace")
            digest.update(len(name).to_bytes(4, "little") + name + content)
    return digest.hexdigest()


def snapshot_identity(path: Path) -> str:
    """Digest that changes when a snapshot does.

    Of a file: length, time of change, first and last block. Of a folder: paths, lengths and times of all its files.
    Contents are not read whole: a 7 GB snapshot has to be told apart in a moment.

    Raises:
        NotFoundError: it cannot be read (any more).
    """
    digest = blake2b(digest_size=16)
    try:
        if path.is_dir():
            for line in _listing(path):
                digest.update(line)
        else:
            status = path.stat()
            digest.update(f"{status.st_size} {status.st_mtime_ns}".encode())
            with path.open("rb") as stream:
                digest.update(stream.read(_BLOCK))
                stream.seek(max(0, status.st_size - _BLOCK))
                digest.update(stream.read(_BLOCK))
    except OSError as error:
        reason = (error.strerror or "cannot be read").lower()
        raise NotFoundError(f"{escape(str(path))}: {reason}; check the path") from error
    return digest.hexdigest()


def _listing(root: Path) -> Iterator[bytes]:
    """One line for each file below a folder, in an order that does not depend on the disk."""
    for folder, names, files in os.walk(root, onerror=_raise):
        names.sort()
        for name in sorted(files):
            path = os.path.join(folder, name)  # noqa: PTH118 - a million paths
            status = os.lstat(path)
            relative = os.path.relpath(path, root)
            yield f"{relative!r} {status.st_size} {status.st_mtime_ns}\n".encode("utf-8", "backslashreplace")


def _raise(error: OSError) -> None:
    raise error


def count(source: SnapshotSource) -> int:
    """Number of entries; a source that cannot tell is read once.

    Raises:
        PackageError: the snapshot cannot be read to its end.
    """
    total = source.total()
    return sum(1 for _ in source.packages()) if total is None else total
