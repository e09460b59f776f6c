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


@dataclass(frozen=True, slots=True)
class Expr:
    """`const + sum(coefficient * variable)`."""

    const: int
    terms: tuple[tuple[int, int], ...] = ()
    """(variable number, coefficient), ascending by variable."""

    def value(self, sizes: Sequence[int | None]) -> int | None:
        """The number under an assignment; None when a variable is unassigned."""
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


def _distinct(column: Column) -> int:
    return len({v for v in column if v is not None})


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


def express(columns: Sequence[Column], weights: Sequence[int]) -> tuple[list[Expr], int]:
    """Expressions for columns of sizes, and the number of variables that they use.

    Args:
        columns: one per dimension; all of the same length (the number of variants).
        weights: how many tensors use the dimension; heavy columns become the base variables.

    Returns:
        One expression per column, in order, and the number of variables (numbered from 0, heaviest first).
    """
    clusters: list[tuple[Column, int, list[int]]] = []
    by_exact: dict[Column, int] = {}
    for number in sorted(range(len(columns)), key=lambda i: (columns[i].count(None), i)):
        column = columns[number]
        place = by_exact.get(column)
        if place is None and None in column:
            place = next((i for i, (known, _, _) in enumerate(clusters) if _agree(known, column)), None)
        if place is None:
            place = len(clusters)
            clusters.append((column, 0, []))
        known, weight, members = clusters[place]
        clusters[place] = (_merge(known, column), weight + weights[number], [*members, number])
        by_exact[column] = place
    variants = len(columns[0]) if columns else 0
    result: list[Expr | None] = [None] * len(columns)
    bases: list[tuple[int, Column]] = []
    count = 0
    ordered = sorted(clusters, key=lambda c: (-c[1], c[2][0]))
    # a smaller base first where one divides the other: 3H is expressed by H, not H by 3H
    for column, _, members in sorted(ordered, key=lambda c: max((v for v in c[0] if v is not None), default=0)):
        del members
        known = [v for v in column if v is not None]
        if len(set(known)) == 1 and (len(known) >= 2 or known[0] <= 4):
            continue
        if not any(_ratio(column, base) for _, base in bases):
            bases.append((len(bases), column))
    numbers: dict[Column, int] = {}
    for column, _, members in ordered:
        known = [v for v in column if v is not None]
        expr: Expr | None = None
        if len(set(known)) == 1 and (len(known) >= 2 or variants == 1) and (len(known) >= 2 or known[0] <= 4):
            expr = Expr(known[0])
        else:
            factor = next(((base, r) for _, base in bases if (r := _ratio(column, base))), None)
            if factor is not None:
                base, ratio = factor
                if base not in numbers:
                    numbers[base] = count
                    count += 1
                expr = Expr(0, ((numbers[base], ratio),))
            elif column in numbers:
                expr = Expr(0, ((numbers[column], 1),))
            else:
                known_bases = [(n, b) for b, n in numbers.items()][:_SUM_BASES]
                terms = _sum(column, known_bases) if _distinct(column) > MIN_DISTINCT else None
                if terms is not None:
                    expr = Expr(0, terms)
                else:
                    numbers[column] = count
                    expr = Expr(0, ((count, 1),))
                    count += 1
        for member in members:
            result[member] = expr
    return [e for e in result if e is not None], count
