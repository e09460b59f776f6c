"""The lexical channel: how well a package's starred names agree with those of a class."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from clustering.family.inverted import Inverted
from clustering.family.stored import Names

TAIL = 3
"""Path components of the back-off vocabulary: enough to tell `self_attn.q_proj.weight` from another spelling, short
enough to survive an unknown wrapper around the model."""


def tail(star: str) -> str:
    """The last components of a starred name, indices left out."""
    return ".".join([p for p in star.split(".") if p != "*"][-TAIL:])


class NameMatcher:
    """Weighted agreement (intersection over union) of a set of names with the name sets of many classes."""

    __slots__ = ("_classes", "_idf", "_names", "_rare", "_sums")

    def __init__(self, names: Names, idf: NDArray[np.float32], classes: Inverted, sums: NDArray[np.float32]) -> None:
        """Takes the class sets turned round.

        Args:
            names: vocabulary, by number.
            idf: weight of each name, float (names,).
            classes: per name the classes that have it.
            sums: weight of all names of a class, float (classes,).
        """
        self._names = names
        self._idf = idf
        self._classes = classes
        self._sums = sums
        self._rare = float(idf.max()) if len(idf) else 0.0

    def scores(self, names: Iterable[str]) -> NDArray[np.float32]:
        """Agreement with every class, 0 to 1, float (classes,)."""
        numbers = self._names.numbers(sorted(set(names)))
        present = [(number, float(self._idf[number])) for number in numbers if number >= 0]
        unknown = self._rare * (len(numbers) - len(present))
        common = self._classes.sums(present)
        union = self._sums + sum(weight for _, weight in present) + unknown - common
        return np.asarray(common / np.maximum(union, 1e-6), dtype=np.float32)
