"""Figures of the family estimator on real packages with exact headers (the development data beside the checkout).

    python benchmarks/fingerprints.py PACKAGES [--index FILE] [--misses]

PACKAGES is a folder made by `make_packages.py`. Modes: `both` (names and shapes), `ordered` (names replaced by numbers,
order kept), `shuffled` (order shuffled too), `names` (names without shapes) and `class` (declared class first).
The index was never fitted to these packages.
"""

from __future__ import annotations

import argparse
import json
import random
import struct
import sys
import time
from collections import Counter
from pathlib import Path

from clustering.family.index import load_index
from clustering.family.scorer import FamilyScorer
from clustering.tensors import Tensor, TensorListing

MODES = ("both", "ordered", "shuffled", "names")


def read_header(path: Path) -> TensorListing:
    """The listing of one trusted safetensors file."""
    with path.open("rb") as stream:
        (length,) = struct.unpack("<Q", stream.read(8))
        header = json.loads(stream.read(length))
    tensors = tuple(
        Tensor(name, tuple(entry["shape"]), entry["dtype"]) for name, entry in header.items() if name != "__metadata__"
    )
    return TensorListing(tensors, "safetensors")


def disguise(listing: TensorListing, mode: str, seed: int = 0) -> TensorListing:
    """The listing as a mode shows it."""
    tensors = list(listing.tensors)
    if mode == "shuffled":
        random.Random(seed).shuffle(tensors)
    if mode in {"ordered", "shuffled"}:
        tensors = [Tensor(f"t{n:06d}", t.shape, t.dtype) for n, t in enumerate(tensors)]
    if mode == "names":
        return TensorListing(tuple(Tensor(t.name, (), t.dtype) for t in tensors), "index", names_only=True)
    return TensorListing(tuple(tensors), listing.format)


def packages(folder: Path) -> list[tuple[str, dict[str, object], TensorListing]]:
    """(name, config, listing) of the packages that have weights."""
    rows = []
    for line in (folder / "packages.jsonl").read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        if row["weights"]:
            place = folder / row["path"]
            config = json.loads((place / "config.json").read_text(encoding="utf-8"))
            rows.append((row["repo_id"], config, read_header(place / "model.safetensors")))
    return rows


def main() -> int:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("packages", type=Path)
    parser.add_argument("--index", type=Path, default=None)
    parser.add_argument("--misses", action="store_true")
    parser.add_argument("--modes", nargs="*", default=MODES)
    options = parser.parse_args()
    started = time.perf_counter()
    if options.index:
        scorer = FamilyScorer(load_index(options.index))
    else:
        from corpora.reference import load_reference

        scorer = load_reference()
    print(f"index loaded in {time.perf_counter() - started:.3f} s")
    rows = packages(options.packages)
    for mode in options.modes:
        report(scorer, rows, mode, misses=options.misses)
    report_classes(scorer, rows, misses=options.misses)
    return 0


def report(
    scorer: FamilyScorer, rows: list[tuple[str, dict[str, object], TensorListing]], mode: str, *, misses: bool
) -> None:
    """Prints one mode's figures."""
    tally: Counter[str] = Counter()
    started = time.perf_counter()
    for name, config, listing in rows:
        truth = config.get("model_type")
        if not isinstance(truth, str):
            continue
        tally["packages"] += 1
        answer = scorer.identify(disguise(listing, mode))
        ranked = answer.structure_only if mode in {"ordered", "shuffled"} else answer.family
        first = ranked[0] if ranked else None
        if first is None:
            tally["unknown"] += 1
            right = False
        elif first.model_type == truth:
            tally["exact"] += 1
            right = True
        else:
            right = truth in first.twins
            tally["twin"] += right
        if misses and not right:
            shown = [(m.model_type, m.score) for m in ranked[:4]]
            sys.stdout.write(f"  {mode}: {name} is {truth}: {shown} {answer.reason}\n")
    seconds = (time.perf_counter() - started) / max(1, tally["packages"])
    total = tally["packages"]
    print(
        f"{mode}: family or twin first {(tally['exact'] + tally['twin']) / total:.2%} "
        f"(itself {tally['exact'] / total:.2%}), unknown {tally['unknown'] / total:.2%}, n={total}, "
        f"{seconds * 1e3:.0f} ms each"
    )


def report_classes(
    scorer: FamilyScorer, rows: list[tuple[str, dict[str, object], TensorListing]], *, misses: bool
) -> None:
    """Prints how often the declared class comes first, over the classes that the corpus knows."""
    known = set(scorer.index.classes)
    right = total = 0
    for name, config, listing in rows:
        declared = (config.get("architectures") or [None])[0]  # type: ignore[index]  # a list in every package
        if declared not in known:
            continue
        total += 1
        ranked = scorer.architecture_class(listing)
        hit = bool(ranked) and ranked[0] == declared
        right += hit
        if misses and not hit:
            print(f"  class: {name} is {declared}: {ranked[:3]}")
    print(f"class: declared class first {right / max(1, total):.2%}, n={total}")


if __name__ == "__main__":
    raise SystemExit(main())
