"""Hub metadata as JSON Lines, plain or compressed by gzip: one model a line, as `HfApi.list_models` describes it."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, ClassVar, Final

from clustering.text import escape
from corpora.errors import DamagedFileError, NotFoundError
from corpora.package import Package
from corpora.sources.columns import MAX_LINE
from corpora.sources.interface import SkippedPackage, SnapshotSource
from corpora.sources.rows import parse_line

STRIDE: Final = 1_000
"""Entries between two remembered places of a file."""


def open_binary(path: Path) -> IO[bytes]:
    """Opens a file, unpacking gzip.

    Raises:
        NotFoundError: when it cannot be opened.
    """
    try:
        if not path.is_file():
            raise NotFoundError(f"{escape(str(path))}: not a regular file; check the path")
        return gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb")  # type: ignore[return-value]
    except OSError as error:
        raise NotFoundError(f"{escape(str(path))}: {(error.strerror or 'cannot be opened').lower()}") from error


def lines(stream: IO[bytes], label: str) -> Iterator[bytes | None]:
    """Lines of a file; None for one that is too long, which is passed over without keeping it.

    Raises:
        DamagedFileError: when the file breaks off or cannot be read.
    """
    try:
        while line := stream.readline(MAX_LINE):
            if line.endswith(b"\n") or len(line) < MAX_LINE:
                yield line
                continue
            while (rest := stream.readline(MAX_LINE)) and not rest.endswith(b"\n"):
                pass
            yield None
    except (OSError, EOFError, zlib.error) as error:
        raise DamagedFileError(f"{label}: breaks off or cannot be read; get it again") from error


class JsonLines(SnapshotSource):
    """One package per line; empty lines are passed over."""

    kind: ClassVar[str] = "jsonl"

    def __init__(self, path: Path) -> None:
        self._path = path
        self.location = escape(str(path))
        self._label = escape(path.name)
        self._marks: list[tuple[int, int]] = []
        """Place in the file, and lines before it, of every `STRIDE`th entry; filled by `total`."""

    def total(self) -> int:
        """Number of lines that are not empty; the file is read for it, but not understood.

        Of a plain file `packages` then begins near its first entry instead of reading everything before it.
        """
        entries, marks = 0, []
        packed = self._path.suffix == ".gz"
        with open_binary(self._path) as stream:
            before = 0
            for number, line in enumerate(lines(stream, self._label)):
                if line is None or line.strip():
                    if entries % STRIDE == 0 and not packed:
                        marks.append((before, number))
                    entries += 1
                if not packed:
                    before = stream.tell() if line is None else before + len(line)
        self._marks = marks
        return entries

    def stride(self) -> int | None:
        """Those since the last remembered place of a plain file."""
        return None if self._path.suffix == ".gz" else STRIDE

    def packages(self, start: int = 0, stop: int | None = None) -> Iterator[Package | SkippedPackage]:
        """One item per line."""
        with open_binary(self._path) as stream:
            entry, before = -1, 0
            if self._marks and start >= STRIDE:
                mark = min(start // STRIDE, len(self._marks) - 1)
                offset, before = self._marks[mark]
                stream.seek(offset)
                entry = mark * STRIDE - 1
            for number, line in enumerate(lines(stream, self._label), start=before + 1):
                if line is not None and not line.strip():
                    continue
                entry += 1
                if stop is not None and entry >= stop:
                    return
                if entry < start:
                    continue
                place = f"{self._label}:{number}"
                if line is None:
                    yield SkippedPackage(place, f"longer than {MAX_LINE:,} bytes")
                else:
                    yield parse_line(line, place)
