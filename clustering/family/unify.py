"""Unification: finds the sizes at which a template explains the observed shapes, without looking at any name.

The search is a beam over assignments of the template's size variables. A state is scored by the observed tensors that
its groups reach; afterwards the depth variables are solved and predicted and observed multisets are compared. Equal
multisets give 1.0: at these sizes the class has exactly these parameters.

Nothing here computes with symbols: what a group can be under the sizes of a state is looked up in the package, where
templates with the same patterns find it ready (`clustering.family.observed`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from operator import attrgetter, eq

from clustering.family.counts import Row, solve_depths
from clustering.family.observed import ABSENT, Choice, Observed, Shape
from clustering.family.plans import Count, Plan, Step, plan
from clustering.family.templates import Template

__all__ = ["BEAM", "Fit", "Observed", "Shape", "plan", "unify"]

BEAM = 8
"""States kept per step; wider beams changed no answer on held-out sizes of the reference corpus."""
_CLAIM = 1.5  # how far above its usual share a group may take from a shape: depth changes shares a little
_CROWDED = 0.1
_REPAIR_FROM = 0.94
_JUDGED, _JUDGED_WIDE = 1, 6  # best states whose multisets are compared in full, with a narrow and a wide beam
_BENT = 0.5  # what a tensor costs that differs from the template in a kernel size or a number of channels
_ORDER_FROM = 0.6  # below this overlap the order says nothing
_EXACT = 1e-4
_USUAL = 0.02  # share of a group's weight that agreeing with the library's default size adds: only breaks ties

_ROUNDING = 1e-9  # far above what sums of shares lose, far below what they differ by

Sizes = tuple[int | None, ...]


@dataclass(frozen=True, slots=True)
class Fit:
    """How well a template explains a package."""

    overlap: float
    """1 - sum|predicted - observed| / sum(predicted + observed) over shapes: 1.0 is an exact explanation."""
    order: float
    """Share of adjacent pairs that the template's order predicts, both directions; meaningless after shuffling."""
    sizes: Sizes
    usual: float
    """Share of the size variables that have the library's default value."""
    unexplained: int
    """Observed tensors beyond the predicted ones."""
    missing: int
    """Predicted tensors that were not observed."""


NOTHING = Fit(float("-inf"), 0.0, (), 0.0, 0, 0)
"""Worse than any explanation."""


class _State:
    """A partial assignment."""

    __slots__ = ("left", "score", "sizes")

    def __init__(self, score: float, sizes: Sizes, left: dict[int, float]) -> None:
        self.score = score
        self.sizes = sizes
        self.left = left
        """Per observed shape that was claimed, the share of all tensors that no group has claimed yet."""


_score = attrgetter("score")


def unify(template: Template, plan: Plan, observed: Observed, beam: int = BEAM) -> Fit:
    """The best explanation of `observed` by `template`."""
    states = _search(template, plan, observed, beam)
    wide = beam >= BEAM
    best = NOTHING
    seen: set[tuple[int, ...]] = set()
    for state in states[: _JUDGED_WIDE if wide else _JUDGED]:
        places = _places(plan, state.sizes, observed)
        if places in seen:
            continue  # differs in sizes that nothing has
        seen.add(places)
        fit = _judge(template, plan, state.sizes, places, observed, best)
        if fit is not None and (fit.overlap, fit.order) > (best.overlap, best.order):
            best = fit
    if wide and _REPAIR_FROM < best.overlap < 1 - _EXACT:
        return _settle_tables(template, plan, best, observed)
    return best


def _search(template: Template, plan: Plan, observed: Observed, beam: int) -> list[_State]:
    """The best assignments, best first."""
    states = [_State(0.0, (None,) * template.sizes, {})]
    shares = observed.shares
    for number in plan.order:
        step = plan.groups[number]
        known, typical = step.known, step.typical
        most = _CLAIM * typical
        readings = observed.readings(step.pattern)
        open_: list[tuple[int, _State, tuple[Choice, ...]]] = []
        for rank, state in enumerate(states):
            key = known(state.sizes)
            reading = readings.get(key)
            if reading is None:
                reading = observed.read(step.pattern, key)
            if type(reading) is tuple:
                open_.append((rank, state, reading))
            elif reading == ABSENT:
                state.score -= typical
            else:
                left = state.left
                rest = left.get(reading)  # type: ignore[arg-type]  # an int
                if rest is None:
                    rest = shares[reading]  # type: ignore[index]  # an int
                share = rest if rest < most else most  # noqa: FURB136  # the innermost loop of identification
                left[reading] = rest - share  # type: ignore[index]  # an int
                state.score += share
        if open_:
            states = _branch(states, open_, step, observed, beam)
        else:
            states.sort(key=_score, reverse=True)  # stable
    return states


def _branch(
    states: Sequence[_State],
    open_: Sequence[tuple[int, _State, tuple[Choice, ...]]],
    step: Step,
    observed: Observed,
    beam: int,
) -> list[_State]:
    """The best different states after a step at which some have a choice; of equal scores the one that came first."""
    shares, most = observed.shares, _CLAIM * step.typical
    # score (negative, so that the best sort first), rank of the parent, number of the choice, choice
    grown: list[tuple[float, int, int, Choice | None]] = []
    if len(open_) < len(states):
        opened = {rank for rank, _, _ in open_}
        grown = [(-state.score, rank, -1, None) for rank, state in enumerate(states) if rank not in opened]
    bonuses: list[float] = []
    previous: tuple[Choice, ...] | None = None
    for rank, state, reading in open_:
        if reading is not previous:
            bonuses, previous = _bonuses(step, reading, observed), reading
        left, score = state.left, state.score
        grown.append((step.typical - score, rank, -1, None))
        number = 0
        for choice in reading:
            rest = left.get(choice[0])
            if rest is None:
                rest = shares[choice[0]]
            share = rest if rest < most else most  # noqa: FURB136  # the innermost loop of identification
            grown.append((-(score + share + bonuses[number]), rank, number, choice))
            number += 1  # noqa: SIM113  # the innermost loop of identification
    grown.sort()
    return _first_different(grown, states, step, shares, beam)


def _bonuses(step: Step, reading: Sequence[Choice], observed: Observed) -> list[float]:
    """For sizes that are the library's default; against a table whose shape occurs too often."""
    usual, limit, unit = step.usual, step.limit, _USUAL * step.typical
    bonuses = [unit * sum([usual[variable] == size for variable, size in fresh]) for _, fresh in reading]
    if limit is not None:
        for number, (place, _) in enumerate(reading):
            if observed.counts[place] > limit:
                bonuses[number] -= _CROWDED * step.typical
    return bonuses


def _first_different(
    grown: Sequence[tuple[float, int, int, Choice | None]],
    parents: Sequence[_State],
    step: Step,
    shares: Sequence[float],
    beam: int,
) -> list[_State]:
    """States of the first entries that have different sizes."""
    most = _CLAIM * step.typical
    states: list[_State] = []
    kept: list[tuple[_State, float]] = []
    seen: set[Sizes] = set()
    for value, rank, _, choice in grown:
        parent = parents[rank]
        if choice is None:
            if parent.sizes not in seen:
                seen.add(parent.sizes)
                kept.append((parent, -value))
                states.append(parent)
        else:
            place, fresh = choice
            trial = list(parent.sizes)
            for variable, size in fresh:
                trial[step.variables[variable]] = size
            sizes = tuple(trial)
            if sizes not in seen:
                seen.add(sizes)
                left = dict(parent.left)
                rest = left.get(place, shares[place])
                left[place] = rest - min(rest, most)
                states.append(_State(-value, sizes, left))
        if len(states) == beam:
            break
    for state, score in kept:  # not before its other children were made from it
        state.score = score
    return states


def _places(plan: Plan, sizes: Sizes, observed: Observed) -> tuple[int, ...]:
    """Where each group stands under an assignment, as `Observed.place` says it."""
    found: list[int] = []
    for step in plan.groups:
        key = step.known(sizes)
        place = observed.places(step.pattern).get(key)
        found.append(observed.place(step.pattern, key) if place is None else place)
    return tuple(found)


def _judge(
    template: Template, plan: Plan, sizes: Sizes, places: Sequence[int], observed: Observed, best: Fit
) -> Fit | None:
    """The comparison of multisets; None where it is no better than the best so far."""
    nowhere = len(observed.shapes)
    counts = observed.counts
    rest: dict[int, float] = {}
    factors: dict[int, dict[int, int]] = {}
    odd: list[tuple[int, Count]] = []  # groups that are nowhere or bent
    for found, count in zip(places, plan.counts, strict=True):
        if found < 0 or found == nowhere:
            odd.append((found, count))
            if found == nowhere:
                continue
        place = found if found >= 0 else ~found
        known = rest.get(place)
        rest[place] = (counts[place] if known is None else known) - count[0]
        if count[1]:
            row = factors.setdefault(place, {})
            for variable, factor in count[1]:
                row[variable] = row.get(variable, 0) + factor
    rows: list[Row] = [(rest[place], tuple(sorted(row.items()))) for place, row in factors.items()]
    if best.overlap > _ORDER_FROM and _at_most(rest, rows, odd, factors.keys(), observed) < best.overlap - _ROUNDING:
        return None
    depths = solve_depths(rows, template.depths, observed.depths)
    for (_, terms), place in zip(rows, factors, strict=True):
        rest[place] -= sum([factor * depths[variable] for variable, factor in terms])
    absent = bent = 0.0
    for place, (constant, terms) in odd:
        amount = constant + sum([factor * depths[variable] for variable, factor in terms])
        if place < 0:
            bent += amount
        else:
            absent += amount
    reached = sum([counts[place] for place in rest])
    difference = sum(rest.values())
    unexplained = sum([more for more in rest.values() if more > 0])
    missing = unexplained - difference + absent
    unexplained += observed.total - reached
    whole = reached - difference + observed.total + absent
    overlap = 1.0 - (unexplained + missing + _BENT * bent) / max(1.0, whole)
    if overlap < best.overlap:
        return None
    return Fit(
        overlap,
        _order(template, plan, places, observed) if overlap > _ORDER_FROM else 0.0,
        sizes,
        sum(map(eq, sizes, template.usual)) / max(1, len(template.usual)),
        round(unexplained),
        round(missing),
    )


def _at_most(
    rest: Mapping[int, float],
    rows: Sequence[Row],
    odd: Sequence[tuple[int, Count]],
    repeated: AbstractSet[int],
    observed: Observed,
) -> float:
    """A bound of the overlap before the depths are solved: each is at least 1, and tables are counted already."""
    unexplained = float(observed.total - sum([observed.counts[place] for place in rest]))
    missing = bent = 0.0
    for place, more in rest.items():
        if place in repeated:
            continue
        if more > 0:
            unexplained += more
        else:
            missing -= more
    for more, terms in rows:
        least = sum([factor for _, factor in terms])
        if more < least:
            missing += least - more
    for place, (constant, terms) in odd:
        least = constant + sum([factor for _, factor in terms])
        if place < 0:
            bent += least
        else:
            missing += least
    # falls with each of the three, so at their least it is highest
    return 1.0 - (unexplained + missing + _BENT * bent) / max(1.0, 2 * observed.total - unexplained + missing)


def _settle_tables(template: Template, plan: Plan, best: Fit, observed: Observed) -> Fit:
    """Tries other sizes for the tables (positions, types, labels) of an assignment that is otherwise nearly exact.

    In a shallow model a table is as heavy as a whole kind of layer, and it may have the shape of one: then the search,
    which goes by usual shares, gives it to the wrong shape, while the comparison of multisets can tell.
    """
    places = list(_places(plan, best.sizes, observed))
    for number, variable, having in plan.tables:
        step = plan.groups[number]
        opened = list(best.sizes)
        opened[variable] = None
        key = step.known(opened)
        reading = observed.readings(step.pattern).get(key)
        if reading is None:
            reading = observed.read(step.pattern, key)
        if type(reading) is int:
            continue
        for _, fresh in reading:  # type: ignore[union-attr]  # no int here
            trial = list(opened)
            for fresh_variable, size in fresh:
                trial[step.variables[fresh_variable]] = size
            sizes = tuple(trial)
            moved = list(places)
            for group in having if len(fresh) == 1 else range(len(plan.groups)):
                other = plan.groups[group]
                key = other.known(sizes)
                place = observed.places(other.pattern).get(key)
                moved[group] = observed.place(other.pattern, key) if place is None else place
            if moved == places:
                continue
            fit = _judge(template, plan, sizes, moved, observed, best)
            if fit is not None and fit.overlap > best.overlap:
                best, places = fit, moved
    return best


def _order(template: Template, plan: Plan, places: Sequence[int], observed: Observed) -> float:
    """Overlap of adjacent pairs, as shares: mean of both directions."""
    follows = observed.follows
    if not plan.pairs or not follows:
        return 0.0
    at = [~place if place < 0 else place for place in places]
    forward = 0.0
    backward: dict[tuple[int, int], float] = {}
    for left, right, share in template.follows:
        pair = (at[left], at[right])
        found = follows.get(pair)  # nothing follows a group that is nowhere
        if found is not None:
            forward += share
            backward[pair] = found
    return (forward / plan.pairs + sum(backward.values())) / 2
