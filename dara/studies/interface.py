"""What a study is, and what it gives."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar, Final, Literal

from dara.studies.snapshot import Snapshot

Kind = Literal["text", "count", "number", "share"]
"""What a column holds: a text, a whole number, a number, or a part of one (shown as a percentage)."""
Value = str | int | float | None

SHOWN: Final = 50
"""Rows of a table with one row per package, owner or cluster."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a table."""

    name: str
    kind: Kind = "text"


@dataclass(frozen=True, slots=True)
class Table:
    """A table of a study."""

    key: str
    title: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Value, ...], ...]
    note: str = ""
    """What a reader has to know to read it: denominators, what was left out."""
    left_out: int = 0
    """Further rows."""


@dataclass(frozen=True, slots=True)
class StudyResult:
    """What a study found."""

    name: str
    title: str
    tables: tuple[Table, ...]
    missing: str | None = None
    """Why there are no tables."""


class Study(ABC):
    """One question to a snapshot. Instances count one snapshot and are used once."""

    name: ClassVar[str]
    title: ClassVar[str]
    needs: ClassVar[tuple[str, ...]] = ()
    """Columns of `packages` in which there must be a value; without one the study is not available."""
    reads: ClassVar[tuple[str, ...]] = ()
    """Columns of `packages` that `add` looks at."""

    def add(self, batch: Any) -> None:
        """Takes some rows of `packages` into account: an Arrow record batch with the columns of `reads`."""
        del batch

    @abstractmethod
    def tables(self, snapshot: Snapshot) -> tuple[Table, ...]:
        """The tables, when all rows were added.

        Raises:
            DaraError: a file of the results cannot be read.
        """


def first_rows(rows: list[tuple[Value, ...]], shown: int = SHOWN) -> tuple[tuple[tuple[Value, ...], ...], int]:
    """The first rows and the number of the others."""
    return tuple(rows[:shown]), max(0, len(rows) - shown)
