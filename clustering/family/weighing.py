"""What speaks for or against the first candidates beyond how much they explain: next of kin explain nearly all.

A known family in a new layout has other *numbers* of the same kinds of tensors, under its own names, in the relations
that it always has. Next of kin lack a kind that the package has, do not know a name that others know, or never had
these widths or counts together.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import replace

from clustering.family.judge import Fit
from clustering.family.observed import Observed
from clustering.family.plans import Plan
from clustering.family.ranking import Candidate
from clustering.family.unions import Held, Union

MOST_FAMILIES, MOST_CLASSES = 5, 6
"""Families at the head of the candidates that are weighed, and candidates of each; the others are hardly told."""
NOT_ASKED = (1.0, 0.0)
"""What is said of names where there is no union to ask: nothing against the family, nothing for it."""


def kinds(plan: Plan, fit: Fit, observed: Observed) -> float:
    """Share of the kinds of tensors (shapes of the package, groups of the template) that both sides have, 0 to 1.

    A count that is off, as in another mix of layers, takes nothing from it; `Fit.overlap` counts tensors.
    """
    if not fit.sizes and any(step.variables for step in plan.groups):
        return 0.0
    nowhere = len(observed.shapes)
    covered: set[int] = set()
    absent = 0
    for step in plan.groups:
        place = observed.place(step.pattern, step.known(fit.sizes))
        if 0 <= place < nowhere:
            covered.add(place)
        else:
            absent += 1
    return len(covered) / max(1, nowhere + absent)


def own_names(union: Union, held: Sequence[Held], known: AbstractSet[str]) -> float:
    """Share of the tensors that stand under names of the family, 0 to 1.

    Names that nobody knows count against it only where most of the others are its own: a package in another spelling
    says nothing about any family, and one in the family's spelling has no names that the family does not have.
    """
    own = foreign = unheard = 0
    for star, _, number in held:
        if union.find(star) is not None:
            own += number
        elif star in known:
            foreign += number
        else:
            unheard += number
    if own > unheard:
        foreign += unheard
    return own / (own + foreign) if own + foreign else 1.0


def weighed(ranked: Sequence[Candidate], weigh: Callable[[Candidate], Candidate]) -> list[Candidate]:
    """The candidates with the first ones of the first families weighed."""
    numbers: dict[str, int] = {}
    result = list(ranked)
    for place, candidate in enumerate(ranked):
        if candidate.family not in numbers and len(numbers) == MOST_FAMILIES:
            continue
        numbers[candidate.family] = numbers.get(candidate.family, 0) + 1
        if numbers[candidate.family] <= MOST_CLASSES:
            result[place] = weigh(candidate)
    return result


def with_kinds(candidate: Candidate, plan: Plan, observed: Observed) -> Candidate:
    """The candidate with its share of kinds."""
    if candidate.fit is None:
        return candidate
    return replace(candidate, kinds=kinds(plan, candidate.fit, observed))


def names_of(union: Union | None, held: Sequence[Held], known: AbstractSet[str]) -> tuple[float, float]:
    """Share of tensors under own names (`own_names`), and of names that stand as they always did (`Union.steady`)."""
    if union is None:
        return NOT_ASKED
    return own_names(union, held, known), union.steady(held)
