"""Cost of the commit hook: wall time against `import spacy` in the same run, and peak memory.

    python benchmarks/lint.py [--python LIGHT_ENVIRONMENT/bin/python] [--runs 7]

The hook's environment is the light install: no torch. With `--python` the interpreter of such an environment is
measured instead of this one (where torch is installed, `import spacy` is slower by the import of torch, and the
comparison is too kind). Runs alternate, so that what else happens on the machine falls on both; the smallest and the
middle time are given. Linux only: peak memory is `ru_maxrss` of the process.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from dara.examples import write_examples

TARGET_RATIO = 2.0
TARGET_MEGABYTES = 200


def measure(command: list[str], folder: Path) -> tuple[float, float, float, int]:
    """Wall seconds, processor seconds, peak megabytes and exit code of one process."""
    start = time.perf_counter()
    process = subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.perf_counter() - start
    return wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, os.waitstatus_to_exitcode(status)


def main() -> int:
    """Prints one JSON object; 1 when a target is missed."""
    parser = argparse.ArgumentParser(description="Cost of the commit hook.")
    parser.add_argument("--python", default=sys.executable, help="interpreter of the environment to measure")
    parser.add_argument("--runs", type=int, default=7)
    options = parser.parse_args()
    python = options.python
    lint = [python, "-c", "from dara.cli import main; main()", "lint"]
    walls: dict[str, list[float]] = {"spacy": [], "lint": []}
    cpus: dict[str, list[float]] = {"spacy": [], "lint": []}
    peak = 0.0
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        packages = [path.name for path in write_examples(folder)]
        measure([*lint, packages[0]], folder)  # brings files into the page cache
        for number in range(options.runs):
            package = packages[number % len(packages)]
            wall, cpu, _, code = measure([python, "-c", "import spacy"], folder)
            assert code == 0
            walls["spacy"].append(wall)
            cpus["spacy"].append(cpu)
            wall, cpu, megabytes, code = measure([*lint, f"{package}/config.json", f"{package}/README.md"], folder)
            assert code in {0, 1}, (package, code)
            walls["lint"].append(wall)
            cpus["lint"].append(cpu)
            peak = max(peak, megabytes)
    ratio = statistics.median(walls["lint"]) / statistics.median(walls["spacy"])
    result = {
        "runs": options.runs,
        "wall_seconds_median": {name: round(statistics.median(times), 3) for name, times in walls.items()},
        "wall_seconds_min": {name: round(min(times), 3) for name, times in walls.items()},
        "cpu_seconds_median": {name: round(statistics.median(times), 3) for name, times in cpus.items()},
        "ratio_wall_median": round(ratio, 2),
        "ratio_wall_min": round(min(walls["lint"]) / min(walls["spacy"]), 2),
        "peak_megabytes": round(peak),
        "targets": {"ratio": TARGET_RATIO, "megabytes": TARGET_MEGABYTES},
    }
    print(json.dumps(result, indent=2))
    return 0 if ratio <= TARGET_RATIO and peak < TARGET_MEGABYTES else 1


if __name__ == "__main__":
    sys.exit(main())
