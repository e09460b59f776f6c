"""A snapshot in several files, as data sets are published: `models-00000-of-00012.parquet` and so on in one folder."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import ClassVar, Final

from clustering.text import escape
from corpora.errors import InvalidTargetError
from corpora.package import Package
from corpora.sources.interface import SkippedPackage, SnapshotSource
from corpora.sources.local_files import is_folder

SUFFIXES: Final = (".parquet", ".jsonl", ".jsonl.gz")
"""Files that count as parts. Others (a README, checksums) are not looked at."""
MOST_PARTS: Final = 10_000


def part_paths(root: Path) -> list[Path]:
    """Files of a folder that may be parts of a snapshot, by name.

    Raises:
        InvalidTargetError: there are too many.
    """
    if not is_folder(root):
        return []
    found = [path for path in root.iterdir() if path.name.endswith(SUFFIXES) and not path.name.startswith(".")]
    if len(found) > MOST_PARTS:
        raise InvalidTargetError(f"{escape(str(root))}: more than {MOST_PARTS:,} files; give fewer and longer ones")
    return sorted(path for path in found if path.is_file())


class PartFiles(SnapshotSource):
    """The entries of file after file."""

    kind: ClassVar[str] = "parts"

    def __init__(self, root: Path, opened: Callable[[Path], SnapshotSource]) -> None:
        """`opened` makes a source of one file.

        Raises:
            PackageError: a file is no snapshot.
        """
        self.location = escape(str(root))
        self._parts: Sequence[SnapshotSource] = [opened(path) for path in part_paths(root)]
        self._totals: list[int | None] | None = None

    def total(self) -> int | None:
        """Entries of all files; unknown when that of one is."""
        known = self._counted()
        return None if None in known else sum(total or 0 for total in known)

    def stride(self) -> int | None:
        """The largest of the files'; None when one of them, or the length of one, is unknown."""
        strides = [part.stride() for part in self._parts]
        return None if None in strides or None in self._counted() else max((s or 0 for s in strides), default=0)

    def packages(self, start: int = 0, stop: int | None = None) -> Iterator[Package | SkippedPackage]:
        """One item per entry; files before `start` whose length is known are not read."""
        first = 0
        for part, total in zip(self._parts, self._counted(), strict=True):
            if stop is not None and first >= stop:
                return
            if total is not None:
                if first + total > start:
                    yield from part.packages(max(0, start - first), None if stop is None else min(total, stop - first))
                first += total
                continue
            for item in part.packages():
                if stop is not None and first >= stop:
                    return
                if first >= start:
                    yield item
                first += 1

    def _counted(self) -> list[int | None]:
        if self._totals is None:
            self._totals = [part.total() for part in self._parts]
        return self._totals
