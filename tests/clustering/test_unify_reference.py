"""The search by looked-up patterns gives what a plain implementation gives, step by step, with symbols and matrices.

The plain one below is the specification: slow, without anything remembered, computing each group from its expressions.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from clustering.family.counts import solve_depths
from clustering.family.observed import solve
from clustering.family.templates import Group, Template
from clustering.family.unify import BEAM, Fit, Observed, plan, unify
from clustering.graphs.symbols import Expr

Shape = tuple[int, ...]
Sizes = tuple[int | None, ...]
NARROW = 4


# -- the plain implementation ------------------------------------------------------------------------------------------


@dataclass
class State:
    score: float
    sizes: Sizes
    left: list[float]


@dataclass
class Shapes:
    """Different shapes, the most frequent first where it matters."""

    shapes: list[Shape]
    counts: list[int]
    total: int
    follows: dict[tuple[int, int], float]

    @classmethod
    def of(cls, sequence: Sequence[Shape]) -> Shapes:
        counted = Counter(sequence)
        shapes = list(counted)
        pairs = Counter((shapes.index(a), shapes.index(b)) for a, b in pairwise(sequence))
        follows = {pair: n / max(1, len(sequence) - 1) for pair, n in pairs.items()}
        return cls(shapes, list(counted.values()), len(sequence), follows)

    def matching(self, values: Sequence[int | None]) -> list[int]:
        found = [
            n
            for n, shape in enumerate(self.shapes)
            if len(shape) == len(values) and all(v in {None, s} for v, s in zip(values, shape, strict=True))
        ]
        return sorted(found, key=lambda n: -self.counts[n])


def plain_order(template: Template) -> list[int]:
    left, known, order = list(range(len(template.groups))), set[int](), []
    variables = [{v for d in g.dims for v, _ in d.terms} for g in template.groups]
    while left:
        best = min(
            left, key=lambda n: (len(variables[n] - known) or (0 if known else 9), -template.groups[n].typical, n)
        )
        left.remove(best)
        known |= variables[best]
        order.append(best)
    return order


def claim(state: State, number: int, typical: float) -> tuple[float, list[float]]:
    left = list(state.left)
    share = min(left[number], 1.5 * typical)
    left[number] -= share
    return share, left


def successors(state: State, group: Group, seen: Shapes, usual: Sequence[int]) -> list[State]:
    values = [d.value(state.sizes) for d in group.dims]
    without = State(state.score - group.typical, state.sizes, state.left)
    if None not in values:
        if tuple(values) not in seen.shapes:
            return [without]
        share, left = claim(state, seen.shapes.index(tuple(values)), group.typical)  # type: ignore[arg-type]
        return [State(state.score + share, state.sizes, left)]
    result = [without]
    free = {v for d in group.dims for v, _ in d.terms if state.sizes[v] is None}
    for number in seen.matching(values):
        trial = solve(group.dims, seen.shapes[number], state.sizes)
        if trial is None:
            continue
        bonus = 0.02 * group.typical * sum(trial[v] == usual[v] for v in free)
        if not group.count.terms and seen.counts[number] > group.count.const:
            bonus -= 0.1 * group.typical
        share, left = claim(state, number, group.typical)
        result.append(State(state.score + share + bonus, tuple(trial), left))
        if len(result) > 12:
            break
    return result


def plain_unify(template: Template, seen: Shapes, beam: int) -> Fit:
    states = [State(0.0, (None,) * template.sizes, [n / max(1, seen.total) for n in seen.counts])]
    for number in plain_order(template):
        grown = [s for state in states for s in successors(state, template.groups[number], seen, template.usual)]
        grown.sort(key=lambda s: -s.score)
        best: dict[Sizes, State] = {}
        for state in grown:
            best.setdefault(state.sizes, state)
        states = list(best.values())[:beam]
    fits = [plain_judge(template, s.sizes, seen) for s in states]
    for number in range(6 if beam >= BEAM else 1, len(fits)):
        best = max(fits[:number], key=lambda fit: (fit.overlap, fit.order))
        if best.overlap - best.order < 0.1:
            return best
    return max(fits, key=lambda fit: (fit.overlap, fit.order))


def plain_place(group: Group, sizes: Sizes, seen: Shapes) -> tuple[int | None, bool]:
    values = [d.value(sizes) for d in group.dims]
    if None not in values and tuple(values) in seen.shapes:
        return seen.shapes.index(tuple(values)), False  # type: ignore[arg-type]
    loose = [not d.terms and d.const > 1 for d in group.dims]
    if any(loose) and not all(loose):
        for number in seen.matching([None] * len(values)):
            shape = seen.shapes[number]
            if all((1 < s <= 16) if free else v == s for s, v, free in zip(shape, values, loose, strict=True)):
                return number, True
    return None, False


def plain_judge(template: Template, sizes: Sizes, seen: Shapes) -> Fit:
    placed = [plain_place(group, sizes, seen) for group in template.groups]
    depths = plain_depths(template, [place for place, _ in placed], seen)
    predicted = np.zeros(len(seen.shapes))
    absent = bent = 0.0
    for group, (place, loose) in zip(template.groups, placed, strict=True):
        amount = group.count.const + sum(f * float(depths[v]) for v, f in group.count.terms)
        if place is None:
            absent += amount
        else:
            predicted[place] += amount
            bent += amount * loose
    difference = np.asarray(seen.counts) - predicted
    unexplained = float(np.maximum(difference, 0).sum())
    missing = float(np.maximum(-difference, 0).sum()) + absent
    overlap = 1.0 - (unexplained + missing + 0.5 * bent) / max(1.0, float(predicted.sum()) + seen.total + absent)
    order = plain_order_agreement(template, [place for place, _ in placed], seen) if overlap > 0.6 else 0.0
    usual = sum(s is not None and s == u for s, u in zip(sizes, template.usual, strict=True))
    return Fit(overlap, order, sizes, usual / max(1, template.sizes), round(unexplained), round(missing))


def plain_order_agreement(template: Template, places: Sequence[int | None], seen: Shapes) -> float:
    whole = sum(share for _, _, share in template.follows)
    if not whole or not seen.follows:
        return 0.0
    pairs = [(places[a], places[b], share) for a, b, share in template.follows]
    there = [(a, b, share) for a, b, share in pairs if a is not None and b is not None]
    forward = sum(share for a, b, share in there if (a, b) in seen.follows)
    backward = sum(share for pair, share in seen.follows.items() if pair in {(a, b) for a, b, _ in there})
    drawn = {(a, b): seen.counts[a] * seen.counts[b] / seen.total**2 for a, b, _ in there}
    somewhere = sum(share * (1 - np.exp(-drawn[a, b] * (seen.total - 1))) for a, b, share in there)
    agreement, chance = (forward / whole + backward) / 2, (somewhere / whole + sum(drawn.values())) / 2
    return max(0.0, (agreement - chance) / (1 - chance)) if chance < 0.95 else 0.0


def plain_depths(template: Template, places: Sequence[int | None], seen: Shapes) -> NDArray[np.float64]:
    rows = sorted({place for place in places if place is not None})
    matrix = np.zeros((len(rows), template.depths))
    wanted = np.array([seen.counts[place] for place in rows], dtype=float)
    for group, place in zip(template.groups, places, strict=True):
        if place is not None:
            wanted[rows.index(place)] -= group.count.const
            for variable, factor in group.count.terms:
                matrix[rows.index(place), variable] += factor
    return reweighted(matrix, wanted)


def reweighted(matrix: NDArray[np.float64], wanted: NDArray[np.float64]) -> NDArray[np.float64]:
    """All depth variables at once, for what each is beyond 1."""
    if not matrix.shape[1]:
        return np.zeros(0)
    wanted = wanted - matrix.sum(axis=1)
    solution = not_negative(matrix, wanted)
    for _ in range(3):
        residue = np.abs(wanted - matrix @ solution)
        if residue.sum() < 1e-4:
            break
        weights = 1.0 / np.sqrt(np.maximum(residue, 0.1))
        solution = not_negative(matrix * weights[:, None], wanted * weights)
    return 1.0 + np.maximum(solution, 0.0)


def not_negative(matrix: NDArray[np.float64], wanted: NDArray[np.float64]) -> NDArray[np.float64]:
    free = matrix.any(axis=0)
    solution = np.zeros(matrix.shape[1])
    for _ in range(3):
        solution[:] = 0.0
        if not free.any():
            break
        part = matrix[:, free]
        square = part.T @ part
        square.flat[:: len(square) + 1] += 1e-9
        solution[free] = np.linalg.solve(square, part.T @ wanted)
        if (solution >= -1e-4).all():
            break
        free &= solution > 0
    return solution


# -- random small templates --------------------------------------------------------------------------------------------

VARIABLES, DEPTHS = 3, 3
factors = st.sampled_from((1, 1, 1, 2, 3))
size_terms = st.tuples(st.integers(0, VARIABLES - 1), factors).map(lambda term: Expr(0, (term,)))
sums = st.tuples(factors, factors).map(lambda two: Expr(0, ((0, two[0]), (1, two[1]))))
dims = st.one_of(size_terms, size_terms, size_terms, sums, st.sampled_from((Expr(1), Expr(3), Expr(4))))
depth_terms = st.dictionaries(st.integers(0, DEPTHS - 1), factors, min_size=0, max_size=2)
counts = st.tuples(st.integers(0, 2), depth_terms).map(lambda c: Expr(c[0], tuple(sorted(c[1].items()))))
groups = st.lists(
    st.tuples(st.lists(dims, min_size=1, max_size=3).map(tuple), counts),
    min_size=1,
    max_size=6,
    unique_by=lambda g: g[0],
)


@st.composite
def templates(draw: st.DrawFn) -> Template:
    rows = draw(groups)
    # shares are no round numbers: equal scores in exact arithmetic must not be told apart by how sums are rounded
    typical = [draw(st.integers(1, 10**6)) / 7_000_003 for _ in rows]
    follows = draw(st.lists(st.tuples(*[st.integers(0, len(rows) - 1)] * 2), max_size=5, unique=True))
    usual = tuple(draw(st.lists(st.integers(1, 9), min_size=VARIABLES, max_size=VARIABLES)))
    made = tuple(Group(*row, share) for row, share in zip(rows, typical, strict=True))
    return Template(made, VARIABLES, DEPTHS, usual, tuple((a, b, 1 / len(follows)) for a, b in follows))


@st.composite
def packages(draw: st.DrawFn, template: Template) -> list[Shape]:
    """What the template describes at some sizes, with something more, less or other now and then."""
    sizes = draw(st.lists(st.integers(2, 9), min_size=VARIABLES, max_size=VARIABLES))
    depths = draw(st.lists(st.integers(1, 4), min_size=DEPTHS, max_size=DEPTHS))
    shapes: list[Shape] = []
    for group in template.groups:
        shape = tuple(d.value(sizes) or 0 for d in group.dims)
        shapes += [shape] * (group.count.const + sum(f * depths[v] for v, f in group.count.terms))
    shapes += draw(st.lists(st.lists(st.integers(1, 9), max_size=3).map(tuple), max_size=3))
    kept = draw(st.permutations(shapes)) if draw(st.booleans()) else shapes
    return kept[draw(st.integers(0, 2)) :]


@given(st.data())
@settings(max_examples=150, deadline=None)
def test_the_search_is_the_plain_one(data: st.DataObject) -> None:
    template = data.draw(templates())
    shapes = data.draw(packages(template))
    observed = Observed(shapes)
    for beam in (NARROW, BEAM):
        wanted, found = plain_unify(template, Shapes.of(shapes), beam), unify(template, plan(template), observed, beam)
        if beam == BEAM and 0.94 < wanted.overlap < 1 - 1e-4:
            assert found.overlap >= wanted.overlap - 1e-6, "tables are settled then, which never makes it worse"
            continue
        assert found.overlap == pytest.approx(wanted.overlap, abs=1e-6)
        # halves may be rounded either way
        assert (found.unexplained, found.missing) == pytest.approx((wanted.unexplained, wanted.missing), abs=1)


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_what_a_package_remembers_of_other_templates_changes_nothing(data: st.DataObject) -> None:
    first, second = data.draw(templates()), data.draw(templates())
    shapes = data.draw(packages(first))
    shared = Observed(shapes)
    alone = [unify(t, plan(t), Observed(shapes), beam) for beam in (NARROW, BEAM) for t in (first, second)]
    assert [unify(t, plan(t), shared, beam) for beam in (NARROW, BEAM) for t in (first, second)] == alone


@given(templates())
def test_groups_are_matched_in_the_plain_order(template: Template) -> None:
    assert list(plan(template).order) == plain_order(template)


rows = st.lists(
    st.tuples(st.integers(-3, 40), st.dictionaries(st.integers(0, 3), factors, min_size=1, max_size=2)), max_size=8
)


@given(rows)
@settings(max_examples=150, deadline=None)
def test_depths_solved_in_parts_are_those_of_the_whole_system(system: list[tuple[int, dict[int, int]]]) -> None:
    matrix = np.zeros((len(system), 4))
    for number, (_, terms) in enumerate(system):
        for variable, factor in terms.items():
            matrix[number, variable] = factor
    wanted = np.array([count for count, _ in system], dtype=float)
    found = solve_depths([(float(c), tuple(sorted(t.items()))) for c, t in system], 4, {})
    # the solutions may differ where the system does not determine them; what they explain may not
    expected = reweighted(matrix, wanted)
    assert np.abs(wanted - matrix @ found).sum() == pytest.approx(np.abs(wanted - matrix @ expected).sum(), abs=0.05)


def test_a_solved_system_is_remembered() -> None:
    remembered: dict[object, tuple[float, ...]] = {}
    system = [(7.0, ((0, 1),)), (9.0, ((0, 1),)), (4.0, ((1, 1), (2, 1))), (6.0, ((1, 1), (2, 2)))]
    first = solve_depths(system, 3, remembered)
    assert len(remembered) == 3, "the whole, and its two parts"
    assert first[1:] == pytest.approx([2.0, 2.0], abs=1e-6)
    assert solve_depths(system, 3, remembered) is first
    solve_depths([(5.0, ((1, 1),)), *[(count, ((0, 1),)) for count in (9.0, 7.0)]], 2, remembered)
    assert len(remembered) == 4, "a further whole, whose inexact part was met before"


def test_rows_said_twice_weigh_twice() -> None:
    once = [(7.0, ((0, 1),)), (9.0, ((0, 1),))]
    assert solve_depths(once, 1, {})[0] == pytest.approx(8.0, abs=0.5)
    assert solve_depths([*once, *[once[1]] * 6], 1, {})[0] == pytest.approx(9.0, abs=0.1)
