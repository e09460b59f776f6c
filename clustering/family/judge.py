"""How good an assignment of sizes is: the shapes that a template then predicts, beside those of the package."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from operator import eq

from clustering.family.counts import Row, solve_depths
from clustering.family.observed import Observed
from clustering.family.plans import Count, Plan
from clustering.family.templates import Template

_BENT = 0.5  # what a tensor costs that differs from the template in a kernel size or a number of channels
_ORDER_FROM = 0.6  # below this overlap the order says nothing
_TELLING = 0.95  # from this agreement by chance on the order says nothing
_ROUNDING = 1e-9  # far above what sums of shares lose, far below what they differ by

Sizes = tuple[int | None, ...]
"""Per size variable of a template its value; None where nothing in the package tells."""


@dataclass(frozen=True, slots=True)
class Fit:
    """How well a template explains a package."""

    overlap: float
    """1 - sum|predicted - observed| / sum(predicted + observed) over shapes: 1.0 is an exact explanation."""
    order: float
    """Agreement of adjacent pairs with the template's order beyond chance, 0 to 1; near 0 after shuffling."""
    sizes: Sizes
    usual: float
    """Share of the size variables that have the library's default value."""
    unexplained: int
    """Observed tensors beyond the predicted ones."""
    missing: int
    """Predicted tensors that were not observed."""


NOTHING = Fit(float("-inf"), 0.0, (), 0.0, 0, 0)
"""Worse than any explanation."""


def places_of(plan: Plan, sizes: Sizes, observed: Observed) -> tuple[int, ...]:
    """Where each group stands under an assignment, as `Observed.place` says it."""
    return tuple([observed.place(step.pattern, step.known(sizes)) for step in plan.groups])


def judge(
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


def _order(template: Template, plan: Plan, places: Sequence[int], observed: Observed) -> float:
    """Overlap of adjacent pairs, as shares: mean of both directions, beyond what a shuffled file would show.

    With few different shapes nearly every pair occurs somewhere, in whatever order. 0 is chance (or less), 1 complete.
    """
    if not plan.pairs or not observed.follows:
        return 0.0
    at = [~place if place < 0 else place for place in places]
    forward = expected = 0.0
    backward: dict[tuple[int, int], tuple[float, float, float]] = {}
    for left, right, share in template.follows:
        pair = (at[left], at[right])
        known = observed.adjacent(pair)
        if known is None:
            continue  # nothing follows a group that is nowhere
        backward[pair] = known
        expected += share * known[2]
        if known[0]:
            forward += share
    seen = (forward / plan.pairs + sum([found for found, _, _ in backward.values()])) / 2
    chance = (expected / plan.pairs + sum([by_chance for _, by_chance, _ in backward.values()])) / 2
    return max(0.0, (seen - chance) / (1.0 - chance)) if chance < _TELLING else 0.0
