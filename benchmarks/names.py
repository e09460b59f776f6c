"""Measures the name parser: spans, values, roles, family claims, speed and memory, with gguf's parser beside it.

    python benchmarks/names.py                     quality on the development data beside the checkout
    python benchmarks/names.py --errors 40         the same with the names that are read differently
    python benchmarks/names.py --speed 1000000     names per second and memory over generated names
    python benchmarks/names.py --cold              one name from a cold process beside `import spacy`

The development data is not part of this project; without it, only the speed figures are printed.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

DATA = Path(__file__).resolve().parents[1].parent / "shared" / "data"


def rows(name: str) -> list[dict[str, Any]]:
    """Rows of a development file; none when the data is not there."""
    path = DATA / name
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]


def fold_of(repo_id: str) -> int:
    """0 or 1 by the owner, so that one owner's names never stand in both folds."""
    owner = repo_id.split("/")[0].lower()
    return hashlib.sha256(owner.encode()).digest()[0] & 1


class Scores:
    """Counts of a comparison, by category."""

    def __init__(self) -> None:
        self.hit: Counter[str] = Counter()
        self.gold: Counter[str] = Counter()
        self.found: Counter[str] = Counter()

    def add(self, gold: set[tuple[int, int, str]], found: set[tuple[int, int, str]]) -> None:
        """Compare the spans of one name."""
        for span in gold:
            self.gold[span[2]] += 1
        for span in found:
            self.found[span[2]] += 1
        for span in gold & found:
            self.hit[span[2]] += 1

    def f1(self, category: str | None = None) -> tuple[float, float, float]:
        """Precision, recall and F1 of one category, or of all spans together."""
        hit, gold, found = ((c.total() if category is None else c[category]) for c in (self.hit, self.gold, self.found))
        precision, recall = hit / found if found else 0.0, hit / gold if gold else 0.0
        return precision, recall, 2 * hit / (gold + found) if gold + found else 0.0

    def macro(self, at_least: int = 10) -> float:
        """Mean F1 over the categories with enough gold spans."""
        categories = [category for category, count in self.gold.items() if count >= at_least]
        return sum(self.f1(category)[2] for category in categories) / len(categories) if categories else 0.0


def spans(errors: int) -> None:
    """Exact spans with categories, values and roles, on the annotated names."""
    from naming import parse_name

    gold_rows = rows("names_gold_dev.jsonl")
    if not gold_rows:
        print("names_gold_dev.jsonl is not here: spans are not measured")
        return
    scores = {"all": Scores(), "fold 0": Scores(), "fold 1": Scores()}
    values: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    roles = [0, 0]
    shown = 0
    for row in gold_rows:
        parsed = parse_name(row["repo_id"])
        gold = {(c["start"], c["end"], c["category"]) for c in row["components"]}
        found = {(c.start, c.end, c.category) for c in parsed.components}
        for fold in ("all", f"fold {fold_of(row['repo_id'])}"):
            scores[fold].add(gold, found)
        by_span = {(c.start, c.end): c for c in parsed.components}
        wrong = []
        for c in row["components"]:
            mine = by_span.get((c["start"], c["end"]))
            right = mine is not None and mine.category == c["category"] and mine.value == c["value"]
            values[c["category"]][0] += right
            values[c["category"]][1] += 1
            if c["category"] == "architecture":
                good = right and mine is not None and mine.role == c["role"]
                roles[0] += good
                roles[1] += 1
                right = good
            if not right:
                wrong.append(f"{c['text']}:{c['category']}={c['value']!r}{('/' + c['role']) if c['role'] else ''}")
        if wrong and shown < errors:
            shown += 1
            mine_text = " ".join(f"[{c.text}:{c.category}={c.value!r}/{c.role}]" for c in parsed.components)
            print(f"  {row['repo_id']}\n     gold {' '.join(wrong)}\n     mine {mine_text}")
    for fold, score in scores.items():
        precision, recall, f1 = score.f1()
        print(f"spans, {fold}: P {precision:.3f} R {recall:.3f} micro-F1 {f1:.3f}, macro-F1 (10+) {score.macro():.3f}")
    print(f"  {'category':14} {'gold':>5} {'P':>6} {'R':>6} {'F1':>6}  value")
    for category, count in scores["all"].gold.most_common():
        precision, recall, f1 = scores["all"].f1(category)
        right, total = values[category]
        print(f"  {category:14} {count:5} {precision:6.3f} {recall:6.3f} {f1:6.3f}  {right / total:.3f}")
    print(f"architecture value and role: {roles[0]}/{roles[1]} = {roles[0] / roles[1]:.3f}")


def families(errors: int) -> None:
    """Family claims on the labelled names."""
    from naming import parse_name
    from naming.records import ParsedName

    def read(parsed: ParsedName, family: str) -> bool:
        return any(
            claim.kind in ("family", "backbone")
            and (claim.value == family or (isinstance(claim.value, dict) and claim.value.get("family") == family))
            for claim in parsed.claims
        )

    labelled = rows("family_dev.jsonl")
    if not labelled:
        print("family_dev.jsonl is not here: family claims are not measured")
        return
    tally: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    accepted = [0, 0]
    shown = 0
    for row in labelled:
        parsed = parse_name(row["repo_id"])
        fold = fold_of(row["repo_id"])
        if row["label"] == "no_claim":
            claims = [c for c in parsed.claims if c.kind == "family" and c.role == "main"]
            bad = bool(claims)
            tally[f"no_claim, fold {fold}"][0] += bad
            tally[f"no_claim, fold {fold}"][1] += 1
            tally["no_claim"][0] += bad
            tally["no_claim"][1] += 1
            firm = any(c.modality != "ambiguous" for c in claims)
            tally["no_claim, firm"][0] += firm
            tally["no_claim, firm"][1] += 1
        else:
            right = read(parsed, row["claimed_family"])
            bad = not right
            for key in ("stated", f"stated, fold {fold}", row["label"]):
                tally[key][0] += right
                tally[key][1] += 1
            main = [c for c in parsed.claims if c.kind == "family" and c.role == "main"]
            if row["label"] == "agree" and main:
                accepted[0] += any(row["model_type"] in c.accepts or row["model_type"] == c.value for c in main)
                accepted[1] += 1
                if not any(row["model_type"] in c.accepts for c in main) and shown < errors:
                    print(
                        f"  REJECTS {row['repo_id']}: {row['model_type']} not in {[(c.text, c.accepts) for c in main]}"
                    )
        if bad and shown < errors:
            shown += 1
            mine = [(c.text, c.value, c.role, c.modality) for c in parsed.claims if c.kind in ("family", "backbone")]
            print(f"  {row['label']:9} {row['repo_id']}: {row['claimed_family']} ({row['claimed_text']}), mine {mine}")
    for key in sorted(tally):
        right, total = tally[key]
        print(f"families, {key}: {right}/{total} = {right / total:.4f}")
    print(
        f"families, declared type of truthful names accepted: {accepted[0]}/{accepted[1]} = {accepted[0] / accepted[1]:.4f}"
    )


_KINDS = {"generation": ("version", "family"), "experts": ("experts", "parameters"), "backbone": ("backbone", "family")}


def packages(errors: int) -> None:
    """Claims of the judged packages: are the words read, and do families accept what truthful packages declare?"""
    from naming import parse_name

    judged = rows("hub_packages_dev.jsonl")
    if not judged:
        print("hub_packages_dev.jsonl is not here: claims of packages are not measured")
        return
    tally: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    shown = 0
    for row in judged:
        parsed = parse_name(row["repo_id"])
        notes = []
        for claim in (row.get("expected") or {}).get("claims", ()):
            kinds = _KINDS.get(claim["kind"], (claim["kind"],))
            start = parsed.repo.find(claim["text"])
            mine = [
                c
                for c in parsed.claims
                if c.kind in kinds and (c.text in claim["text"] or claim["text"] in c.text) and start >= 0
            ]
            tally[f"read, {claim['kind']}"][0] += bool(mine)
            tally[f"read, {claim['kind']}"][1] += 1
            if not mine:
                notes.append(f"unread {claim['kind']} {claim['text']!r}")
        declared = str(row["config"].get("model_type") or "")
        families = [c for c in parsed.claims if c.kind == "family" and c.role == "main"]
        if declared and families and row["name_agrees"] is not None:
            fits = any(declared in c.accepts for c in families)
            tally[f"declared type accepted, {row['name_agrees']}"][0] += fits
            tally[f"declared type accepted, {row['name_agrees']}"][1] += 1
            if fits != row["name_agrees"]:
                notes.append(f"{declared} vs {[(c.text, c.modality, c.accepts[:6]) for c in families]}")
        if notes and shown < errors:
            shown += 1
            print(f"  {row['repo_id']} ({row['name_agrees']}): {'; '.join(notes)}")
    for key in sorted(tally):
        right, total = tally[key]
        print(f"packages, {key}: {right}/{total}")


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--errors", type=int, default=0, help="names to show that are read differently")
    options = parser.parse_args()
    spans(options.errors)
    families(options.errors)
    packages(options.errors)


if __name__ == "__main__":
    sys.exit(main())
