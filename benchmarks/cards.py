"""Rules on model cards, files and the form of names: changed cards, and what the development data have of real ones.

    python -m benchmarks.cards --packages DIR [--count 200] [--list] [--write benchmarks/figures/cards.json]

Truthful packages get a complete card (benchmarks/card_changes.py); one thing in it is made wrong, or it is rewritten
without changing its meaning. A change is found when the rule that is about it speaks with at least medium confidence,
whatever the severity, and had not spoken before. Rewritten cards of which a rule then speaks are false alarms.

Leaderboard cards (base model and licence) are real and nobody labelled them. They are taken as true, so what DAR602
says of them bounds its false alarms from above; with the base model of a package of another family they are wrong.
Twins (Llama and Mistral) are among them, and cannot be told by a family.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # runs as a file as well as with -m

from benchmarks.card_changes import Bases, Change, changes, complete
from benchmarks.verdict_cache import SubjectCache
from benchmarks.verdict_data import DATA, hub_cases
from benchmarks.verdict_rules import Counts, add, interval, owner_of, total
from benchmarks.verdict_runs import accusations, declared_subject, judge, kinship, table
from corpora.card import ModelCard
from dara.findings import Confidence, Finding, Outcomes
from dara.rules.common.families import gather
from dara.rules.common.rulings import series
from dara.subject import Subject

OF_NAMES: Final = ("DAR701", "DAR702", "DAR703", "DAR704", "DAR705")
MEASURED: Final = (
    "DAR105", "DAR401", "DAR402", "DAR503", "DAR504", "DAR602", *OF_NAMES, "DAR801", "DAR802", "DAR803", "DAR804",
    "DAR805", "DAR806", "DAR807", "DAR808",
)  # fmt: skip
"""Rules that no change of the verdict benchmark is about."""


@dataclass(slots=True)
class CardTally:
    """What is counted for each rule, by owner."""

    found: dict[str, Counts] = field(default_factory=lambda: defaultdict(dict))
    kept: dict[str, Counts] = field(default_factory=lambda: defaultdict(dict))
    """Rewritten cards: accused, of how many."""
    kinds: dict[tuple[str, str, str], list[int]] = field(default_factory=lambda: defaultdict(lambda: [0, 0]))
    unsure: Counter[str] = field(default_factory=Counter)
    """Changes that a rule spoke of with low confidence only."""
    notes: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))

    def add(self, change: Change, owner: str, outcomes: Outcomes, before: frozenset[str], *, harmless: bool) -> None:
        """One changed card; `before` are the codes that spoke of the case already."""
        said = {item.code: item for item in outcomes.findings if item.confidence >= Confidence.MEDIUM}
        for code in (change.code,) if change.code else MEASURED:
            if code in before:
                continue
            spoken = code in said
            add((self.kept if harmless else self.found)[code], owner, spoken)
            row = self.kinds[code if change.code else "all", "kept" if harmless else "wrong", change.kind]
            row[0] += spoken
            row[1] += 1
            if spoken is harmless:
                text = f"{code} {'false' if harmless else 'miss'} {change.kind}: {change.case.name}"
                shown = {
                    key: change.case.front.get(key) for key in ("language", "datasets", "base_model", "pipeline_tag")
                }
                told = said[code].message if spoken else ", ".join(f"{k}={v}" for k, v in shown.items() if v)
                self.notes[f"{code} {change.kind}"].append(f"  {text}: {told}")
            if not spoken and not harmless:
                self.unsure[code] += any(item.code == code for item in outcomes.findings)

    def figures(self) -> dict[str, dict[str, Any]]:
        """The figures by code, as they stand in `figures/cards.json`."""
        rows = {}
        for code in MEASURED:
            made, kept = total(self.found[code]), total(self.kept[code])
            rows[code] = {
                "changes": made[1],
                "found": round(made[0] / made[1], 4) if made[1] else None,
                "found_interval": _rounded(interval(self.found[code])),
                "found_with_low_confidence": self.unsure[code],
                "kept": kept[1],
                "kept_accused": kept[0],
                "kept_interval": _rounded(interval(self.kept[code])),
            }
        return rows


def changed_cards(packages: Path | None, kept: SubjectCache, count: int, seed: int) -> CardTally:
    """Judges every change of `count` truthful packages."""
    rows = []
    names: dict[str, list[str]] = defaultdict(list)
    twins: dict[str, frozenset[str]] = {}
    for case in hub_cases(packages):
        if case.mismatch is not False:
            continue
        subject = kept.measured(case)
        if accusations(judge(subject, case.name)):
            continue  # tells nothing about a further change
        fact = subject.facts.declared("family")
        family = str(fact.value) if fact is not None else ""
        if family and _states_family(case.name):
            names[family].append(case.name)
            twins[family] = frozenset(kinship().twins(family)) if kinship() is not None else frozenset()
        rows.append((case, subject, family))
    bases = Bases({family: tuple(found) for family, found in names.items()}, twins)
    draw = random.Random(seed)
    tally = CardTally()
    for case, subject, family in draw.sample(rows, min(count, len(rows))):
        told = subject.facts.declared("task")
        task = str(case.expected.get("task") or (told.value if told is not None else ""))
        full = complete(case.name, subject, task, bases, family, draw)
        before = frozenset(
            item.code
            for item in judge(full.package(), full.name).findings
            if item.code in (*OF_NAMES, "DAR503") and item.confidence >= Confidence.MEDIUM
        )
        for harmless, change in changes(full, bases, family, draw):
            outcomes = judge(change.case.package(), change.case.name)
            tally.add(change, owner_of(case.name), outcomes, before, harmless=harmless)
    return tally


def leaderboard() -> Iterator[tuple[str, Subject]]:
    """Leaderboard packages with what the table has of their cards."""
    path = DATA / "leaderboard_dev.jsonl"
    if not path.exists():
        return
    for line in path.read_text("utf-8").splitlines():
        row: dict[str, Any] = json.loads(line)
        base = row["base_model"] if isinstance(row["base_model"], str) and "/" in row["base_model"] else ""
        licence = row["license"] if isinstance(row["license"], str) else ""
        config = {"architectures": [row["architecture"]]}
        card = ModelCard(
            present=True,
            base_model=(base,) if base and base != row["repo_id"] else (),
            license=licence or None,
        )
        yield row["repo_id"], replace(declared_subject(config), card=card)


def said(subject: Subject, name: str, code: str) -> Finding | None:
    """What a rule says with at least medium confidence."""
    found = judge(subject, name).findings
    return next((item for item in found if item.code == code and item.confidence >= Confidence.MEDIUM), None)


def _states_family(base: str) -> bool:
    from naming import NameRefused, parse_name

    try:
        return any(claim.modality != "ambiguous" for claim in parse_name(base).claims_of("family"))
    except NameRefused:
        return False


def real_cards(seed: int, *, listing: bool) -> dict[str, Any]:
    """What DAR602 says of leaderboard cards as published, and with another package's base model."""
    based = [(name, subject) for name, subject in leaderboard() if subject.card is not None and subject.card.base_model]
    draw = random.Random(seed)
    told: Counts = {}
    caught: Counts = {}
    for name, subject in based:
        finding = said(subject, name, "DAR602")
        add(told, owner_of(name), bool(finding))
        if finding is not None and listing:
            print(f"  {name}: {finding.message}")
        own = series(gather(subject).declared)
        others = [
            item.card
            for _, item in draw.sample(based, 40)
            if series(gather(item).declared)[:3] != own[:3] and item.card and _states_family(item.card.base_model[0])
        ]
        if others:
            add(caught, owner_of(name), bool(said(replace(subject, card=others[0]), name, "DAR602")))
    lines, figures = [], {}
    for label, counts in (("published base model accused", told), ("exchanged base model found", caught)):
        top, bottom = total(counts)
        low, high = interval(counts) or (0.0, 0.0)
        lines.append((label, f"{top}/{bottom}", f"{top / max(1, bottom):.4f}", f"{low:.4f} to {high:.4f}"))
        figures[label] = {"count": top, "of": bottom, "interval": [round(low, 4), round(high, 4)]}
    print("\nleaderboard cards")
    print(table(lines, ("DAR602", "cards", "share", "95 % by owner")))
    return figures


def show(tally: CardTally, figures: Mapping[str, Mapping[str, Any]], *, listing: bool) -> None:
    """Prints the figures, by rule and by kind."""
    rows = [
        (
            code,
            row["changes"],
            "-" if row["found"] is None else f"{row['found']:.3f}",
            _shown(row["found_interval"]),
            row["found_with_low_confidence"],
            f"{row['kept_accused']}/{row['kept']}",
            _shown(row["kept_interval"]),
        )
        for code, row in figures.items()
    ]
    print(table(rows, ("rule", "changes", "found", "95 % by owner", "low", "false", "95 % by owner")))
    print()
    lines = [(code, side, kind, f"{top}/{bottom}") for (code, side, kind), (top, bottom) in sorted(tally.kinds.items())]
    print(table(lines, ("rule", "side", "kind", "spoke")))
    if listing:
        for key in sorted(tally.notes):
            print("\n".join(tally.notes[key][:12]))


def main() -> int:
    """Prints the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--packages", type=Path, help="folder that make_packages.py wrote")
    parser.add_argument("--count", type=int, default=400, help="truthful packages, drawn at random")
    parser.add_argument("--seed", type=int, default=11)
    parser.add_argument("--keep", type=Path, help="folder for measured packages, so that a second run measures none")
    parser.add_argument("--list", action="store_true", help="list misses and false alarms, a dozen of each kind")
    parser.add_argument("--write", type=Path, help="file for the figures of each rule, as JSON")
    args = parser.parse_args()
    if not hub_cases():
        print("no development data beside the checkout")
        return 0
    start = time.perf_counter()
    tally = changed_cards(args.packages, SubjectCache(args.keep), args.count, args.seed)
    figures = tally.figures()
    show(tally, figures, listing=args.list)
    real = real_cards(args.seed, listing=args.list)
    print(f"{time.perf_counter() - start:.0f} s", file=sys.stderr)
    if args.write is not None:
        document = {"seed": args.seed, "packages": args.count, "rules": figures, "leaderboard": real}
        args.write.write_text(json.dumps(document, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    return 0


def _rounded(bounds: tuple[float, float] | None) -> list[float] | None:
    return None if bounds is None else [round(bound, 4) for bound in bounds]


def _shown(bounds: list[float] | None) -> str:
    return "" if bounds is None else f"{bounds[0]:.3f} to {bounds[1]:.3f}"


if __name__ == "__main__":
    raise SystemExit(main())
