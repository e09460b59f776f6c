"""The defective packages that most people download."""

from __future__ import annotations

import heapq
from typing import Any

from dara.studies.interface import SHOWN, Column, Study, Table
from dara.studies.snapshot import Snapshot


class Defective(Study):
    """Most downloaded packages whose names and contents disagree, with what was found."""

    name, title = "defective", "Most downloaded defective packages"
    needs = ("downloads",)
    reads = ("entry", "name", "verdict", "downloads", "codes")

    def __init__(self) -> None:
        self._most: list[tuple[int, int, str, str]] = []
        self._defective = 0

    def add(self, batch: Any) -> None:
        """Keeps the most downloaded ones."""
        import pyarrow.compute as pc

        for row in batch.filter(pc.equal(batch.column("verdict"), "defective")).to_pylist():
            self._defective += 1
            item = (row["downloads"] or 0, -row["entry"], row["name"] or "", ", ".join(row["codes"] or ()))
            if len(self._most) < SHOWN:
                heapq.heappush(self._most, item)
            else:
                heapq.heappushpop(self._most, item)

    def tables(self, snapshot: Snapshot) -> tuple[Table, ...]:
        """The packages with their first finding."""
        import pyarrow as pa
        import pyarrow.compute as pc

        wanted = pa.array([-place for _, place, _, _ in self._most], pa.int64())
        messages: dict[int, str] = {}
        for batch in snapshot.scan(("entry", "message"), "findings"):
            own = batch.filter(pc.is_in(batch.column("entry"), value_set=wanted))
            for row in own.to_pylist():
                messages.setdefault(row["entry"], row["message"])  # the worst finding of a package is its first
        ranked = sorted(self._most, reverse=True)
        return (
            Table(
                "defective",
                "Most downloaded defective packages",
                (Column("package"), Column("downloads", "count"), Column("codes"), Column("finding")),
                tuple((name, loads, codes, messages.get(-place, "")) for loads, place, name, codes in ranked),
                f"{self._defective:,} packages are defective.",
                max(0, self._defective - len(ranked)),
            ),
        )
