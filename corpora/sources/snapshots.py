"""The kinds of snapshots, and the one function that opens one."""

from __future__ import annotations

import zlib
from pathlib import Path
from typing import Final

from clustering.text import escape
from corpora.errors import DamagedFileError, InvalidTargetError, NotFoundError
from corpora.sources.interface import SnapshotSource
from corpora.sources.jsonl import JsonLines, open_binary
from corpora.sources.local_files import is_folder, is_there
from corpora.sources.mirror import HubCacheFolder, MirrorFolder
from corpora.sources.parquet import ParquetRows
from corpora.sources.parts import PartFiles, part_paths
from corpora.sources.peatmoss import PeatMoss
from corpora.sources.ptmtorrent import PtmTorrent

FOLDERS: Final = (HubCacheFolder, MirrorFolder)
"""Snapshots that are folders, in the order in which they are tried."""

FILES: Final = (JsonLines, PtmTorrent, ParquetRows, PeatMoss)
"""Snapshots that are files; the first bytes tell which."""


def _file_kind(path: Path) -> type[JsonLines | ParquetRows | PtmTorrent | PeatMoss]:
    """Kind of a snapshot file, told by its first bytes."""
    try:
        with open_binary(path) as stream:
            head = stream.read(1_024)
    except (OSError, EOFError, zlib.error) as error:
        raise DamagedFileError(f"{escape(str(path))}: cannot be read; get it again") from error
    if head.startswith(b"PAR1"):
        return ParquetRows
    if head.startswith(b"SQLite format 3\0"):
        return PeatMoss
    first = head.removeprefix(b"\xef\xbb\xbf").lstrip()[:1]
    if first == b"[":
        return PtmTorrent
    if first == b"{":
        return JsonLines
    msg = (
        f"{escape(str(path))}: not a snapshot; give JSON Lines, a JSON array, Parquet, a PeaTMOSS database or a folder"
    )
    raise InvalidTargetError(msg)


def open_snapshot(path: Path | str) -> SnapshotSource:
    """Opens a snapshot: a mirror folder, the hub's cache, a file of hub metadata, or a folder of such files.

    Raises:
        PackageError: when it is none of these.
    """
    root = Path(path)
    if not is_folder(root):
        if not is_there(root):
            raise NotFoundError(f"{escape(str(path))}: no such file or folder; check the path")
        return _file_kind(root)(root)
    for kind in FOLDERS:
        source = kind(root)
        if source.total():
            return source
    if part_paths(root):
        return PartFiles(root, lambda part: _file_kind(part)(part))
    msg = f"{escape(str(path))}: holds no packages; give a folder of OWNER--REPO folders, or of Parquet or JSONL files"
    raise InvalidTargetError(msg)
