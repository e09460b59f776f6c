"""Bytes, time and memory of measuring a model from its headers, beside loading and tracing it.

    python -m benchmarks.cost [--folder DIR] [--repeats 5]

Writes packages of four sizes with exact headers over sparse data (see `benchmarks.cost_models`) and measures each from
disk and through a local HTTP hub in a process of its own; then BERT base with random weights, once by its headers, once
as the published pipeline does it, loaded with transformers and traced. Every time is warm (libraries and index loaded,
headers in the page cache): median and least of the repeats on the wall clock, and the CPU seconds of this process.
The bar of time is held against the least, the run that other programs on the machine disturbed least. `whole`
is a process from its start, with interpreter, libraries and index. Peak memory is read from /proc (Linux).

`measure` is everything that `dara fingerprint` does: headers, facts, fingerprint, family, parts; `graph` is headers to
fingerprint, which is what a traced graph is compared with.
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
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))  # runs as a file as well as with -m

BEYOND_HEADERS = 1_000_000
"""Bytes that may be read beside the weight headers."""
WARM_SECONDS = 0.3
TIME_RATIO, MEMORY_RATIO = 50, 10
"""What is expected of loading and tracing against reading headers."""

_PEAK = """
import json, os, sys, time
def peak():
    # Most resident memory of this program in kB; getrusage would also count the program that started it.
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmHWM"))
begun = time.perf_counter()
"""
_BY_HEADERS = (
    _PEAK
    + """
from clustering.graphs.fingerprint import fingerprint
from clustering.readers.select import read_weights
from corpora.reference import load_reference
from corpora.sources.registry import open_package
from dara.measurement import measure
load_reference()
ready, before = time.perf_counter(), peak()
known = measure(open_package(sys.argv[1], offline=True), build_graphs=False)
first = time.perf_counter()
measure(open_package(sys.argv[1], offline=True), build_graphs=False)
again, full = time.perf_counter(), peak()
fingerprint(read_weights(open_package(sys.argv[1], offline=True).files).listing)
graph = time.perf_counter()
assert known.fingerprint is not None
print(json.dumps({"graph": graph - again, "measure": again - first, "whole": first - begun, "peak": full,
                  "grown": full - before}))
"""
)
_BY_TRACE = (
    _PEAK
    + """
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["TRANSFORMERS_VERBOSITY"] = "critical"
import torch
from transformers import BertForMaskedLM
ready, before = time.perf_counter(), peak()
model = BertForMaskedLM.from_pretrained(sys.argv[1], attn_implementation="eager").eval()
loaded = time.perf_counter()
ids = torch.ones(1, 16, dtype=torch.long)
if sys.argv[2] == "export":
    graph = torch.export.export(model, (), {"input_ids": ids, "attention_mask": torch.ones_like(ids)}).graph
    nodes = len(list(graph.nodes))
else:
    graph = torch.jit.trace(model, (ids, torch.ones_like(ids)), strict=False).inlined_graph
    nodes = len(list(graph.nodes()))
done, full = time.perf_counter(), peak()
print(json.dumps({"load": loaded - ready, "trace": done - loaded, "whole": done - begun, "peak": full,
                  "grown": full - before, "nodes": nodes}))
"""
)
_SAVE = """
import sys, torch
from transformers import BertConfig, BertForMaskedLM
torch.manual_seed(0)
BertForMaskedLM(BertConfig(architectures=["BertForMaskedLM"])).save_pretrained(sys.argv[1])
"""


def warm(action: Callable[[], object], repeats: int) -> tuple[float, float, float]:
    """Median and least wall-clock and median CPU seconds after one run that is not counted."""
    action()
    walls: list[float] = []
    cpus: list[float] = []
    for _ in range(repeats):
        wall, cpu = time.perf_counter(), time.process_time()
        action()
        walls.append(time.perf_counter() - wall)
        cpus.append(time.process_time() - cpu)
    return statistics.median(walls), min(walls), statistics.median(cpus)


@contextmanager
def hub(folder: Path) -> Iterator[str]:
    """The address of a hub that serves a folder of packages, in another process."""
    command = [sys.executable, str(ROOT / "tests" / "hub_server.py"), str(folder)]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert server.stdout is not None
        yield server.stdout.readline().strip().partition("=")[2]
    finally:
        server.terminate()
        server.wait()


def table(folder: Path, repeats: int) -> None:
    """Bytes and warm time of every size, from disk and over HTTP."""
    from benchmarks.cost_models import SIZES, header_bytes, write_package
    from corpora.reference import load_reference
    from corpora.sources.registry import open_package
    from dara.measurement import Measurement, measure

    load_reference()
    places = {size.name: write_package(size, folder) for size in SIZES}
    print(
        "size | files | stored | headers | from | read beside headers | wall | least | CPU | family | within the bars"
    )
    with hub(folder) as address:
        os.environ["HF_ENDPOINT"] = address
        for name, place in places.items():
            for origin, target in (("disk", str(place)), ("HTTP", place.name.replace("--", "/"))):
                last: list[Measurement] = []

                def run(target: str = target, origin: str = origin, last: list[Measurement] = last) -> None:
                    last[:] = [measure(open_package(target, offline=origin == "disk"), build_graphs=False)]

                wall, least, cpu = warm(run, repeats)
                known, headers = last[0], header_bytes(place)
                files = list(place.glob("*.safetensors"))
                beside = known.bytes_read - headers
                family = known.identification.family[0].model_type if known.identification else "-"
                within = "bytes " + ("yes" if beside < BEYOND_HEADERS else "NO")
                within += ", time " + ("yes" if least < WARM_SECONDS else "NO")
                stored = sum(file.stat().st_size for file in files)
                print(
                    f"{name} | {len(files)} | {stored / 1e9:.1f} GB | {headers:,} B | {origin} | {beside:,} B | "
                    f"{wall:.3f} s | {least:.3f} s | {cpu:.3f} s | {family} | {within}",
                    flush=True,
                )


def _run(code: str, *arguments: str) -> dict[str, float]:
    """What a program prints, run in a process of its own."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], check=True, capture_output=True, text=True, env=environment
    )
    found: dict[str, float] = json.loads(done.stdout.strip().splitlines()[-1]) if done.stdout.strip() else {}
    return found


def against_tracing(folder: Path, repeats: int) -> None:
    """BERT base by headers and by loading and tracing."""
    place = folder / "bench--bert-base-with-weights"
    _run(_SAVE, str(place))
    ours = _median([_run(_BY_HEADERS, str(place)) for _ in range(repeats)])
    print(f"bert-base by headers: {_shown(ours)}")
    for how in ("export", "jit"):
        theirs = _median([_run(_BY_TRACE, str(place), how) for _ in range(repeats)])
        print(f"bert-base loaded and traced (torch.{how}): {_shown(theirs)}")
        spent = theirs["load"] + theirs["trace"]
        print(
            f"  time, warm: {spent / ours['graph']:.0f} times headers to fingerprint, {spent / ours['measure']:.1f} "
            f"times the whole measurement (expected > {TIME_RATIO}); of whole processes "
            f"{theirs['whole'] / ours['whole']:.1f}"
        )
        print(
            f"  memory: {theirs['grown'] / max(1, ours['grown']):.0f} times beyond the loaded libraries (expected > "
            f"{MEMORY_RATIO}); whole processes: {theirs['peak'] / ours['peak']:.1f}"
        )


def _median(rows: list[dict[str, float]]) -> dict[str, float]:
    return {key: statistics.median(row[key] for row in rows) for key in rows[0]}


def _shown(row: dict[str, float]) -> str:
    """Times in seconds, memory in MB (Linux gives kilobytes)."""
    sizes = {"peak", "grown"}
    parts = [f"{key} {value / 1e3:.0f} MB" if key in sizes else f"{key} {value:.3f}" for key, value in row.items()]
    return ", ".join(parts)


def main() -> int:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, help="where to write (a temporary folder when left out)")
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.folder) as name:
        table(Path(name), options.repeats)
        against_tracing(Path(name), max(1, options.repeats - 2))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
