"""Snapshots: folders of packages, and files of hub metadata."""

from __future__ import annotations

import gzip
import io
import json
import random
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpora.errors import DamagedFileError, InvalidTargetError, NotFoundError
from corpora.jsontext import parse_json
from corpora.package import Package
from corpora.sources import SkippedPackage, jsonl
from corpora.sources.columns import Row
from corpora.sources.rows import parse_line
from corpora.sources.snapshots import open_snapshot


def add(root: Path, *names: str) -> None:
    for name in names:
        (root / name).mkdir(parents=True)
        (root / name / "config.json").write_text("{}")


def test_mirror_is_sorted_and_says_what_it_leaves_out(tmp_path):
    add(tmp_path, "b--x", "a--y", "plain-name", ".hidden")
    (tmp_path / "c--empty").mkdir()
    (tmp_path / "file.txt").write_text("")
    source = open_snapshot(tmp_path)
    found = list(source.packages())
    assert (source.kind, source.total()) == ("mirror", 4)
    assert [item.name for item in found if isinstance(item, Package)] == ["a/y", "b/x", "plain-name"]
    assert [item.place for item in found if isinstance(item, SkippedPackage)] == ["c--empty"]


def test_cache(tmp_path):
    add(tmp_path, "models--a--x/snapshots/" + "a" * 40, "models--gpt2/snapshots/" + "b" * 40)
    (tmp_path / "models--broken").mkdir()
    source = open_snapshot(tmp_path)
    found = list(source.packages())
    assert source.kind == "hub-cache"
    assert [item.name for item in found if isinstance(item, Package)] == ["a/x", "gpt2"]
    assert [item.place for item in found if isinstance(item, SkippedPackage)] == ["models--broken"]


ROWS: list[Any] = [
    {
        "id": "acme/bert-base",
        "sha": "abc",
        "tags": ["bert"],
        "pipeline_tag": "fill-mask",
        "library_name": "transformers",
        "config": {"model_type": "bert", "architectures": ["BertForMaskedLM"]},
        "cardData": {"license": "mit", "language": "no", "base_model": "google/bert", "dara": {"ignore": ["DAR201"]}},
        "safetensors": {"parameters": {"F32": 10}, "total": 10},
        "siblings": [{"rfilename": "config.json"}, {"rfilename": "model.safetensors"}],
        "baseModels": {"relation": "finetune", "models": [{"_id": "1", "id": "google/bert-x"}]},
        "downloads": 7,
        "likes": 1,
        "gated": False,
        "private": False,
        "createdAt": "2024-01-01T00:00:00.000Z",
    },
    {"modelId": "gpt2", "config": '{"model_type": "gpt2"}', "tags": '["a", "b"]', "siblings": '["config.json"]'},
    {"repo_id": "x/leader", "architecture": "LlamaForCausalLM", "base_model": "y/z", "license": "mit"},
]
DAMAGED: list[Any] = [{}, {"id": ""}, {"id": 3}, {"id": "a/b/c"}, {"id": "/b"}, {"id": "x" * 2_000}, [], 1, None, "x"]


def check_rows(found: list[Package | SkippedPackage]) -> None:
    first, second, third = found
    assert isinstance(first, Package)
    assert isinstance(second, Package)
    assert isinstance(third, Package)
    assert (first.name, first.source, first.revision) == ("acme/bert-base", "snapshot", "abc")
    assert first.config() is not None
    assert first.config().value == {"model_type": "bert", "architectures": ["BertForMaskedLM"]}
    card = first.card()
    assert (card.license, card.language, card.ignore) == ("mit", ("no",), ("DAR201",))
    meta = first.metadata
    assert (meta.pipeline_tag, meta.library_name, meta.downloads, meta.gated) == ("fill-mask", "transformers", 7, False)
    assert (meta.safetensors_total, meta.safetensors_parameters) == (10, {"F32": 10})
    assert meta.base_model == ("google/bert-x",)
    assert first.paths == ("config.json", "model.safetensors")
    assert not first.has("model.safetensors")
    assert (second.name, second.owner, second.metadata.tags) == ("gpt2", None, ("a", "b"))
    assert second.config().value == {"model_type": "gpt2"}
    assert third.config().value == {"architectures": ["LlamaForCausalLM"]}
    assert (third.metadata.base_model, third.metadata.license) == (("y/z",), "mit")


@pytest.mark.parametrize("suffix", [".jsonl", ".jsonl.gz", ".json"])
def test_json_lines_and_arrays(tmp_path, suffix):
    path = tmp_path / f"snapshot{suffix}"
    text = json.dumps(ROWS) if suffix == ".json" else "\n\n".join(json.dumps(row) for row in ROWS)
    path.write_bytes(gzip.compress(text.encode()) if suffix.endswith(".gz") else text.encode())
    source = open_snapshot(path)
    check_rows(list(source.packages()))
    assert source.kind == ("ptmtorrent" if suffix == ".json" else "jsonl")
    assert source.total() in {3, None}
    assert [item.name for item in source.packages(1, 2)] == ["gpt2"]


def test_parquet(tmp_path):
    import pyarrow as pa
    import pyarrow.parquet as pq

    keys = sorted({key for row in ROWS for key in row} - {"config", "cardData", "tags", "siblings", "baseModels"})
    rows = [{key: row.get(key) for key in keys} for row in ROWS]
    for row, original in zip(rows, ROWS, strict=True):
        for key in ("config", "cardData", "tags", "siblings", "baseModels"):
            value = original.get(key)
            row[key] = value if isinstance(value, str) or value is None else json.dumps(value)
        row["useless"] = "x" * 10
    path = tmp_path / "models.parquet"
    pq.write_table(pa.Table.from_pylist(rows), path, row_group_size=1)
    source = open_snapshot(path)
    assert (source.kind, source.total()) == ("parquet", 3)
    check_rows(list(source.packages()))
    assert [item.name for item in source.packages(2)] == ["x/leader"]
    assert [item.name for item in source.packages(0, 1)] == ["acme/bert-base"]
    assert list(source.packages(3)) == []


def test_parquet_with_nested_columns(tmp_path):
    import pyarrow as pa
    import pyarrow.parquet as pq

    rows = [
        {
            "id": "a/b",
            "tags": ["x"],
            "config": {"model_type": "bert", "quantization": None},
            "siblings": [{"rfilename": "w"}],
        },
        {"id": "c/d", "tags": None, "config": None, "siblings": None},
    ]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "m.parquet")
    first, second = open_snapshot(tmp_path / "m.parquet").packages()
    assert isinstance(first, Package)
    assert first.config().value == {"model_type": "bert"}
    assert (first.metadata.tags, first.paths) == (("x",), ("w",))
    assert isinstance(second, Package)
    assert second.config() is None


def test_damaged_rows_are_counted_one_by_one(tmp_path):
    path = tmp_path / "s.jsonl"
    good = json.dumps(ROWS[0]).encode()
    lines = [good, b"{broken", *[json.dumps(row).encode() for row in DAMAGED], b"\xff\xfe", b"[" * 5_000, good]
    path.write_bytes(b"\n".join(lines))
    found = list(open_snapshot(path).packages())
    assert len(found) == len(lines)
    skipped = [item for item in found if isinstance(item, SkippedPackage)]
    assert len(skipped) == len(lines) - 2
    assert skipped[0] == SkippedPackage("s.jsonl:2", "not JSON")
    assert all(item.place.startswith("s.jsonl:") and item.reason.isprintable() for item in skipped)


def test_line_too_long_is_passed_over(tmp_path, monkeypatch):
    monkeypatch.setattr("corpora.sources.jsonl.MAX_LINE", 1_000)
    path = tmp_path / "s.jsonl"
    path.write_bytes(b'{"id": "a/b"}\n{"id": "' + b"x" * 5_000 + b'"}\n{"id": "c/d"}\n')
    first, long, last = open_snapshot(path).packages()
    assert isinstance(first, Package)
    assert isinstance(last, Package)
    assert long == SkippedPackage("s.jsonl:2", "longer than 1,000 bytes")


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("a.jsonl.gz", gzip.compress(b'{"id": "a/b"}\n' * 100_000)[:-400]),
        ("a.json", b'[{"id": "a/b"}, {"id"'),
        ("a.json", b'[{"id": "a/b"}, nonsense]'),
        ("a.json", b'[{"id": "a/b"},' + b"[" * 100_000),
        ("a.parquet", b"PAR1" + b"x" * 100 + b"PAR1"),
        ("a.db", b"SQLite format 3\0" + b"x" * 5_000),
    ],
)
def test_damaged_files_are_one_clear_error(tmp_path, name, data):
    path = tmp_path / name
    path.write_bytes(data)
    with pytest.raises(DamagedFileError) as caught:
        list(open_snapshot(path).packages())
    assert str(caught.value).isprintable()


@given(
    st.lists(
        st.none()
        | st.text(max_size=20)
        | st.integers()
        | st.dictionaries(st.text(max_size=3), st.text(max_size=30), max_size=3)
    ),
    st.integers(1, 40),
    st.booleans(),
)
def test_array_is_read_whatever_the_blocks(values, block, spaced):
    from corpora.sources import ptmtorrent

    text = json.dumps(values, ensure_ascii=False, indent=1 if spaced else None)
    before, ptmtorrent._BLOCK = ptmtorrent._BLOCK, block
    try:
        assert list(ptmtorrent.elements(io.BytesIO(text.encode("utf-8", "surrogatepass")), "x")) == values
    finally:
        ptmtorrent._BLOCK = before


def test_ptmtorrent_schema(tmp_path):
    row = {
        "id": 1,
        "ModelHub": {
            "ModelHubName": "ONNX Model Zoo",
            "ModelHubURL": "u",
            "MetadataFilePath": "f",
            "MetadataObjectID": 2,
        },
        "ModelName": "resnet50-v2",
        "ModelOwner": "onnx",
        "ModelURL": "u",
        "ModelOwnerURL": "u",
        "LatestGitCommitSHA": "abc",
        "Datasets": [{"DatasetName": "imagenet", "DatasetOwner": "", "DatasetURL": "", "DatasetOwnerURL": ""}],
        "ModelTask": "image-classification",
        "ModelArchitecture": "resnet",
    }
    other = {**row, "ModelName": "acme/bert", "ModelArchitecture": "BertModel", "Datasets": None}
    (tmp_path / "x.json").write_text(json.dumps([row, other, {"ModelName": None}]))
    first, second, third = open_snapshot(tmp_path / "x.json").packages()
    assert isinstance(first, Package)
    assert (first.name, first.revision, first.metadata.pipeline_tag) == (
        "onnx/resnet50-v2",
        "abc",
        "image-classification",
    )
    assert first.config().value == {"model_type": "resnet"}
    assert first.card().datasets == ("imagenet",)
    assert first.metadata.tags == ("hub:ONNX Model Zoo",)
    assert isinstance(second, Package)
    assert (second.name, second.config().value) == ("acme/bert", {"architectures": ["BertModel"]})
    assert third == SkippedPackage("x.json:entry 3", "no id")


def peatmoss(path: Path, models: int) -> None:
    with sqlite3.connect(path) as db:
        db.execute("CREATE TABLE model (id INTEGER PRIMARY KEY, context_id, sha, repo_url, downloads, likes)")
        for table in ("architecture", "framework", "tag", "license", "author", "dataset", "language", "library"):
            db.execute(f"CREATE TABLE {table} (id INTEGER PRIMARY KEY, name VARCHAR)")
            db.execute(f"CREATE TABLE model_to_{table} (model_id INTEGER, {table}_id INTEGER)")
        db.executemany("INSERT INTO framework VALUES (?, ?)", [(1, "bert"), (2, "gpt2")])
        db.execute("INSERT INTO architecture VALUES (1, 'BertForMaskedLM')")
        db.executemany("INSERT INTO tag VALUES (?, ?)", [(1, "en"), (2, "fill-mask")])
        db.execute("INSERT INTO license VALUES (1, 'mit')")
        for number in range(models):
            key = number * 3 + 1
            db.execute("INSERT INTO model VALUES (?, ?, 'abc', 'u', 5, 2)", (key, f"acme/m-{number}"))
            db.execute("INSERT INTO model_to_framework VALUES (?, ?)", (key, 1 + number % 2))
            db.executemany("INSERT INTO model_to_tag VALUES (?, ?)", [(key, 1), (key, 2)])
            db.execute("INSERT INTO model_to_license VALUES (?, 1)", (key,))
        db.execute("INSERT INTO model_to_architecture VALUES (1, 1)")
        db.execute("INSERT INTO model VALUES (100000, NULL, NULL, NULL, NULL, NULL)")
    db.close()


def test_peatmoss(tmp_path, monkeypatch):
    monkeypatch.setattr("corpora.sources.peatmoss.PAGE", 3)
    path = tmp_path / "PeaTMOSS.db"
    peatmoss(path, 10)
    before = path.read_bytes()
    source = open_snapshot(path)
    found = list(source.packages())
    assert (source.kind, source.total(), len(found)) == ("peatmoss", 11, 11)
    first, second = found[:2]
    assert isinstance(first, Package)
    assert isinstance(second, Package)
    assert (first.name, first.metadata.pipeline_tag, first.metadata.license) == ("acme/m-0", "fill-mask", "mit")
    assert first.config().value == {"architectures": ["BertForMaskedLM"], "model_type": "bert"}
    assert second.config().value == {"model_type": "gpt2"}
    assert found[-1] == SkippedPackage("PeaTMOSS.db:model 100000", "no id")
    assert [item.name for item in source.packages(4, 9)] == [f"acme/m-{n}" for n in range(4, 9)]
    assert list(source.packages(50)) == []
    assert path.read_bytes() == before
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["PeaTMOSS.db"]


def test_another_database(tmp_path):
    with sqlite3.connect(tmp_path / "x.db") as db:
        db.execute("CREATE TABLE something (id INTEGER)")
    db.close()
    with pytest.raises(InvalidTargetError, match="without the table model"):
        list(open_snapshot(tmp_path / "x.db").packages())


def test_peatmoss_without_joined_tables(tmp_path):
    with sqlite3.connect(tmp_path / "x.db") as db:
        db.execute("CREATE TABLE model (id INTEGER PRIMARY KEY, context_id)")
        db.execute("INSERT INTO model VALUES (1, 'a/b')")
    db.close()
    (package,) = open_snapshot(tmp_path / "x.db").packages()
    assert isinstance(package, Package)
    assert (package.name, package.config()) == ("a/b", None)


@pytest.mark.shared
@pytest.mark.parametrize(
    "name", ["hub_packages_dev", "family_dev", "leaderboard_dev", "config_dimensions_dev", "names_gold_dev"]
)
def test_real_rows_are_read_whole(shared_data, name):
    path = shared_data / f"{name}.jsonl"
    source = open_snapshot(path)
    found = list(source.packages())
    assert len(found) == source.total() == sum(bool(line.strip()) for line in path.read_bytes().splitlines())
    assert not [item for item in found if isinstance(item, SkippedPackage)]


def test_what_is_no_snapshot(tmp_path):
    with pytest.raises(NotFoundError):
        open_snapshot(tmp_path / "nowhere")
    with pytest.raises(InvalidTargetError, match="holds no packages"):
        open_snapshot(tmp_path)
    (tmp_path / "notes.txt").write_text("text")
    with pytest.raises(InvalidTargetError, match="not a snapshot"):
        open_snapshot(tmp_path / "notes.txt")


def test_counted_lines_are_entered_in_the_middle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jsonl, "STRIDE", 3)
    monkeypatch.setattr(jsonl, "MAX_LINE", 40)
    rows = [b"" if i % 5 == 4 else b"x" * 90 if i % 7 == 3 else b'{"id": "a/m%d"}' % i for i in range(40)]
    path = tmp_path / "models.jsonl"
    path.write_bytes(b"\n".join(rows))
    plain, counted = jsonl.JsonLines(path), jsonl.JsonLines(path)
    total = counted.total()
    assert total == 32
    for start in range(total + 3):
        for stop in (None, start, start + 1, start + 4):
            assert list(counted.packages(start, stop)) == list(plain.packages(start, stop))


@pytest.mark.parametrize("group", [1, 7, 100, 5_000])
@pytest.mark.parametrize(
    ("start", "stop"), [(0, None), (0, 0), (3, 9), (6, 8), (41, 43), (2_040, 2_060), (2_090, None), (9_999, None)]
)
def test_slices_of_parquet_are_slices_of_its_rows(tmp_path, group, start, stop):
    import pyarrow as pa
    import pyarrow.parquet as pq

    names = [f"a/b{number}" for number in range(2_100)]
    pq.write_table(pa.table({"id": names}), tmp_path / "m.parquet", row_group_size=group)
    source = open_snapshot(tmp_path / "m.parquet")
    found = list(source.packages(start, stop))
    assert [package.name for package in found] == names[start:stop]
    assert [package.location for package in found[:1]] == [f"m.parquet:row {start + 1}" for _ in found[:1]]


def test_what_has_to_be_read_before_an_entry(tmp_path):
    import pyarrow as pa
    import pyarrow.parquet as pq

    pq.write_table(pa.table({"id": ["a/b"] * 10}), tmp_path / "m.parquet", row_group_size=4)
    pq.write_table(pa.table({"id": pa.array([], pa.string())}), tmp_path / "empty.parquet")
    (tmp_path / "m.jsonl").write_text('{"id": "a/b"}\n')
    (tmp_path / "m.jsonl.gz").write_bytes(gzip.compress(b'{"id": "a/b"}\n'))
    (tmp_path / "m.json").write_text('[{"id": "a/b"}]')
    strides = {
        name: open_snapshot(tmp_path / name).stride() for name in ("m.parquet", "empty.parquet", "m.jsonl.gz", "m.json")
    }
    assert strides == {"m.parquet": 4, "empty.parquet": 0, "m.jsonl.gz": None, "m.json": None}
    assert open_snapshot(tmp_path / "m.jsonl").stride() is not None


def test_a_large_row_group_is_not_held_in_memory(tmp_path):
    import pyarrow as pa
    import pyarrow.parquet as pq

    chance = random.Random(1)
    cards = [json.dumps({"x": chance.randbytes(1_000).hex()}) for _ in range(30_000)]
    path = tmp_path / "m.parquet"
    pq.write_table(pa.table({"id": [f"a/b{n}" for n in range(30_000)], "cardData": cards}), path, row_group_size=30_000)
    del cards
    pool = pa.default_memory_pool()
    before, most = pool.bytes_allocated(), 0
    for _ in open_snapshot(path).packages():
        most = max(most, pool.bytes_allocated() - before)
    assert path.stat().st_size > 30 << 20
    assert most < 15 << 20


NESTED = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=40,
)


@given(st.one_of(NESTED.map(json.dumps), st.text(max_size=30).map(lambda text: "{" + text), st.just('{"a":1,"a":2}')))
def test_columns_of_json_text_say_what_a_careful_parser_says(text):
    found = Row({"config": text})
    value = found.nested("config")
    if text.lstrip()[:1] not in {"{", "["}:
        assert value == text
        return
    try:
        careful, notes = parse_json(text.encode("utf-8", "surrogatepass"), "config").value, []
    except DamagedFileError as error:
        careful, notes = None, [f"column {error}"]
    assert repr(value) == repr(careful)
    assert found.notes == notes


@pytest.mark.parametrize("depth", [60, 64, 65, 500, 30_000])
def test_columns_that_are_nested_too_deep(depth):
    found = Row({"config": "[" * depth + "]" * depth})
    value = found.nested("config")
    assert (value is None) == (depth > 64)
    assert bool(found.notes) == (depth > 64)


def test_long_rows_tell_their_weight():
    short = parse_line(b'{"id": "a/b", "config": {"x": "y"}}', "m:1")
    line = json.dumps({"id": "a/b", "config": {"x": "y" * 100_000}}).encode()
    long = parse_line(line, "m:1")
    assert (short.weight, long.weight) == (0, len(line))
