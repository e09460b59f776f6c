"""Files of a folder on this machine, listed without leaving it."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Final

from clustering.bytesource import ByteSource
from clustering.errors import ReaderError
from clustering.readers.local import LocalFile
from clustering.text import escape

MAX_DEPTH: Final = 8
"""Levels of folders below the package's root; diffusers packages need two, TensorFlow's saved models three."""

MAX_ENTRIES: Final = 50_000
"""Directory entries that are looked at."""

_MAX_SKIPPED: Final = 200
"""Entries whose reason is kept one by one; the rest is counted."""

_IGNORED_FOLDERS: Final = frozenset({".git", ".cache", ".venv", "__pycache__", "node_modules", ".ipynb_checkpoints"})

_CACHED: Final = ("models--", "datasets--", "spaces--")
"""Repositories that the hub's client has put into a package's folder as its cache: other packages."""


class LocalFiles:
    """Files below a root by POSIX path. Implements `clustering.bytesource.FileAccess`."""

    def __init__(self, files: Mapping[str, tuple[Path, int]], roots: tuple[Path, ...]) -> None:
        self._files = dict(sorted(files.items()))
        self._roots = roots
        self._sizes = MappingProxyType({path: size for path, (_, size) in self._files.items()})

    def sizes(self) -> Mapping[str, int | None]:
        """Paths with lengths in bytes, sorted."""
        return self._sizes

    def open(self, path: str) -> ByteSource:
        """Opens one of the listed files.

        Raises:
            ReaderError: when it is not listed, is no regular file any more, leads out of the package, or is unreadable.
        """
        if path not in self._files:
            raise ReaderError(f"{escape(path)}: no such file in the package")
        try:
            real = self._files[path][0].resolve(strict=True)
        except (OSError, RuntimeError) as error:
            raise ReaderError(f"{escape(path)}: {_reason(error)}") from error
        if not _inside(real, self._roots):
            raise ReaderError(f"{escape(path)}: the symbolic link leads out of the package")
        return LocalFile(real, label=escape(path))


@dataclass(slots=True)
class Listing:
    """Result of `list_folder`."""

    files: dict[str, tuple[Path, int]]
    skipped: list[tuple[str, str]]

    def skip(self, path: str, reason: str) -> None:
        """Notes an entry that was left out."""
        if len(self.skipped) < _MAX_SKIPPED:
            self.skipped.append((escape(path), reason))
        elif len(self.skipped) == _MAX_SKIPPED:
            self.skipped.append(("...", "further entries were left out"))


def is_folder(path: Path) -> bool:
    """Whether a path is a folder; False where that cannot be told (a name too long, no permission)."""
    try:
        return path.is_dir()
    except (OSError, ValueError):
        return False


def is_there(path: Path) -> bool:
    """Whether a path exists; False where that cannot be told."""
    try:
        return path.exists()
    except (OSError, ValueError):
        return False


def _reason(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    return "the symbolic links form a loop" if isinstance(error, RuntimeError) else type(error).__name__


def _inside(path: Path, roots: tuple[Path, ...]) -> bool:
    return any(path.is_relative_to(root) for root in roots)


def _add(entry: os.DirEntry[str], path: str, roots: tuple[Path, ...], listing: Listing) -> None:
    """Lists one entry that is no folder."""
    try:
        real = Path(entry.path)
        if entry.is_symlink():
            real = real.resolve(strict=True)
            if not _inside(real, roots):
                listing.skip(path, "a symbolic link that leads out of the package is not followed")
                return
        status = real.stat()
    except (OSError, RuntimeError) as error:
        listing.skip(path, _reason(error))
        return
    if stat.S_ISDIR(status.st_mode):
        listing.skip(path, "a symbolic link to a folder is not followed")
    elif not stat.S_ISREG(status.st_mode):
        listing.skip(path, "not a regular file")
    else:
        listing.files[path] = (Path(entry.path), status.st_size)


def list_folder(root: Path, also: tuple[Path, ...] = ()) -> tuple[LocalFiles, tuple[tuple[str, str], ...]]:
    """Lists the files below a folder, in bounds of depth and number, in an order that does not depend on the disk.

    Symbolic links are followed to files inside the folder (or inside `also`, for the blobs of the hub's cache) and
    nowhere else, so loops cannot arise. Folders of version control and caches are left out.

    Returns:
        the files, and what was left out with the reason.

    Raises:
        OSError: when the root itself cannot be listed.
    """
    roots = (root.resolve(strict=True), *(folder.resolve() for folder in also))
    listing = Listing({}, [])
    pending: list[tuple[str, str, int]] = [(str(root), "", 0)]
    seen = 0
    while pending:
        folder, prefix, depth = pending.pop()
        try:
            with os.scandir(folder) as scan:
                entries = []
                for entry in scan:
                    seen += 1
                    if seen > MAX_ENTRIES:
                        break
                    entries.append(entry)
        except OSError as error:
            if depth == 0:
                raise
            listing.skip(prefix, _reason(error))
            continue
        for entry in sorted(entries, key=lambda entry: entry.name):
            path = prefix + entry.name
            try:
                path.encode()
            except UnicodeEncodeError:
                listing.skip(path, "the file's name is not UTF-8")
                continue
            if not entry.is_dir(follow_symlinks=False):
                _add(entry, path, roots, listing)
            elif entry.name in _IGNORED_FOLDERS or entry.name.startswith(_CACHED):
                continue
            elif depth >= MAX_DEPTH:
                listing.skip(path + "/", f"more than {MAX_DEPTH} folders deep")
            else:
                pending.append((entry.path, path + "/", depth + 1))
        if seen > MAX_ENTRIES:
            listing.skip(prefix or ".", f"more than {MAX_ENTRIES:,} entries; the rest was not looked at")
            break
    return LocalFiles(listing.files, roots), tuple(sorted(listing.skipped))
