"""Hub metadata as Parquet, in the style of the `hub-stats` data set."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar, Final

from clustering.text import escape, one_line
from corpora.errors import DamagedFileError, NotFoundError
from corpora.package import Package
from corpora.sources.columns import COLUMNS
from corpora.sources.interface import SkippedPackage, SnapshotSource
from corpora.sources.local_files import is_there
from corpora.sources.rows import package_of_row

BATCH: Final = 500
"""Rows in memory at a time, as columns; a row with its card and list of files has about 5 KB."""
_ROWS: Final = 50
"""Rows in memory at a time, as Python's objects."""

_BUFFER: Final = 1 << 20
"""Bytes of a column that are read at a time. With pyarrow's own settings a whole row group is in memory: 386 MB instead
of 20 MB of a file with 300,000 rows in one group."""


class ParquetRows(SnapshotSource):
    """One package per row; only the columns that are looked at are read."""

    kind: ClassVar[str] = "parquet"

    def __init__(self, path: Path) -> None:
        self._path = path
        self.location = escape(str(path))
        self._label = escape(path.name)

    def _file(self) -> Any:
        import pyarrow as pa
        import pyarrow.parquet as pq

        if not is_there(self._path):
            raise NotFoundError(f"{self.location}: no such file; check the path")
        try:
            return pq.ParquetFile(self._path, buffer_size=_BUFFER, pre_buffer=False)
        except (OSError, pa.ArrowException) as error:
            raise DamagedFileError(f"{self.location}: not Parquet ({one_line(error, 80)}); get it again") from error

    def total(self) -> int:
        """Number of rows."""
        with self._file() as file:
            return int(file.metadata.num_rows)

    def stride(self) -> int:
        """The longest row group: a group is read from its beginning."""
        with self._file() as file:
            metadata = file.metadata
            return max((metadata.row_group(index).num_rows for index in range(metadata.num_row_groups)), default=0)

    def packages(self, start: int = 0, stop: int | None = None) -> Iterator[Package | SkippedPackage]:
        """One item per row. Row groups before `start` are not read."""
        import pyarrow as pa

        with self._file() as file:
            groups, first = _groups(file.metadata, start, stop)
            columns = [name for name in file.schema_arrow.names if name in COLUMNS]
            try:
                for batch in file.iter_batches(BATCH, row_groups=groups, columns=columns):
                    if stop is not None and first >= stop:
                        return
                    before = max(0, start - first)  # rows of a group that nobody asked for are not made objects
                    wanted = batch.slice(before, None if stop is None else max(0, stop - first - before))
                    rows = (row for at in range(0, len(wanted), _ROWS) for row in wanted.slice(at, _ROWS).to_pylist())
                    for number, row in enumerate(rows, start=first + before + 1):
                        yield package_of_row(row, f"{self._label}:row {number}")
                    first += len(batch)
            except (OSError, pa.ArrowException, UnicodeDecodeError) as error:
                why = one_line(error, 80)
                raise DamagedFileError(f"{self.location}: damaged after row {first} ({why}); get it again") from error


def _groups(metadata: Any, start: int, stop: int | None) -> tuple[list[int], int]:
    """Row groups that hold the wanted rows, and the number of the first row of the first of them."""
    wanted: list[int] = []
    first = row = 0
    for index in range(metadata.num_row_groups):
        following = row + metadata.row_group(index).num_rows
        if following > start and (stop is None or row < stop):
            if not wanted:
                first = row
            wanted.append(index)
        row = following
    return wanted, first
