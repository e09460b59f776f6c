"""How well a given family explains a graph: could these weights be what is declared?

`FamilyScorer.identify` ranks families; many families share one layout, and the right one may stand behind its twins.
Whoever doubts a declaration asks here how well the declared family's own templates and names explain the tensors.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from clustering.family.calibrate import EXACT
from clustering.family.scorer import FamilyScorer
from clustering.family.unify import Observed, better, could_be_exact, plan, unify
from clustering.family.vocabulary import NameMatcher
from clustering.family.wholes import counted
from clustering.graphs.layers import fold_tied, parameters_of, roots_of
from clustering.tensors import TensorListing


@dataclass(frozen=True, slots=True)
class FamilyFit:
    """What speaks for one family."""

    overlap: float
    """1.0 when a class of the family has exactly these tensors at some sizes, less for each that is unexplained or
    missing (see `family_unify.Fit.overlap`); also 1.0 when all names are the family's, in shapes that agree, though the
    layout is one that the reference corpus does not hold (`family.unions`)."""
    names: float
    """Agreement of the tensor names with the family's, 0 to 1."""


def family_fits(scorer: FamilyScorer, listing: TensorListing, families: tuple[str, ...]) -> dict[str, FamilyFit]:
    """How well each of several families explains a listing.

    Args:
        scorer: the reference corpus.
        listing: the tensors of a package; without shapes, or of an adapter, nothing can be said.
        families: model types; those the corpus does not hold are left out of the answer.
    """
    if listing.names_only or listing.adapter is not None:
        return {}
    index = scorer.index
    parameters = parameters_of(listing)
    folded = fold_tied(parameters)
    if not folded:
        return {}
    names = _matcher(scorer).scores(folded.star_set | roots_of(parameters))
    observed = Observed(folded)
    held = counted(folded)
    owners = index.layout_family.tolist()
    found: dict[str, FamilyFit] = {}
    for family in families:
        if not scorer.known(family):
            continue
        number = index.families.index(family)
        layouts = [layout for layout, owner in enumerate(owners) if owner == number]
        templates = sorted({int(index.layout_template[layout]) for layout in layouts})
        overlap = max((_overlap(scorer, template, observed) for template in templates), default=0.0)
        union = scorer.wholes.union(number)
        if union is not None and overlap < EXACT:
            overlap = max(overlap, union.explained(held))
        found[family] = FamilyFit(overlap, max((float(names[layout]) for layout in layouts), default=0.0))
    return found


def _overlap(scorer: FamilyScorer, number: int, observed: Observed) -> float:
    template = scorer.templates.template(number)
    prepared = plan(template)
    fit = unify(template, prepared, observed)
    if fit.overlap < EXACT and could_be_exact(prepared, observed):
        fit = better(template, prepared, observed, fit)
    return fit.overlap


@lru_cache(maxsize=2)
def _matcher(scorer: FamilyScorer) -> NameMatcher:
    """The names of the index; kept, since building it costs more than asking."""
    index = scorer.index
    return NameMatcher(index.star_names, index.star_idf, index.stars, index.star_sums)
