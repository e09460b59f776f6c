"""What of a class leaves its fingerprint alone, over a sample of the reference corpus.

    python -m benchmarks.orders RAW [--classes 500] [--seed 0]

RAW is a corpus written by `python -m corpora.reference.raw`. Every class is taken in one size, as in memory, and its
fingerprint compared with that of the same tensors sorted by name, in random order, under numbers for names (in the
order of definition, and in that of a sorted file), and in another size.
"""

from __future__ import annotations

import argparse
import random
import sys
from collections import defaultdict
from dataclasses import replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # runs as a file as well as with -m

from benchmarks.fingerprint_data import disguise
from benchmarks.fingerprint_figures import Report, Share
from clustering.graphs.fingerprint import fingerprint
from clustering.tensors import TensorListing
from corpora.reference.records import read_raw

LAYOUTS = ("flag:", "pattern:", "combined:")
"""Variants with other tensors; the others are sizes."""
LONGEST = 6_000
"""Tensors; longer listings repeat their blocks and take most of the time."""


def sample(raw: Path, number: int, seed: int) -> list[list[TensorListing]]:
    """One or two sizes of a seeded choice of classes."""
    found: dict[tuple[str, str], list[TensorListing]] = defaultdict(list)
    for model in read_raw(raw):
        sizes = found[model.model_type, model.class_name]
        wanted = model.spelling == "memory" and not model.variant.startswith(LAYOUTS)
        if wanted and len(sizes) < 2 and len(model.listing.tensors) <= LONGEST:
            sizes.append(model.listing)
    known = [found[key] for key in sorted(found) if found[key]]
    return random.Random(seed).sample(known, min(number, len(known)))


def main() -> int:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("raw", type=Path)
    parser.add_argument("--classes", type=int, default=500)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    shares: dict[str, tuple[Share, Share]] = {}

    def compare(title: str, one: TensorListing, other: TensorListing) -> None:
        pair = shares.setdefault(title, tuple(Share(f"{title}: {part}", grouped=False) for part in _PARTS))  # type: ignore[arg-type]
        left, right = fingerprint(one), fingerprint(other)
        for share, part in zip(pair, _PARTS, strict=True):
            share.add("", hit=getattr(left, part) == getattr(right, part))

    for listing, *others in sample(options.raw, options.classes, options.seed):
        by_name = replace(listing, tensors=tuple(sorted(listing.tensors, key=lambda tensor: tensor.name)))
        shuffled = replace(
            listing, tensors=tuple(random.Random(options.seed).sample(by_name.tensors, len(by_name.tensors)))
        )
        compare("sorted by name", listing, by_name)
        compare("in random order", listing, shuffled)
        compare("numbers for names, as sorted", listing, disguise(by_name, "ordered"))
        compare("numbers for names, as defined", listing, disguise(listing, "ordered"))
        for other in others:
            compare("in another size", listing, other)
    report = Report()
    for pair in shares.values():
        report.add("The same fingerprint", *pair)
    report.show()
    return 0


_PARTS = ("digest", "structure")

if __name__ == "__main__":
    raise SystemExit(main())
