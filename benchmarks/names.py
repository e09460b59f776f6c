"""Measures the name parser: spans, values, roles, family claims, speed and memory, with gguf's parser beside it.

    python benchmarks/names.py                     quality on the development data beside the checkout
    python benchmarks/names.py --errors 40         the same with the names that are read differently
    python benchmarks/names.py --speed 20000       names per second, of published and of generated names
    python benchmarks/names.py --stream 5000000    the same over a long stream, with the memory at every tenth of it
    python benchmarks/names.py --cold              one name from a cold process beside `import spacy`

The development data is not part of this project; without it, only the speed figures are printed.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import subprocess
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from random import Random
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
    owner = repo_id.split("/", 1)[0].lower()
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
        f"families, declared type of truthful names accepted: {accepted[0]}/{accepted[1]}"
        f" = {accepted[0] / accepted[1]:.4f}"
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


def with_gguf(parsed_rows: list[dict[str, Any]]) -> None:
    """Sizes and versions of the annotated names through gguf's parser, beside ours."""
    try:
        from gguf import Metadata
    except ImportError:
        print("gguf's parser is not measured: pip install gguf")
        return
    from naming import parse_name

    counts = {(who, kind): [0, 0, 0] for who in ("ours", "gguf") for kind in ("parameters", "version")}
    for row in parsed_rows:
        name = row["repo_id"].rsplit("/", 1)[-1]
        parts = Metadata.get_model_id_components(name)
        for kind in ("parameters", "version"):
            gold = [c["text"].lower() for c in row["components"] if c["category"] == kind]
            theirs = [parts[4].lower()] if kind == "version" and parts[4] else []
            if kind == "parameters" and parts[5]:
                theirs = [part.lower() for part in parts[5].split("-")]
            mine = [c.text.lower() for c in parse_name(row["repo_id"]).components if c.category == kind]
            for who, found in (("ours", mine), ("gguf", theirs)):
                counts[who, kind][0] += (Counter(gold) & Counter(found)).total()
                counts[who, kind][1] += len(found)
                counts[who, kind][2] += len(gold)
    for (who, kind), (hit, found, gold_count) in sorted(counts.items()):
        precision = hit / found if found else 0.0
        print(f"{kind}, {who}: precision {precision:.3f} recall {hit / gold_count:.3f} (of {gold_count})")


def generated(count: int) -> Iterator[str]:
    """Names put together from surfaces of the lexicons, numbers and unknown words; the same for every run."""
    from naming.lexicon import default_lexicon

    random = Random(20261)
    surfaces: dict[str, list[str]] = defaultdict(list)
    for surface, meanings in default_lexicon().index.items():
        surfaces[meanings[0].category].append(surface)
    shapes = ("7b", "1.5B", "v2", "8x7B", "L-12", "patch16", "224", "4bit", "Q4_K_M", "16k", "2507", "v0.1", "13b")
    for _ in range(count):
        parts = [random.choice(surfaces["architecture"])]
        categories = ("size", "dataset", "language", "task", "training", "quantization")
        parts.extend(random.choice(surfaces[category]) for category in categories if random.random() < 0.35)
        if random.random() < 0.6:
            parts.append(random.choice(shapes))
        if random.random() < 0.3:
            parts.append("".join(random.choices("abcdefghijklmnopqrstuvwxyz", k=random.randint(4, 9))))
        random.shuffle(parts)
        yield f"owner{random.randint(1, 9999)}/" + random.choice("-_").join(parts)


def speed(count: int) -> None:
    """Names a second on one core, each name seen for the first time: read only, and read and written as JSON."""
    from naming import parse_names
    from naming.serialize import to_line

    for source, names in (("generated", list(dict.fromkeys(generated(count)))), ("published", _published()[:count])):
        if not names:
            continue
        quarter = len(names) // 4
        for _ in parse_names(names[:quarter]):
            pass
        halves = names[quarter : quarter + len(names) * 3 // 8], names[quarter + len(names) * 3 // 8 :]
        for what, half in zip(("read", "read and written as JSON"), halves, strict=True):
            began, loop = time.process_time(), _calibration()
            for parsed in parse_names(half):
                if half is halves[1]:
                    to_line(parsed)
            took = time.process_time() - began - loop
            print(
                f"{source} names, {what}: {len(half) / took:,.0f} names/s of processor time "
                f"({len(half):,} names after {quarter:,} others; a fixed loop took {loop * 1000:.0f} ms)"
            )


def _calibration() -> float:
    """Seconds of processor time that a fixed loop takes: tells a busy machine from a slow program."""
    began = time.process_time()
    table: dict[int, int] = {}
    total = 0
    for number in range(1_000_000):
        table[number & 1023] = total
        total += number
    return time.process_time() - began


def stream(count: int) -> None:
    """Names a second and memory over a stream of generated names, as `dara parse -` reads and writes them."""
    from naming import parse_names
    from naming.serialize import to_line

    next(iter(parse_names(["bert"])))
    print(f"names/s of processor time, resident memory: {'start':>12} {_resident():6.1f} MB")
    source = generated(count)
    took = 0.0
    done = 0
    for tenth in range(1, 11):
        while done < count * tenth // 10:
            batch = list(islice(source, min(10_000, count * tenth // 10 - done)))  # made outside of the clock
            began = time.process_time()
            for parsed in parse_names(batch):
                to_line(parsed)
            took += time.process_time() - began
            done += len(batch)
        print(f"  after {done:>10,} names: {done / took:10,.0f} names/s {_resident():6.1f} MB")


def _published() -> list[str]:
    """Names of the published studies, in a fixed random order."""
    path = DATA / "naming_elements_2023.json"
    names = sorted(json.loads(path.read_text(encoding="utf-8"))) if path.exists() else []
    Random(20261).shuffle(names)
    return names


def _resident() -> float:
    """Resident memory of this process in MB (Linux)."""
    path = Path("/proc/self/statm")
    return int(path.read_text().split()[1]) * 4096 / 1e6 if path.exists() else 0.0


def cold(repeats: int = 7) -> None:
    """One name from a cold process, beside `import spacy` with torch hidden."""
    hide = "import sys; sys.modules['torch'] = None; sys.modules['tensorflow'] = None; import spacy"
    parse = "from naming import parse_name; parse_name('facebook/maskformer-swin-base-coco')"
    best = {}
    for label, code in (("import spacy", hide), ("one name", parse)):
        times = []
        for _ in range(repeats):
            began = time.perf_counter()
            subprocess.run([sys.executable, "-c", code], check=True)
            times.append(time.perf_counter() - began)
        best[label] = min(times)
        print(f"{label}: {best[label]:.2f} s (best of {repeats}, median {sorted(times)[repeats // 2]:.2f})")
    print(f"one cold name takes {best['one name'] / best['import spacy']:.2f} times `import spacy`")


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--errors", type=int, default=0, help="names to show that are read differently")
    parser.add_argument("--speed", type=int, default=0, metavar="N", help="time at most N names of each source")
    parser.add_argument("--stream", type=int, default=0, metavar="N", help="time N generated names and watch memory")
    parser.add_argument("--cold", action="store_true", help="time one name in a new process")
    options = parser.parse_args()
    if options.speed:
        speed(options.speed)
    if options.cold:
        cold()
    if options.stream:
        stream(options.stream)
    if options.speed or options.cold or options.stream:
        return
    spans(options.errors)
    with_gguf(rows("names_gold_dev.jsonl"))
    families(options.errors)
    packages(options.errors)


if __name__ == "__main__":
    main()
