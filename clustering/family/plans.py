"""A template prepared for the search: groups in the order in which they are matched, shapes as shared patterns.

The templates of a corpus are made of few symbolic shapes: `(a, b)`, `(a,)`, `(a, b, 1, 1)` and some hundred more serve
a hundred thousand groups. What a pattern can be in one package is therefore worked out once per package, and looked up
by all templates (`clustering.family.observed`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from heapq import heapify, heappop, heappush
from operator import itemgetter
from typing import Any

from clustering.family.templates import Group, Template
from clustering.graphs.symbols import Expr

_START = 9
"""What a group costs that would start a second island of variables, while others share one that is known."""


Terms = tuple[tuple[int, int], ...]
"""(variable, factor)."""
Count = tuple[int, Terms]
"""A constant, and the terms of depth variables."""


class Pattern:
    """A symbolic shape whose variables are numbered by first appearance; one object per shape, compared by identity."""

    __slots__ = ("dims", "width")

    def __init__(self, dims: tuple[Expr, ...], width: int) -> None:
        self.dims = dims
        self.width = width
        """Number of variables."""


@cache
def _pattern(dims: tuple[tuple[int, Terms], ...], width: int) -> Pattern:
    return Pattern(tuple([Expr(constant, terms) for constant, terms in dims]), width)


def _constant(_: Sequence[int | None]) -> tuple[()]:
    return ()


@dataclass(frozen=True, slots=True)
class Step:
    """One group, as the search needs it."""

    pattern: Pattern
    variables: tuple[int, ...]
    """Of the template, by the pattern's numbers."""
    known: Callable[[Sequence[int | None]], Any]
    """From the sizes of a state to the key of the pattern: the value of the only variable, or a tuple of values."""
    usual: tuple[int, ...]
    """The library's default of each variable."""
    typical: float
    limit: int | None
    """How often a table occurs; None for groups whose count depends on a depth."""


@dataclass(frozen=True, slots=True)
class Plan:
    """A template's groups, prepared."""

    groups: tuple[Step, ...]
    """In the template's order."""
    order: tuple[int, ...]
    """Numbers of the groups in the order in which they are matched."""
    counts: tuple[Count, ...]
    """Per group the constant and the (depth variable, factor) of its count."""
    having: tuple[tuple[int, ...], ...]
    """Per size variable the groups that have it."""
    tables: tuple[int, ...]
    """Size variables of tables, ascending (`Template.tables`)."""
    pairs: float
    """Share of all adjacent pairs that `Template.follows` lists."""
    ranks: dict[int, float]
    """Number of dimensions -> share of the class's tensors that have as many."""
    constants: frozenset[tuple[int, int, int]]
    """(number of dimensions, axis, size) of all sizes that never vary."""


def prepare(group: Group, usual: Sequence[int]) -> Step:
    """The group's pattern, and its place among the template's variables."""
    numbers: dict[int, int] = {}
    dims: list[tuple[int, Terms]] = []
    for dim in group.dims:
        terms = dim.terms
        if len(terms) == 1:  # nearly all
            variable, factor = terms[0]
            dims.append((dim.const, ((numbers.setdefault(variable, len(numbers)), factor),)))
        else:
            dims.append((dim.const, tuple([(numbers.setdefault(v, len(numbers)), f) for v, f in terms])))
    variables = tuple(numbers)
    return Step(
        _pattern(tuple(dims), len(variables)),
        variables,
        itemgetter(*variables) if variables else _constant,
        tuple(usual[variable] for variable in variables),
        group.typical,
        # a table occurs once: a repeated shape is rather something else
        None if group.count.terms else group.count.const,
    )


def plan(template: Template) -> Plan:
    """Prepares a template."""
    groups = tuple(prepare(group, template.usual) for group in template.groups)
    having: list[list[int]] = [[] for _ in range(template.sizes)]
    for number, step in enumerate(groups):
        for variable in step.variables:
            having[variable].append(number)
    whole = 0.0
    for _, _, share in template.follows:
        whole += share
    ranks: dict[int, float] = {}
    for group in template.groups:
        ranks[len(group.dims)] = ranks.get(len(group.dims), 0.0) + group.typical
    return Plan(
        groups,
        _matching_order(groups, having),
        tuple((group.count.const, group.count.terms) for group in template.groups),
        tuple(tuple(numbers) for numbers in having),
        tuple(sorted(template.tables())),
        whole,
        ranks,
        frozenset(
            (len(group.dims), axis, dim.const)
            for group in template.groups
            for axis, dim in enumerate(group.dims)
            if not dim.terms
        ),
    )


def _matching_order(groups: Sequence[Step], having: Sequence[Sequence[int]]) -> tuple[int, ...]:
    """Few new variables first, heavy first."""
    new = [len(step.variables) for step in groups]
    costs = [count or _START for count in new]
    heap = [(cost, -step.typical, number) for number, (cost, step) in enumerate(zip(costs, groups, strict=True))]
    heapify(heap)
    known: set[int] = set()
    order: list[int] = []
    left = [True] * len(groups)
    while heap:
        cost, _, best = heappop(heap)
        if not left[best] or cost != costs[best]:
            continue  # matched already, or cheaper since
        left[best] = False
        order.append(best)
        cheaper: set[int] = set()
        for variable in groups[best].variables:
            if variable not in known:
                if not known:
                    cheaper.update(number for number, count in enumerate(new) if not count)
                known.add(variable)
                for number in having[variable]:
                    new[number] -= 1
                cheaper.update(having[variable])
        for number in cheaper:
            if left[number]:
                costs[number] = new[number]
                heappush(heap, (new[number], -groups[number].typical, number))
    return tuple(order)
