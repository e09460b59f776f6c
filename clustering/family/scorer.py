"""From a tensor listing to a family: retrieval by size-free tokens and by names, then verification by unification.

Only numpy is needed. Two channels are kept apart: *structure* never looks at a name, *vocabulary* never looks at a
shape. Their answers are combined at the end, and `Identification.structure_only` is the first one alone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from collections.abc import Set as AbstractSet
from functools import cached_property, lru_cache
from math import log

import numpy as np
from numpy.typing import NDArray

from clustering.family.calibrate import EXACT, probability
from clustering.family.index import FamilyIndex, decode_template
from clustering.family.judge import Fit
from clustering.family.plans import Plan, plan
from clustering.family.ranking import Candidate, deciding_channel, joint, nearest, rank, same_graph, why
from clustering.family.retrieval import Retrieval
from clustering.family.templates import Template
from clustering.family.unify import Observed, better, could_be_exact, unify
from clustering.family.vocabulary import NameMatcher, tail
from clustering.family.weighing import weighed, with_kinds
from clustering.family.wholes import NO_FIT, Asked, Wholes
from clustering.graphs.layers import Parameter, Parameters, fold_tied, parameters_of, roots_of
from clustering.identity import FamilyMatch, Identification
from clustering.tensors import TensorListing

FIRST, TOWERS_FIRST, DIVERSE = 80, 40, 160
"""Templates verified per package: the most similar as a whole, the most similar by towers alone (whose tokens do not
move with the depths), then the best of each further family up to the third number."""
NEAR_FAMILIES, MOST_SIBLINGS = 8, 80
"""Families whose further layouts are tried where no template is exact, and how many of those."""
AT_ONCE = 12
"""Templates verified before it is asked whether the package has an exact explanation; once it has, only templates that
could be exact too are looked at."""
NAMED_CANDIDATES = 24
"""Layouts taken from the vocabulary channel."""
MAX_RANK_DISTANCE = 0.25
"""Templates whose mix of vectors, matrices and kernels differs more are not verified; depth moves it by a few
hundredths."""
UNCALIBRATED = 0.3
"""Threshold of an index that carries no calibration."""
STRUCTURE_LIMIT = 0.02
"""Probability from which shapes alone name a family, where the calibrated threshold is higher. The answer by shapes
stands beside that of both channels, which withholds; at its own threshold it lost packages of known families in new
layouts (eight hybrids of 266 development packages). Rules ask for far higher scores."""
SPEECHLESS = 0.2
"""Agreement of names below which they are numbers or another framework's, and the shapes alone are asked."""
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
"""Templates that are bettered step by step, the best first, and the overlap from which, where none is exact."""
_SHOWN = 5


class FamilyScorer:
    """Names the family of a tensor listing; knows the classes of its index."""

    def __init__(self, index: FamilyIndex) -> None:
        self.index = index
        self._matcher = NameMatcher(index.star_names, index.star_idf, index.stars, index.star_sums)
        self._tail_matcher = NameMatcher(index.tail_names, index.tail_idf, index.tails, index.tail_sums)
        self._family_number = {name: number for number, name in enumerate(index.families)}
        order = np.argsort(index.layout_template, kind="stable")
        self._layouts_of: dict[int, list[int]] = {}
        for layout in order.tolist():
            self._layouts_of.setdefault(int(index.layout_template[layout]), []).append(layout)
        self._templates_of: dict[int, list[int]] = {}
        for family, template in sorted(
            set(zip(index.layout_family.tolist(), index.layout_template.tolist(), strict=True))
        ):
            self._templates_of.setdefault(family, []).append(template)
        self._template = lru_cache(maxsize=4096)(self._decode)
        self.wholes = Wholes(index, self._name_scores)
        self._sizes_of = lru_cache(maxsize=4096)(self._usual_sizes)
        self._size_idf = self._rarity()
        self._usualness = self._how_usual()

    @cached_property
    def _retrieval(self) -> Retrieval:
        """Made for the first listing with shapes: twins and names need none."""
        return Retrieval(self.index)

    def __reduce__(self) -> tuple[type[FamilyScorer], tuple[FamilyIndex]]:
        """Everything follows from the index; the cache of decoded templates cannot be pickled and need not be."""
        return FamilyScorer, (self.index,)

    def _decode(self, number: int) -> tuple[Template, Plan, frozenset[int]]:
        template = decode_template(self.index.templates[number])
        return template, plan(template), template.tables()

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

    def template(self, number: int) -> Template:
        """A template of the index."""
        return self._template(number)[0]

    def explain(self, observed: Observed, among: AbstractSet[int], most: int) -> dict[int, Fit]:
        """Fits of the most similar of some templates, by template number."""
        near = [number for number in self._ranked(observed) if number in among][:most]
        return self._fits(near, observed)

    def ranked(
        self, parameters: Sequence[Parameter], roots: frozenset[str], without: str | None = None
    ) -> tuple[list[Candidate], list[Candidate]]:
        """All candidates for folded parameters: by structure alone, and by both channels (for calibration).

        Without a family, everything is as if the corpus did not hold it; templates that others share stay.
        """
        columns = Parameters.of(parameters)
        observed = Observed(columns)
        left_out = self._family_number.get(without) if without is not None else None
        kept = [n for n in self._retrieve(observed) if self._families_of(n) - {left_out}]
        fits = self._with_siblings(self._fits(kept, observed), observed)
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

    def _ranked(self, observed: Observed) -> list[int]:
        """All templates by similarity of their tokens, most similar first."""
        return [int(n) for n in np.argsort(-self._retrieval.similar(observed)[0], kind="stable")]

    def _retrieve(self, observed: Observed) -> list[int]:
        """The templates to verify."""
        whole, towers = self._retrieval.similar(observed)
        ranked = np.argsort(-whole, kind="stable").tolist()
        chosen = dict.fromkeys(ranked[:FIRST])
        chosen |= dict.fromkeys(np.argsort(-towers, kind="stable")[:TOWERS_FIRST].tolist())
        seen = {f for n in chosen for f in self._families_of(n)}
        for number in ranked[FIRST:]:
            if len(chosen) >= DIVERSE:
                break
            families = self._families_of(number)
            if not families <= seen:
                seen |= families
                chosen[number] = None
        return list(chosen)

    def _families_of(self, template: int) -> set[int]:
        return {int(self.index.layout_family[layout]) for layout in self._layouts_of.get(template, ())}

    def _structural(self, observed: Observed) -> dict[int, Fit]:
        return self._with_siblings(self._fits(self._retrieve(observed), observed), observed)

    def _with_siblings(self, fits: dict[int, Fit], observed: Observed) -> dict[int, Fit]:
        """The fits and, where none is exact, those of the other layouts of the families that came nearest."""
        if max((fit.overlap for fit in fits.values()), default=0.0) >= EXACT:
            return fits
        near: dict[int, None] = {}
        for number in sorted(fits, key=lambda n: -fits[n].overlap):
            near |= dict.fromkeys(sorted(self._families_of(number)))
            if len(near) >= NEAR_FAMILIES:
                break
        siblings = [
            template
            for family in near
            for template in self._templates_of.get(family, ())
            if template not in fits and could_be_exact(self._template(template)[1], observed)
        ]
        return fits | self._fits(siblings[:MOST_SIBLINGS], observed)

    def _fits(self, numbers: Sequence[int], observed: Observed, best: float = 0.0) -> dict[int, Fit]:
        """Fits of templates: all with a narrow beam, then the promising ones that are not yet exact with a wide one.

        Once something is exact (here, or `best` from an earlier look), only what could be exact too is verified.
        """
        fits: dict[int, Fit] = {}
        for place, number in enumerate(numbers):
            template, prepared, _ = self._template(number)
            if best >= EXACT and place >= AT_ONCE and not could_be_exact(prepared, observed):
                continue
            if _rank_distance(prepared, observed) > MAX_RANK_DISTANCE:
                continue
            fits[number] = unify(template, prepared, observed, NARROW)
            best = max(best, fits[number].overlap)
        promising = ALMOST if best >= EXACT else best - PROMISING
        again = sorted((n for n in fits if promising < fits[n].overlap < EXACT), key=lambda n: -fits[n].overlap)
        near = sum(fits[n].overlap > best - NEARLY for n in again)
        likely = [n for n in numbers[:LIKELY] if n in fits and fits[n].overlap < EXACT]
        for number in dict.fromkeys([*again[: min(MOST_LOOKS, max(SECOND_LOOKS, near))], *likely]):
            template, prepared, _ = self._template(number)
            if best >= EXACT and not could_be_exact(prepared, observed):
                continue
            fits[number] = max(fits[number], unify(template, prepared, observed), key=lambda f: (f.overlap, f.order))
        floor = ALMOST if max((fit.overlap for fit in fits.values()), default=best) >= EXACT else SETTLED_FROM
        unsettled = [n for n in again if fits[n].overlap < EXACT and could_be_exact(self._template(n)[1], observed)]
        for number in sorted(unsettled, key=lambda n: -fits[n].overlap)[:SETTLED]:
            if fits[number].overlap >= floor:
                template, prepared, _ = self._template(number)
                fits[number] = better(template, prepared, observed, fits[number])
        return fits

    def _exact_sizes(self, layout: int, fit: Fit) -> float:
        tables = self._template(int(self.index.layout_template[layout]))[2]
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
            for layout in self._layouts_of[number]
        ]
        return rank(found, lambda c: c.fit.overlap if c.fit is not None else 0.0)

    def _weighed(self, ranked: list[Candidate], observed: Observed) -> list[Candidate]:
        """The first candidates by shapes with the kinds of tensors that they have in common with the package."""
        plans = self.index.layout_template
        return weighed(ranked, lambda c: with_kinds(c, self._template(int(plans[c.layout]))[1], observed))

    def _both(self, asked: Asked, fits: dict[int, Fit]) -> list[Candidate]:
        fits, names, observed = dict(fits), asked.names, asked.observed
        ranked = np.argsort(-names, kind="stable")
        last = float(names[ranked[min(NAMED_CANDIDATES, len(ranked)) - 1]]) if len(ranked) else 0.0
        named = [int(n) for n in ranked[: 8 * NAMED_CANDIDATES] if names[n] > 0.1 and names[n] >= last]
        wanted = {int(self.index.layout_template[layout]) for layout in named} - set(fits)
        fits |= self._fits(sorted(wanted), observed, max((fit.overlap for fit in fits.values()), default=0.0))
        found = [
            self._candidate(layout, fit, float(names[layout]), len(observed.shapes))
            for number, fit in fits.items()
            for layout in self._layouts_of[number]
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


def _rank_distance(plan: Plan, observed: Observed) -> float:
    """Half the difference of the shares of vectors, matrices, kernels ...; bounds the overlap."""
    mine, other = plan.ranks, observed.ranks
    return sum([abs(mine.get(rank, 0.0) - other.get(rank, 0.0)) for rank in mine.keys() | other.keys()]) / 2
