"""Figures of each rule, with intervals that draw whole owners: packages of one owner resemble each other."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from benchmarks.verdict_data import Case
from benchmarks.verdict_runs import accusations
from dara.findings import Finding, Outcomes, Severity
from dara.rules.registry import all_rules

Counts = dict[str, tuple[int, int]]
"""By owner: how many of how many."""


def owner_of(name: str) -> str:
    """Publisher of a package, lower case; the package itself where it has none."""
    return (name.rpartition("/")[0] or name).lower()


def interval(counts: Mapping[str, tuple[int, int]], *, rounds: int = 1000, seed: int = 1) -> tuple[float, float] | None:
    """95 % interval of a share over draws of whole owners; None without any.

    Where every owner says the same (all right, or all wrong) drawing owners says nothing, so the bound is the one at
    which that many owners would agree by chance once in twenty times.
    """
    pairs = [pair for pair in counts.values() if pair[1]]
    if not pairs:
        return None
    top, bottom = sum(pair[0] for pair in pairs), sum(pair[1] for pair in pairs)
    bound = 0.05 ** (1 / len(pairs))
    if top == bottom:
        return (bound, 1.0)
    if top == 0:
        return (0.0, 1 - bound)
    draw = random.Random(seed)
    shares = sorted(
        sum(pair[0] for pair in sample) / sum(pair[1] for pair in sample)
        for sample in (draw.choices(pairs, k=len(pairs)) for _ in range(rounds))
    )
    return (shares[int(0.025 * rounds)], shares[int(0.975 * rounds) - 1])


@dataclass(slots=True)
class Tally:
    """What is counted for each rule."""

    changes: dict[str, Counts] = field(default_factory=lambda: defaultdict(dict))
    """Changes that a rule is about: found, of how many."""
    accused: dict[str, Counts] = field(default_factory=lambda: defaultdict(dict))
    """Real packages with a label that a rule accuses: rightly, of how many."""
    truthful: dict[str, Counts] = field(default_factory=lambda: defaultdict(dict))
    """Real packages with true names: accused, of how many."""
    levels: dict[tuple[str, str], Counts] = field(default_factory=lambda: defaultdict(dict))
    """By source (`labels`, `changes`, `kept`, `look wrong`) and level of confidence: findings of at least warning
    severity that are right, of how many."""
    reported: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    """Findings of any severity on real packages with true names."""

    def add_change(self, code: str, owner: str, *, found: bool) -> None:
        """One change that a rule is about."""
        add(self.changes[code], owner, found)

    def add_level(self, source: str, finding: Finding, owner: str, *, right: bool) -> None:
        """One finding by its confidence; notes are no accusations and are left out."""
        if finding.severity >= Severity.WARNING:
            add(self.levels[source, finding.confidence.label], owner, right)

    def confidence(self) -> dict[str, dict[str, dict[str, Any]]]:
        """How many findings of each level of confidence are right, by source."""
        found: dict[str, dict[str, dict[str, Any]]] = {}
        for (source, level), counts in sorted(self.levels.items()):
            right, all_ = total(counts)
            row = {"right": right, "of": all_, "owners": len(counts), "interval": _rounded(interval(counts))}
            found.setdefault(level, {})[source] = row
        return found

    def add_real(self, results: Iterable[tuple[Case, Outcomes]]) -> None:
        """Labelled packages with what every rule said of them; those that claim nothing checkable are left out."""
        for case, outcomes in results:
            if case.mismatch is None:
                continue
            for finding in outcomes.findings:
                self.add_level("labels", finding, owner_of(case.name), right=bool(case.mismatch))
            codes = {finding.code for finding in accusations(outcomes)}
            for code in codes:
                add(self.accused[code], owner_of(case.name), bool(case.mismatch))
            if not case.mismatch:
                for rule in all_rules():
                    add(self.truthful[rule.code], owner_of(case.name), rule.code in codes)
                for finding in outcomes.findings:
                    self.reported[finding.code] += 1

    def figures(self) -> dict[str, dict[str, Any]]:
        """The figures by code, as they stand in `figures/rules.json`."""
        return {rule.code: self._of(rule.code) for rule in all_rules()}

    def _of(self, code: str) -> dict[str, Any]:
        changes, accused, truthful = self.changes[code], self.accused[code], self.truthful[code]
        made, true_, named = total(changes), total(accused), total(truthful)
        return {
            "changes": made[1],
            "found": _share(made),
            "found_interval": _rounded(interval(changes)),
            "accused": true_[1],
            "precision": _share(true_) if true_[1] else None,
            "precision_interval": _rounded(interval(accused)),
            "truthful": named[1],
            "truthful_owners": len(truthful),
            "accused_truthful": named[0],
            "false_rate_interval": _rounded(interval(truthful)),
            "on_truthful": self.reported[code],
        }


def rows(figures: Mapping[str, Mapping[str, Any]]) -> list[tuple[str, ...]]:
    """The figures as lines of a table: recall on changes, precision on real labels, false accusations."""
    return [
        (
            code,
            f"{row['found']:.3f}" if row["changes"] else "-",
            _shown(row["found_interval"]) if row["changes"] else "",
            str(row["changes"]),
            f"{row['precision']:.3f}" if row["accused"] else "-",
            _shown(row["precision_interval"]) if row["accused"] else "",
            str(row["accused"]),
            f"{row['accused_truthful']}/{row['truthful']}",
            _shown(row["false_rate_interval"]),
        )
        for code, row in figures.items()
    ]


LEVELS = ("high", "medium", "low")


def level_rows(levels: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> list[tuple[str, ...]]:
    """Levels of confidence as lines of a table."""
    return [
        (level, source, f"{row['right']}/{row['of']}", str(row["owners"]), _shown(row["interval"]))
        for level in LEVELS
        for source, row in levels.get(level, {}).items()
    ]


HEADS = ("rule", "recall", "95 %", "changes", "precision", "95 %", "accused", "false", "95 %")


def add(counts: Counts, owner: str, hit: bool) -> None:
    """Counts one observation of an owner."""
    top, bottom = counts.get(owner, (0, 0))
    counts[owner] = (top + hit, bottom + 1)


def total(counts: Counts) -> tuple[int, int]:
    """How many of how many, over all owners."""
    return sum(pair[0] for pair in counts.values()), sum(pair[1] for pair in counts.values())


def _share(pair: tuple[int, int]) -> float:
    return round(pair[0] / pair[1], 4) if pair[1] else 0.0


def _rounded(bounds: tuple[float, float] | None) -> list[float] | None:
    return None if bounds is None else [round(bound, 4) for bound in bounds]


def _shown(bounds: list[float] | None) -> str:
    return "" if bounds is None else f"{bounds[0]:.3f} to {bounds[1]:.3f}"
