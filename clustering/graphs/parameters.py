"""The parameters of a model as columns: stars and shapes once each, and objects only where one is asked for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clustering.columns import NamedRows, appearing
from clustering.patterns import Patterns, coded

Shape = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter (or running statistic) of the model."""

    star: str
    """Name without containers and with indices replaced by `*`: `layers.*.self_attn.q_proj.weight`."""
    indices: tuple[int, ...]
    """The replaced indices, outermost first."""
    shape: tuple[int, ...]
    """Logical shape in PyTorch's axis order (out, in, kernel ...)."""
    name: str
    """Name as stored."""


class Parameters(NamedRows[Parameter]):
    """Parameters in an order; immutable."""

    def __init__(
        self,
        names: Sequence[str],
        stars: tuple[Sequence[str], NDArray[np.int32]],
        indices: NDArray[np.int32],
        shapes: tuple[Sequence[Shape], NDArray[np.int32]],
        patterns: Patterns | None = None,
    ) -> None:
        """Takes the columns.

        Args:
            names: as stored.
            stars: different starred names, some of them perhaps of no parameter, and the number of each one's.
            indices: (parameters, most indices) outermost first, -1 where there are fewer.
            shapes: as for the stars.
            patterns: of the names, where they are known.
        """
        super().__init__(names, patterns)
        self.stars, self.star_of = stars
        self.indices = indices
        self.shapes, self.shape_of = shapes

    @classmethod
    def of(cls, parameters: Sequence[Parameter]) -> Parameters:
        """The columns of any parameters."""
        if isinstance(parameters, Parameters):
            return parameters
        indices = [parameter.indices for parameter in parameters]
        most = max(map(len, indices), default=0)
        return cls(
            [parameter.name for parameter in parameters],
            coded([parameter.star for parameter in parameters]),
            np.array([(*row, *[-1] * (most - len(row))) for row in indices], np.int32).reshape(len(indices), most),
            coded([parameter.shape for parameter in parameters]),
        )

    def take(self, rows: NDArray[Any]) -> Parameters:
        """Some of the parameters, in any order."""
        names, patterns = self._taken(rows)
        return Parameters(
            names,
            (self.stars, self.star_of[rows]),
            self.indices[rows],
            (self.shapes, self.shape_of[rows]),
            patterns,
        )

    @cached_property
    def shape_counts(self) -> Counter[Shape]:
        """How many parameters have each shape, in order of appearance."""
        first, counts = appearing(self.shape_of)
        places = self.shape_of[first].tolist()
        return Counter({self.shapes[place]: n for place, n in zip(places, counts.tolist(), strict=True)})

    @cached_property
    def star_set(self) -> frozenset[str]:
        """All starred names."""
        return frozenset(self.stars[number] for number in set(self.star_of.tolist()))

    @cached_property
    def kinds(self) -> list[tuple[str, Shape, int]]:
        """Starred names and shapes with how often they occur together, in order of appearance."""
        first, counts = appearing(self.star_of * np.int64(len(self.shapes)) + self.shape_of)
        return [
            (self.stars[self.star_of[row]], self.shapes[self.shape_of[row]], number)
            for row, number in zip(first.tolist(), counts.tolist(), strict=True)
        ]

    def row(self, number: int) -> Parameter:
        """One parameter; numbers are not negative."""
        indices = tuple(index for index in self.indices[number].tolist() if index >= 0)
        return Parameter(
            self.stars[self.star_of[number]], indices, self.shapes[self.shape_of[number]], self.names[number]
        )
