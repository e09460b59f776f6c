"""Unification: finds the sizes at which a template explains the observed shapes, without looking at any name.

The search is a beam over assignments of the template's size variables. A state is scored by the observed tensors that
its groups reach; afterwards the depth variables are solved and predicted and observed multisets are compared. Equal
multisets give 1.0: at these sizes the class has exactly these parameters.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from clustering.family.templates import HARD_CONSTANT, Group, Template
from clustering.graphs.symbols import Expr

Shape = tuple[int, ...]

BEAM = 8
"""States kept per step; wider beams changed no answer on held-out sizes of the reference corpus."""
_BRANCH = 12
_CLAIM = 1.5  # how far above its usual share a group may take from a shape: depth changes shares a little
_CROWDED = 0.1
_REPAIR_FROM = 0.94
_JUDGED, _JUDGED_WIDE = 1, 6  # best states whose multisets are compared in full, with a narrow and a wide beam
_BENT = 0.5  # what a tensor costs that differs from the template in a kernel size or a number of channels
_ORDER_FROM = 0.6  # below this overlap the order says nothing
_REWEIGHTINGS = 3
_RIDGE = 1e-9
_EXACT = 1e-4
_USUAL = 0.02  # share of a group's weight that agreeing with the library's default size adds: only breaks ties


class Observed:
    """The multiset of shapes of one package, arranged for the search."""

    __slots__ = ("by_axis", "by_rank", "counts", "follows", "index", "shapes", "total")

    def __init__(self, sequence: Sequence[Shape]) -> None:
        counted = Counter(sequence)
        self.shapes: list[Shape] = list(counted)
        self.counts: list[int] = list(counted.values())
        self.total = sum(self.counts)
        self.index = {shape: number for number, shape in enumerate(self.shapes)}
        self.by_rank: dict[int, list[int]] = {}
        self.by_axis: dict[tuple[int, int, int], list[int]] = {}
        for number in sorted(range(len(self.shapes)), key=lambda n: -self.counts[n]):
            shape = self.shapes[number]
            self.by_rank.setdefault(len(shape), []).append(number)
            for axis, size in enumerate(shape):
                self.by_axis.setdefault((len(shape), axis, size), []).append(number)
        pairs = Counter((self.index[a], self.index[b]) for a, b in pairwise(sequence))
        self.follows: dict[tuple[int, int], float] = {k: n / max(1, len(sequence) - 1) for k, n in pairs.items()}

    def matching(self, values: Sequence[int | None]) -> Sequence[int]:
        """Shapes of the rank of `values` that have its known sizes, the most frequent first."""
        rank = len(values)
        known = [(axis, size) for axis, size in enumerate(values) if size is not None]
        if not known:
            return self.by_rank.get(rank, ())
        found = self.by_axis.get((rank, *known[0]), ())
        if len(known) == 1:
            return found
        return [n for n in found if all(self.shapes[n][axis] == size for axis, size in known[1:])]


@dataclass(frozen=True, slots=True)
class Fit:
    """How well a template explains a package."""

    overlap: float
    """1 - sum|predicted - observed| / sum(predicted + observed) over shapes: 1.0 is an exact explanation."""
    order: float
    """Share of adjacent pairs that the template's order predicts, both directions; meaningless after shuffling."""
    sizes: tuple[int | None, ...]
    usual: float
    """Share of the size variables that have the library's default value."""
    unexplained: int
    """Observed tensors beyond the predicted ones."""
    missing: int
    """Predicted tensors that were not observed."""


def plan(template: Template) -> list[int]:
    """Order in which groups are matched: few new variables first, heavy first."""
    left = list(range(len(template.groups)))
    known: set[int] = set()
    order: list[int] = []
    variables = [{v for d in g.dims for v, _ in d.terms} for g in template.groups]
    while left:
        costs = {n: (len(variables[n] - known) or (0 if known else 9), -template.groups[n].typical, n) for n in left}
        best = min(left, key=costs.__getitem__)
        left.remove(best)
        known |= variables[best]
        order.append(best)
    return order


def _solve(expr: Expr, size: int, sizes: list[int | None]) -> bool:
    """Makes `expr` equal `size` by assigning its one free variable; False when that is impossible."""
    rest = size - expr.const
    free: tuple[int, int] | None = None
    for variable, factor in expr.terms:
        known = sizes[variable]
        if known is None:
            if free is not None:
                return True  # two unknowns: undetermined by this group alone
            free = (variable, factor)
        else:
            rest -= factor * known
    if free is None:
        return rest == 0
    value, remainder = divmod(rest, free[1])
    if remainder or value <= 0:
        return False
    sizes[free[0]] = value
    return True


class _State(NamedTuple):
    """A partial assignment; a tuple, since hundreds of thousands are made."""

    score: float
    sizes: tuple[int | None, ...]
    left: tuple[float, ...]
    """Per observed shape the share of all tensors that no group has claimed yet."""

    def claim(self, number: int, group: Group, sizes: tuple[int | None, ...], bonus: float = 0.0) -> _State:
        """The state after the group took its usual share of a shape (no more than is left of it)."""
        rest = self.left[number]
        share = min(rest, _CLAIM * group.typical)
        left = list(self.left)
        left[number] = rest - share
        return _State(self.score + share + bonus, sizes, tuple(left))


def _extend(state: _State, group: Group, observed: Observed, usual: Sequence[int]) -> list[_State]:
    values = [d.value(state.sizes) for d in group.dims]
    without = _State(state.score - group.typical, state.sizes, state.left)
    if None not in values:
        number = observed.index.get(tuple(values))  # type: ignore[arg-type]  # no None among them
        return [without if number is None else state.claim(number, group, state.sizes)]
    result: list[_State] = [without]
    free = {v for d in group.dims for v, _ in d.terms if state.sizes[v] is None}
    sums = any(len(d.terms) > 1 for d in group.dims)
    # a table occurs once: a repeated shape is rather something else
    limit = None if group.count.terms else group.count.const
    for number in observed.matching(values):
        shape = observed.shapes[number]
        trial = list(state.sizes)
        if not _solve_all(group.dims, shape, trial) or (sums and not _solve_all(group.dims, shape, trial)):
            continue  # the second pass catches a sum that was undetermined when its turn came
        bonus = _USUAL * group.typical * sum(trial[n] == usual[n] for n in free)
        if limit is not None and observed.counts[number] > limit:
            bonus -= _CROWDED * group.typical
        result.append(state.claim(number, group, tuple(trial), bonus))
        if len(result) > _BRANCH:
            break
    return result


def _solve_all(dims: Sequence[Expr], shape: Shape, sizes: list[int | None]) -> bool:
    """Solves the axes one after the other; False at the first that is impossible."""
    for expr, size in zip(dims, shape, strict=True):
        if len(expr.terms) == 1:  # nearly all, so not worth a call
            variable, factor = expr.terms[0]
            value, remainder = divmod(size - expr.const, factor)
            known = sizes[variable]
            if remainder or value <= 0 or (known is not None and known != value):
                return False
            sizes[variable] = value
        elif not expr.terms:
            if expr.const != size:
                return False
        elif not _solve(expr, size, sizes):
            return False
    return True


def unify(template: Template, order: Sequence[int], observed: Observed, beam: int = BEAM) -> Fit:
    """The best explanation of `observed` by `template`."""
    shares = tuple(count / max(1, observed.total) for count in observed.counts)
    states = [_State(0.0, (None,) * template.sizes, shares)]
    for number in order:
        group = template.groups[number]
        grown: dict[tuple[int | None, ...], _State] = {}
        for state in states:
            for new in _extend(state, group, observed, template.usual):
                old = grown.get(new.sizes)
                if old is None or new.score > old.score:
                    grown[new.sizes] = new
        states = sorted(grown.values(), key=lambda s: -s.score)[:beam]
    wide = beam >= BEAM
    looks = [(_judge(template, s.sizes, observed), s.sizes) for s in states[: _JUDGED_WIDE if wide else _JUDGED]]
    best, sizes = max(looks, key=lambda look: (look[0].overlap, look[0].order))
    return (
        _settle_tables(template, best, sizes, observed) if wide and _REPAIR_FROM < best.overlap < 1 - _EXACT else best
    )


def _settle_tables(template: Template, best: Fit, sizes: tuple[int | None, ...], observed: Observed) -> Fit:
    """Tries other sizes for the tables (positions, types, labels) of an assignment that is otherwise nearly exact.

    In a shallow model a table is as heavy as a whole kind of layer, and it may have the shape of one: then the search,
    which goes by usual shares, gives it to the wrong shape, while the comparison of multisets can tell.
    """
    tables = template.tables()
    for group in template.groups:
        fresh = sorted({v for d in group.dims for v, _ in d.terms} & tables)
        if len(fresh) != 1:
            continue
        open_sizes = tuple(None if v == fresh[0] else s for v, s in enumerate(sizes))
        for number in observed.matching([d.value(open_sizes) for d in group.dims])[:_BRANCH]:
            trial = list(open_sizes)
            if not _solve_all(group.dims, observed.shapes[number], trial):
                continue
            fit = _judge(template, tuple(trial), observed)
            if fit.overlap > best.overlap:
                best, sizes = fit, tuple(trial)
    return best


def _judge(template: Template, sizes: tuple[int | None, ...], observed: Observed) -> Fit:
    places: list[int | None] = []
    relaxed = [False] * len(template.groups)
    for number, group in enumerate(template.groups):
        values = [d.value(sizes) for d in group.dims]
        place = None if None in values else observed.index.get(tuple(v for v in values if v is not None))
        if place is None:
            place = _relaxed_place(group, values, observed)
            relaxed[number] = place is not None
        places.append(place)
    depths = _depths(template, places, observed)
    amounts = [_amount(group.count, depths) for group in template.groups]
    predicted = np.zeros(len(observed.shapes))
    absent = bent = 0.0
    for amount, place, loose in zip(amounts, places, relaxed, strict=True):
        if place is None:
            absent += amount
        else:
            predicted[place] += amount
            bent += amount * loose
    difference = np.asarray(observed.counts) - predicted
    unexplained = float(np.maximum(difference, 0).sum())
    missing = float(np.maximum(-difference, 0).sum()) + absent
    whole = float(predicted.sum()) + observed.total + absent
    overlap = 1.0 - (unexplained + missing + _BENT * bent) / max(1.0, whole)
    known = [(s, u) for s, u in zip(sizes, template.usual, strict=True) if s is not None]
    usual = sum(s == u for s, u in known) / max(1, len(template.usual))
    order = _order(template, places, observed) if overlap > _ORDER_FROM else 0.0
    return Fit(overlap, order, sizes, usual, round(unexplained), round(missing))


def _amount(count: Expr, depths: NDArray[np.float64]) -> float:
    return max(0.0, count.const + sum(factor * float(depths[variable]) for variable, factor in count.terms))


def _relaxed_place(group: Group, values: Sequence[int | None], observed: Observed) -> int | None:
    """An observed shape that differs in small constants only (a kernel size, a number of channels)."""
    fixed = [not d.terms and d.const > 1 for d in group.dims]
    if not any(fixed) or all(fixed):
        return None
    for number in observed.by_rank.get(len(group.dims), ()):
        shape = observed.shapes[number]
        if all((1 < s <= HARD_CONSTANT) if loose else v == s for s, v, loose in zip(shape, values, fixed, strict=True)):
            return number
    return None


def _depths(template: Template, places: Sequence[int | None], observed: Observed) -> NDArray[np.float64]:
    """Depth variables from the counts, by reweighted least squares (towards least absolute differences).

    Counts need no rounding: an exact explanation is a solution without residue, and only the residue is judged.
    """
    if not template.depths:
        return np.zeros(0)
    rows = sorted({place for place in places if place is not None})
    row_of = {place: row for row, place in enumerate(rows)}
    matrix = np.zeros((len(rows), template.depths))
    wanted = np.array([observed.counts[place] for place in rows], dtype=float)
    for group, place in zip(template.groups, places, strict=True):
        if place is not None:
            wanted[row_of[place]] -= group.count.const
            for variable, factor in group.count.terms:
                matrix[row_of[place], variable] += factor
    solution = _solve_counts(matrix, wanted)
    for _ in range(_REWEIGHTINGS):
        residue = np.abs(wanted - matrix @ solution)
        if residue.sum() < _EXACT:
            break
        weights = 1.0 / np.sqrt(np.maximum(residue, 0.1))
        solution = _solve_counts(matrix * weights[:, None], wanted * weights)
    # a class has at least one block of each kind that its layout has: a stack of zero blocks explains nothing
    return np.maximum(solution, 1.0)


def _solve_counts(matrix: NDArray[np.float64], wanted: NDArray[np.float64]) -> NDArray[np.float64]:
    """Least squares with negative counts set to zero."""
    free = matrix.any(axis=0)
    solution = np.zeros(matrix.shape[1])
    for _ in range(3):
        if not free.any():
            break
        # normal equations with a trace of ridge: tens of variables at most, and several times faster than an SVD
        part = matrix[:, free]
        square = part.T @ part
        square.flat[:: len(square) + 1] += _RIDGE
        found = np.linalg.solve(square, part.T @ wanted)
        solution[:] = 0.0
        solution[free] = found
        if (found >= -_EXACT).all():
            break
        free &= solution > 0
    return solution


def _order(template: Template, places: Sequence[int | None], observed: Observed) -> float:
    """Overlap of adjacent pairs, as shares: mean of both directions."""
    predicted: dict[tuple[int, int], float] = {}
    whole = 0.0
    for left, right, share in template.follows:
        whole += share
        a, b = places[left], places[right]
        if a is not None and b is not None:
            predicted[a, b] = predicted.get((a, b), 0.0) + share
    if not whole or not observed.follows:
        return 0.0
    forward = sum(share for pair, share in predicted.items() if pair in observed.follows) / whole
    backward = sum(share for pair, share in observed.follows.items() if pair in predicted)
    return (forward + backward) / 2
