"""Runs the naming study of arXiv 2310.01642 again: which elements do names of packages have?

    python benchmarks/naming_study.py [FILE]

FILE is a JSON object of repository name -> list of letters (the study's published `results.json` layout); by default
the development data beside the checkout. Prints the study's element table beside the one of this parser, and for each
letter how often the two agree.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

DATA = Path(__file__).resolve().parents[1].parent / "shared" / "data" / "naming_elements_2023.json"


def main() -> int:
    """Print the table."""
    from naming import parse_names
    from naming.letters import LETTERS, letters, shares

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", nargs="?", type=Path, default=DATA)
    options = parser.parse_args()
    if not options.file.exists():
        print(f"{options.file.name} is not here: nothing to compare with")
        return 0
    published: dict[str, list[str]] = json.loads(options.file.read_text(encoding="utf-8"))
    mine = {parsed.name: letters(parsed) for parsed in parse_names(published)}
    theirs, ours = shares(published.values()), shares(mine.values())
    print(f"{len(published):,} names")
    print(f"  {'element':44} {'study':>7} {'parser':>7} {'agree':>7} {'both':>7} {'either':>7}")
    for sign, meaning in LETTERS.items():
        pairs = [(sign in published[name], sign in mine[name]) for name in published]
        agree = sum(a == b for a, b in pairs) / len(pairs)
        both, either = sum(a and b for a, b in pairs), sum(a or b for a, b in pairs)
        print(f"  {sign} {meaning:42} {theirs[sign]:7.1%} {ours[sign]:7.1%} {agree:7.1%} {both:7,} {either:7,}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
