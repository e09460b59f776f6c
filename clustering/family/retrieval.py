"""Which templates resemble a package at first sight: the cosine of size-free tokens, over an inverted file."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from clustering.family.index import FamilyIndex
from clustering.family.observed import Observed
from clustering.family.tokens import TOWER_VIEW, token_weights

_SMALL_NUMBERS = 1 << 16
"""What two bytes can tell apart."""


class Retrieval:
    """The token rows of an index turned round: per token the templates that have it."""

    __slots__ = ("_idf", "_norms", "_number", "_size", "_starts", "_templates", "_tower", "_weights")

    def __init__(self, index: FamilyIndex) -> None:
        self._number = {name: number for number, name in enumerate(index.token_names)}
        self._idf = index.token_idf
        self._size = len(index.templates)
        many = len(index.token_names) >= _SMALL_NUMBERS
        # small numbers are sorted by radix, in half the time, and kept in half the room
        order = np.argsort(index.tokens if many else index.tokens.astype(np.uint16), kind="stable")
        self._weights = index.token_weights[order]
        numbers = np.arange(self._size, dtype=np.uint16 if self._size < _SMALL_NUMBERS else np.int32)
        self._templates = np.repeat(numbers, np.diff(index.token_offsets))[order]
        del order
        held = np.bincount(index.tokens, minlength=len(index.token_names))
        self._starts = np.concatenate(([0], np.cumsum(held)))
        self._tower = np.array([name.startswith(TOWER_VIEW) for name in index.token_names], dtype=bool)
        of_tower = np.repeat(self._tower, held)
        squares = self._weights[of_tower].astype(np.float64) ** 2
        self._norms = np.sqrt(np.bincount(self._templates[of_tower], squares, minlength=self._size)) + 1e-6

    def similar(self, observed: Observed) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Similarity to every template, by all tokens and by those of towers alone, float (templates,)."""
        query: dict[int, float] = {}
        counts = Counter(dict(zip(observed.shapes, observed.counts, strict=True)))
        for token, weight in token_weights(counts).items():
            number = self._number.get(token)
            if number is not None:
                query[number] = weight * float(self._idf[number])
        towers = self._sum([(n, w) for n, w in query.items() if self._tower[n]])
        whole = towers + self._sum([(n, w) for n, w in query.items() if not self._tower[n]])
        return whole.astype(np.float32), (towers / self._norms).astype(np.float32)

    def _sum(self, query: Sequence[tuple[int, float]]) -> NDArray[np.float64]:
        """Weighted sum over the templates that have the tokens."""
        spans = [(slice(self._starts[n], self._starts[n + 1]), weight) for n, weight in query]
        if not spans:
            return np.zeros(self._size)
        templates = np.concatenate([self._templates[span] for span, _ in spans])
        products = np.concatenate([self._weights[span] * weight for span, weight in spans])
        return np.bincount(templates, products, minlength=self._size).astype(np.float64)
