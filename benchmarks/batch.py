"""Speed, memory and answers of `dara batch` on generated snapshots.

    python benchmarks/batch.py [--rows 10000 100000] [--workers 2] [--format jsonl|parquet] [--sample 200]

For each size: packages per second end to end (start of the process to its end), the same for a second of one processor
(which other programs on the machine disturb less), that time as a multiple of merely parsing the same rows, the most
resident memory of all processes of the run together (sampled from /proc, Linux only), how many of the planted defects
are found, how many truthful packages are called defective, and whether every entry is accounted for. `--sample`: rows
that the single audit judges too, as folders; the verdicts have to be the same. Exit code 1 when something is lost or
differs.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

from batch_data import write_jsonl, write_parquet

MAIN = "from dara.cli import main; main()"


def parse_seconds(path: Path) -> float:
    """Processor time to parse all rows and do nothing with them."""
    begin = time.process_time()
    if path.suffix == ".parquet":
        import pyarrow.parquet as pq

        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(2_000):
                for row in batch.to_pylist():
                    for key in ("config", "cardData", "tags", "siblings"):
                        json.loads(row[key])
        return time.process_time() - begin
    with path.open("rb") as stream:
        for line in stream:
            try:
                json.loads(line)
            except ValueError:
                continue
    return time.process_time() - begin


def resident(root: int) -> int:
    """Resident bytes of a process and all below it."""
    total = 0
    try:
        status = Path(f"/proc/{root}/status").read_text()
        total += next(int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmRSS"))
        children = Path(f"/proc/{root}/task/{root}/children").read_text().split()
    except (OSError, StopIteration):
        return total
    return total + sum(resident(int(child)) for child in children)


def run(snapshot: Path, out: Path, workers: int) -> tuple[float, float, int]:
    """Seconds by the clock, by the processors, and peak memory of one run."""
    begin = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-c", MAIN, "batch", str(snapshot), "-o", str(out), "--workers", str(workers)],
        stdout=subprocess.DEVNULL,
    )
    peak, ended = 0, threading.Event()

    def watch() -> None:
        nonlocal peak
        while not ended.wait(0.1):
            peak = max(peak, resident(process.pid))

    watcher = threading.Thread(target=watch)
    watcher.start()
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    code = process.wait()
    seconds = time.perf_counter() - begin
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    ended.set()
    watcher.join()
    if code:
        raise SystemExit(f"dara batch ended with {code}")
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return seconds, used, peak


def answers(out: Path, truth: list[str]) -> dict[str, Any]:
    """What was found of what was planted."""
    import pyarrow.parquet as pq

    table = pq.read_table(out / "packages.parquet", columns=["entry", "verdict"])
    verdicts = dict(zip(table.column("entry").to_pylist(), table.column("verdict").to_pylist(), strict=True))
    skipped = pq.read_table(out / "skipped.parquet", columns=["entry", "check"])
    pairs = zip(skipped.column("entry").to_pylist(), skipped.column("check").to_pylist(), strict=True)
    unread = {entry for entry, check in pairs if check == "entry"}
    counts: Counter[tuple[str, str]] = Counter()
    for entry, label in enumerate(truth):
        counts[label, "unread" if entry in unread else verdicts.get(entry, "lost")] += 1
    of = Counter(truth)
    return {
        "planted found": round(counts["planted", "defective"] / max(1, of["planted"]), 4),
        "truthful called defective": round(counts["truthful", "defective"] / max(1, of["truthful"]), 6),
        "damaged counted": f"{counts['damaged', 'unread']} of {of['damaged']}",
        "lost": sum(number for (_, verdict), number in counts.items() if verdict == "lost"),
    }


def same_as_single(snapshot: Path, out: Path, sample: int) -> int:
    """Number of packages among the first rows that the single audit judges otherwise."""
    import pyarrow.parquet as pq

    from dara.audit import audit_all
    from dara.report import AuditReport

    table = pq.read_table(out / "packages.parquet", columns=["entry", "verdict", "codes"]).to_pylist()
    batch = {row["entry"]: (row["verdict"], row["codes"]) for row in table[: 2 * sample]}
    differing = 0
    with tempfile.TemporaryDirectory() as folder, snapshot.open(encoding="utf-8") as stream:
        for entry, line in enumerate(stream):
            if entry >= sample:
                break
            try:
                row = json.loads(line)
                package = Path(folder) / row["id"].replace("/", "--")
            except (ValueError, TypeError, KeyError):
                continue
            package.mkdir()
            (package / "config.json").write_text(json.dumps(row["config"]))
            card = {"license": row["cardData"]["license"], "datasets": row["cardData"]["datasets"], "language": "en"}
            (package / "README.md").write_text(f"---\n{json.dumps(card)}\n---\n")
            result = audit_all([str(package)], build_graphs=False, offline=True)[0]
            assert isinstance(result, AuditReport)
            differing += batch[entry] != (result.verdict.value, sorted({finding.code for finding in result.findings}))
    return differing


def main() -> int:
    """Runs the benchmark and prints one JSON object for each size."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, nargs="+", default=[10_000])
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--format", choices=("jsonl", "parquet"), default="jsonl")
    parser.add_argument("--sample", type=int, default=200)
    options = parser.parse_args()
    failed = False
    for count in options.rows:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            snapshot, truth_file = folder / "models.jsonl", folder / "truth.txt"
            with snapshot.open("w", encoding="utf-8") as stream, truth_file.open("w", encoding="utf-8") as truth:
                write_jsonl(count, stream, truth)
            labels = truth_file.read_text().split()
            source = snapshot
            if options.format == "parquet":
                source = folder / "models.parquet"
                write_parquet(snapshot, source)
                labels = [label for label in labels if label != "damaged"]
            parsing = parse_seconds(source)
            seconds, used, peak = run(source, folder / "out", options.workers)
            found = answers(folder / "out", labels)
            sample = options.sample if source is snapshot else 0
            differing = same_as_single(snapshot, folder / "out", sample)
            failed = failed or bool(found["lost"] or differing)
            figures = {
                "rows": len(labels),
                "format": options.format,
                "workers": options.workers,
                "seconds": round(seconds, 1),
                "packages per second": round(len(labels) / seconds),
                "processor seconds": round(used, 1),
                "packages per processor second": round(len(labels) / used),
                "times parsing": round(used / parsing, 1),
                "peak megabytes": round(peak / 1e6),
                "output megabytes": round(sum(path.stat().st_size for path in (folder / "out").iterdir()) / 1e6, 1),
                **found,
                "unlike the single audit": f"{differing} of {sample}",
            }
            sys.stdout.write(json.dumps(figures) + "\n")
            sys.stdout.flush()
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
