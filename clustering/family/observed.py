"""The shapes of one package, arranged so that any pattern of a template is found by looking it up."""

from __future__ import annotations

from collections.abc import Sequence
from math import exp
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from clustering.columns import appearing
from clustering.family.plans import Pattern
from clustering.family.templates import HARD_CONSTANT
from clustering.graphs.parameters import Parameters
from clustering.graphs.symbols import Expr
from clustering.patterns import coded

Shape = tuple[int, ...]

BRANCH = 12
"""Shapes that are tried for a group with unknown sizes, the most frequent first."""
ABSENT: Final = -1
"""Said instead of a shape's number where the package has no such shape."""

Choice = tuple[int, tuple[tuple[int, int], ...]]
"""Number of a shape, and what it makes of the pattern's unknown variables: (variable of the pattern, size)."""
Reading = int | tuple[Choice, ...]
"""What a pattern is in a package: with all sizes known the number of the shape or `ABSENT`, else the choices."""


class Observed:
    """The multiset of shapes of one package; remembers what each pattern is in it."""

    __slots__ = (
        "_adjacent", "_places", "_readings", "by_axis", "by_rank", "counts", "depths", "follows", "index", "ranks",
        "shapes", "shares", "total",
    )  # fmt: skip

    def __init__(self, sequence: Sequence[Shape] | Parameters) -> None:
        shapes, numbers = (sequence.shapes, sequence.shape_of) if isinstance(sequence, Parameters) else coded(sequence)
        first, counts = appearing(numbers)
        kept = numbers[first]
        self.shapes: list[Shape] = [shapes[number] for number in kept.tolist()]
        self.counts: list[int] = counts.tolist()
        self.total: int = sum(self.counts)
        self.shares: list[float] = [count / max(1, self.total) for count in self.counts]
        self.index = {shape: number for number, shape in enumerate(self.shapes)}
        self.by_rank: dict[int, list[int]] = {}
        self.by_axis: dict[tuple[int, int, int], list[int]] = {}
        for number in sorted(range(len(self.shapes)), key=lambda n: -self.counts[n]):
            shape = self.shapes[number]
            self.by_rank.setdefault(len(shape), []).append(number)
            for axis, size in enumerate(shape):
                self.by_axis.setdefault((len(shape), axis, size), []).append(number)
        self.ranks: dict[int, float] = {
            rank: sum(self.counts[n] for n in numbers) / self.total for rank, numbers in self.by_rank.items()
        }
        """Number of dimensions -> share of the tensors that have as many."""
        self.follows: dict[tuple[int, int], float] = _follows(numbers, kept)
        self.depths: dict[Any, tuple[float, ...]] = {}
        """Solved systems of counts (`clustering.family.counts`)."""
        self._adjacent: dict[tuple[int, int], tuple[float, float, float]] = {}
        self._readings: dict[Pattern, dict[Any, Reading]] = {}
        self._places: dict[Pattern, dict[Any, int]] = {}

    def adjacent(self, pair: tuple[int, int]) -> tuple[float, float, float] | None:
        """How often the second of two shapes follows the first; None for a number that is no shape's.

        Returns:
            Its share of all adjacent pairs, the share to be expected in random order, and the probability that it
            then occurs at all.
        """
        known = self._adjacent.get(pair)
        if known is None:
            if max(pair) >= len(self.shapes):
                return None
            by_chance = self.shares[pair[0]] * self.shares[pair[1]]
            somewhere = 1.0 - exp(-by_chance * (self.total - 1))
            known = self._adjacent[pair] = (self.follows.get(pair, 0.0), by_chance, somewhere)
        return known

    def readings(self, pattern: Pattern) -> dict[Any, Reading]:
        """What is known about a pattern, by the values of its variables (`Step.known`)."""
        return self._readings.setdefault(pattern, {})

    def read(self, pattern: Pattern, known: Any) -> Reading:  # a key of Step.known
        """What a pattern is under a partial assignment; remembered."""
        readings = self.readings(pattern)
        reading = readings.get(known)
        if reading is None:
            sizes = _sizes(pattern, known)
            values = [dim.value(sizes) for dim in pattern.dims]
            shape = tuple([value for value in values if value is not None])
            whole = len(shape) == len(values)
            reading = self.index.get(shape, ABSENT) if whole else self._choices(pattern, sizes, values)
            readings[known] = reading
        return reading

    def place(self, pattern: Pattern, known: Any) -> int:
        """Where a pattern stands under an assignment; remembered.

        Returns:
            The number of the shape; `~number` where only a kernel size differs; `len(shapes)` where there is none.
        """
        places = self._places.setdefault(pattern, {})
        number = places.get(known)
        if number is None:
            sizes = _sizes(pattern, known)
            values = [dim.value(sizes) for dim in pattern.dims]
            number = self.index.get(tuple(values))  # type: ignore[arg-type]  # with a None among them it is not found
            if number is None:
                bent = self._bent_place(pattern, values)
                number = len(self.shapes) if bent is None else ~bent
            places[known] = number
        return number

    def matching(self, values: Sequence[int | None]) -> Sequence[int]:
        """Shapes of the rank of `values` that have its known sizes, the most frequent first."""
        rank = len(values)
        known = [(axis, size) for axis, size in enumerate(values) if size is not None]
        if not known:
            return self.by_rank.get(rank, ())
        found = min((self.by_axis.get((rank, axis, size), []) for axis, size in known), key=len)
        if len(known) == 1:
            return found
        return [n for n in found if all(self.shapes[n][axis] == size for axis, size in known)]

    def _choices(
        self, pattern: Pattern, sizes: Sequence[int | None], values: Sequence[int | None]
    ) -> tuple[Choice, ...]:
        choices: list[Choice] = []
        for number in self.matching(values):
            trial = solve(pattern.dims, self.shapes[number], sizes)
            if trial is None:
                continue
            fresh = tuple(
                (n, size) for n, (size, old) in enumerate(zip(trial, sizes, strict=True)) if old is None is not size
            )
            choices.append((number, fresh))
            if len(choices) >= BRANCH:
                break
        return tuple(choices)

    def _bent_place(self, pattern: Pattern, values: Sequence[int | None]) -> int | None:
        """An observed shape that differs in small constants only (a kernel size, a number of channels)."""
        loose = [not dim.terms and dim.const > 1 for dim in pattern.dims]
        if not any(loose) or all(loose):
            return None
        wanted = [None if free else value for free, value in zip(loose, values, strict=True)]
        if sum(value is None for value in wanted) > sum(loose):
            return None  # a size is unknown, so nothing is of that size
        for number in self.matching(wanted):
            shape = self.shapes[number]
            if all(1 < size <= HARD_CONSTANT for size, free in zip(shape, loose, strict=True) if free):
                return number
        return None


def _follows(numbers: NDArray[Any], kept: NDArray[Any]) -> dict[tuple[int, int], float]:
    """Share of the adjacent pairs by (place of the first in `kept`, place of the second)."""
    if len(numbers) < 2:
        return {}
    place = np.zeros(int(numbers.max()) + 1, dtype=np.int64)
    place[kept] = np.arange(len(kept))
    path = place[numbers]
    pairs, counts = np.unique(path[:-1] * len(kept) + path[1:], return_counts=True)
    shares = (counts / (len(numbers) - 1)).tolist()
    return {divmod(pair, len(kept)): share for pair, share in zip(pairs.tolist(), shares, strict=True)}


def _sizes(pattern: Pattern, known: Any) -> Sequence[int | None]:
    return known if pattern.width != 1 else (known,)


def solve(dims: Sequence[Expr], shape: Shape, sizes: Sequence[int | None]) -> list[int | None] | None:
    """The sizes under which the dimensions are those of a shape; None when that is impossible.

    A sum of two unknowns stays open, unless another axis gives one of them.
    """
    trial = list(sizes)
    if not _pass(dims, shape, trial):
        return None
    if any(len(dim.terms) > 1 for dim in dims) and not _pass(dims, shape, trial):
        return None  # the second pass catches a sum that was undetermined when its turn came
    return trial


def _pass(dims: Sequence[Expr], shape: Shape, sizes: list[int | None]) -> bool:
    """Solves the axes one after the other; False at the first that is impossible."""
    return all(_solve(dim, size, sizes) for dim, size in zip(dims, shape, strict=True))


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
