"""From a tensor listing to a family: retrieval by size-free tokens and by names, then verification by unification.

Only numpy is needed. Two channels are kept apart: *structure* never looks at a name, *vocabulary* never looks at a
shape. Their answers are combined at the end, and `Identification.structure_only` is the first one alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import log

import numpy as np
from numpy.typing import NDArray

from clustering.family_index import FamilyIndex, decode_template
from clustering.family_templates import Template
from clustering.family_tokens import shape_tokens
from clustering.family_unify import Fit, Observed, plan, unify
from clustering.family_vocabulary import NameMatcher, tail
from clustering.identity import FamilyMatch, Identification
from clustering.layers import Parameter, fold_tied, parameters_of, roots_of
from clustering.tensors import TensorListing

CANDIDATES = 80
"""Templates verified per package; on held-out sizes the right one was among the first 40."""
NAMED_CANDIDATES = 24
"""Layouts taken from the vocabulary channel."""
EXACT = 1 - 1e-9
_SHOWN = 5


@dataclass(frozen=True, slots=True)
class Candidate:
    """A class with what speaks for it."""

    family: str
    class_name: str
    layout: int
    fit: Fit | None
    names: float
    """Agreement of the names, 0 to 1."""
    exact: float
    """Agreement of exact sizes with the library's defaults, weighted by how rare they are."""
    prior: float


class FamilyScorer:
    """Names the family of a tensor listing; knows the classes of its index."""

    def __init__(self, index: FamilyIndex) -> None:
        self.index = index
        self._token_number = {name: number for number, name in enumerate(index.token_names)}
        self._matcher = NameMatcher(list(index.star_names), index.star_idf, index.stars, index.star_offsets)
        self._tail_matcher = NameMatcher(list(index.tail_names), index.tail_idf, index.tails, index.tail_offsets)
        self._family_number = {name: number for number, name in enumerate(index.families)}
        order = np.argsort(index.layout_template, kind="stable")
        self._layouts_of: dict[int, list[int]] = {}
        for layout in order.tolist():
            self._layouts_of.setdefault(int(index.layout_template[layout]), []).append(layout)
        self._template = lru_cache(maxsize=512)(self._decode)
        self._size_idf = self._rarity()

    def _decode(self, number: int) -> tuple[Template, list[int], frozenset[int]]:
        template = decode_template(self.index.templates[number])
        return template, plan(template), template.tables()

    def _rarity(self) -> dict[int, float]:
        """log(families / families whose library default has the size)."""
        index = self.index
        owner = np.repeat(index.layout_family, np.diff(index.usual_offsets))
        pairs = np.unique(np.stack([index.usual, owner]), axis=1)
        sizes, counts = np.unique(pairs[0], return_counts=True)
        total = len(index.families)
        return {int(s): log(total / int(c)) for s, c in zip(sizes, counts, strict=True) if s > 0}

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
        names = self._names(parameters)
        parameters = fold_tied(parameters)
        if listing.names_only:
            return self._by_names(names)
        observed = Observed([p.shape for p in parameters])
        structural = self._structural(observed)
        fits = {c: f for c, f in structural.items()}
        both = self._both(observed, names, fits)
        return self._answer(self._rank_structure(fits, observed), both)

    def architecture_class(self, listing: TensorListing) -> tuple[str, ...]:
        """Class names that fit the listing, best first."""
        parameters = parameters_of(listing)
        names = self._names(parameters)
        parameters = fold_tied(parameters)
        if listing.names_only:
            ranked = sorted(range(len(names)), key=lambda n: -float(names[n]))[:_SHOWN]
            return tuple(dict.fromkeys(self.index.classes[self.index.layout_class[n]] for n in ranked))
        observed = Observed([p.shape for p in parameters])
        both = self._both(observed, names, self._structural(observed))
        return tuple(dict.fromkeys(c.class_name for c in both))[:_SHOWN]

    def template(self, number: int) -> Template:
        """A template of the index."""
        return self._template(number)[0]

    def explain(self, observed: Observed) -> dict[int, Fit]:
        """Fits of the most similar templates, by template number."""
        return self._structural(observed)

    # -- channels --------------------------------------------------------------------------------------------------

    def _names(self, parameters: tuple[Parameter, ...]) -> NDArray[np.float32]:
        stars = {p.star for p in fold_tied(parameters)} | roots_of(parameters)
        full = self._matcher.scores(stars)
        back_off = self._tail_matcher.scores({tail(s) for s in stars})
        return np.asarray(0.7 * full + 0.3 * back_off, dtype=np.float32)

    def _retrieve(self, observed: Observed) -> list[int]:
        index = self.index
        query = np.zeros(len(index.token_idf), dtype=np.float32)
        sequence = [s for s, n in zip(observed.shapes, observed.counts, strict=True) for _ in range(n)]
        for token, weight in shape_tokens(sequence).items():
            number = self._token_number.get(token)
            if number is not None:
                query[number] = weight * index.token_idf[number]
        scores = np.add.reduceat(query[index.tokens] * index.token_weights, index.token_offsets[:-1])
        best = np.argsort(-scores, kind="stable")[:CANDIDATES]
        return [int(n) for n in best]

    def _structural(self, observed: Observed) -> dict[int, Fit]:
        fits: dict[int, Fit] = {}
        for number in self._retrieve(observed):
            template, order, _ = self._template(number)
            fits[number] = unify(template, order, observed)
        return fits

    def _exact_sizes(self, layout: int, fit: Fit) -> float:
        start, stop = self.index.usual_offsets[layout], self.index.usual_offsets[layout + 1]
        usual = self.index.usual[start:stop].tolist()
        tables = self._template(int(self.index.layout_template[layout]))[2]
        hits = {s for n, (s, u) in enumerate(zip(fit.sizes, usual, strict=True)) if s == u and n in tables}
        return sum(self._size_idf.get(s, 0.0) for s in hits if s is not None)

    def _candidate(self, layout: int, fit: Fit | None, names: float) -> Candidate:
        index = self.index
        family = int(index.layout_family[layout])
        return Candidate(
            index.families[family],
            index.classes[index.layout_class[layout]],
            layout,
            fit,
            names,
            self._exact_sizes(layout, fit) if fit is not None else 0.0,
            float(index.priors[family]),
        )

    def _rank_structure(self, fits: dict[int, Fit], observed: Observed) -> list[Candidate]:
        del observed
        found = [
            self._candidate(layout, fit, 0.0) for number, fit in fits.items() for layout in self._layouts_of[number]
        ]
        return sorted(found, key=_structure_key)

    def _both(self, observed: Observed, names: NDArray[np.float32], fits: dict[int, Fit]) -> list[Candidate]:
        fits = dict(fits)
        named = [int(n) for n in np.argsort(-names, kind="stable")[:NAMED_CANDIDATES] if names[n] > 0.1]
        for layout in named:
            number = int(self.index.layout_template[layout])
            if number not in fits:
                template, order, _ = self._template(number)
                fits[number] = unify(template, order, observed)
        found = [
            self._candidate(layout, fit, float(names[layout]))
            for number, fit in fits.items()
            for layout in self._layouts_of[number]
        ]
        return sorted(found, key=_joint_key)

    def _by_names(self, names: NDArray[np.float32]) -> Identification:
        best = [int(n) for n in np.argsort(-names, kind="stable")[: 4 * NAMED_CANDIDATES] if names[n] > 0.3]
        ranked = [self._candidate(layout, None, float(names[layout])) for layout in best]
        ranked.sort(key=lambda c: (-round(c.names, 4), -c.prior, c.family))
        matches = self._matches(ranked, lambda c: c.names)
        return Identification(matches, (), "vocabulary" if matches else "none", reason="names only, no shapes")

    def _matches(self, ranked: Sequence[Candidate], score: object) -> tuple[FamilyMatch, ...]:
        assert callable(score)
        result: dict[str, FamilyMatch] = {}
        for candidate in ranked:
            if candidate.family not in result:
                result[candidate.family] = FamilyMatch(
                    candidate.family, round(float(score(candidate)), 4), self.twins(candidate.family)
                )
            if len(result) == _SHOWN:
                break
        return tuple(result.values())

    def _answer(self, structural: list[Candidate], both: list[Candidate]) -> Identification:
        alone = self._matches(structural, lambda c: c.fit.overlap if c.fit else 0.0)
        joint = self._matches(both, _joint)
        return Identification(joint, alone, "both", reason="")


def _structure_key(candidate: Candidate) -> tuple[float, float, float, str]:
    fit = candidate.fit
    assert fit is not None
    return (-round(fit.overlap, 6), -round(fit.order, 1), -candidate.exact - candidate.prior, candidate.family)


def _joint(candidate: Candidate) -> float:
    overlap = candidate.fit.overlap if candidate.fit is not None else 0.0
    return (candidate.names + overlap) / 2


def _joint_key(candidate: Candidate) -> tuple[float, float, str]:
    return (-round(_joint(candidate), 6), -candidate.exact - candidate.prior, candidate.family)
