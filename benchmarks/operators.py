"""For how many classes a forward pass can be traced without weights: `python -m benchmarks.operators [--classes 120]`.

A seeded sample of the classes of the installed transformers, in the library's default sizes, is built on the meta
device and traced twice: by `clustering.live.trace` and, with `--export`, by `torch.export` over the same inputs.
"""

from __future__ import annotations

import argparse
import os
import random
import re
import sys
import time
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # runs as a file as well as with -m

from benchmarks.live_files import built
from clustering.errors import MissingExtraError
from clustering.live.inputs import candidate_inputs
from clustering.live.limits import LiveModelError
from clustering.live.modules import quiet
from clustering.live.trace import TraceLimits, operator_graph
from clustering.live.zoo import prepare_torchvision
from corpora.reference.enumerate import model_entries


def main() -> int:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--classes", type=int, default=120)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--seconds", type=float, default=60.0, help="limit of one trace")
    parser.add_argument("--export", action="store_true")
    parser.add_argument("--list", action="store_true")
    options = parser.parse_args()
    os.environ["HF_HUB_OFFLINE"] = "1"
    prepare_torchvision()
    every = [(entry, one) for entry in model_entries() for one in entry.classes]
    sample = random.Random(options.seed).sample(every, min(options.classes, len(every)))
    tally: Counter[str] = Counter()
    reasons: Counter[str] = Counter()
    seconds: list[float] = []
    for entry, model_class in sample:
        try:
            module = built(entry, model_class)
        except (LiveModelError, MissingExtraError):
            tally["not built"] += 1
            continue
        started = time.perf_counter()
        try:
            graph = operator_graph(module, limits=TraceLimits(seconds=options.seconds))
            tally["traced"] += 1
            assert graph.number_of_nodes()
        except LiveModelError as error:
            tally["not traced"] += 1
            reasons[re.sub(r"\d+", "N", str(error).partition(": ")[2])[:110]] += 1
            if options.list:
                print(f"  {entry.model_type} {model_class.__name__}: {error}")
        seconds.append(time.perf_counter() - started)
        if options.export:
            tally["exported"] += _exports(module)
    print(", ".join(f"{key} {number}" for key, number in sorted(tally.items())))
    seconds.sort()
    print(f"{len(sample)} classes; median {seconds[len(seconds) // 2]:.2f} s, slowest {seconds[-1]:.1f} s")
    for reason, number in reasons.most_common(12):
        print(f"  {number} {reason}")
    return 0


def _exports(module: object) -> bool:
    import torch

    for given in candidate_inputs(module):  # type: ignore[arg-type]
        try:
            with quiet():
                torch.export.export(module, (), dict(given))  # type: ignore[arg-type]
        except Exception:  # noqa: BLE001  # whatever it raises, the next inputs are tried
            continue
        return True
    return False


if __name__ == "__main__":
    raise SystemExit(main())
