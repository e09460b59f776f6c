"""How well clusters of graphs agree with the declared families of real packages.

    python -m benchmarks.clusters FOLDER
    python -m benchmarks.clusters --generate 20000 [--workers 2] [--configs FILE] [--keep FOLDER]

The second form makes a mirror of packages with weight headers (real configurations in several sizes; needs the `graph`
extra), runs `dara batch` over it and compares clusters, outliers and verdicts with the truth.

FOLDER holds packages as `OWNER--REPO` folders with weight headers (made from `hub_packages_dev.jsonl` of the
development data). Truth is the declared `model_type`, exact and with twins joined where the reference corpus has them;
packages with one graph count once. Outliers count as clusters of one in the Rand index.
"""

from __future__ import annotations

import argparse
import json
import random
import resource
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # runs as a file as well as with -m

from clustering.clusters import neighbours
from clustering.clusters.density import GraphClusters
from clustering.clusters.signature import GraphSignature, signature
from clustering.clusters.vectors import WEIGHTS, vectors
from clustering.graphs.fingerprint import fingerprint
from clustering.quantization.logical import logical
from clustering.readers.select import read_weights
from corpora.package import Package
from corpora.reference import load_reference
from corpora.sources.snapshots import open_snapshot
from dara.batch.engines import LocalEngine
from dara.batch.run import run_batch

Row = tuple[str, GraphSignature]


def read(folder: Path) -> list[Row]:
    """(declared family, signature) of each unique graph, sorted by digest."""
    found: dict[str, Row] = {}
    for package in open_snapshot(folder).packages():
        if not isinstance(package, Package):
            continue
        document = package.config()
        config = document.value if document is not None else None
        listing = read_weights(package.files).listing
        if listing is None or listing.names_only or listing.adapter or not config:
            continue
        listing = logical(listing, config)
        found.setdefault(fingerprint(listing).digest, (str(config.get("model_type")), signature(listing)))
    return [found[digest] for digest in sorted(found)]


def joined(families: Sequence[str]) -> list[str]:
    """Families with their twins as one; the first in alphabetical order stands for all."""
    scorer = load_reference()
    present = sorted(set(families))
    leader = {family: family for family in present}
    for family in present:
        for twin in scorer.twins(family):
            if twin in leader:
                low, high = sorted((leader[family], leader[twin]))
                leader = {name: low if head == high else head for name, head in leader.items()}
    return [leader[family] for family in families]


def report(title: str, truth: Sequence[str], labels: Sequence[int], seconds: float) -> None:
    """One line: clusters, outliers, purity, adjusted Rand index, homogeneity and completeness."""
    from sklearn.metrics import adjusted_rand_score, completeness_score, homogeneity_score

    alone = [label if label >= 0 else -2 - number for number, label in enumerate(labels)]
    groups: dict[int, list[str]] = {}
    for family, label in zip(truth, labels, strict=True):
        if label >= 0:
            groups.setdefault(label, []).append(family)
    inside = sum(map(len, groups.values()))
    pure = sum(Counter(families).most_common(1)[0][1] for families in groups.values())
    counts = Counter(truth)
    lost = sum(label < 0 and counts[family] > 1 for family, label in zip(truth, labels, strict=True))
    print(
        f"{title:<34} {len(groups):>3} clusters, {len(truth) - inside:>3} outliers ({lost} of families with several), "
        f"purity {pure / max(1, inside):.3f}, Rand {adjusted_rand_score(truth, alone):.3f}, "
        f"homogeneity {homogeneity_score(truth, alone):.3f}, completeness {completeness_score(truth, alone):.3f}, "
        f"{seconds:.2f} s"
    )


def generated(count: int, workers: int, configs: Path | None, keep: Path | None) -> int:
    """Makes a mirror, judges it, and prints what was found of the truth."""
    with tempfile.TemporaryDirectory() as name:
        folder = keep or Path(name)
        truth = _made(folder, count, configs)
        started = time.perf_counter()
        result = run_batch(folder / "mirror", folder / "out", engine=LocalEngine(workers), restart=True)
        seconds = time.perf_counter() - started
        used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024  # of workers it would count this one's fork
        totals = result.summary["clusters"]
        print(
            f"batch with {workers} workers: {seconds:.0f} s, {len(truth) / seconds:.1f} packages/s; "
            f"{totals['graphs']} different graphs, {totals['clusters']} clusters, {totals['graphs_alone']} alone; "
            f"this process (building included) {used} MB"
        )
        compare(folder / "out", truth)
    return 0


def _made(folder: Path, count: int, configs: Path | None) -> list[dict[str, Any]]:
    """The truth about a mirror, which is made unless the folder holds it."""
    from benchmarks import cluster_data

    written = folder / "truth.jsonl"
    if written.exists():
        truth = [json.loads(line) for line in written.read_text(encoding="utf-8").splitlines()]
        print(f"{len(truth)} packages made before", flush=True)
        return truth
    started = time.perf_counter()
    sizes = ("own", "half", "deeper")[: max(1, min(3, count // 500))]
    models = list(cluster_data.build(cluster_data.configs(configs), sizes))
    truth = cluster_data.write_mirror(folder / "mirror", count, models)
    written.write_text("".join(json.dumps(row) + "\n" for row in truth), encoding="utf-8")
    made = time.perf_counter() - started
    print(f"{count} packages of {len(models)} configurations and sizes made in {made:.0f} s", flush=True)
    return truth


def compare(out: Path, truth: Sequence[dict[str, Any]]) -> None:
    """Purity of the clusters over packages, and what was found of the names that state another family."""
    import pyarrow.parquet as pq

    columns = ["name", "verdict", "cluster", "outlier"]
    rows = {row["name"]: row for row in pq.read_table(out / "packages.parquet", columns=columns).to_pylist()}
    labels = [-1 if (n := rows[item["name"]]["cluster"]) is None else n for item in truth]
    families = [item["family"] for item in truth]
    report("packages: model_type", families, labels, 0.0)
    report("packages: twins joined", joined(families), labels, 0.0)
    planted = [rows[item["name"]] for item in truth if item["planted"]]
    truthful = [rows[item["name"]] for item in truth if not item["planted"]]
    for title, hits, wrong in (
        ("outliers", sum(bool(r["outlier"]) for r in planted), sum(bool(r["outlier"]) for r in truthful)),
        (
            "verdicts",
            sum(r["verdict"] == "defective" for r in planted),
            sum(r["verdict"] == "defective" for r in truthful),
        ),
    ):
        print(f"{title}: {hits} of {len(planted)} wrong names found, {wrong} of {len(truthful)} truthful ones accused")


def main(arguments: Sequence[str]) -> int:
    """Prints the table, or runs the generated mirror."""
    from benchmarks.cluster_data import CONFIGS

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, nargs="?")
    parser.add_argument("--generate", type=int, metavar="COUNT")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--configs", type=Path, default=CONFIGS)
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="where mirror and results stay")
    options = parser.parse_args(arguments)
    if options.generate:
        return generated(options.generate, options.workers, options.configs, options.keep)
    if options.folder is None:
        parser.print_usage(sys.stderr)
        return 2
    rows = read(options.folder)
    families = [family for family, _ in rows]
    twins = joined(families)
    print(f"{len(rows)} different graphs of {len(set(families))} families, {len(set(twins))} with twins joined")
    for name, weights in (
        ("shapes, order and names", WEIGHTS),
        ("names only", (0.0, 0.0, 1.0)),
        ("no names", (0.8, 0.2, 0.0)),
    ):
        table = vectors([item for _, item in rows], weights)
        started = time.perf_counter()
        labels = GraphClusters().fit(table).labels_.tolist()
        seconds = time.perf_counter() - started
        report(f"{name}: model_type", families, labels, seconds)
        report(f"{name}: twins joined", twins, labels, seconds)
    order = list(range(len(rows)))
    random.Random(0).shuffle(order)
    table = vectors([item for _, item in rows])
    same = GraphClusters().fit(table).labels_[order].tolist() == GraphClusters().fit(table[order]).labels_.tolist()
    print(f"shuffled input gives the same labels: {same}")
    neighbours.DENSE_LIMIT = 50
    report("without a matrix: twins joined", twins, GraphClusters().fit(table).labels_.tolist(), 0.0)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
