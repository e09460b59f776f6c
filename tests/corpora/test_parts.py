"""Snapshots in several files are one sequence of entries."""

from __future__ import annotations

import gzip
import json
import pickle

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from corpora.errors import DamagedFileError, InvalidTargetError, PackageError
from corpora.sources import parts
from corpora.sources.interface import SkippedPackage
from corpora.sources.snapshots import open_snapshot

KINDS = (".parquet", ".jsonl", ".jsonl.gz")


def write(folder, kind, number, names):
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = folder / f"models-{number:05d}{kind}"
    data = "".join(json.dumps({"id": name}) + "\n" for name in names).encode()
    if kind == ".parquet":
        pq.write_table(pa.table({"id": pa.array(names, pa.string())}), path, row_group_size=3)
    else:
        path.write_bytes(gzip.compress(data) if kind.endswith(".gz") else data)


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """Folders with five files, of each kind and mixed; one file is small."""
    found = {}
    for kind in (*KINDS, "mixed"):
        folder = tmp_path_factory.mktemp("parts")
        (folder / "README.md").write_text("about")
        (folder / ".hidden.jsonl").write_text("not mine")
        for number in range(5):
            own = KINDS[number % 3] if kind == "mixed" else kind
            write(folder, own, number, [f"a/m{number}-{n}" for n in range(1 if number == 2 else 7)])
        found[kind] = folder
    return found


NAMES = [f"a/m{number}-{n}" for number in range(5) for n in range(1 if number == 2 else 7)]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)
@given(st.sampled_from([*KINDS, "mixed"]), st.integers(0, 32), st.none() | st.integers(0, 32), st.booleans())
def test_slices_are_slices_of_all(folders, kind, start, stop, sent):
    source = open_snapshot(folders[kind])
    if sent:  # to another process, after it was counted
        source.total()
        source = pickle.loads(pickle.dumps(source))
    assert [item.name for item in source.packages(start, stop)] == NAMES[start:stop]


@pytest.mark.parametrize("kind", [*KINDS, "mixed"])
def test_totals_and_strides(folders, kind):
    source = open_snapshot(folders[kind])
    packed = kind in {".jsonl.gz", "mixed"}
    assert source.kind == "parts"
    assert source.total() == 29
    assert (source.stride() is None) == packed


def test_places_tell_the_file(folders):
    items = list(open_snapshot(folders[".jsonl"]).packages(8, 9))
    assert [item.location for item in items] == ["models-00001.jsonl:2"]


def test_an_empty_part_and_a_damaged_row(tmp_path):
    (tmp_path / "a.jsonl").write_text('{"id": "a/b"}\nbroken\n')
    write(tmp_path, ".parquet", 1, [])
    write(tmp_path, ".parquet", 2, ["c/d"])
    items = list(open_snapshot(tmp_path).packages())
    assert [type(item) is SkippedPackage for item in items] == [False, True, False]


def test_a_part_that_is_none(tmp_path):
    (tmp_path / "a.jsonl").write_text('{"id": "a/b"}\n')
    (tmp_path / "b.parquet").write_bytes(b"PAR1 and nothing else")
    with pytest.raises(DamagedFileError, match=r"b\.parquet"):
        list(open_snapshot(tmp_path).packages())
    (tmp_path / "b.parquet").write_bytes(b"\x00\x01")
    with pytest.raises(PackageError, match="not a snapshot"):
        open_snapshot(tmp_path)


def test_folders_of_packages_stay_mirrors(tmp_path):
    (tmp_path / "acme--bert").mkdir()
    (tmp_path / "acme--bert" / "config.json").write_text("{}")
    (tmp_path / "list.jsonl").write_text('{"id": "a/b"}\n')
    assert open_snapshot(tmp_path).kind == "mirror"


def test_too_many_parts(tmp_path, monkeypatch):
    monkeypatch.setattr(parts, "MOST_PARTS", 2)
    for number in range(3):
        (tmp_path / f"{number}.jsonl").write_text("{}")
    with pytest.raises(InvalidTargetError, match="more than 2 files"):
        open_snapshot(tmp_path)


def test_nothing(tmp_path):
    (tmp_path / "README.md").write_text("x")
    with pytest.raises(InvalidTargetError, match="Parquet or JSONL"):
        open_snapshot(tmp_path)


def test_parts_whose_length_is_not_known_beforehand(tmp_path):
    for number in range(3):
        names = [f"a/m{number}-{n}" for n in range(4)]
        (tmp_path / f"{number}.jsonl").write_text(json.dumps([{"id": name} for name in names]))
    source = open_snapshot(tmp_path)
    assert source.total() is None
    assert source.stride() is None
    assert [item.name for item in source.packages(3, 10)] == [f"a/m{n // 4}-{n % 4}" for n in range(3, 10)]
