"""The lexical channel: how well a package's starred names agree with those of a class."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

TAIL = 3
"""Path components of the back-off vocabulary: enough to tell `self_attn.q_proj.weight` from another spelling, short
enough to survive an unknown wrapper around the model."""


def tail(star: str) -> str:
    """The last components of a starred name, indices left out."""
    return ".".join([p for p in star.split(".") if p != "*"][-TAIL:])


class NameMatcher:
    """Weighted agreement (intersection over union) of a set of names with the name sets of many classes."""

    __slots__ = ("_flat", "_idf", "_number", "_offsets", "_sums")

    def __init__(
        self, names: list[str], idf: NDArray[np.float32], flat: NDArray[np.int32], offsets: NDArray[np.int64]
    ) -> None:
        """Takes the class sets as compressed rows.

        Args:
            names: vocabulary, by number.
            idf: weight of each name, float (names,).
            flat: name numbers of all classes one after the other.
            offsets: (classes + 1,) starts of the classes in `flat`.
        """
        self._number = {name: number for number, name in enumerate(names)}
        self._idf = idf
        self._flat = flat
        self._offsets = offsets
        self._sums = np.add.reduceat(np.append(idf[flat], np.float32(0)), offsets[:-1]).astype(np.float32)
        self._sums[offsets[:-1] == offsets[1:]] = 0.0

    def scores(self, names: Iterable[str]) -> NDArray[np.float32]:
        """Agreement with every class, 0 to 1, float (classes,)."""
        present = np.zeros(len(self._idf), dtype=np.float32)
        unknown = 0.0
        rare = float(self._idf.max()) if len(self._idf) else 0.0
        for name in set(names):
            number = self._number.get(name)
            if number is None:
                unknown += rare
            else:
                present[number] = self._idf[number]
        if not present.any():
            return np.zeros(len(self._sums), dtype=np.float32)
        common = np.add.reduceat(np.append(present[self._flat], np.float32(0)), self._offsets[:-1])
        common[self._offsets[:-1] == self._offsets[1:]] = 0.0
        union = self._sums + float(present.sum()) + unknown - common
        return np.asarray(common / np.maximum(union, 1e-6), dtype=np.float32)
