"""Calibration: from agreement to a probability, fitted on left-out sizes and left-out families of the corpus.

For a package of a family that the index knows, the family or a twin should come first with a high score; for one of a
family that it does not know, the first answer is right only if that graph really is the same. Both situations are
played through on the reference corpus itself (never on packages), and a logistic curve over the agreement of names and
shapes is fitted to how often the answer was right.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import exp, log2, log10

import numpy as np
from numpy.typing import NDArray

EXACT = 1 - 1e-6
"""Overlap from which a template explains a package completely (the counts are solved in floating point)."""
IN_ORDER = 0.9
"""Order agreement from which the stored order is taken for definition order, and then used against other templates."""

FITTED = {"structure": (0, 1, 2, 5, 6, 8, 9), "both": (0, 5, 6, 10, 11, 12, 13)}
"""Numbers of the features that each channel's curve has weights for; the others have weight 0."""
_MANY_SIZES = 10.0
"""Agreement of table sizes that is full: two or three sizes that few families have."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """What speaks for one answer."""

    overlap: float
    """Share of the tensors that the family's template explains, 0 to 1."""
    names: float = 0.0
    """Agreement of the names, 0 to 1; 0 in the structure channel."""
    order: float = 0.0
    """Agreement of the stored order with the template's, 0 to 1."""
    shapes: int = 0
    """Different shapes in the package: a graph of five is soon explained, one of twenty is not by chance."""
    complete: bool = False
    """Whether the family explains every name and shape, in whatever layout (`clustering.family.unions`)."""
    kinds: float = 0.0
    """Share of the kinds of tensors that package and template have in common; 0 with names."""
    sizes: float = 0.0
    """Agreement of table sizes with the library's defaults, by rarity; 0 with names."""
    told: float = 0.0
    """Agreement of the names, 0 to 1, whether or not the family explains them all."""
    confirmed: bool = False
    """Whether shapes that are explained completely are confirmed by their order, or by names that are nobody else's."""
    steady: float = 0.0
    """Where the names are wholly explained, the share of them that is the family's own and stands as it always did."""
    roots: float = 0.0
    """Agreement of the first components of names that are wholly explained."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """One played-through identification."""

    evidence: Evidence
    right: bool


def features(evidence: Evidence) -> NDArray[np.float64]:
    """What the curve is fitted over, each 0 to 1, more speaking for the answer.

    (1, nothing unexplained, digits of the overlap, names, digits of the names, shapes, stored in definition order,
    nothing unexplained by names and shapes together; kinds, table sizes, digits of the names told, nothing unexplained
    and that confirmed, steady, roots). An index of an earlier version has weights for the first few; a channel is
    fitted over its own (`FITTED`).
    """
    return np.array(_features(evidence))


def _features(evidence: Evidence) -> tuple[float, ...]:
    """The same as plain numbers: hundreds of candidates per package are weighed."""
    return (
        1.0,
        float(evidence.overlap >= EXACT),
        -log10(max(1e-4, 1.0 - evidence.overlap)) / 4,
        evidence.names,
        -log10(max(1e-2, 1.0 - evidence.names)) / 2,
        min(1.0, log2(1 + evidence.shapes) / 6),
        float(evidence.order >= IN_ORDER),
        float(evidence.complete or evidence.overlap >= EXACT),
        evidence.kinds,
        min(1.0, evidence.sizes / _MANY_SIZES),
        -log10(max(1e-2, 1.0 - evidence.told)) / 2,
        float(evidence.confirmed),
        evidence.steady,
        evidence.roots,
    )


def fit_logistic(
    outcomes: Sequence[Outcome], channel: str | None = None, *, ridge: float = 1e-2, steps: int = 50
) -> list[float]:
    """Weights of P(right) = 1 / (1 + exp(-w . features)), by Newton's method with a small ridge.

    Right and wrong outcomes weigh equally in sum: how often unknown families occur in the wild is not known.

    Args:
        outcomes: what happened.
        channel: whose features have weights (`FITTED`); all without one.
        ridge: strength of the pull towards 0.
        steps: of Newton's method.
    """
    matrix = np.array([features(o.evidence) for o in outcomes])
    wanted = np.array([o.right for o in outcomes], dtype=float)
    positive = max(1.0, wanted.sum())
    negative = max(1.0, len(wanted) - wanted.sum())
    mass = np.where(wanted > 0, 0.5 / positive, 0.5 / negative) * len(wanted)
    free = np.ones(matrix.shape[1], dtype=bool)
    if channel is not None:
        free[[number for number in range(len(free)) if number not in FITTED[channel]]] = False
    while True:
        weights = _newton(matrix[:, free], wanted, mass, ridge, steps)
        result = np.zeros(matrix.shape[1])
        result[free] = weights
        falling = (result < 0) & (np.arange(len(result)) > 0)
        if not falling.any():
            return [round(float(w), 6) for w in result]
        free &= ~falling  # more agreement never makes an answer less likely


def _newton(
    matrix: NDArray[np.float64], wanted: NDArray[np.float64], mass: NDArray[np.float64], ridge: float, steps: int
) -> NDArray[np.float64]:
    weights = np.zeros(matrix.shape[1])
    for _ in range(steps):
        chance = 1 / (1 + np.exp(-np.clip(matrix @ weights, -30, 30)))
        slope = matrix.T @ (mass * (wanted - chance)) - ridge * weights
        curve = (matrix * (mass * chance * (1 - chance))[:, None]).T @ matrix + ridge * np.eye(len(weights))
        weights = weights + np.linalg.solve(curve, slope)
    return weights


def probability(weights: Sequence[float], evidence: Evidence) -> float:
    """The fitted probability that a first answer with this evidence is right."""
    total = sum([weight * value for weight, value in zip(weights, _features(evidence), strict=False)])
    return 1 / (1 + exp(-max(-30.0, min(30.0, total))))


def threshold(weights: Sequence[float], outcomes: Sequence[Outcome], *, false_unknown: float) -> float:
    """The highest probability below which at most this share of right answers would be withheld."""
    known = sorted(probability(weights, o.evidence) for o in outcomes if o.right)
    if not known:
        return 0.0
    return float(known[min(len(known) - 1, int(false_unknown * len(known)))])
