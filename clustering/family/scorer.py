"""From a tensor listing to a family: retrieval by size-free tokens and by names, then verification by unification.

Only numpy is needed. Two channels are kept apart: *structure* never looks at a name, *vocabulary* never looks at a
shape. Their answers are combined at the end, and `Identification.structure_only` is the first one alone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from collections.abc import Set as AbstractSet
from functools import lru_cache
from math import log

import numpy as np
from numpy.typing import NDArray

from clustering.family.calibrate import probability
from clustering.family.explain import Templates
from clustering.family.index import FamilyIndex
from clustering.family.judge import Fit
from clustering.family.ranking import Candidate, deciding_channel, joint, nearest, rank, same_graph, why
from clustering.family.unify import Observed
from clustering.family.vocabulary import NameMatcher, tail
from clustering.family.weighing import weighed, with_kinds
from clustering.family.wholes import NO_FIT, Asked, Wholes
from clustering.graphs.layers import Parameter, Parameters, fold_tied, parameters_of, roots_of
from clustering.identity import FamilyMatch, Identification
from clustering.tensors import TensorListing

NAMED_CANDIDATES = 24
"""Layouts taken from the vocabulary channel."""
UNCALIBRATED = 0.3
"""Threshold of an index that carries no calibration."""
STRUCTURE_LIMIT = 0.02
"""Probability from which shapes alone name a family, where the calibrated threshold is higher. The answer by shapes
stands beside that of both channels, which withholds; at its own threshold it lost packages of known families in new
layouts (eight hybrids of 266 development packages). Rules ask for far higher scores."""
SPEECHLESS = 0.2
"""Agreement of names below which they are numbers or another framework's, and the shapes alone are asked."""
_SHOWN = 5


class FamilyScorer:
    """Names the family of a tensor listing; knows the classes of its index."""

    def __init__(self, index: FamilyIndex) -> None:
        self.index = index
        self._matcher = NameMatcher(index.star_names, index.star_idf, index.stars, index.star_sums)
        self._tail_matcher = NameMatcher(index.tail_names, index.tail_idf, index.tails, index.tail_sums)
        self._family_number = {name: number for number, name in enumerate(index.families)}
        self.templates = Templates(index)
        self.wholes = Wholes(index, self._name_scores)
        self._sizes_of = lru_cache(maxsize=4096)(self._usual_sizes)
        self._size_idf = self._rarity()
        self._usualness = self._how_usual()

    def __reduce__(self) -> tuple[type[FamilyScorer], tuple[FamilyIndex]]:
        """Everything follows from the index; the cache of decoded templates cannot be pickled and need not be."""
        return FamilyScorer, (self.index,)

    def _rarity(self) -> dict[int, float]:
        """log(families / families that have a table of the size)."""
        sizes, counts = np.unique(self.index.usual, return_counts=True)
        total = len(self.index.families)
        return {int(s): log(total / int(c)) for s, c in zip(sizes, counts, strict=True)}

    def _how_usual(self) -> list[float]:
        """Per layout log(sizes and options that have its template / those that have the class's most usual one).

        A mixture of experts without experts has the tensors of a dense model, but a package of that layout is rather a
        dense model.
        """
        index = self.index
        classes = list(
            zip(index.layout_family.tolist(), index.layout_class.tolist(), index.layout_published.tolist(), strict=True)
        )
        numbers: dict[tuple[tuple[int, int, int], int], int] = {}
        for key, template, variants in zip(
            classes, index.layout_template.tolist(), index.layout_variants.tolist(), strict=True
        ):
            numbers[key, template] = numbers.get((key, template), 0) + variants
        most: dict[tuple[int, int, int], int] = {}
        for (key, _), variants in numbers.items():
            most[key] = max(most.get(key, 1), variants)
        return [
            log(max(1, numbers[key, template]) / most[key])
            for key, template in zip(classes, index.layout_template.tolist(), strict=True)
        ]

    # -- public ----------------------------------------------------------------------------------------------------

    def known(self, model_type: str) -> bool:
        """Whether the family is in the reference corpus."""
        return model_type in self._family_number

    def twins(self, model_type: str) -> tuple[str, ...]:
        """Families whose graph is the same at equal sizes, sorted; empty for unknown families."""
        return tuple(self.index.meta.get("twins", {}).get(model_type, ()))

    def identify(self, listing: TensorListing) -> Identification:
        """The family of a listing, by both channels and by structure alone."""
        if listing.adapter is not None:
            return Identification((), (), "none", reason=f"an adapter ({listing.adapter}) has no graph of its own")
        parameters = parameters_of(listing)
        if not parameters:
            return Identification((), (), "none", reason="no parameters")
        asked = self._asked(parameters)
        if listing.names_only:
            return self._by_names(asked.names)
        structural = self._structural(asked.observed)
        both = self.wholes.weighed(self._both(asked, structural), asked)
        return self._answer(self._weighed(self._rank_structure(asked.observed, structural), asked.observed), both)

    def architecture_class(self, listing: TensorListing) -> tuple[str, ...]:
        """Class names that fit the listing, best first."""
        parameters = parameters_of(listing)
        asked = self._asked(parameters)
        if listing.names_only:
            ranked = sorted(range(len(asked.names)), key=lambda n: -float(asked.names[n]))[:_SHOWN]
            return tuple(dict.fromkeys(self.index.classes[self.index.layout_class[n]] for n in ranked))
        both = self._both(asked, self._structural(asked.observed))
        return tuple(dict.fromkeys(c.class_name for c in both))[:_SHOWN]

    def ranked(
        self, parameters: Sequence[Parameter], roots: frozenset[str], without: str | None = None
    ) -> tuple[list[Candidate], list[Candidate]]:
        """All candidates for folded parameters: by structure alone, and by both channels (for calibration).

        Without a family, everything is as if the corpus did not hold it; templates that others share stay.
        """
        columns = Parameters.of(parameters)
        observed = Observed(columns)
        left_out = self._family_number.get(without) if without is not None else None
        kept = [n for n in self.templates.retrieved(observed) if self.templates.families_of(n) - {left_out}]
        fits = self.templates.fits(kept, observed)
        asked = self._named(columns, roots, observed, left_out)
        both = self._both(asked, fits)
        alone = [c for c in self._rank_structure(observed, fits) if c.family != without]
        return self._weighed(alone, observed), self.wholes.weighed([c for c in both if c.family != without], asked)

    # -- channels --------------------------------------------------------------------------------------------------

    def _asked(self, parameters: Sequence[Parameter]) -> Asked:
        folded = fold_tied(parameters)
        return self._named(folded, roots_of(parameters), Observed(folded), None)

    def _named(self, folded: Parameters, roots: frozenset[str], observed: Observed, without: int | None) -> Asked:
        """What the names say; heads of somebody's own are left to the shapes."""
        trunk = self.wholes.trunk(folded, without)
        if len(trunk) < len(folded):
            roots &= roots_of(trunk)
        names = self._name_scores(trunk.star_set | roots)
        if without is not None:
            names = np.where(self.index.layout_family == without, np.float32(0), names)
        return Asked(trunk, roots, observed, names, without)

    def _name_scores(self, stars: AbstractSet[str]) -> NDArray[np.float32]:
        full = self._matcher.scores(stars)
        back_off = self._tail_matcher.scores({tail(s) for s in stars})
        return np.asarray(0.7 * full + 0.3 * back_off, dtype=np.float32)

    def _structural(self, observed: Observed) -> dict[int, Fit]:
        return self.templates.fits(self.templates.retrieved(observed), observed)

    def _exact_sizes(self, layout: int, fit: Fit) -> float:
        tables = self.templates.prepared(int(self.index.layout_template[layout]))[2]
        found = {s for n, s in enumerate(fit.sizes) if n in tables and s is not None}
        hits = found & self._sizes_of(int(self.index.layout_family[layout]))
        return sum(self._size_idf.get(s, 0.0) for s in hits)

    def _usual_sizes(self, family: int) -> frozenset[int]:
        start, stop = self.index.usual_offsets[family], self.index.usual_offsets[family + 1]
        return frozenset(self.index.usual[start:stop].tolist())

    def _candidate(self, layout: int, fit: Fit | None, names: float, shapes: int = 0) -> Candidate:
        index = self.index
        family = int(index.layout_family[layout])
        return Candidate(
            index.families[family],
            index.classes[index.layout_class[layout]],
            layout,
            fit,
            names,
            self._exact_sizes(layout, fit) if fit is not None else 0.0,
            float(index.priors[family]) + self._usualness[layout],
            shapes,
        )

    def _rank_structure(self, observed: Observed, fits: dict[int, Fit]) -> list[Candidate]:
        shapes = len(observed.shapes)
        found = [
            self._candidate(layout, fit, 0.0, shapes)
            for number, fit in fits.items()
            for layout in self.templates.layouts_of[number]
        ]
        return rank(found, lambda c: c.fit.overlap if c.fit is not None else 0.0)

    def _weighed(self, ranked: list[Candidate], observed: Observed) -> list[Candidate]:
        """The first candidates by shapes with the kinds of tensors that they have in common with the package."""
        plans = self.index.layout_template
        return weighed(ranked, lambda c: with_kinds(c, self.templates.prepared(int(plans[c.layout]))[1], observed))

    def _both(self, asked: Asked, fits: dict[int, Fit]) -> list[Candidate]:
        fits, names, observed = dict(fits), asked.names, asked.observed
        ranked = np.argsort(-names, kind="stable")
        last = float(names[ranked[min(NAMED_CANDIDATES, len(ranked)) - 1]]) if len(ranked) else 0.0
        named = [int(n) for n in ranked[: 8 * NAMED_CANDIDATES] if names[n] > 0.1 and names[n] >= last]
        wanted = {int(self.index.layout_template[layout]) for layout in named} - set(fits)
        fits |= self.templates.looked_at(
            sorted(wanted), observed, max((fit.overlap for fit in fits.values()), default=0.0)
        )
        found = [
            self._candidate(layout, fit, float(names[layout]), len(observed.shapes))
            for number, fit in fits.items()
            for layout in self.templates.layouts_of[number]
        ]
        found = self.wholes.heard(
            found, asked, lambda layout: self._candidate(layout, NO_FIT, float(names[layout]), len(observed.shapes))
        )
        return rank(found, joint)

    def _by_names(self, names: NDArray[np.float32]) -> Identification:
        best = [int(n) for n in np.argsort(-names, kind="stable")[: 4 * NAMED_CANDIDATES] if names[n] > 0.3]
        ranked = [self._candidate(layout, None, float(names[layout])) for layout in best]
        ranked.sort(key=lambda c: (-round(c.names, 4), -c.prior, c.family))
        matches = self._matches(ranked, lambda c: c.names)
        return Identification(matches, (), "vocabulary" if matches else "none", reason="names only, no shapes")

    def _matches(self, ranked: Sequence[Candidate], score: Callable[[Candidate], float]) -> tuple[FamilyMatch, ...]:
        """The best candidate of each family. Twins: those of the corpus, and whatever explains this package as well."""
        best: dict[str, Candidate] = {}
        surest: dict[str, float] = {}  # by another class of the family, where the first is in a layout of its own
        for candidate in ranked:
            best.setdefault(candidate.family, candidate)
            if len(best) <= _SHOWN:
                surest[candidate.family] = max(surest.get(candidate.family, 0.0), float(score(candidate)))
        result: list[FamilyMatch] = []
        for family, candidate in list(best.items())[:_SHOWN]:
            equal = {f for f, c in best.items() if f != family and same_graph(candidate, c)}
            twins = tuple(sorted(equal | set(self.twins(family))))
            value = round(surest[family], 4)  # no later place is surer than an earlier one
            result.append(FamilyMatch(family, min([value, *(match.score for match in result[-1:])]), twins))
        return tuple(result)

    def _chance(self, candidate: Candidate, channel: str) -> float:
        """Calibrated probability that the candidate's family or a twin is right."""
        known = self.index.meta.get("calibration", {}).get(channel)
        evidence = candidate.evidence(channel)
        if known is None:
            return joint(candidate) if channel == "both" else evidence.overlap
        return probability(known["weights"], evidence)

    def _limit(self, channel: str) -> float:
        known = self.index.meta.get("calibration", {}).get(channel)
        if known is None:
            return UNCALIBRATED
        return min(float(known["threshold"]), STRUCTURE_LIMIT) if channel == "structure" else float(known["threshold"])

    def _answer(self, structural: list[Candidate], both: list[Candidate]) -> Identification:
        alone = self._matches(structural, lambda c: self._chance(c, "structure"))
        joint = self._matches(both, lambda c: self._chance(c, "both"))
        if alone and self._chance(structural[0], "structure") < self._limit("structure"):
            alone = ()
        if joint and max(c.names for c in both) < SPEECHLESS and alone:
            reason = "tensor names say nothing; " + (why(structural) or "told by shapes alone")
            return Identification(alone, alone, "structure", reason=reason)
        if not joint or self._chance(both[0], "both") < self._limit("both"):
            return Identification((), alone, "none", reason=nearest(both))
        return Identification(joint, alone, deciding_channel(both[0]), reason=why(both))
