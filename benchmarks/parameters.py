"""How far truthful names are from the measured number of parameters: the table behind the tolerance of DAR201.

    python -m benchmarks.parameters

Reads the leaderboard snapshot of the development data (claimed in the name, measured by the leaderboard). Rows whose
architecture is unknown there are left out: most are adapters counted with a quantized base.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # runs as a file as well as with -m

from benchmarks.verdict_data import DATA
from dara.rules.contradicted_parameters import HIGH, LOW, MIXTURE_HIGH, MIXTURE_LOW, SURE_HIGH, SURE_LOW

QUANTILES = (0.001, 0.005, 0.01, 0.02, 0.05, 0.5, 0.95, 0.98, 0.99, 0.995, 0.999)


def main() -> int:
    """Prints the distribution of measured over claimed."""
    from naming import parse_name

    path = DATA / "leaderboard_dev.jsonl"
    if not path.exists():
        print("the development data is not beside this checkout", file=sys.stderr)
        return 0
    single: list[tuple[float, str]] = []
    mixture: list[tuple[float, str]] = []
    with path.open(encoding="utf-8") as stream:
        for line in stream:
            row = json.loads(line)
            claims = parse_name(row["repo_id"]).claims_of("parameters")
            measured = (row["params_b"] or 0) * 1e9
            if len(claims) != 1 or measured <= 0 or row["architecture"] in ("?", "", None):
                continue
            value = claims[0].value
            if isinstance(value, Mapping) and "each" in value:
                mixture.append((measured / (value["experts"] * value["each"]), row["repo_id"]))
            elif isinstance(value, int | float) and value > 0:
                single.append((measured / value, row["repo_id"]))
    for title, rows, bounds in (
        ("one count", single, (SURE_LOW, LOW, HIGH, SURE_HIGH)),
        ("experts times each", mixture, (MIXTURE_LOW, MIXTURE_HIGH)),
    ):
        ratios = sorted(ratio for ratio, _ in rows)
        if not ratios:
            continue
        print(f"{title}: {len(ratios)} names, measured over claimed")
        shown = (f"{share:.1%} {ratios[min(len(ratios) - 1, int(share * len(ratios)))]:.3f}" for share in QUANTILES)
        print("  quantiles  " + "  ".join(shown))
        for bound in bounds:
            outside = sum(ratio < bound for ratio in ratios) if bound < 1 else sum(ratio > bound for ratio in ratios)
            print(f"  beyond {bound}: {outside} ({outside / len(ratios):.2%})")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
