"""Which templates resemble a package at first sight: the cosine of size-free tokens, over an inverted file."""

from __future__ import annotations

from collections import Counter

import numpy as np
from numpy.typing import NDArray

from clustering.family.index import FamilyIndex
from clustering.family.observed import Observed
from clustering.family.tokens import TOWER_VIEW, token_weights


class Retrieval:
    """Asks the tokens of an index for the templates that have them."""

    __slots__ = ("_index",)

    def __init__(self, index: FamilyIndex) -> None:
        self._index = index

    def similar(self, observed: Observed) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Similarity to every template, by all tokens and by those of towers alone, float (templates,)."""
        index = self._index
        weights = token_weights(Counter(dict(zip(observed.shapes, observed.counts, strict=True))))
        of_towers: list[tuple[int, float]] = []
        others: list[tuple[int, float]] = []
        numbers = index.token_names.numbers(list(weights))
        for number, (token, weight) in zip(numbers, weights.items(), strict=True):
            if number >= 0:
                entry = (number, weight * float(index.token_idf[number]))
                (of_towers if token.startswith(TOWER_VIEW) else others).append(entry)
        towers = index.tokens.sums(of_towers)
        whole = towers + index.tokens.sums(others)
        return whole.astype(np.float32), (towers / index.tower_norms).astype(np.float32)
