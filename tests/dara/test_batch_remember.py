"""What is remembered between packages changes no answer, stays small, and survives other processes and damage."""

from __future__ import annotations

import multiprocessing
import sqlite3
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clustering.contents import listing_digest
from clustering.identity import FamilyMatch, Fingerprint, Identification, Part
from clustering.tensors import Tensor, TensorListing
from dara.batch.remember import Recent, Remembering, Store, config_digest, decode, encode
from dara.measurement import Computing, GraphReading

READING = GraphReading(
    Identification((FamilyMatch("bert", 0.1 + 0.2, ("roberta",)),), (), "both", (Part("head", "linear"),), "why"),
    Fingerprint("1", "d", "s", "v", {"tensors": 3, "width": None}),
    (Part("backbone", "swin", "tiny", {"depths": [2, 2, 6, 2]}),),
)
LISTING = TensorListing((Tensor("a.weight", (4, 8), "F32"), Tensor("a.bias", (4,), "F32")), "safetensors")


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Notes what is computed, and answers with the same reading each time."""
    made: list[str] = []

    def graph(
        self: Computing, listing: TensorListing, config: Mapping[str, Any] | None, *, parts: bool
    ) -> GraphReading:
        made.append(listing.tensors[0].name)
        return READING

    monkeypatch.setattr(Computing, "graph", graph)
    return made


def test_equal_graphs_are_computed_once_in_one_process(calls: list[str]) -> None:
    computing = Remembering("1")
    same = replace(LISTING, files=("other.safetensors",), bytes_read=77)
    for listing in (LISTING, same, LISTING):
        assert computing.graph(listing, None, parts=True) == READING
    assert calls == ["a.weight"]


def test_equal_graphs_are_computed_once_across_processes(calls: list[str], tmp_path: Path) -> None:
    for _ in range(3):  # each with a memory of its own, as processes have
        store = Store(tmp_path / "graphs")
        assert Remembering("1", store).graph(LISTING, {"a": 1}, parts=True) == READING
        store.close()
    assert calls == ["a.weight"]
    Remembering("2", Store(tmp_path / "graphs")).graph(LISTING, {"a": 1}, parts=True)
    assert len(calls) == 2, "other versions, other answers"


@pytest.mark.parametrize(
    "other",
    [
        replace(LISTING, tensors=LISTING.tensors[:1]),
        replace(LISTING, tensors=LISTING.tensors[::-1]),
        replace(LISTING, tensors=(replace(LISTING.tensors[0], name="b.weight"), LISTING.tensors[1])),
        replace(LISTING, tensors=(replace(LISTING.tensors[0], shape=(8, 4)), LISTING.tensors[1])),
        replace(LISTING, tensors=(replace(LISTING.tensors[0], dtype="I64"), LISTING.tensors[1])),
        replace(LISTING, tensors=(replace(LISTING.tensors[0], storage="s"), LISTING.tensors[1])),
        replace(LISTING, names_only=True),
        replace(LISTING, adapter="lora"),
        replace(LISTING, format="hdf5"),
        replace(LISTING, metadata={"general.architecture": "llama"}),
    ],
)
def test_whatever_a_reading_may_depend_on_is_part_of_its_address(other: TensorListing) -> None:
    assert listing_digest(other) != listing_digest(LISTING)


def test_config_and_parts_are_part_of_the_address(calls: list[str]) -> None:
    computing = Remembering("1")
    computing.graph(LISTING, {"a": 1}, parts=True)
    computing.graph(LISTING, {"a": 2}, parts=True)
    computing.graph(LISTING, None, parts=False)
    computing.graph(LISTING, {"a": 2}, parts=False)  # without parts the config does not matter
    assert len(calls) == 3


def test_names_cannot_run_into_each_other() -> None:
    one = replace(LISTING, tensors=(Tensor("a', (1,), 'F32', None)('b", (1,), "F32"),))
    two = replace(LISTING, tensors=(Tensor("a", (1,), "F32"), Tensor("b", (1,), "F32")))
    assert listing_digest(one) != listing_digest(two)
    listing_digest(replace(LISTING, tensors=(Tensor("\ud800", (1,), "F32"),)))  # a lone surrogate is no error


def test_configs_are_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[object] = []
    monkeypatch.setattr(Computing, "declared", lambda self, config: made.append(config) or object())
    computing = Remembering("1")
    first = computing.declared({"model_type": "bert", "n": [1, 2]})
    assert computing.declared({"model_type": "bert", "n": [1, 2]}) is first
    assert computing.declared({"model_type": "bert", "n": [1, 3]}) is not first
    loop: dict[str, Any] = {}
    loop["self"] = loop
    computing.declared(loop)
    computing.declared({"big": "x" * (2 << 20)})
    assert len(made) == 4
    assert config_digest(loop) is None


def test_true_and_one_are_different_configs() -> None:
    assert config_digest({"a": 1}) != config_digest({"a": True})
    assert config_digest({"a": 1}) != config_digest({"a": 1.0})
    assert config_digest({"a": "1"}) != config_digest({"a": 1})


def test_a_reading_survives_its_text() -> None:
    text = encode(READING)
    assert text is not None
    assert decode(text) == READING


@pytest.mark.parametrize("detail", [{"layers": (2, 2)}, {"layers": {1: 2}}, {"layers": {3}}, {"layers": float("nan")}])
def test_what_text_would_change_is_not_stored(detail: dict[str, Any]) -> None:
    assert encode(replace(READING, parts=(Part("head", "linear", None, detail),))) is None


@given(
    st.text(max_size=60) | st.sampled_from(["{}", "[]", "null", '{"fingerprint":null,"identification":{},"parts":[]}'])
)
def test_anything_else_is_no_reading(text: str) -> None:
    assert decode(text) is None


def test_memory_is_bounded_and_keeps_what_was_used_last() -> None:
    recent: Recent[int] = Recent(3)
    for number in range(4):
        recent.put(bytes([number]), number)
        recent.get(b"\x00")
    assert len(recent) == 3
    assert [recent.get(bytes([number])) for number in range(4)] == [0, None, 2, 3]


def test_the_store_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dara.batch.remember._TRIM_EVERY", 10)
    store = Store(tmp_path / "graphs", size=25)
    for number in range(100):
        store.put(str(number).encode(), "x")
    there = [number for number in range(100) if store.get(str(number).encode())]
    assert there == list(range(75, 100))


def _fill(path: Path, first: int) -> None:
    store = Store(path)
    for number in range(first, first + 60):
        store.put(str(number).encode(), str(number))


@pytest.mark.slow
def test_several_processes_share_a_store(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=_fill, args=(tmp_path / "graphs", first)) for first in (0, 30)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
    store = Store(tmp_path / "graphs")
    assert [store.get(str(number).encode()) for number in range(90)] == [str(number) for number in range(90)]


@pytest.mark.parametrize("content", [b"not a database" * 100, b"SQLite format 3\0" + bytes(100)])
def test_a_store_that_is_damaged_is_done_without(tmp_path: Path, content: bytes, calls: list[str]) -> None:
    (tmp_path / "graphs").write_bytes(content)
    store = Store(tmp_path / "graphs")
    assert Remembering("1", store).graph(LISTING, None, parts=True) == READING
    assert store.get(b"a") is None


def test_a_wrong_value_in_the_store_is_computed_again(tmp_path: Path, calls: list[str]) -> None:
    store = Store(tmp_path / "graphs")
    Remembering("1", store).graph(LISTING, None, parts=True)
    with sqlite3.connect(tmp_path / "graphs") as connection:
        connection.execute("UPDATE readings SET value = '{}'")
    connection.close()
    assert Remembering("1", store).graph(LISTING, None, parts=True) == READING
    assert len(calls) == 2


def test_a_store_in_no_folder(tmp_path: Path) -> None:
    store = Store(tmp_path / "missing" / "graphs")
    store.put(b"a", "b")
    assert store.get(b"a") is None
    store.close()
