"""Rows of numbers turned round: per number the rows that have it, so that a question touches only what it asks for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clustering.family.stored import Vector, narrow

_SMALL_NUMBERS = 1 << 16
"""What two bytes can tell apart."""
_AT_ONCE = 1 << 15
"""Entries that are added up together, to bound the memory of a question."""
_STEPS = 255
"""A weight is kept in one byte, as its share of the greatest weight of its number."""


@dataclass(frozen=True, slots=True)
class Inverted:
    """An inverted file: `rows[starts[n]:starts[n + 1]]` are the rows that have number n."""

    starts: NDArray[np.int32]
    """(numbers + 1,)"""
    rows: Vector
    """(entries,) ascending for each number; two bytes each where that is enough."""
    length: int
    """Number of rows."""
    weights: Vector | None = None
    """(entries,) in steps of the greatest of the number; None where all weigh 1."""
    greatest: NDArray[np.float32] | None = None
    """(numbers,) the greatest weight."""

    @classmethod
    def of_rows(
        cls, flat: NDArray[Any], offsets: NDArray[np.int64], numbers: int, weights: NDArray[np.float32] | None = None
    ) -> Inverted:
        """Turns rows round.

        Args:
            flat: numbers of all rows, one row after the other.
            offsets: (rows + 1,) where each row begins.
            numbers: how many numbers there are.
            weights: of each entry of `flat`, not negative.
        """
        # small numbers are sorted by radix, in half the time
        order = np.argsort(flat if numbers >= _SMALL_NUMBERS else flat.astype(np.uint16), kind="stable")
        length = len(offsets) - 1
        rows = narrow(np.repeat(np.arange(length), np.diff(offsets))[order])
        held = np.bincount(flat, minlength=numbers)
        starts = np.concatenate(([0], np.cumsum(held))).astype(np.int32)
        if weights is None:
            return cls(starts, rows, length)
        ordered = weights[order]
        greatest = np.zeros(numbers, dtype=np.float32)
        np.maximum.at(greatest, np.repeat(np.arange(numbers), held), ordered)
        steps = ordered / np.maximum(np.repeat(greatest, held), np.float32(1e-30)) * _STEPS
        return cls(starts, rows, length, np.maximum(np.rint(steps), 1).astype(np.uint8), greatest)

    def arrays(self, name: str) -> dict[str, Vector]:
        """What `from_arrays` takes."""
        arrays: dict[str, Vector] = {
            f"{name}_starts": self.starts,
            f"{name}_rows": self.rows,
            f"{name}_length": np.array([self.length]),
        }
        if self.weights is not None and self.greatest is not None:
            arrays |= {f"{name}_weights": self.weights, f"{name}_greatest": self.greatest}
        return arrays

    @classmethod
    def from_arrays(cls, name: str, arrays: Mapping[str, Any]) -> Inverted:
        """The inverted file that `arrays` gave under a name."""
        return cls(
            arrays[f"{name}_starts"],
            arrays[f"{name}_rows"],
            int(arrays[f"{name}_length"][0]),
            arrays.get(f"{name}_weights"),
            arrays.get(f"{name}_greatest"),
        )

    def sums(self, query: Sequence[tuple[int, float]]) -> NDArray[np.float64]:
        """Sum over a query's (number, factor) of factor times weight, float (rows,)."""
        total = np.zeros(self.length)
        held, begin = 0, 0
        for place, (number, _) in enumerate(query):
            held += int(self.starts[number + 1] - self.starts[number])
            if held > _AT_ONCE or place + 1 == len(query):
                total += self._sums(query[begin : place + 1])
                held, begin = 0, place + 1
        return total

    def _sums(self, query: Sequence[tuple[int, float]]) -> NDArray[np.float64]:
        spans = [slice(self.starts[number], self.starts[number + 1]) for number, _ in query]
        factors = np.array([factor for _, factor in query])
        if self.greatest is not None:
            factors *= self.greatest[[number for number, _ in query]] / np.float64(_STEPS)
        products = np.repeat(factors, [span.stop - span.start for span in spans])
        if self.weights is not None:
            products *= np.concatenate([self.weights[span] for span in spans])
        rows = np.concatenate([self.rows[span] for span in spans])
        return np.bincount(rows, products, minlength=self.length).astype(np.float64)

    def totals(self, factors: NDArray[np.float32]) -> NDArray[np.float64]:
        """Per row the sum of the factors of all its numbers, float (rows,)."""
        products = np.repeat(factors.astype(np.float64), np.diff(self.starts))
        return np.bincount(self.rows[:], products, minlength=self.length).astype(np.float64)
