"""What clusters and identical graphs say about names."""

from __future__ import annotations

import heapq
import json
from collections import defaultdict
from typing import Any, Final

from dara.studies.interface import SHOWN, Column, Study, Table, Value, first_rows
from dara.studies.snapshot import Snapshot

_FAMILIES: Final = 6
"""Families of a cell."""
_EXAMPLES: Final = 3


def families_text(text: str | None) -> str:
    """The most frequent families of a JSON column, `bert 12, roberta 3`."""
    found = json.loads(text) if text else {}
    items = [(family or "(none stated)", number) for family, number in found.items()]
    more = f" and {len(items) - _FAMILIES} more" if len(items) > _FAMILIES else ""
    return ", ".join(f"{family} {number:,}" for family, number in items[:_FAMILIES]) + more


class Mixed(Study):
    """Clusters in which packages of several names are together, and the packages that do not fit."""

    name, title = "clusters", "Clusters with mixed names"
    needs = ("digest", "cluster")
    reads = ("name", "cluster", "outlier", "claimed_family", "family", "verdict", "downloads", "entry")

    def __init__(self) -> None:
        self._most: list[tuple[int, int, tuple[Value, ...]]] = []
        self._outliers = 0

    def add(self, batch: Any) -> None:
        """Keeps the most downloaded outliers."""
        import pyarrow.compute as pc

        for row in batch.filter(pc.fill_null(batch.column("outlier"), False)).to_pylist():
            self._outliers += 1
            shown = (
                row["name"],
                row["claimed_family"],
                row["family"],
                row["cluster"],
                row["verdict"],
                row["downloads"],
            )
            item = (row["downloads"] or 0, -row["entry"], shown)
            if len(self._most) < SHOWN:
                heapq.heappush(self._most, item)
            else:
                heapq.heappushpop(self._most, item)

    def tables(self, snapshot: Snapshot) -> tuple[Table, ...]:
        """Mixed clusters first those with most outliers; then the outliers."""
        rows = list(snapshot.rows(_CLUSTER, "clusters"))
        mixed = [row for row in rows if row["outliers"] or sum(map(bool, json.loads(row["claimed"]))) > 1]
        mixed.sort(key=lambda row: (-row["outliers"], -row["packages"], row["cluster"]))
        found: list[tuple[Value, ...]] = [
            (
                row["cluster"],
                row["family"],
                row["packages"],
                row["graphs"],
                row["purity"],
                row["outliers"],
                families_text(row["claimed"]),
                row["example"],
            )
            for row in mixed
        ]
        shown, left_out = first_rows(found)
        outliers = tuple(row for _, _, row in sorted(self._most, reverse=True))
        return (
            Table(
                "clusters",
                "Clusters whose names state several families",
                (
                    Column("cluster", "count"),
                    Column("family"),
                    Column("packages", "count"),
                    Column("graphs", "count"),
                    Column("purity", "share"),
                    Column("outliers", "count"),
                    Column("families in names"),
                    Column("example"),
                ),
                shown,
                f"{len(mixed):,} of {len(rows):,} clusters. Twins have one graph, so several names are often right; "
                "outliers are names of a family that no graph of the cluster is.",
                left_out,
            ),
            Table(
                "outliers",
                "Packages whose names do not fit their cluster",
                (
                    Column("package"),
                    Column("name states"),
                    Column("package is"),
                    Column("cluster", "count"),
                    Column("verdict"),
                    Column("downloads", "count"),
                ),
                outliers,
                f"{self._outliers:,} packages; the most downloaded ones.",
                self._outliers - len(outliers),
            ),
        )


_CLUSTER: Final = ("cluster", "family", "packages", "graphs", "purity", "outliers", "claimed", "example")


class Identical(Study):
    """One graph under names of several families."""

    name, title = "identical", "Identical graphs under different families' names"
    needs = ("digest", "claimed_family")

    def tables(self, snapshot: Snapshot) -> tuple[Table, ...]:
        """The graphs with most packages, with examples of each name."""
        found: list[dict[str, Any]] = []
        total = 0
        for row in snapshot.rows(_GRAPH, "graphs"):
            row["names"] = {family: n for family, n in json.loads(row["claimed"]).items() if family}
            if len(row["names"]) > 1:
                total += 1
                found.append(row)
                if len(found) > 4 * SHOWN:
                    found = sorted(found, key=_rank)[:SHOWN]
        found = sorted(found, key=_rank)[:SHOWN]
        examples = _examples(snapshot, {row["digest"] for row in found})
        return (
            Table(
                "identical",
                "Graphs whose packages are named after several families",
                (
                    Column("graph"),
                    Column("measured family"),
                    Column("packages", "count"),
                    Column("families in names"),
                    Column("names of another family", "count"),
                    Column("examples"),
                ),
                tuple(
                    (
                        row["digest"][:12],
                        row["identified"],
                        row["packages"],
                        families_text(json.dumps(row["names"])),
                        row["strangers"],
                        "; ".join(name for _, name in sorted(examples[row["digest"]].items())[:_EXAMPLES]),
                    )
                    for row in found
                ),
                f"{total:,} graphs. An identical graph is normal and says nothing about a model's origin. Names "
                "of another family: packages named after neither the measured family nor a twin of it.",
                total - len(found),
            ),
        )


_GRAPH: Final = ("digest", "packages", "claimed", "identified", "strangers")


def _rank(row: dict[str, Any]) -> tuple[Any, ...]:
    return (-row["strangers"], -row["packages"], row["digest"])


def _examples(snapshot: Snapshot, digests: set[str]) -> dict[str, dict[str, str]]:
    """The first package of each name's family for some graphs."""
    import pyarrow as pa
    import pyarrow.compute as pc

    wanted = pa.array(sorted(digests), pa.string())
    found: dict[str, dict[str, str]] = defaultdict(dict)
    for batch in snapshot.scan(("digest", "claimed_family", "name")):
        for row in batch.filter(pc.is_in(batch.column("digest"), value_set=wanted)).to_pylist():
            if row["claimed_family"] and row["name"]:
                found[row["digest"]].setdefault(row["claimed_family"], row["name"])
    return found
