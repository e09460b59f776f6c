"""Asks the families whose names are nearest whether a package is theirs, in whatever layout (`family.unions`)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from clustering.family.index import FamilyIndex
from clustering.family.ranking import Candidate
from clustering.family.unify import Observed
from clustering.family.unions import Union, decode_union
from clustering.graphs.layers import Parameter

MOST_ASKED, HEARD_FROM = 12, 0.8
"""Families that are asked, and how fully one must explain the package to be heard."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A package as both channels see it."""

    parameters: tuple[Parameter, ...]
    """Tied copies folded."""
    roots: frozenset[str]
    observed: Observed
    names: NDArray[np.float32]
    """Agreement of the names with every layout, float (layouts,)."""


class Wholes:
    """The unions of an index, decoded as they are asked."""

    def __init__(self, index: FamilyIndex) -> None:
        self._index = index
        self.union = lru_cache(maxsize=256)(self._decode)
        self._roots = lru_cache(maxsize=4096)(self._roots_of)

    def _decode(self, family: int) -> Union | None:
        unions = self._index.unions
        return decode_union(unions[family], self._index.star_names) if unions else None

    def _roots_of(self, layout: int) -> frozenset[str]:
        """The first components of a layout's names, marked with `^`."""
        start, stop = self._index.star_offsets[layout], self._index.star_offsets[layout + 1]
        names = (self._index.star_names[number] for number in self._index.stars[start:stop].tolist())
        return frozenset(name for name in names if name.startswith("^"))

    def explained(self, asked: Asked) -> dict[int, float]:
        """How fully the families with the most similar names explain the package, by number; none far from it."""
        families: dict[int, None] = {}
        for layout in np.argsort(-asked.names, kind="stable").tolist():
            if len(families) >= MOST_ASKED or asked.names[layout] <= 0:
                break
            families[int(self._index.layout_family[layout])] = None
        held = counted(asked.parameters)
        unions = {family: self.union(family) for family in families}
        found = {family: union.explained(held) for family, union in unions.items() if union is not None}
        return {family: whole for family, whole in found.items() if whole >= HEARD_FROM}

    def heard(self, candidates: Sequence[Candidate], asked: Asked) -> list[Candidate]:
        """The candidates with what their families' unions say."""
        wholes = self.explained(asked)
        return [self._with(c, wholes, asked.roots) for c in candidates] if wholes else list(candidates)

    def _with(self, candidate: Candidate, wholes: dict[int, float], roots: frozenset[str]) -> Candidate:
        whole = wholes.get(int(self._index.layout_family[candidate.layout]))
        if whole is None:
            return candidate
        own = self._roots(candidate.layout)
        return replace(candidate, whole=whole, roots=len(own & roots) / max(1, len(own | roots)))


def counted(parameters: Sequence[Parameter]) -> list[tuple[str, tuple[int, ...], int]]:
    """Starred names and shapes with how often they occur."""
    rows = Counter((parameter.star, parameter.shape) for parameter in parameters)
    return [(star, shape, number) for (star, shape), number in rows.items()]
