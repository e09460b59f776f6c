"""Unification: finds the sizes at which a template explains the observed shapes, without looking at any name.

The search is a beam over assignments of the template's size variables. A state is scored by the observed tensors that
its groups reach; afterwards the depth variables are solved and predicted and observed multisets are compared. Equal
multisets give 1.0: at these sizes the class has exactly these parameters.

Nothing here computes with symbols: what a group can be under the sizes of a state is looked up in the package, where
templates with the same patterns find it ready (`clustering.family.observed`).
"""

from __future__ import annotations

from collections.abc import Sequence
from operator import attrgetter

from clustering.family.judge import NOTHING, Fit, Sizes, judge, places_of
from clustering.family.observed import ABSENT, Choice, Observed, Shape
from clustering.family.plans import Plan, Step, plan
from clustering.family.settle import settle
from clustering.family.templates import Template

__all__ = ["BEAM", "Observed", "Shape", "better", "could_be_exact", "plan", "unify"]

BEAM = 8
"""States kept per step; wider beams changed no answer on held-out sizes of the reference corpus."""
STEPS = 100
"""Assignments that are compared from one start (`clustering.family.settle`). Of 3,675 models of the corpus the search
leaves 374 with something over by the very template that was learnt from them; with 100 and 600 steps from both starts
243 and 265 of them are explained."""
_TORN = 0.1  # how far the order may agree less than the shapes before further states are compared
_TABLES_FROM, _EXACT = 0.94, 1e-4
_CLAIM = 1.5  # how far above its usual share a group may take from a shape: depth changes shares a little
_CROWDED = 0.1
_JUDGED, _JUDGED_WIDE = 1, 6  # best states whose multisets are compared in full, with a narrow and a wide beam
_USUAL = 0.02  # share of a group's weight that agreeing with the library's default size adds: only breaks ties


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
    for rank, state in enumerate(states):
        if rank >= (_JUDGED_WIDE if wide else _JUDGED) and best.overlap - best.order < _TORN:
            break
        places = places_of(plan, state.sizes, observed)
        if places in seen:
            continue  # differs in sizes that nothing has
        seen.add(places)
        fit = judge(template, plan, state.sizes, places, observed, best)
        if fit is not None and (fit.overlap, fit.order) > (best.overlap, best.order):
            best = fit
    if wide and _TABLES_FROM < best.overlap < 1 - _EXACT:
        # in a shallow model a table is as heavy as a whole kind of layer, and may have been given its shape
        return settle(template, plan, best, observed, STEPS, tables=True)
    return best


def better(template: Template, plan: Plan, observed: Observed, fit: Fit) -> Fit:
    """What a fit that is not exact leads to, step by step, or the library's default sizes do."""
    usual = judge(template, plan, template.usual, places_of(plan, template.usual, observed), observed, NOTHING)
    starts = [fit] if usual is None else [fit, usual]
    for start in sorted(starts, key=lambda start: -start.overlap):
        fit = max(fit, settle(template, plan, start, observed, STEPS), key=lambda f: (f.overlap, f.order))
        if not fit.unexplained and not fit.missing:
            break
    return fit


def could_be_exact(plan: Plan, observed: Observed) -> bool:
    """Necessary for an exact explanation: groups enough, and each finds its rank and its constants."""
    return (
        len(plan.groups) >= len(observed.shapes)
        and plan.ranks.keys() == observed.by_rank.keys()
        and plan.constants <= observed.by_axis.keys()
    )


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
