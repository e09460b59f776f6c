"""The results of a run of `dara batch`, read some thousand rows at a time."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any, Final

from clustering.text import escape, one_line
from dara.errors import IncompleteAuditError, UsageError

BATCH: Final = 20_000
"""Rows in memory at a time; with the columns that studies read, some MB."""
_LARGEST: Final = 16 << 20


class Snapshot:
    """A complete OUT folder."""

    def __init__(self, out: Path, run: dict[str, Any] | None = None) -> None:
        """Opens the results.

        Args:
            out: the folder.
            run: what `run.json` will say, for results that are not complete yet.

        Raises:
            UsageError: the folder holds no complete run.
        """
        self.out = out
        self.name = escape(str(out))
        self.run = run or self._document("run.json")
        self.summary = self._document("summary.json")
        if not str(self.run.get("schema", "")).startswith("dara-batch/"):
            raise UsageError(f"{self.name}: holds no results of dara batch")

    def _document(self, name: str) -> dict[str, Any]:
        try:
            with (self.out / name).open("rb") as stream:
                value = json.loads(stream.read(_LARGEST))
        except (OSError, ValueError, RecursionError) as error:
            missing = isinstance(error, FileNotFoundError)
            why = f"no {name}: no complete run of dara batch" if missing else f"{name}: {one_line(error, 80)}"
            raise UsageError(f"{self.name}: {why}") from None
        if not isinstance(value, dict):
            raise UsageError(f"{self.name}: {name} is not what dara batch writes")
        return value

    @contextmanager
    def _file(self, table: str) -> Iterator[Any]:
        import pyarrow as pa
        import pyarrow.parquet as pq

        try:
            with pq.ParquetFile(self.out / f"{table}.parquet") as file:
                yield file
        except FileNotFoundError:
            raise UsageError(f"{self.name}: no {table}.parquet; made by an older dara, run it again") from None
        except (OSError, pa.ArrowException) as error:
            raise IncompleteAuditError(f"{self.name}: {table}.parquet is damaged ({one_line(error, 80)})") from error

    @cached_property
    def _present(self) -> dict[str, bool]:
        """Columns of `packages`, and whether there is a value in them. Only the footer is read."""
        with self._file("packages") as file:
            metadata = file.metadata
            found = dict.fromkeys(file.schema_arrow.names, False)
            for group in range(metadata.num_row_groups):
                for number in range(metadata.num_columns):
                    chunk = metadata.row_group(group).column(number)
                    statistics = chunk.statistics
                    name = chunk.path_in_schema.partition(".")[0]
                    counted = statistics is not None and statistics.has_null_count
                    found[name] |= bool(chunk.num_values) and (not counted or statistics.null_count < chunk.num_values)
            return found

    @property
    def packages(self) -> int:
        """Rows of `packages`."""
        with self._file("packages") as file:
            return int(file.metadata.num_rows)

    def present(self, column: str) -> bool:
        """Whether a column of `packages` holds any value."""
        return self._present.get(column, False)

    def lacks(self, columns: Sequence[str]) -> str | None:
        """Why something that needs these columns is not available; None when it is."""
        for column in columns:
            if column not in self._present:
                return f"no column {column}: made by an older dara, run it again"
            if not self.present(column):
                return f"no {column.replace('_', ' ')} in this snapshot"
        return None

    def scan(self, columns: Sequence[str], table: str = "packages") -> Iterator[Any]:
        """Record batches of some columns, in the order of the table.

        Raises:
            UsageError: there is no such table.
            IncompleteAuditError: it is damaged.
        """
        with self._file(table) as file:
            yield from file.iter_batches(BATCH, columns=list(columns))

    def rows(self, columns: Sequence[str], table: str = "packages") -> Iterator[dict[str, Any]]:
        """Rows of some columns."""
        for batch in self.scan(columns, table):
            yield from batch.to_pylist()
