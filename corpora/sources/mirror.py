"""Folders that hold many packages: a mirror (`OWNER--REPO` folders) and the hub's cache (`models--OWNER--REPO`)."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

from clustering.text import escape
from corpora.errors import NotFoundError, PackageError
from corpora.package import Package
from corpora.sources.folder import FolderSource
from corpora.sources.hub_cache import PREFIX, HubCacheSource
from corpora.sources.interface import OpenOptions, PackageSource, SkippedPackage, SnapshotSource


def _folders(root: Path) -> list[str]:
    """Names of the folders in a folder, sorted.

    Raises:
        NotFoundError: when it cannot be listed.
    """
    try:
        with os.scandir(root) as scan:
            names = sorted(entry.name for entry in scan if entry.is_dir() and not entry.name.startswith("."))
    except OSError as error:
        reason = (error.strerror or "cannot be listed").lower()
        raise NotFoundError(f"{escape(str(root))}: {reason}; check the path") from error
    return names


class _Folders(SnapshotSource):
    """Opens folder after folder."""

    def __init__(self, root: Path, source: PackageSource) -> None:
        self.location = escape(str(root))
        self._root = root
        self._source = source

    def _names(self) -> list[str]:
        raise NotImplementedError

    def total(self) -> int:
        """Number of folders."""
        return len(self._names())

    def packages(self, start: int = 0, stop: int | None = None) -> Iterator[Package | SkippedPackage]:
        """The packages, sorted by folder name."""
        for name in self._names()[start:stop]:
            try:
                yield self._source.open(str(self._root / name), OpenOptions())
            except PackageError as error:
                yield SkippedPackage(escape(name), str(error))


class MirrorFolder(_Folders):
    """A folder of folders. Those that are not called `OWNER--REPO` are packages with a weak name."""

    kind: ClassVar[str] = "mirror"
    holds_files: ClassVar[bool] = True

    def __init__(self, root: Path) -> None:
        super().__init__(root, FolderSource())

    def _names(self) -> list[str]:
        return [name for name in _folders(self._root) if not name.startswith(PREFIX)]


class HubCacheFolder(_Folders):
    """Every model of the hub's cache, at its main branch."""

    kind: ClassVar[str] = "hub-cache"
    holds_files: ClassVar[bool] = True

    def __init__(self, root: Path) -> None:
        super().__init__(root, HubCacheSource())

    def _names(self) -> list[str]:
        return [name for name in _folders(self._root) if name.startswith(PREFIX)]
