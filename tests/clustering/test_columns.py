"""Columns of tensors and of parameters are the sequences that they stand for."""

from __future__ import annotations

import pickle
from collections import Counter
from dataclasses import replace

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from clustering.columns import Columns, appearing
from clustering.graphs.layers import parameters_of
from clustering.graphs.parameters import Parameter, Parameters
from clustering.patterns import coded
from clustering.tensors import Tensor, TensorListing

shapes = st.lists(st.integers(0, 3), max_size=3).map(tuple)
tensors = st.lists(
    st.builds(
        Tensor,
        st.sampled_from(["a.0.w", "a.1.w", "a.12.w", "b", "\u00e9.3", ""]),
        shapes,
        st.sampled_from(["F32", "I8"]),
        st.none() | st.integers(0, 1 << 40),
        st.sampled_from(["", "one", "two"]),
        st.none() | st.sampled_from(["one#0:4", "one#4:8", "two#0:4"]),
    ),
    max_size=12,
).map(tuple)


@given(tensors)
def test_columns_are_the_tensors(several: tuple[Tensor, ...]) -> None:
    columns = Columns.of(several)
    assert tuple(columns) == several
    assert columns == several
    assert several == columns
    assert columns[1:3] == several[1:3]
    assert [columns[-n] for n in range(1, len(several) + 1)] == list(several[::-1])
    assert Columns.of(columns) is columns
    assert hash(columns) == hash(several)
    assert pickle.loads(pickle.dumps(columns)) == several
    assert bool(columns) == bool(several)


@given(tensors, st.randoms(use_true_random=False))
def test_some_of_the_columns_are_some_of_the_tensors(several: tuple[Tensor, ...], random: object) -> None:
    rows = np.array([row for row in range(len(several)) if row % 3 != 1], dtype=np.int64)[::-1]
    columns = Columns.of(several)
    assert columns.take(rows) == [several[row] for row in rows]
    _ = columns.patterns
    taken = columns.take(rows)
    texts = [taken.patterns.texts[of] for of in taken.patterns.of.tolist()]
    fresh = Columns.of(tuple(taken)).patterns
    assert texts == [fresh.texts[of] for of in fresh.of.tolist()]


@given(tensors, tensors)
def test_joined_columns_are_the_tensors_one_after_the_other(one: tuple[Tensor, ...], other: tuple[Tensor, ...]) -> None:
    assert Columns.joined([Columns.of(one), Columns.of(other)]) == one + other


@given(tensors)
def test_changed_columns_keep_bytes_and_storages(several: tuple[Tensor, ...]) -> None:
    wanted = [replace(t, name="new", shape=(7,), dtype="I4") if n % 2 else t for n, t in enumerate(several)]
    changes = {n: Tensor("new", (7,), "I4") for n in range(1, len(several), 2)}
    assert Columns.of(several).changed(changes) == wanted


@given(tensors)
def test_further_names_of_a_storage(several: tuple[Tensor, ...]) -> None:
    seen: set[str] = set()
    wanted = [t.storage is not None and (t.storage in seen or seen.add(t.storage) is not None) for t in several]  # type: ignore[func-returns-value]
    assert Columns.of(several).further_names().tolist() == wanted


def test_ranges_of_a_file_are_storages() -> None:
    columns = Columns(
        ["a", "b", "c", "d", "e"],
        ([(1,)], np.zeros(5, np.int32)),
        (["F32"], np.zeros(5, np.int32)),
        (["x", "y"], np.array([0, 0, 1, 0, 0], np.int32)),
        np.array([4, 4, 4, 0, 0], np.int64),
        np.array([0, 0, 0, 4, 4], np.int64),
    )
    assert [tensor.storage for tensor in columns] == ["x#0:4", "x#0:4", "y#0:4", None, None]
    assert columns.further_names().tolist() == [False, True, False, False, False]
    assert [parameter.name for parameter in parameters_of(TensorListing(columns, "x"))] == ["a", "c", "d", "e"]


parameters = st.lists(
    st.builds(Parameter, st.sampled_from(["a.*.b", "c", "d.*.*"]), st.just((0,)), shapes, st.just("n")), max_size=15
).map(tuple)


@given(parameters)
def test_parameters_count_what_their_objects_are(several: tuple[Parameter, ...]) -> None:
    columns = Parameters.of(several)
    assert tuple(columns) == several
    assert columns == several
    assert list(columns.shape_counts.items()) == list(Counter(p.shape for p in several).items())
    assert columns.star_set == {p.star for p in several}
    kinds = Counter((p.star, p.shape) for p in several)
    assert columns.kinds == [(star, shape, number) for (star, shape), number in kinds.items()]


@given(st.lists(st.integers(0, 5), max_size=20))
def test_codes_come_in_order_of_appearance(values: list[int]) -> None:
    table, numbers = coded(values)
    assert [table[number] for number in numbers.tolist()] == values
    assert table == list(dict.fromkeys(values))
    first, counts = appearing(numbers)
    assert [values[row] for row in first.tolist()] == table
    assert counts.tolist() == [values.count(value) for value in table]
