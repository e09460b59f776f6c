"""Defect rates by group, with intervals."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from math import sqrt
from typing import Any, ClassVar, Final

from dara.studies.interface import Column, Study, Table, Value, first_rows
from dara.studies.snapshot import Snapshot

Z: Final = 1.959964
"""Two-sided 95 % of the normal distribution."""
GROUPS: Final = 1_000_000
"""Groups that are counted; names of owners and families come from strangers."""
OTHERS: Final = "(others)"
RATE_COLUMNS: Final = (
    Column("packages", "count"),
    Column("judged", "count"),
    Column("defective", "count"),
    Column("rate", "share"),
    Column("low", "share"),
    Column("high", "share"),
)
RATE_NOTE: Final = (
    "Rate: defective of those judged consistent or defective; low and high: Wilson's 95 % interval, which takes "
    "packages of one owner for independent."
)


def wilson(hits: int, total: int) -> tuple[float, float]:
    """Interval of a share (Wilson 1927); the whole range for an empty sample."""
    if not total:
        return 0.0, 1.0
    share, square = hits / total, Z * Z
    middle = (share + square / (2 * total)) / (1 + square / total)
    half = Z * sqrt(share * (1 - share) / total + square / (4 * total * total)) / (1 + square / total)
    return max(0.0, middle - half), min(1.0, middle + half)


@dataclass(slots=True)
class Tally:
    """Packages of one group."""

    packages: int = 0
    consistent: int = 0
    defective: int = 0

    def count(self, verdict: str, number: int) -> None:
        """Adds packages of one verdict."""
        self.packages += number
        self.consistent += number if verdict == "consistent" else 0
        self.defective += number if verdict == "defective" else 0

    @property
    def judged(self) -> int:
        """Packages whose name was found true or false."""
        return self.consistent + self.defective

    @property
    def low(self) -> float:
        """Lower end of the interval of the rate."""
        return wilson(self.defective, self.judged)[0]

    def row(self) -> tuple[Value, ...]:
        """The values of `RATE_COLUMNS`; no rate where nothing was judged."""
        if not self.judged:
            return (self.packages, 0, 0, None, None, None)
        low, high = wilson(self.defective, self.judged)
        return (self.packages, self.judged, self.defective, self.defective / self.judged, low, high)


def counted(batch: Any, column: Any) -> Iterable[tuple[Any, str, int]]:
    """(group, verdict, packages) of a batch, groups being the values of an array; rows without a group left out."""
    import pyarrow as pa

    table = pa.table({"group": column, "verdict": batch.column("verdict")})
    found = table.group_by(["group", "verdict"]).aggregate([([], "count_all")]).to_pydict()
    for group, verdict, number in zip(found["group"], found["verdict"], found["count_all"], strict=True):
        if group is not None:
            yield group, verdict, number


class Grouped(Study):
    """Rates by the value of one column."""

    column: ClassVar[str]
    label: ClassVar[str]

    def __init__(self) -> None:
        self._tallies: dict[str, Tally] = defaultdict(Tally)

    def add(self, batch: Any) -> None:
        """Counts the groups of a batch."""
        for group, verdict, number in counted(batch, self.groups(batch.column(self.column))):
            known = group in self._tallies or len(self._tallies) < GROUPS
            self._tallies[group if known else OTHERS].count(verdict, number)

    def groups(self, column: Any) -> Any:
        """The groups of a column's values."""
        return column

    def _table(self, key: str, title: str, tallies: list[tuple[str, Tally]], note: str = RATE_NOTE) -> Table:
        rows, left_out = first_rows([(group, *tally.row()) for group, tally in tallies])
        return Table(key, title, (Column(self.label), *RATE_COLUMNS), rows, note, left_out)

    def _largest(self) -> list[tuple[str, Tally]]:
        return sorted(self._tallies.items(), key=lambda item: (-item[1].packages, item[0]))

    def _worst(self) -> list[tuple[str, Tally]]:
        """Groups with defects, those first whose rate is surely high."""
        found = [(group, tally) for group, tally in self._tallies.items() if tally.defective]
        return sorted(found, key=lambda item: (-item[1].low, -item[1].packages, item[0]))

    def tables(self, snapshot: Snapshot) -> tuple[Table, ...]:
        """The largest groups, and those with the highest rates."""
        del snapshot
        return (
            self._table(f"{self.name}-largest", f"Defect rate of the largest {self.plural}", self._largest()),
            self._table(
                f"{self.name}-worst",
                f"{self.plural.capitalize()} with defects, surely high rates first",
                self._worst(),
                f"{RATE_NOTE} Sorted by the lower end of the interval.",
            ),
        )

    plural: ClassVar[str]


class Families(Grouped):
    """By the family that packages are."""

    name, title = "families", "Defect rates by family"
    needs = ("family",)
    reads = ("family", "verdict")
    column, label, plural = "family", "family (measured or declared)", "families"


class Claimed(Grouped):
    """By the family that names state."""

    name, title = "claimed", "Defect rates by the family that names state"
    needs = ("claimed_family",)
    reads = ("claimed_family", "verdict")
    column, label, plural = "claimed_family", "family in the name", "families in names"


class Owners(Grouped):
    """By organisation or user."""

    name, title = "owners", "Defect rates by owner"
    needs = ("owner",)
    reads = ("owner", "verdict")
    column, label, plural = "owner", "owner", "owners"

    def groups(self, column: Any) -> Any:
        """Owners; packages without one are left out."""
        import pyarrow.compute as pc

        return pc.if_else(pc.equal(column, ""), None, column)


class Months(Grouped):
    """By the month in which packages were made."""

    name, title = "months", "Defect rates by month"
    needs = ("created",)
    reads = ("created", "verdict")
    column, label, plural = "created", "month", "months"

    def groups(self, column: Any) -> Any:
        """The first seven characters of dates as the hub writes them."""
        import pyarrow.compute as pc

        valid = pc.match_substring_regex(column, r"^\d{4}-(0[1-9]|1[0-2])\b")
        return pc.if_else(valid, pc.utf8_slice_codeunits(column, 0, 7), None)

    def tables(self, snapshot: Snapshot) -> tuple[Table, ...]:
        """Every month, in their order."""
        del snapshot
        months = [(month, *tally.row()) for month, tally in sorted(self._tallies.items())]
        rows, left_out = tuple(months[-240:]), max(0, len(months) - 240)
        columns = (Column(self.label), *RATE_COLUMNS)
        return (Table("months", "Defect rate by month of creation", columns, rows, RATE_NOTE, left_out),)


class Downloads(Study):
    """By tenths of the downloads."""

    name, title = "downloads", "Defect rates by downloads"
    needs = ("downloads",)
    reads = ("downloads", "verdict")

    def __init__(self) -> None:
        self._parts: list[tuple[Any, Any]] = []

    def add(self, batch: Any) -> None:
        """Keeps nine bytes of each package: bounded by the snapshot, 18 MB for two million."""
        import numpy as np
        import pyarrow.compute as pc

        present = batch.filter(pc.is_valid(batch.column("downloads")))
        verdicts = pc.index_in(present.column("verdict"), value_set=_verdicts())
        loads = present.column("downloads").to_numpy(zero_copy_only=False)
        self._parts.append((loads.astype(np.int64), verdicts.fill_null(2).to_numpy(zero_copy_only=False).astype("i1")))

    def tables(self, snapshot: Snapshot) -> tuple[Table, ...]:
        """Ten groups of about equal size; packages with equal downloads stay together."""
        del snapshot
        import numpy as np

        loads = np.concatenate([part for part, _ in self._parts])
        verdicts = np.concatenate([part for _, part in self._parts])
        ordered = np.sort(loads)
        borders = [int(ordered[len(ordered) * tenth // 10]) for tenth in range(10)]
        rows: list[tuple[Value, ...]] = []
        starts = sorted(set(borders))
        for number, low in enumerate(starts):
            inside = loads >= low
            if number + 1 < len(starts):
                inside &= loads < starts[number + 1]
            high = int(loads[inside].max())
            own = np.bincount(verdicts[inside], minlength=3)
            tally = Tally(int(own.sum()), int(own[0]), int(own[1]))
            tenths = [str(tenth + 1) for tenth in range(10) if borders[tenth] == low]
            label = tenths[0] if len(tenths) == 1 else f"{tenths[0]} to {tenths[-1]}"
            rows.append((label, f"{low:,} to {high:,}" if high > low else f"{low:,}", *tally.row()))
        columns = (Column("tenth"), Column("downloads"), *RATE_COLUMNS)
        note = f"{RATE_NOTE} Packages with equally many downloads are in one tenth; packages without a count in none."
        return (Table("downloads", "Defect rate by tenths of the downloads", columns, tuple(rows), note),)


def _verdicts() -> Any:
    import pyarrow as pa

    return pa.array(["consistent", "defective"])
