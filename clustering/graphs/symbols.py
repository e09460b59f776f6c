"""Symbolic dimensions: integers as expressions of size variables.

A template says of each parameter which shape it has in terms of the model's sizes: `(3*a, a)` for a fused projection,
`(a + 2*b, a)` for grouped queries. An expression here is linear with small non-negative integer coefficients, which is
how layer shapes arise from configuration fields; a dimension that no such relation explains is a variable of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

MAX_RATIO = 8
"""Largest integer factor between two variables that counts as structure (8*C is the last stage of four doublings)."""
MIN_DISTINCT = 3
"""A ratio or a sum counts as structure only when it holds at this many different sizes."""
SUM_FACTORS = (1, 2, 3)
_SUM_BASES = 7
_SURE_CONSTANT = 4


@dataclass(frozen=True, slots=True)
class Expr:
    """`const + sum(coefficient * variable)`."""

    const: int
    terms: tuple[tuple[int, int], ...] = ()
    """(variable number, coefficient), ascending by variable."""

    def value(self, sizes: Sequence[int | None]) -> int | None:
        """The number under an assignment; None when a variable is unassigned."""
        if len(self.terms) == 1:  # nearly all
            variable, factor = self.terms[0]
            single = sizes[variable]
            return None if single is None else self.const + factor * single
        total = self.const
        for variable, factor in self.terms:
            size = sizes[variable]
            if size is None:
                return None
            total += factor * size
        return total


Column = tuple[int | None, ...]
"""Values of one dimension over the variants of a class; None where the variant lacks the tensor."""


def _agree(left: Column, right: Column) -> bool:
    common = [(a, b) for a, b in zip(left, right, strict=True) if a is not None and b is not None]
    return bool(common) and all(a == b for a, b in common)


def _merge(left: Column, right: Column) -> Column:
    return tuple(a if a is not None else b for a, b in zip(left, right, strict=True))


def _ratio(column: Column, base: Column) -> int | None:
    """The integer c with column = c * base wherever both are known, else None."""
    common = [(a, b) for a, b in zip(column, base, strict=True) if a is not None and b is not None]
    if len({b for _, b in common}) < MIN_DISTINCT:
        return None
    factor, rest = divmod(common[0][0], common[0][1]) if common[0][1] else (0, 1)
    if rest or not 1 < factor <= MAX_RATIO:
        return None
    return factor if all(a == factor * b for a, b in common) else None


def _sum(column: Column, bases: Sequence[tuple[int, Column]]) -> tuple[tuple[int, int], ...] | None:
    """Column = f*x + g*y for two known columns and small factors, else None."""
    for (x, left), (y, right) in combinations(bases, 2):
        common = [
            (c, a, b)
            for c, a, b in zip(column, left, right, strict=True)
            if c is not None and a is not None and b is not None
        ]
        if len({(a, b) for _, a, b in common}) <= MIN_DISTINCT or len({c for c, _, _ in common}) <= MIN_DISTINCT:
            continue
        for f in SUM_FACTORS:
            for g in SUM_FACTORS:
                if all(c == f * a + g * b for c, a, b in common):
                    return tuple(sorted(((x, f), (y, g))))
    return None


@dataclass(slots=True)
class _Cluster:
    """Dimensions that are equal at every size."""

    column: Column
    weight: int
    members: list[int]

    def known(self) -> set[int]:
        return {v for v in self.column if v is not None}

    def constant(self) -> bool:
        """One value at two sizes or more; at a single size only a type count or a channel may be called constant."""
        known = self.known()
        seen = sum(v is not None for v in self.column)
        return len(known) == 1 and (seen >= 2 or max(known) <= _SURE_CONSTANT)


def _clusters(columns: Sequence[Column], weights: Sequence[int]) -> list[_Cluster]:
    """Columns that agree wherever both are known, heaviest first."""
    clusters: list[_Cluster] = []
    by_exact: dict[Column, int] = {}
    for number in sorted(range(len(columns)), key=lambda i: (columns[i].count(None), i)):
        column = columns[number]
        place = by_exact.get(column)
        if place is None and None in column:
            place = next((i for i, known in enumerate(clusters) if _agree(known.column, column)), None)
        if place is None:
            place = len(clusters)
            clusters.append(_Cluster(column, 0, []))
        cluster = clusters[place]
        cluster.column = _merge(cluster.column, column)
        cluster.weight += weights[number]
        cluster.members.append(number)
        by_exact[column] = place
    return sorted(clusters, key=lambda c: (-c.weight, c.members[0]))


def express(columns: Sequence[Column], weights: Sequence[int]) -> tuple[list[Expr], int]:
    """Expressions for columns of sizes, and the number of variables that they use.

    Args:
        columns: one per dimension; all of the same length (the number of variants).
        weights: how many tensors use the dimension; heavy columns become the base variables.

    Returns:
        One expression per column, in order, and the number of variables (numbered from 0, heaviest first).
    """
    clusters = _clusters(columns, weights)
    free = [c for c in clusters if not c.constant()]
    bases: list[Column] = []
    for cluster in sorted(free, key=lambda c: max(c.known(), default=0)):  # 3H is expressed by H, not H by 3H
        if not any(_ratio(cluster.column, base) for base in bases):
            bases.append(cluster.column)
    numbers: dict[Column, int] = {}
    result: dict[int, Expr] = {}
    for cluster in clusters:
        expr = Expr(min(cluster.known())) if cluster.constant() else _expression(cluster.column, bases, numbers)
        result.update(dict.fromkeys(cluster.members, expr))
    return [result[n] for n in range(len(columns))], len(numbers)


def _expression(column: Column, bases: Sequence[Column], numbers: dict[Column, int]) -> Expr:
    """A multiple of a base, else a sum of two known variables, else a variable of its own (added to `numbers`)."""
    for base in bases:
        factor = _ratio(column, base)
        if factor is not None:
            return Expr(0, ((numbers.setdefault(base, len(numbers)), factor),))
    if column not in numbers and len({v for v in column if v is not None}) > MIN_DISTINCT:
        terms = _sum(column, [(number, known) for known, number in numbers.items()][:_SUM_BASES])
        if terms is not None:
            return Expr(0, terms)
    return Expr(0, ((numbers.setdefault(column, len(numbers)), 1),))
