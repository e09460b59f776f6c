"""Whether the graph of a package could be that of a given family: the second look before an accusation."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import TYPE_CHECKING, Final

from clustering.contents import listing_digest
from clustering.tensors import TensorListing
from dara.subject import Subject

if TYPE_CHECKING:
    from clustering.family.fit import FamilyFit
    from clustering.family.scorer import FamilyScorer

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

ALIEN_SHAPES: Final = 0.6
ALIEN_NAMES: Final = 0.2
"""Truthful DEV packages explain at least .78 of the shapes and .5 of the names of their own family."""

BETTER_SHAPES: Final = 0.2
NO_NAMES: Final = 0.05
OWN_NAMES: Final = 0.5
"""A truthful package whose names were all changed has none of another family's names either: of the DEV packages whose
own family explains less than .05 of the names none is explained to .5 by another."""

SAME_SHAPES: Final = 0.99
SAME_NAMES: Final = 0.9
NOT_SHAPES: Final = 0.05
"""Another family explains nearly every shape and name, and the declared one no name and clearly fewer shapes: whatever
code comes with the package, its weights are the other family's. Large models share up to .86 of their shapes by chance
(a wav2vec2 and a Mask2Former)."""

MOST_FAMILIES: Final = 12
"""Families of one claim that are compared with a graph; a group word such as `qwen` accepts two dozen."""

_REMEMBERED: Final = 1_024
"""Graphs; one has a few numbers for each family that was asked about."""


def could_be(subject: Subject, family: str, instead: str) -> bool:
    """True when the package's tensors could be those of `family` although `instead` was ranked first.

    True as well where the reference corpus cannot tell, since doubt never accuses.
    """
    fits = _fits(subject, (family, instead))
    if fits is None:
        return False
    own, other = fits.get(family), fits.get(instead)
    if own is None or other is None:
        return True
    if own.overlap >= other.overlap - SHAPES_APART:
        return True
    if max(own.names, other.names) < NAMES_TOLD:
        return own.overlap >= other.overlap - RENAMED_APART
    return own.names >= other.names - NAMES_APART


def is_alien(subject: Subject, family: str, instead: str = "") -> bool:
    """True when neither shapes nor names of the package could be those of a family.

    Whatever else they are; where another family explains both, less doubt about the shapes is enough, since large
    models share many shapes by chance.
    """
    fits = _fits(subject, (family, instead) if instead else (family,)) or {}
    own, other = fits.get(family), fits.get(instead)
    if own is None:
        return False
    if own.overlap < ALIEN_SHAPES and own.names < ALIEN_NAMES:
        return True
    return (
        other is not None
        and own.overlap < other.overlap - BETTER_SHAPES
        and own.names < NO_NAMES
        and other.names > OWN_NAMES
    )


def is_surely(subject: Subject, instead: str, family: str) -> bool:
    """True when the weights are those of one family, shape by shape and name by name, and none of another's."""
    fits = _fits(subject, (family, instead)) or {}
    own, other = fits.get(family), fits.get(instead)
    if own is None or other is None:
        return False
    told = other.overlap >= SAME_SHAPES and other.names >= SAME_NAMES
    return told and own.names < NO_NAMES and own.overlap < other.overlap - NOT_SHAPES


def same_graph(subject: Subject, families: tuple[str, ...]) -> bool:
    """True when one of the families has exactly the package's graph: its twins at these sizes."""
    fits = _fits(subject, families[:MOST_FAMILIES])
    return fits is not None and any(fits[name].overlap >= SAME_GRAPH for name in families if name in fits)


class _Memory:
    """Fits of the graphs looked at last: several rules ask about one package, and fine-tunes share a graph."""

    def __init__(self) -> None:
        self._rows: OrderedDict[bytes, dict[str, FamilyFit | None]] = OrderedDict()
        self._scorer: FamilyScorer | None = None

    def ask(self, scorer: FamilyScorer, listing: TensorListing, families: tuple[str, ...]) -> dict[str, FamilyFit]:
        from clustering.family.fit import family_fits

        if scorer is not self._scorer:
            self._scorer = scorer
            self._rows.clear()
        key = listing_digest(listing)
        known = self._rows.setdefault(key, {})
        self._rows.move_to_end(key)
        missing = tuple(name for name in families if name not in known)
        if missing:
            known.update(dict.fromkeys(missing))
            known.update(family_fits(scorer, listing, missing))
        while len(self._rows) > _REMEMBERED:
            self._rows.popitem(last=False)
        return {name: fit for name in families if (fit := known.get(name)) is not None}


_MEMORY: Final = threading.local()


def _fits(subject: Subject, families: tuple[str, ...]) -> dict[str, FamilyFit] | None:
    """Fits by family; None where there is no graph or no corpus to ask."""
    from clustering.family.scorer import FamilyScorer

    graph = subject.graph or subject.listing
    if not isinstance(subject.kinship, FamilyScorer) or graph is None or not families:
        return None
    if not hasattr(_MEMORY, "fits"):
        _MEMORY.fits = _Memory()
    memory: _Memory = _MEMORY.fits
    return memory.ask(subject.kinship, graph, families)


def spelling(subject: Subject, model_type: str) -> str:
    """A family as the reference corpus spells it."""
    kinship = subject.kinship
    if kinship is None:
        return model_type
    for candidate in (model_type, model_type.replace("-", "_"), model_type.replace("_", "-")):
        if kinship.known(candidate):
            return candidate
    return model_type
