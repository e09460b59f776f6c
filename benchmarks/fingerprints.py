"""What a fingerprint tells of packages that the reference corpus was never built from.

    python -m benchmarks.fingerprints PACKAGES [--index FILE]
    python -m benchmarks.fingerprints PACKAGES --families --modes both
    python -m benchmarks.fingerprints PACKAGES --corpus RAW --published RAW --cost

PACKAGES is a folder made by `make_packages.py`. Without further options everything that takes minutes is measured:

--families    family by structure alone (names replaced by numbers, order kept and shuffled), by both channels, by
              names alone; how many are unknown
--classes     declared class and head of the class
--left-out    families left out of the index, on packages, with the cross-fitted figures that the index carries
--maskformer  the MaskFormer listings of the development data, in three frameworks

Any of these options leaves the others out. Longer, and only when asked for:

--corpus RAW     leaves families out of a raw corpus and fits curve and threshold anew (15 minutes, 4 GB)
--published RAW  the published method on the same graphs (`benchmarks.published_comparison`, 10 minutes)
--cost           bytes and time (`benchmarks.cost`)

Every share has an interval that draws whole owners. After the tables every miss is listed with its reason.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # runs as a file as well as with -m

from benchmarks.fingerprint_data import DEVELOPMENT, packages
from benchmarks.fingerprint_families import MODES, classes, families
from benchmarks.fingerprint_figures import Report
from benchmarks.fingerprint_left_out import cross_fitted, left_out
from benchmarks.fingerprint_maskformer import maskformers
from clustering.family.index import load_index
from clustering.family.scorer import FamilyScorer


def options() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("packages", type=Path)
    parser.add_argument("--index", type=Path, help="another index than the shipped one")
    parser.add_argument("--modes", nargs="+", choices=tuple(MODES), default=tuple(MODES))
    for section in ("families", "classes", "left-out", "maskformer"):
        parser.add_argument(f"--{section}", action="store_true")
    parser.add_argument("--corpus", type=Path, metavar="RAW")
    parser.add_argument("--published", type=Path, metavar="RAW")
    parser.add_argument("--cost", action="store_true")
    return parser


def scorer_of(path: Path | None) -> FamilyScorer:
    """The scorer over an index file, or over the shipped one."""
    if path is not None:
        return FamilyScorer(load_index(path))
    from corpora.reference import load_reference

    return load_reference()


def main() -> int:
    """Command line."""
    given = options().parse_args()
    chosen = {name for name in ("families", "classes", "left_out", "maskformer") if getattr(given, name)}
    everything = not chosen and not (given.corpus or given.published or given.cost)
    started = time.process_time()
    scorer = scorer_of(given.index)
    print(f"index with {len(scorer.index.families)} families loaded in {time.process_time() - started:.2f} s")
    asked = packages(given.packages)
    report = Report()
    if everything or "families" in chosen:
        families(report, scorer, asked, given.modes)
    if everything or "classes" in chosen:
        classes(report, scorer, asked)
    if everything or "left_out" in chosen:
        left_out(report, scorer, asked)
    if everything or "maskformer" in chosen:
        data = DEVELOPMENT / "maskformer"
        if data.is_dir():
            maskformers(report, data)
        else:
            report.note("The MaskFormer family", "the development data is not beside this checkout")
    if given.corpus:
        cross_fitted(report, given.corpus)
    report.show()
    print(f"\n{time.process_time() - started:.0f} s of processor")
    module = [sys.executable, "-m"]
    if given.published:
        subprocess.run(
            [*module, "benchmarks.published_comparison", str(given.packages), str(given.published)], check=True
        )
    if given.cost:
        subprocess.run([*module, "benchmarks.cost"], check=True)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
