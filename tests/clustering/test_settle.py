"""Explanations that are bettered step by step: what the search leaves over is found, and nothing is made worse."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clustering.family.judge import NOTHING, Fit, judge, places_of
from clustering.family.observed import Observed
from clustering.family.plans import plan
from clustering.family.settle import settle
from clustering.family.templates import Group, Template
from clustering.family.unify import STEPS, better, could_be_exact
from clustering.graphs.symbols import Expr

WIDTH, INNER, OUTER = (Expr(0, ((number, 1),)) for number in range(3))
DEPTH = Expr(0, ((0, 1),))
TEMPLATE = Template(
    (
        Group((WIDTH, INNER), DEPTH, 0.3),
        Group((INNER, WIDTH), DEPTH, 0.3),
        Group((WIDTH,), Expr(1, ((0, 2),)), 0.3),
        Group((OUTER, WIDTH), Expr(1), 0.05),
    ),
    sizes=3,
    depths=1,
    usual=(8, 32, 100),
    follows=((0, 1, 0.25), (1, 2, 0.25), (2, 2, 0.25), (2, 0, 0.25)),
)
"""A stack of two matrices and two norms under a table."""


def tensors(width: int, inner: int, outer: int, depth: int) -> list[tuple[int, ...]]:
    block: list[tuple[int, ...]] = [(width, inner), (inner, width), (width,), (width,)]
    return [(outer, width), *block * depth, (width,)]


def explained(sizes: tuple[int | None, ...], observed: Observed) -> Fit:
    prepared = plan(TEMPLATE)
    fit = judge(TEMPLATE, prepared, sizes, places_of(prepared, sizes, observed), observed, NOTHING)
    assert fit is not None
    return fit


@pytest.mark.parametrize(
    "start",
    [(6, 20, 50), (6, 50, 20), (20, 6, 50), (None, None, None), (8, 32, 100)],
    ids=["true", "two exchanged", "inner for width", "nothing known", "the library's"],
)
def test_steps_lead_to_the_true_sizes(start: tuple[int | None, ...]) -> None:
    observed = Observed(tensors(6, 20, 50, 3))
    found = settle(TEMPLATE, plan(TEMPLATE), explained(start, observed), observed, STEPS)
    assert (found.sizes, found.unexplained, found.missing) == ((6, 20, 50), 0, 0)


def test_only_tables_are_given_up_where_that_is_asked_for() -> None:
    observed = Observed(tensors(6, 20, 50, 3))
    prepared = plan(TEMPLATE)
    assert settle(TEMPLATE, prepared, explained((6, 20, 7), observed), observed, STEPS, tables=True).sizes[2] == 50
    start = explained((6, 7, 50), observed)
    assert settle(TEMPLATE, prepared, start, observed, STEPS, tables=True) == start


def test_no_more_is_compared_than_allowed() -> None:
    observed = Observed(tensors(6, 20, 50, 3))
    start = explained((None, None, None), observed)
    assert settle(TEMPLATE, plan(TEMPLATE), start, observed, 0) == start


@given(st.lists(st.lists(st.integers(1, 9), min_size=1, max_size=2).map(tuple), min_size=1, max_size=20), st.data())
@settings(max_examples=100)
def test_nothing_is_made_worse(shapes: list[tuple[int, ...]], data: st.DataObject) -> None:
    observed = Observed(shapes)
    start = explained(data.draw(st.tuples(*[st.none() | st.integers(1, 9)] * 3)), observed)
    for tables in (False, True):
        assert settle(TEMPLATE, plan(TEMPLATE), start, observed, STEPS, tables=tables).overlap >= start.overlap
    assert better(TEMPLATE, plan(TEMPLATE), observed, start).overlap >= start.overlap


def test_default_sizes_are_a_second_place_to_start_from() -> None:
    observed = Observed(tensors(8, 32, 100, 4))
    stuck = explained((None, None, None), observed)
    assert better(TEMPLATE, plan(TEMPLATE), observed, stuck).sizes == TEMPLATE.usual


def test_what_cannot_be_exact_is_told_without_a_search() -> None:
    prepared = plan(TEMPLATE)
    assert could_be_exact(prepared, Observed(tensors(6, 20, 50, 3)))
    assert not could_be_exact(prepared, Observed([*tensors(6, 20, 50, 3), (3, 3, 3, 3)])), "no group is of four axes"
    assert not could_be_exact(prepared, Observed([*tensors(6, 20, 50, 3), (7,)])), "more shapes than groups"


def test_order_in_a_shuffled_file_is_that_of_chance() -> None:
    shapes = tensors(6, 20, 50, 12)
    shuffled = random.Random(0).sample(shapes, len(shapes))
    assert explained((6, 20, 50), Observed(shapes)).order > 0.9
    assert explained((6, 20, 50), Observed(shuffled)).order < 0.2
