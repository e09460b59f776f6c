"""What an index keeps on disk is what was given to it, however little of it is read."""

from __future__ import annotations

import pickle
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clustering.family.inverted import Inverted
from clustering.family.stored import Names, OnDisk, Packed, Vector, narrow, read_arrays, write_arrays

texts = st.lists(st.binary(max_size=9).map(lambda text: text.replace(b"\n", b"-")), max_size=40)
names = st.lists(st.text(st.characters(exclude_characters="\n", exclude_categories=["Cs"]), max_size=6), unique=True)


@given(texts, st.integers(1, 9))
def test_packed_texts_are_the_texts(given_texts: list[bytes], block: int) -> None:
    packed = Packed.of(given_texts, block)
    assert list(packed) == given_texts
    assert packed[1:-1] == tuple(given_texts[1:-1])
    assert packed == given_texts
    assert [packed[-n] for n in range(1, len(given_texts) + 1)] == given_texts[::-1]
    with pytest.raises(IndexError):
        packed[len(given_texts)]


def test_packed_texts_stay_right_when_more_blocks_are_asked_for_than_are_kept() -> None:
    packed = Packed.of([str(n).encode() for n in range(500)], 2)
    assert [packed[n % 500] for n in range(0, 5_000, 7)] == [str(n % 500).encode() for n in range(0, 5_000, 7)]


@given(names)
def test_names_are_found_by_their_numbers(given_names: list[str]) -> None:
    found = Names.of(given_names)
    assert list(found) == given_names
    assert found.numbers([*given_names, "unknown name"]) == [*range(len(given_names)), -1]
    assert Names.of(found) is found


@given(st.lists(st.lists(st.integers(0, 8), unique=True).map(sorted), max_size=12), st.booleans())
def test_sums_of_an_inverted_file_are_those_of_its_rows(given_rows: list[list[int]], weighted: bool) -> None:
    flat = np.array([n for row in given_rows for n in row], dtype=np.int32)
    offsets = np.cumsum([0, *map(len, given_rows)])
    weights = ((np.arange(len(flat)) % 5 + 1) / 5).astype(np.float32)
    inverted = Inverted.of_rows(flat, offsets, 9, weights if weighted else None)
    query = [(number, 0.5 + number) for number in (0, 3, 8)]
    wanted = [
        sum(
            (0.5 + number) * (float(weights[offsets[place] + at]) if weighted else 1.0)
            for at, number in enumerate(row)
            if number in {0, 3, 8}
        )
        for place, row in enumerate(given_rows)
    ]
    assert inverted.sums(query).tolist() == pytest.approx(wanted, rel=0.01, abs=0.02)
    assert inverted.sums([]).tolist() == [0.0] * len(given_rows)
    if not weighted:
        factors = np.arange(9, dtype=np.float32)
        assert inverted.totals(factors).tolist() == [sum(row) for row in given_rows]


@pytest.mark.parametrize(("greatest", "dtype"), [((1 << 16) - 1, np.uint16), (1 << 16, np.int32)])
def test_numbers_take_two_bytes_where_they_fit(greatest: int, dtype: type[np.generic]) -> None:
    assert narrow(np.array([0, greatest])).dtype == dtype
    assert narrow(np.array([0, greatest])).tolist() == [0, greatest]


def written(folder: Path) -> Path:
    path = folder / "arrays.npz"
    arrays: dict[str, Vector] = {"kept": np.arange(1_000, dtype=np.int32), "asked": np.arange(65_000, dtype=np.uint16)}
    write_arrays(path, arrays, frozenset({"asked"}))
    return path


def test_what_is_looked_up_stays_on_disk(tmp_path: Path) -> None:
    arrays = read_arrays(written(tmp_path), frozenset({"asked"}))
    asked = arrays["asked"]
    assert isinstance(asked, OnDisk)
    assert len(asked) == 65_000
    assert asked[700:703].tolist() == [700, 701, 702]
    assert asked[64_999:70_000].tolist() == [64_999]
    assert asked[9:3].tolist() == []
    assert np.array_equal(np.asarray(asked), np.arange(65_000))
    assert isinstance(pickle.loads(pickle.dumps(asked)), np.ndarray)
    assert arrays["kept"].tolist() == list(range(1_000))


def test_numpy_reads_the_file_too(tmp_path: Path) -> None:
    with np.load(written(tmp_path)) as stored:
        assert stored["asked"].tolist() == list(range(65_000))


def test_arrays_are_looked_up_only_where_the_reader_says_so(tmp_path: Path) -> None:
    assert isinstance(read_arrays(written(tmp_path), frozenset())["asked"], np.ndarray)


def test_a_file_that_became_shorter_is_an_error(tmp_path: Path) -> None:
    path = written(tmp_path)
    asked = read_arrays(path, frozenset({"asked"}))["asked"]
    path.write_bytes(path.read_bytes()[:1_000])
    with pytest.raises(OSError, match="changed while it was in use"):
        asked[60_000:65_000]


@pytest.mark.parametrize("content", [b"", b"PK", b"no archive" * 50])
def test_what_is_no_archive_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "bad.npz"
    path.write_bytes(content)
    with pytest.raises((ValueError, OSError, zipfile.BadZipFile)):
        read_arrays(path, frozenset())


def test_a_member_that_is_no_vector_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "square.npz"
    write_arrays(path, {"asked": np.zeros((3, 3))}, frozenset({"asked"}))
    with pytest.raises(ValueError, match="no plain vector"):
        read_arrays(path, frozenset({"asked"}))
