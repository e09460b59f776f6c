"""Betters an explanation step by step, where the search of `clustering.family.unify` left something over.

The search goes through the groups of a template once and keeps the assignments that look best by usual shares. In a
model of several towers that is not always the right one: an early group takes a shape that a later one needs, or a
table takes the shape of a layer in a shallow model. Here whole assignments are compared, by their multisets. One size,
or all sizes of one group, are given up and read anew from the package, or two sizes change places, for as long as
something is gained; what does not fit is tried first.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations

from clustering.family.judge import Fit, Sizes, judge, places_of
from clustering.family.observed import Observed
from clustering.family.plans import Plan, Step
from clustering.family.templates import Template

_GAIN = 1e-9  # far above what sums of shares lose, far below a tensor
_Move = tuple[Sizes, tuple[int, ...]]
"""An assignment, and the groups whose sizes it changes."""


def settle(template: Template, plan: Plan, start: Fit, observed: Observed, most: int, *, tables: bool = False) -> Fit:
    """The best explanation that steps from `start` lead to.

    Args:
        template: what explains.
        plan: the template, prepared.
        start: an explanation to begin with.
        observed: the package.
        most: assignments that are compared in full, which bounds the time.
        tables: whether only the sizes of tables (vocabulary, positions, types, labels) are given up, one at a time.
    """
    best, places = start, list(places_of(plan, start.sizes, observed))
    seen: set[Sizes] = {start.sizes}
    left = most
    bettered = True
    while bettered:
        bettered = False
        for sizes, changed in _tables(plan, best, observed) if tables else _moves(plan, best, places, observed):
            if sizes in seen:
                continue
            seen.add(sizes)
            moved = list(places)
            for number in changed:
                step = plan.groups[number]
                moved[number] = observed.place(step.pattern, step.known(sizes))
            if moved == places:
                continue
            if not left:
                return best
            left -= 1
            fit = judge(template, plan, sizes, moved, observed, best)
            if fit is not None and fit.overlap > best.overlap + _GAIN:
                best, places, bettered = fit, moved, True
                if not best.unexplained and not best.missing:
                    return best
                break  # what does not fit has changed
    return best


def _tables(plan: Plan, fit: Fit, observed: Observed) -> Iterator[_Move]:
    """Assignments with another size for one table."""
    for variable in plan.tables:
        for number in plan.having[variable]:
            yield from _reread(plan, plan.groups[number], fit.sizes, (variable,), observed)


def _moves(plan: Plan, fit: Fit, places: list[int], observed: Observed) -> Iterator[_Move]:
    """Assignments one step away."""
    sizes = fit.sizes
    for number in _worst_first(places, observed):
        step = plan.groups[number]
        for variable in step.variables:
            yield from _reread(plan, step, sizes, (variable,), observed)
        if len(step.variables) > 1:
            yield from _reread(plan, step, sizes, step.variables, observed)
    for one, other in combinations(range(len(sizes)), 2):
        if sizes[one] != sizes[other]:
            changed = list(sizes)
            changed[one], changed[other] = sizes[other], sizes[one]
            yield tuple(changed), tuple(sorted({*plan.having[one], *plan.having[other]}))


def _worst_first(places: list[int], observed: Observed) -> list[int]:
    """Groups that stand nowhere or bent, then those that share a shape with others, then the rest."""
    nowhere = len(observed.shapes)
    crowd: dict[int, int] = {}
    for place in places:
        crowd[place] = crowd.get(place, 0) + 1
    return sorted(
        range(len(places)), key=lambda n: (not (places[n] < 0 or places[n] == nowhere), crowd[places[n]] == 1)
    )


def _reread(plan: Plan, step: Step, sizes: Sizes, opened: tuple[int, ...], observed: Observed) -> Iterator[_Move]:
    """What a group can be when some of its sizes are given up."""
    trial = list(sizes)
    for variable in opened:
        trial[variable] = None
    reading = observed.read(step.pattern, step.known(trial))
    if type(reading) is int:
        return
    for _, fresh in reading:  # type: ignore[union-attr]  # no int here
        changed = list(sizes)
        numbers: set[int] = set()
        for variable, size in fresh:
            changed[step.variables[variable]] = size
            numbers.update(plan.having[step.variables[variable]])
        yield tuple(changed), tuple(sorted(numbers))
