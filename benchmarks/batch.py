"""Speed, memory and answers of `dara batch`: on generated snapshots, when it is killed, and on real rows.

    python -m benchmarks.batch [--rows 10000 100000] [--workers 2] [--format jsonl parquet] [--sample 300]
    python -m benchmarks.batch --kills 10 [--rows 20000]
    python -m benchmarks.batch --engine ray
    python -m benchmarks.batch --real [FOLDER]

For each size: packages per second end to end (start of the process to its end), the same for a second of one
processor (which other programs on the machine disturb less), cost of a package relative to the first size, time as a
multiple of merely parsing the same rows, the most resident memory of all processes of the run together (Linux only),
how many of the planted defects are found, by kind, how many truthful packages are called defective, and whether every
entry is accounted for. `--sample`: rows that the single audit judges too, as folders, half of them with planted
defects; the verdicts have to be the same. `--kills`: the run is killed with all its processes at random moments, and
its tables have to be those of the undisturbed run. `--real`: every snapshot among the development data is judged whole,
and what became of its rows is counted. Exit code 1 when something is lost or differs.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))

from batch_data import SHARED, write_jsonl, write_parquet
from batch_runs import digests, killed_run, run

SUFFIXES = {".jsonl", ".json", ".gz", ".parquet", ".sqlite", ".db"}


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


def verdicts(out: Path, columns: tuple[str, ...] = ("verdict",)) -> Iterator[tuple[int, dict[str, Any]]]:
    """Rows of the table of packages, streamed, by entry."""
    import pyarrow.parquet as pq

    with pq.ParquetFile(out / "packages.parquet") as file:
        for batch in file.iter_batches(20_000, columns=["entry", *columns]):
            for row in batch.to_pylist():
                yield row["entry"], row


def unread(out: Path) -> set[int]:
    """Entries that could not be made packages."""
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    found: set[int] = set()
    with pq.ParquetFile(out / "skipped.parquet") as file:
        for batch in file.iter_batches(20_000, columns=["entry", "check"]):
            found.update(batch.filter(pc.equal(batch.column("check"), "entry")).column("entry").to_pylist())
    return found


def answers(out: Path, truth: list[str]) -> dict[str, Any]:
    """What was found of what was planted."""
    damaged = unread(out)
    counts: Counter[tuple[str, str]] = Counter()
    judged = 0
    for entry, row in verdicts(out):
        counts[truth[entry], row["verdict"]] += 1
        judged += 1
    for entry in damaged:
        counts[truth[entry], "unread"] += 1
    of = Counter(truth)

    def share(label: str) -> float:
        return round(counts[label, "defective"] / max(1, of[label]), 5)

    return {
        "planted found": {label.partition(":")[2]: share(label) for label in sorted(of) if label.startswith("planted")},
        "truthful called defective": share("truthful"),
        **({"real names called defective": share("real")} if of["real"] else {}),
        "damaged counted": f"{counts['damaged', 'unread']} of {of['damaged']}",
        "lost": len(truth) - judged - len(damaged),
    }


def same_as_single(snapshot: Path, out: Path, truth: list[str], sample: int) -> int:
    """Number of packages of a sample that the single audit judges otherwise: half planted, half not."""
    from dara.audit import audit_all
    from dara.report import AuditReport

    chance = random.Random(1)
    planted = [entry for entry, label in enumerate(truth) if label.startswith("planted")]
    others = [entry for entry, label in enumerate(truth) if label in {"truthful", "real"}]
    chosen = {entry for part in (planted, others) for entry in chance.sample(part, min(len(part), sample // 2))}
    batch = {entry: row for entry, row in verdicts(out, ("verdict", "codes")) if entry in chosen}
    differing = 0
    with tempfile.TemporaryDirectory() as folder, snapshot.open(encoding="utf-8") as stream:
        for entry, line in enumerate(stream):
            if entry not in chosen:
                continue
            row = json.loads(line)
            package = Path(folder) / row["id"].replace("/", "--")
            package.mkdir()
            (package / "config.json").write_text(json.dumps(row["config"]))
            (package / "README.md").write_text(f"---\n{json.dumps(row['cardData'])}\n---\n")
            result = audit_all([str(package)], build_graphs=False, offline=True)[0]
            assert isinstance(result, AuditReport)
            codes = sorted({finding.code for finding in result.findings})
            differing += (batch[entry]["verdict"], batch[entry]["codes"]) != (result.verdict.value, codes)
    return differing


def measure(count: int, form: str, options: argparse.Namespace, folder: Path) -> tuple[dict[str, Any], float, bool]:
    """Figures of one size and form, processor seconds of the run, and whether something is wrong."""
    snapshot, truth_file = folder / "models.jsonl", folder / "truth.txt"
    with snapshot.open("w", encoding="utf-8") as stream, truth_file.open("w", encoding="utf-8") as truth:
        write_jsonl(count, stream, truth, real=options.shared)
    labels = [sys.intern(label) for label in truth_file.read_text().split()]
    source, sample = snapshot, options.sample
    if form == "parquet":
        source, sample = folder / "models.parquet", 0
        write_parquet(snapshot, source)
        labels = [label for label in labels if label != "damaged"]
    parsing = parse_seconds(source)
    out = folder / "out"
    cost = run(source, out, options.workers, options.engine)
    found = answers(out, labels)
    differing = same_as_single(snapshot, out, labels, sample) if sample else 0
    figures: dict[str, Any] = {
        "rows": len(labels),
        "format": form,
        "engine": options.engine,
        "workers": options.workers,
        "seconds": round(cost.seconds, 1),
        "packages per second": round(len(labels) / cost.seconds),
        "processor seconds": round(cost.used, 1),
        "packages per processor second": round(len(labels) / cost.used),
        "times parsing": round(cost.used / parsing, 1),
        "peak megabytes": round(cost.peak / 1e6),
        "input megabytes": round(source.stat().st_size / 1e6, 1),
        "output megabytes": round(sum(path.stat().st_size for path in out.iterdir()) / 1e6, 1),
        **found,
        "unlike the single audit": f"{differing} of {sample}",
    }
    wrong = bool(found["lost"] or differing)
    if options.kills:
        moments = killed_run(source, folder / "killed", options.workers, cost.seconds, options.kills, options.seed)
        same = digests(folder / "killed") == digests(out)
        figures |= {"killed after seconds": moments, "tables as undisturbed": same}
        wrong = wrong or not same
    return figures, cost.used, wrong


def real_rows(root: Path, workers: int) -> Iterator[dict[str, Any]]:
    """What becomes of the rows of every file below a folder that holds rows of packages."""
    from corpora.errors import PackageError
    from corpora.package import Package
    from corpora.sources.snapshots import open_snapshot

    for path in sorted(path for path in root.rglob("*") if path.is_file() and path.suffix in SUFFIXES):
        try:
            entries = sum(isinstance(item, Package) for item in open_snapshot(path).packages())
        except PackageError:
            continue
        if not entries:
            continue
        with tempfile.TemporaryDirectory() as name:
            out = Path(name) / "out"
            seconds = run(path, out, workers).seconds if entries > 1 else 0.0
            if not seconds:
                continue  # one JSON object is a document, not a snapshot
            summary = json.loads((out / "summary.json").read_text())
            judged = sum(1 for _ in verdicts(out)) + len(unread(out))
            yield {
                "file": path.relative_to(root).as_posix(),
                "entries": summary["entries"],
                "accounted for": judged,
                "packages": summary["packages"],
                "unread": summary["unread_entries"],
                "unauditable": summary["unauditable_packages"],
                **summary["verdicts"],
                "findings": {code: sum(by.values()) for code, by in summary["findings"]["by_code"].items()},
                "seconds": round(seconds, 1),
            }


def say(figures: dict[str, Any]) -> None:
    """One line of JSON."""
    sys.stdout.write(json.dumps(figures) + "\n")
    sys.stdout.flush()


def main() -> int:
    """Runs the benchmark and prints one JSON object for each size or file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, nargs="+", default=[10_000])
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--engine", choices=("local", "ray"), default="local")
    parser.add_argument("--format", nargs="+", choices=("jsonl", "parquet"), default=["jsonl"])
    parser.add_argument("--sample", type=int, default=300)
    parser.add_argument("--shared", action=argparse.BooleanOptionalAction, default=SHARED.is_file())
    parser.add_argument("--kills", type=int, default=0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--real", type=Path, nargs="?", const=SHARED.parent, metavar="FOLDER")
    options = parser.parse_args()
    if options.real is not None:
        failed = False
        for figures in real_rows(options.real, options.workers):
            say(figures)
            failed = failed or figures["entries"] != figures["accounted for"]
        return int(failed)
    failed = False
    for form in options.format:
        before: list[tuple[int, float]] = []
        for count in options.rows:
            with tempfile.TemporaryDirectory() as name:
                figures, used, wrong = measure(count, form, options, Path(name))
            each = used / count
            first = before[0][1] / before[0][0] if before else each
            figures["cost relative to the first size"] = round(each / first, 3)
            if before and count > before[-1][0]:  # what the processes take to start is paid once
                further = (used - before[-1][1]) / (count - before[-1][0])
                figures["processor microseconds of a further package"] = round(1e6 * further)
            before.append((count, used))
            say(figures)
            failed = failed or wrong
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
