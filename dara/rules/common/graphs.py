"""Whether the graph of a package could be that of a given family: the second look before an accusation."""

from __future__ import annotations

from typing import Final

from dara.subject import Subject

NAMES_APART: Final = 0.25
"""Tensor names of two families differ when their agreement with the package differs by more than this. Between BERT and
DistilBERT it differs by 1.0, between T5 and mT5 (same code, other options) by .17, between Llama and Mistral by 0."""

NAMES_TOLD: Final = 0.3
"""Below this agreement the names say nothing: they were changed, and only the shapes speak."""

SHAPES_APART: Final = 0.002
"""Share of tensors by which an explanation has to be worse before shapes count as different: one tensor in 500. BERT
explains a DistilBERT of six layers to .995, its own template to 1.0."""

RENAMED_APART: Final = 0.05
"""The same where names say nothing."""

SAME_GRAPH: Final = 0.999


def could_be(subject: Subject, family: str, instead: str) -> bool:
    """True when the package's tensors could be those of `family` although `instead` was ranked first.

    True as well where the reference corpus cannot tell, since doubt never accuses.
    """
    from clustering.family import FamilyScorer
    from clustering.family_fit import family_fits

    if not isinstance(subject.kinship, FamilyScorer) or subject.listing is None:
        return False
    fits = family_fits(subject.kinship, subject.listing, (family, instead))
    own, other = fits.get(family), fits.get(instead)
    if own is None or other is None:
        return True
    if own.overlap >= other.overlap - SHAPES_APART:
        return True
    if max(own.names, other.names) < NAMES_TOLD:
        return own.overlap >= other.overlap - RENAMED_APART
    return own.names >= other.names - NAMES_APART


def same_graph(subject: Subject, families: tuple[str, ...]) -> bool:
    """True when one of the families has exactly the package's graph: its twins at these sizes."""
    from clustering.family import FamilyScorer
    from clustering.family_fit import family_fits

    if not isinstance(subject.kinship, FamilyScorer) or subject.listing is None or not families:
        return False
    fits = family_fits(subject.kinship, subject.listing, families[:8])
    return any(fit.overlap >= SAME_GRAPH for fit in fits.values())


def spelling(subject: Subject, model_type: str) -> str:
    """A family as the reference corpus spells it."""
    kinship = subject.kinship
    if kinship is None:
        return model_type
    for candidate in (model_type, model_type.replace("-", "_"), model_type.replace("_", "-")):
        if kinship.known(candidate):
            return candidate
    return model_type
