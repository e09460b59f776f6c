"""Which templates of an index explain a package: the most similar are retrieved, and verified by unification."""

from __future__ import annotations

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from functools import cached_property, lru_cache

import numpy as np

from clustering.family.calibrate import EXACT
from clustering.family.index import FamilyIndex, decode_template
from clustering.family.judge import Fit
from clustering.family.plans import Plan, plan
from clustering.family.retrieval import Retrieval
from clustering.family.templates import Template
from clustering.family.unify import Observed, better, could_be_exact, unify

FIRST, TOWERS_FIRST, DIVERSE = 80, 40, 160
"""Templates verified per package: the most similar as a whole, the most similar by towers alone (whose tokens do not
move with the depths), then the best of each further family up to the third number."""
NEAR_FAMILIES, MOST_SIBLINGS = 8, 80
"""Families whose further layouts are tried where no template is exact, and how many of those."""
AT_ONCE = 12
"""Templates verified before it is asked whether the package has an exact explanation; once it has, only templates that
could be exact too are looked at."""
MAX_RANK_DISTANCE = 0.25
"""Templates whose mix of vectors, matrices and kernels differs more are not verified; depth moves it by a few
hundredths."""
NARROW = 4
PROMISING = 0.2
SECOND_LOOKS = 16
NEARLY = 0.04
ALMOST = 0.9
MOST_LOOKS = 60
"""Beam of the first look at every candidate; how near the best a template must be, and how many, for a second one
(all that are nearly as good as the best, to a limit). Beside an exact one, only those from ALMOST on."""
LIKELY = 12
"""Templates that get a second look however the first one went, the most similar by tokens: a narrow beam may go astray
in the very first step."""
SETTLED, SETTLED_FROM = 4, 0.6
"""Templates that are bettered step by step where none is exact, the best first, and the overlap from which."""


class Templates:
    """The templates of an index, decoded when they are asked for."""

    def __init__(self, index: FamilyIndex) -> None:
        self._index = index
        self.layouts_of: dict[int, list[int]] = {}
        """By template the layouts that have it, ascending."""
        for layout in np.argsort(index.layout_template, kind="stable").tolist():
            self.layouts_of.setdefault(int(index.layout_template[layout]), []).append(layout)
        self._of_family: dict[int, list[int]] = {}
        for family, template in sorted(
            set(zip(index.layout_family.tolist(), index.layout_template.tolist(), strict=True))
        ):
            self._of_family.setdefault(family, []).append(template)
        self.prepared = lru_cache(maxsize=4096)(self._decode)
        """The template of a number, its plan, and its size variables that are tables'."""

    @cached_property
    def _retrieval(self) -> Retrieval:
        """Made for the first listing with shapes: twins and names need none."""
        return Retrieval(self._index)

    def _decode(self, number: int) -> tuple[Template, Plan, frozenset[int]]:
        template = decode_template(self._index.templates[number])
        return template, plan(template), template.tables()

    def template(self, number: int) -> Template:
        """A template of the index."""
        return self.prepared(number)[0]

    def nearest(self, observed: Observed, among: AbstractSet[int], most: int) -> dict[int, Fit]:
        """Fits of the most similar of some templates, by template number."""
        near = [number for number in self.ranked(observed) if number in among][:most]
        return self.looked_at(near, observed)

    def ranked(self, observed: Observed) -> list[int]:
        """All templates by similarity of their tokens, most similar first."""
        return [int(n) for n in np.argsort(-self._retrieval.similar(observed)[0], kind="stable")]

    def retrieved(self, observed: Observed) -> list[int]:
        """The templates to verify."""
        whole, towers = self._retrieval.similar(observed)
        ranked = np.argsort(-whole, kind="stable").tolist()
        chosen = dict.fromkeys(ranked[:FIRST])
        chosen |= dict.fromkeys(np.argsort(-towers, kind="stable")[:TOWERS_FIRST].tolist())
        seen = {f for n in chosen for f in self.families_of(n)}
        for number in ranked[FIRST:]:
            if len(chosen) >= DIVERSE:
                break
            families = self.families_of(number)
            if not families <= seen:
                seen |= families
                chosen[number] = None
        return list(chosen)

    def families_of(self, template: int) -> set[int]:
        """Numbers of the families that have a template."""
        return {int(self._index.layout_family[layout]) for layout in self.layouts_of.get(template, ())}

    def fits(self, numbers: Sequence[int], observed: Observed) -> dict[int, Fit]:
        """Fits of templates and, where none is exact, of the other layouts of the families that came nearest."""
        fits = self.looked_at(numbers, observed)
        if max((fit.overlap for fit in fits.values()), default=0.0) >= EXACT:
            return fits
        near: dict[int, None] = {}
        for number in sorted(fits, key=lambda n: -fits[n].overlap):
            near |= dict.fromkeys(sorted(self.families_of(number)))
            if len(near) >= NEAR_FAMILIES:
                break
        siblings = [
            template
            for family in near
            for template in self._of_family.get(family, ())
            if template not in fits and could_be_exact(self.prepared(template)[1], observed)
        ]
        return fits | self.looked_at(siblings[:MOST_SIBLINGS], observed)

    def looked_at(self, numbers: Sequence[int], observed: Observed, best: float = 0.0) -> dict[int, Fit]:
        """Fits of templates: all with a narrow beam, then the promising ones that are not yet exact with a wide one.

        Once something is exact (here, or `best` from an earlier look), only what could be exact too is verified.
        """
        fits = self._first_look(numbers, observed, best)
        best = max([best, *(fit.overlap for fit in fits.values())])
        promising = ALMOST if best >= EXACT else best - PROMISING
        again = sorted((n for n in fits if promising < fits[n].overlap < EXACT), key=lambda n: -fits[n].overlap)
        near = sum(fits[n].overlap > best - NEARLY for n in again)
        likely = [n for n in numbers[:LIKELY] if n in fits and fits[n].overlap < EXACT]
        for number in dict.fromkeys([*again[: min(MOST_LOOKS, max(SECOND_LOOKS, near))], *likely]):
            template, prepared, _ = self.prepared(number)
            if best < EXACT or could_be_exact(prepared, observed):
                wide = unify(template, prepared, observed)
                fits[number] = max(fits[number], wide, key=lambda f: (f.overlap, f.order))
        if max([best, *(fit.overlap for fit in fits.values())]) >= EXACT:
            return fits
        return fits | self._bettered({n: fits[n] for n in again}, observed)

    def _first_look(self, numbers: Sequence[int], observed: Observed, best: float) -> dict[int, Fit]:
        fits: dict[int, Fit] = {}
        for place, number in enumerate(numbers):
            template, prepared, _ = self.prepared(number)
            if best >= EXACT and place >= AT_ONCE and not could_be_exact(prepared, observed):
                continue
            if _rank_distance(prepared, observed) > MAX_RANK_DISTANCE:
                continue
            fits[number] = unify(template, prepared, observed, NARROW)
            best = max(best, fits[number].overlap)
        return fits

    def _bettered(self, fits: dict[int, Fit], observed: Observed) -> dict[int, Fit]:
        """The best fits that could be exact, bettered step by step."""
        unsettled = [
            number
            for number, fit in fits.items()
            if fit.overlap >= SETTLED_FROM and could_be_exact(self.prepared(number)[1], observed)
        ]
        found: dict[int, Fit] = {}
        for number in sorted(unsettled, key=lambda n: -fits[n].overlap)[:SETTLED]:
            template, prepared, _ = self.prepared(number)
            found[number] = better(template, prepared, observed, fits[number])
        return found


def _rank_distance(plan: Plan, observed: Observed) -> float:
    """Half the difference of the shares of vectors, matrices, kernels ...; bounds the overlap."""
    mine, other = plan.ranks, observed.ranks
    return sum([abs(mine.get(rank, 0.0) - other.get(rank, 0.0)) for rank in mine.keys() | other.keys()]) / 2
