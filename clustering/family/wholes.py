"""Asks the families whose names are nearest whether a package is theirs, in whatever layout (`family.unions`)."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from clustering.family.calibrate import EXACT
from clustering.family.index import FamilyIndex
from clustering.family.judge import Fit
from clustering.family.ranking import Candidate
from clustering.family.unify import Observed
from clustering.family.unions import Held, Union, decode_union, is_part
from clustering.family.weighing import NOT_ASKED, names_of, weighed
from clustering.graphs.layers import Parameter, Parameters

MOST_ASKED, HEARD_FROM = 12, 0.8
"""Families that are asked, and how fully one must explain the package to be heard."""
MOST_FOR_A_PART, MOST_BY_FRAME = 6, 6
"""Families that are asked about one part of a composite, and those asked because of what stands around its parts."""
MOST_OF_A_HEAD, TRUNK = 8, 0.9
"""Tensors behind a first component that may be a head of somebody's own, and the share of all that must stand behind
the others."""
MOST_ROWS = 5_000
"""Names and shapes of a package; more, and no union is asked. The largest omni models have 1,500."""
_MODEL = 6
"""Names behind one first component from which it is a part and no projector."""

NO_FIT = Fit(0.0, 0.0, (), 0.0, 0, 0)
"""Of a family that only its names brought up."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A package as both channels see it."""

    parameters: Parameters
    """Tied copies folded."""
    roots: frozenset[str]
    observed: Observed
    names: NDArray[np.float32]
    """Agreement of the names with every layout, float (layouts,)."""
    without: int | None = None
    """Family that is to be left out, by number; its names agree with nothing."""


class Wholes:
    """The unions of an index, decoded as they are asked."""

    def __init__(self, index: FamilyIndex, scores: Callable[[AbstractSet[str]], NDArray[np.float32]]) -> None:
        """Takes the index and what scores a set of starred names against every layout."""
        self._index = index
        self._scores = scores
        self.union = lru_cache(maxsize=256)(self._decode)
        self._roots = lru_cache(maxsize=4096)(index.roots_of)

    def trunk(self, parameters: Parameters, without: int | None) -> Parameters:
        """The parameters without heads of somebody's own, which say nothing about the family.

        That is a first component behind which only a few tensors stand, none under a name that any family has, while
        nearly all of the package stands elsewhere.
        """
        behind: Counter[str] = Counter()
        stars: dict[str, list[str]] = defaultdict(list)
        for star, _, number in parameters.kinds:
            head = star.partition(".")[0]
            behind[head] += number
            stars[head].append(star)
        few = {head: stars[head] for head, number in behind.items() if number <= MOST_OF_A_HEAD}
        known = self._known((star for found in few.values() for star in found), without)
        own = {head for head, found in few.items() if known.isdisjoint(found)}
        if not own or sum(behind[head] for head in own) > (1 - TRUNK) * len(parameters):
            return parameters
        return Parameters.of([p for p in parameters if p.star.partition(".")[0] not in own])

    def _known(self, stars: Iterable[str], without: int | None) -> frozenset[str]:
        """The starred names that are names of any family but one left out, as they are or behind a prefix."""
        spelled: list[tuple[str, str]] = []
        for star in sorted(set(stars)):
            rest = star.partition(".")[2]
            spelled += [(star, star), (star, rest)] if "." in rest else [(star, star)]  # `weight` alone is anybody's
        numbers = self._index.star_names.numbers([name for _, name in spelled])
        return frozenset(
            star
            for (star, _), number in zip(spelled, numbers, strict=True)
            if number >= 0 and (without is None or self._elsewhere(number, without))
        )

    def _elsewhere(self, number: int, family: int) -> bool:
        """Whether another family has a name."""
        held = self._index.stars
        layouts = held.rows[held.starts[number] : held.starts[number + 1]]
        return bool((self._index.layout_family[layouts] != family).any())

    def _decode(self, family: int) -> Union | None:
        unions = self._index.unions
        return decode_union(unions[family], self._index.star_names) if unions else None

    def explained(self, asked: Asked) -> dict[int, float]:
        """How fully the families with the most similar names explain the package, by number; none far from it."""
        held = counted(asked.parameters)
        if len(held) > MOST_ROWS:
            return {}
        parts: dict[str, float] = {}  # asked for once, whichever families have the part
        found: dict[int, float] = {}
        nearest = self._nearest(asked.names, MOST_ASKED) + self._nearest(self._frame(held, asked), MOST_BY_FRAME)
        for family in dict.fromkeys(nearest):
            union = self.union(family)
            if union is not None:
                found[family] = self._composed(union, held, parts, asked)
        return {family: whole for family, whole in found.items() if whole >= HEARD_FROM}

    def _frame(self, held: Sequence[Held], asked: Asked) -> NDArray[np.float32]:
        """Agreement with every layout of what stands outside the parts of a composite: projectors, new lines, heads."""
        stars = {star for star, _, _ in held}
        sizes = Counter(star.partition(".")[0] for star in stars if is_part(star))
        frame = {star for star in stars if sizes[star.partition(".")[0]] < _MODEL}
        if not frame or len(frame) == len(stars):
            return np.zeros(0, dtype=np.float32)
        return self._without(self._scores(frame | asked.roots), asked)

    def _without(self, names: NDArray[np.float32], asked: Asked) -> NDArray[np.float32]:
        if asked.without is None:
            return names
        return np.where(self._index.layout_family == asked.without, np.float32(0), names)

    def _nearest(self, names: NDArray[np.float32], most: int) -> list[int]:
        families: dict[int, None] = {}
        for layout in np.argsort(-names, kind="stable").tolist():
            if len(families) >= most or names[layout] <= 0:
                break
            families[int(self._index.layout_family[layout])] = None
        return list(families)

    def _composed(self, union: Union, held: Sequence[Held], parts: dict[str, float], asked: Asked) -> float:
        """How fully a family explains a package, in whose exchangeable parts models of any other family may stand."""
        whole = union.explained(held)
        if whole >= EXACT or not union.parts:
            return whole
        heads = {star.partition(".")[0] for star, _, _ in held}
        exchanged: dict[str, float] = {}
        for head in union.parts:
            if head not in heads:
                continue
            if head not in parts:
                parts[head] = self._part(head, held, asked)
            if parts[head] >= HEARD_FROM:
                trial = {**exchanged, head: parts[head]}
                better = union.explained(held, trial)
                if better > whole:
                    whole, exchanged = better, trial
        return whole

    def _part(self, head: str, whole: Sequence[Held], asked: Asked) -> float:
        """How fully the family that is nearest to what stands behind a component explains it."""
        behind = head + "."
        held = [(star[len(behind) :], shape, number) for star, shape, number in whole if star.startswith(behind)]
        names = self._without(self._scores({star for star, _, _ in held}), asked)
        unions = [self.union(family) for family in self._nearest(names, MOST_FOR_A_PART)]
        return max((union.explained(held) for union in unions if union is not None), default=0.0)

    def heard(
        self, candidates: Sequence[Candidate], asked: Asked, candidate: Callable[[int], Candidate]
    ) -> list[Candidate]:
        """The candidates with what their families' unions say.

        Args:
            candidates: what shapes and names brought up.
            asked: the package.
            candidate: makes one of a layout, for families that nothing else brought up.
        """
        wholes = self.explained(asked)
        if not wholes:
            return list(candidates)
        families = self._index.layout_family
        fresh = sorted(wholes.keys() - {int(families[c.layout]) for c in candidates})
        layouts = [int(np.argmax(np.where(families == family, asked.names, -1.0))) for family in fresh]
        return [self._with(c, wholes, asked.roots) for c in (*candidates, *map(candidate, layouts))]

    def _with(self, candidate: Candidate, wholes: dict[int, float], roots: frozenset[str]) -> Candidate:
        whole = wholes.get(int(self._index.layout_family[candidate.layout]))
        if whole is None:
            return candidate
        own = self._roots(candidate.layout)
        return replace(candidate, whole=whole, roots=len(own & roots) / max(1, len(own | roots)))

    def weighed(self, ranked: Sequence[Candidate], asked: Asked) -> list[Candidate]:
        """The candidates, the first of them with how far the names are their family's own, and stand as always.

        Asked for only where it decides (`Candidate.evidence`): what has just these tensors in this order needs no
        habits, and where neither shapes nor names are wholly explained there are none to speak of.
        """
        held = counted(asked.parameters)
        names: dict[int, tuple[float, float]] = {}
        known: list[frozenset[str]] = []  # looked up where it is needed

        def weigh(candidate: Candidate) -> Candidate:
            if candidate.in_full_order or not (candidate.explained or candidate.named):
                return candidate
            family = int(self._index.layout_family[candidate.layout])
            if family not in names:
                known[:] = known or [self._known((star for star, _, _ in held), asked.without)]
                names[family] = names_of(self.union(family), held, known[0]) if len(held) <= MOST_ROWS else NOT_ASKED
            own, steady = names[family]
            return replace(candidate, own=own, steady=steady)

        return weighed(ranked, weigh)


def counted(parameters: Sequence[Parameter]) -> list[Held]:
    """Starred names and shapes with how often they occur."""
    return Parameters.of(parameters).kinds
