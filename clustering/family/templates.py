"""Templates: what the parameters of a class look like at any size, learnt from several sizes of it.

A template is a list of groups; a group is a symbolic shape and how often it occurs (a constant plus depth variables).
Templates carry no names: classes with equal templates are the same graph and share one template.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from clustering.graphs.layers import Parameter
from clustering.graphs.symbols import Column, Expr, express

HARD_CONSTANT = 16
"""Constants above this (position tables, label sets, input sizes) are sizes that the corpus happened not to vary;
they become variables with a usual value. Small ones (kernel sizes, channels, type counts) are structure."""


@dataclass(frozen=True, slots=True)
class Group:
    """All parameters of one symbolic shape."""

    dims: tuple[Expr, ...]
    count: Expr
    """Over the depth variables."""
    typical: float
    """Share of the class's tensors, averaged over the variants."""


@dataclass(frozen=True, slots=True)
class Template:
    """A class at any size."""

    groups: tuple[Group, ...]
    sizes: int
    """Number of size variables."""
    depths: int
    """Number of depth variables."""
    usual: tuple[int, ...]
    """Per size variable its value in the first (library default) variant."""
    follows: tuple[tuple[int, int, float], ...]
    """(group, next group, share of all adjacent pairs) in definition order of the first variant."""

    def tables(self) -> frozenset[int]:
        """Size variables of tables (vocabulary, positions, types, labels): they stand in unrepeated groups only."""
        repeated = {v for g in self.groups if g.count.terms for d in g.dims for v, _ in d.terms}
        return frozenset(range(self.sizes)) - repeated


Slot = tuple[str, int]
"""Starred name and the rank of the shape among the shapes under that name, in order of first appearance."""


Table = dict[Slot, tuple[tuple[int, ...], int]]
"""Shape and count of every slot of one model."""


def slots_of(parameters: Sequence[Parameter]) -> Table:
    """Parameters gathered by slot, with shape and count, in order of first appearance."""
    shapes: dict[str, dict[tuple[int, ...], int]] = {}
    for parameter in parameters:
        known = shapes.setdefault(parameter.star, {})
        known[parameter.shape] = known.get(parameter.shape, 0) + 1
    return {
        (star, rank): (shape, count)
        for star, known in shapes.items()
        for rank, (shape, count) in enumerate(known.items())
    }


def _soften(exprs: list[Expr], count: int) -> tuple[list[Expr], int, dict[int, int]]:
    """Turns large constants into variables, one per value, with that value as the usual one."""
    usual: dict[int, int] = {}
    by_value: dict[int, int] = {}
    result: list[Expr] = []
    for expr in exprs:
        if expr.terms or expr.const <= HARD_CONSTANT:
            result.append(expr)
            continue
        if expr.const not in by_value:
            by_value[expr.const] = count
            usual[count] = expr.const
            count += 1
        result.append(Expr(0, ((by_value[expr.const], 1),)))
    return result, count, usual


def learn(
    variants: Sequence[Sequence[Parameter]], siblings: Sequence[Sequence[Parameter]] = ()
) -> list[tuple[Template, tuple[Slot, ...], tuple[int, ...]]]:
    """Templates of one class, one per distinct set of slots and ranks.

    Args:
        variants: the class's parameters at several sizes, the library's default first.
        siblings: further sizes of other classes of the family; where they have the same parameters (with or without
            the name of the base model in front) they show which relations between sizes are accidental.

    Returns:
        Per template: the template, its slots in definition order, and the numbers of the variants that have it.
    """
    tables = [slots_of(v) for v in variants]
    others = [_with_short_names(slots_of(s)) for s in siblings]
    layouts: dict[frozenset[tuple[Slot, int]], list[int]] = {}
    for number, table in enumerate(tables):  # a matrix and a convolution of kernel 1 are different layouts
        layouts.setdefault(frozenset((slot, len(shape)) for slot, (shape, _) in table.items()), []).append(number)
    return [(*_template(tables, members, variants, others), tuple(members)) for members in layouts.values()]


def _short(star: str) -> str:
    return star.partition(".")[2]


def _with_short_names(table: Table) -> Table:
    """The table, with every slot also under its name without the first component."""
    return {**{(_short(star), rank): entry for (star, rank), entry in table.items()}, **table}


def _alike(first: Table, table: Table) -> Table:
    """The slots whose name has as many shapes as in `first`: with more or fewer, a rank means another shape.

    The stages of a pyramid are ranks of one name, and a stage without a second block lacks its shape.
    """
    found = Counter(star for star, _ in table)
    own = Counter(star for star, _ in first)
    wanted = {**{_short(star): number for star, number in own.items()}, **own}
    return {slot: entry for slot, entry in table.items() if wanted.get(slot[0]) == found[slot[0]]}


def _seen(slot: Slot, tables: Sequence[Table], order: Sequence[int], others: Sequence[Table]) -> list[Any]:
    """The slot's entries in the class's variants (in order), then in the siblings; None where absent."""
    star, rank = slot
    own = [tables[n].get(slot) for n in order]
    return own + [t.get(slot) or t.get((_short(star), rank)) for t in others]


def _template(
    tables: Sequence[Table],
    members: Sequence[int],
    variants: Sequence[Sequence[Parameter]],
    others: Sequence[Table],
) -> tuple[Template, tuple[Slot, ...]]:
    first = members[0]
    slots = tuple(tables[first])
    shown = set(members)
    tables = [t if n in shown else _alike(tables[first], t) for n, t in enumerate(tables)]
    others = [_alike(tables[first], t) for t in others]
    order = [*members, *(n for n in range(len(tables)) if n not in shown)]
    columns: list[Column] = []
    weights: list[int] = []
    places: list[tuple[int, int]] = []
    for number, slot in enumerate(slots):
        shape, count = tables[first][slot]
        seen = _seen(slot, tables, order, others)
        for axis in range(len(shape)):
            columns.append(tuple(s[0][axis] if s is not None and len(s[0]) == len(shape) else None for s in seen))
            weights.append(count)
            places.append((number, axis))
    _join_biases(slots, places, columns)
    exprs, sizes = express(columns, weights)
    exprs, sizes, usual = _soften(exprs, sizes)
    dims: list[list[Expr]] = [[] for _ in slots]
    for (number, _), expr, column in zip(places, exprs, columns, strict=True):
        dims[number].append(expr)
        if len(expr.terms) == 1 and column[0] is not None:
            variable, factor = expr.terms[0]
            usual.setdefault(variable, column[0] // factor)
    counts: list[Column] = [tuple(tables[n][slot][1] for n in members) for slot in slots]
    count_exprs, depths = express(counts, [1] * len(counts))
    count_exprs, depths = _split_stacks(slots, *_soften_counts(slots, count_exprs, depths))
    totals = [sum(c for _, c in tables[n].values()) for n in members]
    return _assemble(slots, dims, count_exprs, counts, totals, sizes, depths, usual, variants[first])


def _join_biases(slots: Sequence[Slot], places: Sequence[tuple[int, int]], columns: list[Column]) -> None:
    """A bias that only few variants have is as long as its weight is wide, in all variants."""
    axis_of = {place: number for number, place in enumerate(places)}
    number_of = {slot: number for number, slot in enumerate(slots)}
    for number, (star, rank) in enumerate(slots):
        weight = number_of.get((star.removesuffix(".bias") + ".weight", rank)) if star.endswith(".bias") else None
        own = axis_of.get((number, 0))
        other = axis_of.get((weight, 0)) if weight is not None else None
        if own is not None and other is not None and None in columns[own]:
            pairs = zip(columns[own], columns[other], strict=True)
            if all(a == b for a, b in pairs if a is not None and b is not None):
                columns[own] = columns[other]


def _soften_counts(slots: Sequence[Slot], exprs: list[Expr], depths: int) -> tuple[list[Expr], int]:
    """Constant counts of indexed parameters are block counts that the corpus did not vary: one variable per value."""
    by_value: dict[int, int] = {}
    result: list[Expr] = []
    for (star, _), expr in zip(slots, exprs, strict=True):
        if expr.terms or "*" not in star.split("."):
            result.append(expr)
            continue
        variable = by_value.setdefault(expr.const, depths + len(by_value))
        result.append(Expr(0, ((variable, 1),)))
    return result, depths + len(by_value)


def _split_stacks(slots: Sequence[Slot], exprs: list[Expr], depths: int) -> tuple[list[Expr], int]:
    """Encoder and decoder blocks are counted apart even where the corpus never gave them different depths."""
    del depths
    numbers: dict[tuple[int, str], int] = {}
    result = []
    for (star, _), expr in zip(slots, exprs, strict=True):
        stack = star.partition("*")[0]
        terms = tuple((numbers.setdefault((v, stack), len(numbers)), factor) for v, factor in expr.terms)
        result.append(Expr(expr.const, terms))
    return result, len(numbers)


def _assemble(
    slots: tuple[Slot, ...],
    dims: Sequence[Sequence[Expr]],
    count_exprs: Sequence[Expr],
    counts: Sequence[Column],
    totals: Sequence[int],
    sizes: int,
    depths: int,
    usual: dict[int, int],
    parameters: Sequence[Parameter],
) -> tuple[Template, tuple[Slot, ...]]:
    numbers: dict[tuple[Expr, ...], int] = {}
    group_of: list[int] = []
    sums: list[Counter[int]] = []
    consts: list[int] = []
    typical: list[float] = []
    for slot_dims, expr, column in zip(dims, count_exprs, counts, strict=True):
        key = tuple(slot_dims)
        place = numbers.setdefault(key, len(numbers))
        if place == len(sums):
            sums.append(Counter())
            consts.append(0)
            typical.append(0.0)
        consts[place] += expr.const
        for variable, factor in expr.terms:
            sums[place][variable] += factor
        shares = [c / t for c, t in zip(column, totals, strict=True) if c is not None and t]
        typical[place] += sum(shares) / len(shares) if shares else 0.0
        group_of.append(place)
    groups = tuple(
        Group(key, Expr(consts[place], tuple(sorted(sums[place].items()))), round(typical[place], 4))
        for key, place in numbers.items()
    )
    by_slot = dict(zip(slots, group_of, strict=True))
    template = Template(
        groups, sizes, depths, tuple(usual.get(n, 0) for n in range(sizes)), _follows(parameters, by_slot)
    )
    return template, slots


def _follows(parameters: Sequence[Parameter], by_slot: dict[Slot, int]) -> tuple[tuple[int, int, float], ...]:
    ranks: dict[str, dict[tuple[int, ...], int]] = {}
    path: list[int] = []
    for parameter in parameters:
        known = ranks.setdefault(parameter.star, {})
        rank = known.setdefault(parameter.shape, len(known))
        path.append(by_slot[parameter.star, rank])
    pairs = Counter(pairwise(path))
    total = sum(pairs.values()) or 1
    return tuple((a, b, round(n / total, 4)) for (a, b), n in sorted(pairs.items()))
