"""Candidates for one package, their order, and what is said about the first of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import inf

from clustering.family.calibrate import EXACT, IN_ORDER, Evidence
from clustering.family.judge import Fit

CONVINCING, CONVINCING_NAMES = 0.97, 0.6
"""Agreement from which a channel alone would have given the answer (reported as the deciding channel)."""
HEADS = (
    "ForConditionalGeneration",
    "ForMaskedLM",
    "ForCausalLM",
    "LMHeadModel",
    "MTModel",
    "ForSequenceClassification",
    "ForTokenClassification",
    "ForQuestionAnswering",
    "ForImageClassification",
    "ForCTC",
    "Model",
)
"""Heads that packages mostly declare, before rarer ones with the same tensors: a masked language model and the causal
one of an encoder, a classifier and a multiple-choice head cannot be told apart by their weights."""
_ORDER_SLACK = 0.06
_WHOLE, _ROOTS = 0.75, 0.2
"""What it is worth for the names, in the order of the candidates, that a family's union explains them all, and that the
first components agree too: less than that a layout of the corpus has just these names, which is 1."""
SAME_NAMES = 0.999
"""Agreement from which names are the same (it is a quotient of floats)."""
MOSTLY_OWN = 0.9
"""Share of tensors under a family's own names from which these confirm what shapes explain; a renamed head is less than
the rest, and a renamed kind of layer more."""
_COMPLETE = 0.7
"""The same for the probability; siblings that were left out are often explained by each other's unions."""
_EXACT_BONUS = 0.2
"""What an exact explanation is worth beside names and shapes, by the layout or by the union: names in a spelling that
the corpus does not know agree with others by accident."""


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
    """How many families derive from it, and how usual the layout is for its class, both as logarithms."""
    shapes: int = 0
    """Different shapes in the package."""
    whole: float = 0.0
    """How fully the family explains the package by names and shapes together, whichever of its layouts it is."""
    roots: float = 0.0
    """Agreement of the first components of the names, 0 to 1; asked for only where `whole` is high."""
    kinds: float = 0.0
    """Share of the kinds of tensors that package and template have in common; of the first candidates only."""
    own: float = 0.0
    """Share of the tensors under the family's own names; of the first candidates only, and where it decides."""
    steady: float = 0.0
    """Share of the names that stand as they always stood in the family; of the same."""

    @property
    def explained(self) -> bool:
        """Whether a template has exactly these shapes."""
        return self.fit is not None and self.fit.overlap >= EXACT

    @property
    def in_full_order(self) -> bool:
        """Whether it has them in the order in which they are stored, which does not happen by accident."""
        return self.fit is not None and self.fit.overlap >= EXACT and self.fit.order >= IN_ORDER

    @property
    def named(self) -> bool:
        """Whether the names are wholly explained: by a layout that has just these, or by the union."""
        return self.whole >= EXACT or self.names >= SAME_NAMES

    def evidence(self, channel: str) -> Evidence:
        """What the calibration looks at."""
        overlap, order = (self.fit.overlap, self.fit.order) if self.fit is not None else (0.0, 0.0)
        if channel == "structure":
            return Evidence(overlap, 0.0, order, self.shapes, kinds=self.kinds, sizes=self.exact)
        complete = self.whole >= EXACT
        confirmed = self.in_full_order or (self.explained and self.own >= MOSTLY_OWN)
        return Evidence(
            overlap,
            max(self.names, _COMPLETE * self.roots) if complete else self.names,
            order,
            self.shapes,
            complete,
            told=self.names,
            confirmed=confirmed,
            # a layout with just these tensors and names needs no habits
            steady=(1.0 if confirmed else self.steady * self.own) if self.named else 0.0,
            roots=self.roots if complete else 0.0,
        )


def nearest(ranked: list[Candidate]) -> str:
    """Why no family is named."""
    if not ranked or ranked[0].fit is None:
        return "resembles nothing in the reference corpus"
    best = ranked[0]
    explained = best.fit.overlap if best.fit is not None else 0.0
    return f"resembles nothing known: the nearest, {best.family}, explains {explained:.0%} of the tensors"


def deciding_channel(best: Candidate) -> str:
    """Which channel carries the answer."""
    shapes = best.fit is not None and best.fit.overlap >= CONVINCING
    named = best.names >= CONVINCING_NAMES
    if shapes == named:
        return "both"
    return "structure" if shapes else "vocabulary"


def why(ranked: list[Candidate]) -> str:
    """What told the first family from others that explain the shapes as well."""
    best = ranked[0]
    rivals = [c for c in ranked if c.family != best.family and same_graph(best, c)]
    if not rivals:
        return ""
    if best.names > max(c.names for c in rivals) + 1e-6:
        return "tensor names tell it from families with the same graph"
    if best.exact > max(c.exact for c in rivals):
        return "table sizes of a published or default configuration tell it from families with the same graph"
    return "several families have this graph; the one that most others derive from is listed first"


def same_graph(one: Candidate, other: Candidate) -> bool:
    """Whether both explain every tensor of the package, in as good an order; or by names and shapes together."""
    if min(one.whole, other.whole) >= EXACT and one.roots == other.roots:
        return True
    if one.fit is None or other.fit is None or min(one.fit.overlap, other.fit.overlap) < EXACT:
        return False
    return max(one.fit.order, other.fit.order) < IN_ORDER or abs(one.fit.order - other.fit.order) <= _ORDER_SLACK


def same_tensors(candidate: Candidate, *, ordered: bool, named: bool) -> bool:
    """Whether a template of the candidate has exactly the package's tensors: the same graph, whatever it is called.

    Args:
        candidate: the answer.
        ordered: the package keeps the order of definition, so a template in another order is another graph.
        named: names are looked at. Where they are the template's too, and in shapes that agree under each, then every
            module has its counterpart, and the order in which a class happens to define them says nothing.
    """
    if candidate.fit is None or candidate.fit.overlap < EXACT:
        return False
    if candidate.fit.order >= IN_ORDER or not ordered:
        return True
    return named and candidate.names >= SAME_NAMES and candidate.whole >= EXACT


def joint(candidate: Candidate) -> float:
    """What orders the candidates of both channels: names and shapes alike; 0 to 1."""
    shapes = max(candidate.fit.overlap if candidate.fit is not None else 0.0, candidate.whole)
    names = max(candidate.names, candidate.whole * (_WHOLE + _ROOTS * candidate.roots))
    return (names + shapes + _EXACT_BONUS * (shapes >= EXACT)) / (2 + _EXACT_BONUS)


def rank(found: list[Candidate], score: Callable[[Candidate], float]) -> list[Candidate]:
    """Best first: by score, then by order where the stored order is informative.

    Among what is still equal, families by exact sizes and prior, and the classes of a family by names and shapes.
    """
    if not found:
        return []
    scores = [round(score(c), 6) for c in found]
    top = max(scores)
    best = max((c.fit.order for c, s in zip(found, scores, strict=True) if c.fit is not None and s == top), default=0.0)
    floor = best - _ORDER_SLACK if best >= IN_ORDER else 0.0
    evidence: dict[tuple[str, float], float] = {}
    for candidate, value in zip(found, scores, strict=True):
        place = candidate.family, value
        evidence[place] = max(evidence.get(place, -inf), candidate.exact + candidate.prior)

    def key(entry: tuple[Candidate, float]) -> tuple[float | bool | str | int, ...]:
        candidate, value = entry
        fit = candidate.fit
        disordered = fit is not None and not candidate.whole and fit.order < floor
        head = next((n for n, end in enumerate(HEADS) if candidate.class_name.endswith(end)), len(HEADS))
        family = (-value, disordered, -round(evidence[candidate.family, value], 6), candidate.family)
        own = (-round(candidate.names, 3), -round(fit.overlap, 3) if fit is not None else 0.0)
        return (*family, *own, -round(candidate.exact + candidate.prior, 6), head, candidate.class_name)

    return [candidate for candidate, _ in sorted(zip(found, scores, strict=True), key=key)]
