"""The licence of packages against that of the models they are made from."""

from __future__ import annotations

import tomllib
from collections import Counter
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import Any, Final

from dara.studies.interface import Column, Study, Table, Value, first_rows
from dara.studies.snapshot import Snapshot

BASES: Final = 300_000
"""Base models whose descendants are counted."""
_KINDS: Final = 200
"""Licences counted for the descendants of one base model."""
UNCLEAR: Final = "unclear"


@cache
def group_of(licence: str) -> str:
    """What a licence allows, coarsely."""
    return _groups().get(licence.lower(), UNCLEAR)


@cache
def _groups() -> dict[str, str]:
    text = files("dara.studies").joinpath("data", "licences.toml").read_text(encoding="utf-8")
    return {name: group for group, names in tomllib.loads(text).items() for name in names}


@dataclass(slots=True)
class _Base:
    """What the packages made from one model state."""

    name: str
    counts: Counter[str] = field(default_factory=Counter)
    """Packages by licence; "" for those that state none."""
    examples: dict[str, tuple[int, str]] = field(default_factory=dict)
    """Downloads and name of the most downloaded package by licence."""
    licence: str | None = None
    found: bool = False


class Licences(Study):
    """Licences of packages beside those of their base models, where both are in the snapshot."""

    name, title = "licences", "Licences beside those of the base models"
    needs = ("license", "base_models")
    reads = ("name", "license", "base_models", "downloads")

    def __init__(self) -> None:
        self._bases: dict[str, _Base] = {}
        self._several = 0
        self._left_out = 0

    def add(self, batch: Any) -> None:
        """Counts the packages that have exactly one base model; of a merge nobody can say which licence counts."""
        import pyarrow.compute as pc

        lengths = pc.list_value_length(batch.column("base_models"))
        self._several += pc.sum(pc.greater(lengths, 1)).as_py() or 0
        for row in batch.filter(pc.fill_null(pc.equal(lengths, 1), False)).to_pylist():
            name = row["base_models"][0]
            if not name or not row["name"]:
                continue
            key = name.lower()  # the hub takes names in any case
            base = self._bases.get(key)
            if base is None:
                if len(self._bases) >= BASES:
                    self._left_out += 1
                    continue
                base = self._bases[key] = _Base(name)
            licence = row["license"] or ""
            if licence not in base.counts and len(base.counts) >= _KINDS:
                licence = UNCLEAR
            base.counts[licence] += 1
            rank = (row["downloads"] or 0, row["name"])
            before = base.examples.get(licence)
            if before is None or (rank[0], before[1]) > (before[0], rank[1]):
                base.examples[licence] = rank

    def tables(self, snapshot: Snapshot) -> tuple[Table, ...]:
        """Totals, pairs of groups, and where a restricted model became a permissive package."""
        for row in snapshot.rows(("name", "license")):
            base = self._bases.get(row["name"].lower()) if row["name"] else None
            if base is not None:
                base.found = True
                base.licence = base.licence or row["license"]
        return (self._totals(), self._pairs(), self._widened())

    def _totals(self) -> Table:
        counts = Counter[str]()
        for base in self._bases.values():
            for licence, number in base.counts.items():
                counts[_case(base, licence)] += number
        total = counts.total() or 1
        cases = (
            "the same licence",
            "another licence",
            "the package states none",
            "the base model states none",
            "the base model is not in this snapshot",
        )
        return Table(
            "licences",
            "Packages with one base model",
            (Column("licence"), Column("packages", "count"), Column("share", "share")),
            tuple((case, counts[case], counts[case] / total) for case in cases),
            f"{self._several:,} packages with several base models are left out"
            + (f", and {self._left_out:,} of rare base models beyond {BASES:,}." if self._left_out else "."),
        )

    def _pairs(self) -> Table:
        pairs = Counter[tuple[str, str]]()
        for base in self._bases.values():
            if base.found and base.licence:
                for licence, number in base.counts.items():
                    if licence:
                        pairs[group_of(base.licence), group_of(licence)] += number
        ranked = sorted(pairs.items(), key=lambda item: (-item[1], item[0]))
        return Table(
            "licence-groups",
            "What base model and package allow",
            (Column("base model"), Column("package"), Column("packages", "count")),
            tuple((*pair, number) for pair, number in ranked),
            "Groups of licence identifiers, coarse; identifiers in none of them are unclear.",
        )

    def _widened(self) -> Table:
        rows: list[tuple[Value, ...]] = []
        for base in self._bases.values():
            if base.licence is None or group_of(base.licence) in {"permissive", UNCLEAR}:
                continue
            for licence, number in base.counts.items():
                if licence and group_of(licence) == "permissive":
                    loads, example = base.examples[licence]
                    rows.append((base.name, base.licence, licence, number, example, loads))
        rows.sort(key=lambda row: (-int(row[3] or 0), str(row[0]), str(row[2])))
        shown, left_out = first_rows(rows)
        return Table(
            "licence-widened",
            "Base models with terms whose descendants state a permissive licence",
            (
                Column("base model"),
                Column("its licence"),
                Column("packages state"),
                Column("packages", "count"),
                Column("example"),
                Column("its downloads", "count"),
            ),
            shown,
            "What metadata states, not what is lawful: a package may be licensed otherwise for good reasons.",
            left_out,
        )


def _case(base: _Base, licence: str) -> str:
    if not base.found:
        return "the base model is not in this snapshot"
    if not base.licence:
        return "the base model states none"
    if not licence:
        return "the package states none"
    return "the same licence" if licence.lower() == base.licence.lower() else "another licence"
