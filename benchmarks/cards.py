"""Rules on model cards, on what the development data have of cards: base model and licence of leaderboard packages.

    python -m benchmarks.cards [--list]

Nobody labelled these cards. Published ones are taken as true, so what DAR602 says of them bounds its false
alarms from above, to be read by eye with `--list`; exchanged ones (the base model of a package of another family whose
name states a family) are wrong. Twins (Llama and Mistral) are among them, and cannot be told by a family.
Language, data sets, pipeline tag and evaluation are in no file of the development data: those rules have fixtures only.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # runs as a file as well as with -m

from benchmarks.verdict_data import DATA
from benchmarks.verdict_rules import interval, owner_of
from benchmarks.verdict_runs import declared_subject, judge, table
from corpora.card import ModelCard
from dara.findings import Confidence, Finding
from dara.rules.common.families import gather
from dara.rules.common.rulings import series
from dara.subject import Subject

CODES = ("DAR602", "DAR801", "DAR802")


def cards() -> Iterator[tuple[str, Subject]]:
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


def main() -> int:
    """Prints the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--list", action="store_true", help="list every accusation of a published card")
    parser.add_argument("--seed", type=int, default=11)
    args = parser.parse_args()
    rows = list(cards())
    if not rows:
        print("no development data beside the checkout")
        return 0
    spoken: Counter[str] = Counter()
    told: dict[str, tuple[int, int]] = {}
    accused = []
    for name, subject in rows:
        found = {code: said(subject, name, code) for code in CODES}
        spoken.update(code for code, finding in found.items() if finding)
        if subject.card is not None and subject.card.base_model:
            top, bottom = told.get(owner_of(name), (0, 0))
            told[owner_of(name)] = (top + bool(found["DAR602"]), bottom + 1)
            accused.append((name, found["DAR602"]))
    draw = random.Random(args.seed)
    based = [(name, subject) for name, subject in rows if subject.card is not None and subject.card.base_model]
    caught: dict[str, tuple[int, int]] = {}
    for name, subject in based:
        own = series(gather(subject).declared)
        others = [
            item
            for _, item in draw.sample(based, 40)
            if series(gather(item).declared)[:3] != own[:3] and item.card and _states_family(item.card.base_model[0])
        ]
        if not others:
            continue
        wrong = replace(subject, card=others[0].card)
        top, bottom = caught.get(owner_of(name), (0, 0))
        caught[owner_of(name)] = (top + bool(said(wrong, name, "DAR602")), bottom + 1)
    lines = []
    for label, counts in (("published base model accused", told), ("exchanged base model found", caught)):
        top, bottom = sum(pair[0] for pair in counts.values()), sum(pair[1] for pair in counts.values())
        low, high = interval(counts) or (0.0, 0.0)
        lines.append((label, f"{top}/{bottom}", f"{top / max(1, bottom):.4f}", f"{low:.4f} to {high:.4f}"))
    print(table(lines, ("DAR602", "cards", "share", "95 % by owner")))
    print(f"notes on {len(rows)} cards: " + ", ".join(f"{code} {spoken[code]}" for code in CODES[1:]))
    if args.list:
        for name, finding in accused:
            if finding is not None:
                print(f"  {name}: {finding.message}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
