"""`dara cluster` as a user meets it."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ET
from pathlib import Path

import jsonschema
import pytest
from commandline import Run
from weights import bert, network, write

SCHEMA = json.loads((Path(__file__).parents[2] / "docs/schema/dara-clusters-1.schema.json").read_text("utf-8"))


@pytest.fixture
def snapshot(tmp_path: Path) -> Path:
    root = tmp_path / "snapshot"
    for name, shapes in (
        ("acme--bert-small", bert(2, 64)),
        ("acme--bert-small-copy", bert(2, 64)),
        ("acme--bert-large", bert(6, 128)),
        ("zoo--net-3", network(3)),
        ("zoo--net-4", network(4)),
        ("evil--\u202e&<script>x", {"a.weight": (17, 19), "b.c.weight": (23,)}),
    ):
        write(root / name / "model.safetensors", shapes)
    (root / "acme--card-only").mkdir()
    (root / "acme--card-only" / "README.md").write_text("nothing to see")
    return root


def test_clusters_outliers_and_identical_graphs(dara: Run, snapshot: Path) -> None:
    done = dara("cluster", snapshot, "--format", "json")
    assert done.code == 0
    document = json.loads(done.out)
    jsonschema.validate(document, SCHEMA)
    members = [
        sorted(package["name"] for graph in item["graphs"] for package in graph["packages"])
        for item in document["clusters"]
    ]
    assert sorted(members) == [
        ["acme/bert-large", "acme/bert-small", "acme/bert-small-copy"],
        ["zoo/net-3", "zoo/net-4"],
    ]
    assert [item["packages"] for item in document["identical"]] == [["acme/bert-small", "acme/bert-small-copy"]]
    assert len(document["outliers"]) == 1
    assert (document["packages"], document["graphs"], len(document["map"])) == (6, 5, 5)
    assert [item["check"] for item in document["skipped"]] == ["acme/card-only"]
    assert "1 packages without a graph" in done.err


def test_the_order_of_targets_does_not_matter(dara: Run, snapshot: Path) -> None:
    folders = [folder for folder in sorted(snapshot.iterdir()) if "evil" not in folder.name]
    forward = dara("cluster", *folders, "--format", "json")
    backward = dara("cluster", *reversed(folders), "--format", "json")
    assert forward.code == backward.code == 0
    assert forward.out == backward.out


def test_the_map_is_a_picture_without_scripts(dara: Run, snapshot: Path, tmp_path: Path) -> None:
    assert dara("cluster", snapshot, "--map", tmp_path / "map.svg").code == 0
    text = (tmp_path / "map.svg").read_text("utf-8")
    root = ET.fromstring(text)
    circles = [item for item in root.iter() if item.tag.endswith("circle")]
    assert len(circles) >= 5
    assert not [item for item in root.iter() if item.tag.endswith("script")]
    assert not re.search(r"href|onload|\u202e", text)


def test_text_names_families_and_hides_nothing_raw(dara: Run, snapshot: Path) -> None:
    done = dara("cluster", snapshot, "--full")
    assert done.code == 0
    assert "6 packages, 5 different graphs, 2 clusters" in done.out
    assert "acme/bert-small-copy" in done.out
    assert "\u202e" not in done.out


def test_one_package_alone(dara: Run, snapshot: Path) -> None:
    document = json.loads(dara("cluster", snapshot / "acme--bert-small", "--format", "json").out)
    assert (document["packages"], document["clusters"], len(document["outliers"])) == (1, [], 1)


@pytest.mark.parametrize(
    "arguments", [("cluster",), ("cluster", ".", "--min-size", "1"), ("cluster", ".", "--format", "xml")]
)
def test_exit_2_usage(dara: Run, arguments: tuple[str, ...]) -> None:
    assert dara(*arguments).code == 2


def test_exit_3_no_graph_at_all(dara: Run, snapshot: Path, tmp_path: Path) -> None:
    done = dara("cluster", snapshot / "acme--card-only", "--no-build")
    assert (done.code, done.out) == (3, "")
    assert done.err.count("\n") == 1


def test_a_missing_target_is_one_line(dara: Run, tmp_path: Path) -> None:
    done = dara("cluster", tmp_path / "missing")
    assert done.code in {3, 4}
    assert done.err.count("\n") == 1
