"""Plays left-out sizes and left-out families through an index and fits the calibration to what happens.

Nothing here sees a package: the examples are the reference corpus's own, in sizes that the index was not shown.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Sequence

from clustering.family.calibrate import Outcome, fit_logistic, probability, threshold
from clustering.family.learn import Example, learn_index
from clustering.family.scorer import EXACT, Candidate, FamilyScorer

HELD_OUT = ("deep", "mixed2", "flag:", "pattern:")
"""Variants withheld from the index that calibrates: other depths and ratios, and options and layer patterns that the
index has not seen, since packages have such too."""
SAMPLE = 150
SEED = 20231002
FALSE_UNKNOWN = 0.01
"""Share of right answers that the threshold may withhold; half of the allowed two per cent, sizes being easier than
packages."""


def calibrate(examples: Sequence[Example], twins: dict[str, list[str]]) -> dict[str, object]:
    """Weights and thresholds of both channels, and the rates they reach on the sample."""
    shown = [e for e in examples if not e.variant.startswith(HELD_OUT)]
    withheld = [e for e in examples if e.variant.startswith(HELD_OUT)]
    scorer = FamilyScorer(learn_index(shown))
    rng = random.Random(SEED)  # noqa: S311  # a sample, not a secret
    families = sorted({e.family for e in withheld if scorer.known(e.family)})
    chosen = rng.sample(families, min(SAMPLE, len(families)))
    by_family: dict[str, list[Example]] = {}
    for item in withheld:
        by_family.setdefault(item.family, []).append(item)
    known: dict[str, list[Outcome]] = {"structure": [], "both": []}
    unknown: dict[str, list[Outcome]] = {"structure": [], "both": []}
    for number, family in enumerate(chosen):
        item = rng.choice(by_family[family])
        for channel, ranked in zip(known, scorer.ranked(item.parameters, item.roots), strict=True):
            known[channel].append(_outcome(ranked, item, channel, twins, without=None))
            unknown[channel].append(_outcome(ranked, item, channel, twins, without=family))
        if number % 20 == 0:
            sys.stderr.write(f"calibration {number}/{len(chosen)}\n")
    result: dict[str, object] = {}
    for channel, rows in known.items():
        outcomes = [*rows, *unknown[channel]]
        weights = fit_logistic(outcomes)
        limit = threshold(weights, rows, false_unknown=FALSE_UNKNOWN)
        honest = [o for o in unknown[channel] if o.right or probability(weights, o.overlap, o.names) < limit]
        result[channel] = {"weights": weights, "threshold": round(limit, 6)}
        sys.stderr.write(
            f"{channel}: {sum(o.right for o in rows)}/{len(rows)} left-out sizes right, "
            f"{sum(o.right for o in unknown[channel])}/{len(rows)} left-out families have the same graph elsewhere; "
            f"{len(honest)}/{len(rows)} of them unknown or the same graph; weights {weights}, threshold {limit:.4f}\n"
        )
    return result


def _outcome(
    ranked: Sequence[Candidate], item: Example, channel: str, twins: dict[str, list[str]], without: str | None
) -> Outcome:
    """One identification; with a family left out, only the same graph under another family counts as right."""
    first = next((c for c in ranked if c.family != without), None)
    if first is None or first.fit is None:
        return Outcome(0.0, 0.0, right=False)
    alike = first.fit.overlap >= EXACT or first.family in twins.get(item.family, ())
    right = alike or (without is None and first.family == item.family)
    return Outcome(first.fit.overlap, first.names if channel == "both" else 0.0, right=right)
