"""Clusters of a run: like graphs together, names that do not fit their cluster, whatever the shards and the order."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from weights import Shapes, bert, network, write

from clustering.clusters.signature import GraphSignature, signature
from clustering.clusters.sketch import MOST, Sketch, sketch
from clustering.clusters.vectors import sketch_vectors, vectors
from clustering.tensors import Tensor, TensorListing
from dara.batch import clusters as clustering
from dara.batch import graphs as collecting
from dara.batch.engines import LocalEngine, Progress
from dara.batch.run import run_batch
from dara.batch.shard import Work, Worker
from dara.batch.tables import DERIVED, column_names, schema_of

pytest.importorskip("pyarrow")


def save(folder: Path, shapes: Shapes, config: dict[str, Any] | None = None) -> None:
    write(folder / "model.safetensors", shapes)
    if config is not None:
        (folder / "config.json").write_text(json.dumps(config))


def config(layers: int, width: int) -> dict[str, Any]:
    return {
        "model_type": "bert", "architectures": ["BertForMaskedLM"], "hidden_size": width, "num_hidden_layers": layers,
        "num_attention_heads": width // 64, "intermediate_size": 4 * width, "vocab_size": 40 * width,
    }  # fmt: skip


@pytest.fixture(scope="module")
def mirror(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("clusters") / "mirror"
    for name, layers, width in (
        ("acme--bert-small", 4, 512),
        ("acme--bert-small-copy", 4, 512),
        ("acme--bert-medium", 8, 512),
        ("acme--gpt2-large", 4, 768),  # the name states a family that its graph is not
        ("acme--roberta-small", 4, 256),  # a twin: the same graph
        ("acme--something", 2, 128),  # the name states no family
    ):
        save(root / name, bert(layers, width), config(layers, width))
    save(root / "zoo--net-3", network(3))
    save(root / "lone--matrix", {"a.weight": (17, 19), "b.c.weight": (23,)})
    (root / "acme--bert-config").mkdir()
    (root / "acme--bert-config" / "config.json").write_text(json.dumps(config(4, 512)))
    return root


def table(out: Path, name: str) -> list[dict[str, Any]]:
    import pyarrow.parquet as pq

    rows: list[dict[str, Any]] = pq.read_table(out / f"{name}.parquet").to_pylist()
    return rows


@pytest.fixture(scope="module")
def out(mirror: Path) -> Path:
    run_batch(mirror, mirror.parent / "out", engine=LocalEngine(1), shard=3)
    return mirror.parent / "out"


def test_packages_with_like_graphs_are_a_cluster(out: Path) -> None:
    found = {row["name"]: row for row in table(out, "packages")}
    (cluster,) = table(out, "clusters")
    inside = {name for name, row in found.items() if row["cluster"] == cluster["cluster"]}
    assert inside == {f"acme/{n}" for n in (
        "bert-small", "bert-small-copy", "bert-medium", "gpt2-large", "roberta-small", "something",
    )}  # fmt: skip
    assert (cluster["family"], cluster["purity"]) == ("bert", 1.0)
    assert (cluster["packages"], cluster["graphs"], cluster["outliers"]) == (6, 5, 1)
    assert json.loads(cluster["families"]) == {"bert": 6}
    assert json.loads(cluster["claimed"]) == {"bert": 3, "": 1, "gpt2": 1, "roberta": 1}


def test_a_name_that_does_not_fit_its_cluster_is_an_outlier_and_a_twin_is_not(out: Path) -> None:
    found = {row["name"]: row["outlier"] for row in table(out, "packages")}
    assert {name for name, outlier in found.items() if outlier} == {"acme/gpt2-large"}
    assert found["acme/roberta-small"] is False
    assert found["acme/something"] is None, "a name that states no family fits everywhere"


def test_a_package_without_a_cluster_has_a_reason(out: Path) -> None:
    for row in table(out, "packages"):
        assert (row["cluster"] is None) == (row["cluster_reason"] is not None)
        assert row["cluster"] is not None or row["outlier"] is None
    reasons = {row["name"]: row["cluster_reason"] for row in table(out, "packages")}
    assert reasons["lone/matrix"] == reasons["zoo/net-3"] == clustering.ALONE
    assert reasons["acme/bert-config"] == clustering.NO_GRAPH
    totals = json.loads((out / "summary.json").read_text())["clusters"]
    assert totals["packages"] + sum(totals["without"].values()) == 9
    assert (totals["graphs"], totals["clusters"], totals["graphs_alone"], totals["outliers"]) == (7, 1, 2, 1)


def test_graphs_are_sorted_and_counted(out: Path) -> None:
    rows = table(out, "graphs")
    assert [row["digest"] for row in rows] == sorted(row["digest"] for row in rows)
    assert sum(row["packages"] for row in rows) == 8
    twice = next(row for row in rows if row["packages"] == 2)
    assert twice["example"] == "acme/bert-small", "the first of packages without downloads"
    digests = {row["digest"] for row in table(out, "packages") if row["digest"]}
    assert digests == {row["digest"] for row in rows}


def test_columns_of_the_derived_tables(out: Path) -> None:
    import pyarrow.parquet as pq

    for name in DERIVED:
        assert pq.read_schema(out / f"{name}.parquet").equals(schema_of(name))
        assert tuple(pq.read_schema(out / f"{name}.parquet").names) == column_names(name)


def test_neither_shards_nor_the_order_of_packages_change_clusters(out: Path, mirror: Path, tmp_path: Path) -> None:
    again = run_batch(mirror, tmp_path / "cut", engine=LocalEngine(1), shard=1)
    for name in DERIVED:
        assert (tmp_path / "cut" / f"{name}.parquet").read_bytes() == (out / f"{name}.parquet").read_bytes()
    assert again.summary["clusters"]["clusters"] == 1
    shuffled = tmp_path / "mirror"
    names = sorted(folder.name for folder in mirror.iterdir())
    owners = [f"o{number}" for number in range(len(names))]
    random.Random(3).shuffle(owners)  # other owners, another order of the folders
    for name, owner in zip(names, owners, strict=True):
        (shuffled / f"{owner}--{name.partition('--')[2]}").mkdir(parents=True)
        for file in (mirror / name).iterdir():
            (shuffled / f"{owner}--{name.partition('--')[2]}" / file.name).hardlink_to(file)
    run_batch(shuffled, tmp_path / "shuffled", engine=LocalEngine(1), shard=2)
    kept = ("digest", "cluster", "x", "y", "identified", "packages", "families", "claimed")
    one, other = table(out, "graphs"), table(tmp_path / "shuffled", "graphs")
    assert [{key: row[key] for key in kept} for row in one] == [{key: row[key] for key in kept} for row in other]


class Stopping(LocalEngine):
    """Judges one shard, the last one, and then fails as a killed process does."""

    def run(self, work: Work, shards: Sequence[int], progress: Progress) -> None:
        worker = Worker(work)
        worker.run(shards[-1:], progress)
        worker.close()
        raise KeyboardInterrupt


def test_a_stopped_run_ends_with_the_same_bytes(out: Path, mirror: Path, tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        run_batch(mirror, tmp_path / "out", engine=Stopping(1), shard=3)
    assert run_batch(mirror, tmp_path / "out", engine=LocalEngine(1), shard=3).resumed == 3
    for path in out.iterdir():
        assert (tmp_path / "out" / path.name).read_bytes() == path.read_bytes(), path.name


def test_a_snapshot_without_weights_has_no_clusters(tmp_path: Path) -> None:
    source = tmp_path / "models.jsonl"
    source.write_text(json.dumps({"id": "a/bert-base", "config": config(4, 512)}) + '\n{"id": "a/nothing"}\n')
    result = run_batch(source, tmp_path / "out", engine=LocalEngine(1))
    assert [table(tmp_path / "out", name) for name in DERIVED] == [[], []]
    reasons = [row["cluster_reason"] for row in table(tmp_path / "out", "packages")]
    assert reasons == [clustering.NO_GRAPH, clustering.NOT_AUDITED]
    assert result.summary["clusters"]["graphs"] == 0


def test_bounds_keep_the_same_graphs_in_any_order(
    mirror: Path, out: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(collecting, "MOST_GRAPHS", 4)
    smallest = [row["digest"] for row in table(out, "graphs")][:4]
    for shard in (1, 2, 9):
        result = run_batch(mirror, tmp_path / f"out{shard}", engine=LocalEngine(1), shard=shard)
        assert [row["digest"] for row in table(tmp_path / f"out{shard}", "graphs")] == smallest
        assert result.summary["clusters"]["graphs_left_out"] == 3
        assert clustering.TOO_MANY in result.summary["clusters"]["without"]


def test_more_different_sketches_than_are_compared(
    mirror: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clustering, "MOST_ROWS", 1)
    run_batch(mirror, tmp_path / "out", engine=LocalEngine(1))
    rows = table(tmp_path / "out", "graphs")
    assert sum(row["cluster"] == clustering.NOT_COMPARED for row in rows) >= 2


def listing(names: int) -> TensorListing:
    return TensorListing(tuple(Tensor(f"part{n}.x{n}.w{n}", (n + 2, 3), "F16") for n in range(names)), "safetensors")


def test_a_sketch_of_a_huge_bag_is_bounded_and_keeps_what_two_bags_share() -> None:
    large = sketch(signature(listing(3000)))
    assert large.size <= 3 * MOST * 12
    bags = [GraphSignature((), (), tuple((f"t{n}", 1.0) for n in range(*span))) for span in ((0, 2000), (500, 2500))]
    one, other = sketch_vectors([sketch(bag) for bag in bags], (0.0, 0.0, 1.0)).toarray()
    assert float(one @ other) == pytest.approx(0.75, abs=0.12), "of 2,000 tokens each, 1,500 are shared"


def test_vectors_of_sketches_are_those_of_signatures() -> None:
    found = [signature(listing(n)) for n in (2, 5, 9)]
    kept = [sketch(item) for item in found]
    again = [Sketch(bytes(item.shapes), bytes(item.order), bytes(item.names)) for item in kept]
    assert (vectors(found) != sketch_vectors(again)).nnz == 0
    assert len({item.key for item in kept}) == 3
