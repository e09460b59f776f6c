"""Plays left-out sizes and left-out families through an index and fits the calibration to what happens.

Nothing here sees a package: the examples are the reference corpus's own. Of every family one size is withheld from the
index that calibrates; of one family in `UNSEEN_LAYOUTS` it is an option, a layer pattern or a combination instead,
since packages have such too. Each withheld model is asked for twice: as it is, and with its family struck from the
candidates, as if the corpus had never seen it.

The figures that are printed and stored come from families that the curve and the threshold were not fitted to
(`FOLDS` turns); the weights that are stored are fitted to all.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Iterator, Sequence
from zlib import crc32

from clustering.family.calibrate import Evidence, Outcome, fit_logistic, probability, threshold
from clustering.family.learn import Example, learn_index
from clustering.family.ranking import Candidate, same_tensors
from clustering.family.scorer import FamilyScorer

MIXTURES, OPTIONS = ("pattern:", "combined:"), ("flag:",)
LAYOUT_VARIANTS = (*MIXTURES, *OPTIONS)
"""What the names of variants begin with that have other tensors than the default; the others are sizes.

An option is built by itself once, so withholding it plays an option that the corpus overlooked, in names that it has
never seen. What packages have that the corpus has not are mostly mixtures of options, each of which the corpus has:
these are withheld where a family has any."""
UNSEEN_LAYOUTS = 8
"""One family in so many is asked for in a layout that the index has not seen. Of the development packages fewer are
(one in fifty), so the false unknowns are rather over- than underestimated."""
SAMPLE = 450
"""Families that are asked for, half of the corpus, in two minutes."""
SEED = 20231002
FOLDS = 4
FALSE_UNKNOWN = 0.0125
"""Share of right answers that the threshold may withhold; less than the allowed two per cent, sizes being easier than
packages."""
CURVE = (0.005, 0.01, 0.015, 0.02, 0.03, 0.05)
"""Shares of known families withheld at which it is told how many left-out families are named honestly."""
CHANNELS = ("structure", "both")
_KNOWN, _LEFT_OUT = 0, 1
Played = tuple[str, int, Outcome]
"""Family, `_KNOWN` or `_LEFT_OUT`, and what happened."""


def calibrate(examples: Sequence[Example], twins: dict[str, list[str]]) -> dict[str, object]:
    """Weights and thresholds of both channels, and the rates they reach on families that they were not fitted to."""
    kept = _withheld_variants(examples)
    shown = [e for e in examples if e.variant != kept.get(e.family)]
    scorer = FamilyScorer(learn_index(shown))
    asked: dict[str, list[Example]] = {}
    for item in examples:
        if item.variant == kept.get(item.family) and scorer.known(item.family):
            asked.setdefault(item.family, []).append(item)
    rng = random.Random(SEED)  # noqa: S311  # a sample, not a secret
    chosen = rng.sample(sorted(asked), min(SAMPLE, len(asked)))
    played: dict[str, list[Played]] = {channel: [] for channel in CHANNELS}
    for number, family in enumerate(chosen):
        item = rng.choice(asked[family])
        parameters = item.parameters
        if number % 2:  # files sorted by name have lost the order, and must not be doubted for it
            parameters = tuple(rng.sample(parameters, len(parameters)))
        for mode, without in ((_KNOWN, None), (_LEFT_OUT, family)):
            answers = scorer.ranked(parameters, item.roots, without)
            for channel, ranked in zip(CHANNELS, answers, strict=True):
                played[channel].append((family, mode, _outcome(ranked, item, channel, twins, ordered=number % 2 == 0)))
        if number % 50 == 0:
            sys.stderr.write(f"calibration {number}/{len(chosen)}\n")
    return {channel: _fitted(channel, rows) for channel, rows in played.items()}


def _withheld_variants(examples: Sequence[Example]) -> dict[str, str]:
    """The variant that is withheld of each family that has several; depends on nothing but the names."""
    variants: dict[str, set[str]] = {}
    for item in examples:
        if item.variant != "library":
            variants.setdefault(item.family, set()).add(item.variant)
    chosen: dict[str, str] = {}
    for family, names in variants.items():
        mixtures = sorted(n for n in names if n.startswith(MIXTURES))
        options = sorted(n for n in names if n.startswith(OPTIONS))
        layouts = mixtures or options
        sizes = sorted(names - {*mixtures, *options})
        turn = crc32(family.encode())
        unseen = layouts and turn % UNSEEN_LAYOUTS == 0
        several = layouts if unseen else sizes
        if several and (unseen or len(sizes) > 1):
            chosen[family] = several[turn // UNSEEN_LAYOUTS % len(several)]
    return chosen


def _fitted(channel: str, rows: Sequence[Played]) -> dict[str, object]:
    weights, limit = _fit(channel, rows)
    withheld = known = honest = left_out = 0
    asked: list[tuple[float, int, bool]] = []
    for train, test in _folds(rows):
        fold_weights, fold_limit = _fit(channel, train)
        for _, mode, outcome in test:
            chance = probability(fold_weights, outcome.evidence)
            asked.append((chance, mode, outcome.right))
            silent = chance < fold_limit
            if mode == _KNOWN:
                known, withheld = known + 1, withheld + silent
            else:
                left_out, honest = left_out + 1, honest + (silent or outcome.right)
    right = sum(o.right for _, mode, o in rows if mode == _KNOWN)
    alike = sum(o.right for _, mode, o in rows if mode == _LEFT_OUT)
    sys.stderr.write(
        f"{channel}: {right}/{known} withheld variants right, {alike}/{left_out} left-out families have the same graph "
        f"elsewhere; on families not fitted to, {honest}/{left_out} left-out families unknown or the same graph, "
        f"{withheld}/{known} known families unknown; weights {weights}, threshold {limit:.4f}\n"
    )
    measured = {"asked": known, "right": right, "left_out_honest": honest, "known_withheld": withheld}
    curve = trade_off(asked)
    sys.stderr.write(f"{channel}: known families withheld, left-out families honest: {curve}\n")
    return {"weights": weights, "threshold": round(limit, 6), "measured": measured, "curve": curve}


def trade_off(asked: Sequence[tuple[float, int, bool]]) -> list[tuple[float, float]]:
    """(Share of known families withheld, share of left-out families honest) at the thresholds of `CURVE`.

    Args:
        asked: probability by a curve that the family was not fitted to, `_KNOWN` or `_LEFT_OUT`, whether it was right.
    """
    known = sorted(chance for chance, mode, _ in asked if mode == _KNOWN)
    left_out = [(chance, right) for chance, mode, right in asked if mode == _LEFT_OUT]
    if not known or not left_out:
        return []
    points = []
    for share in CURVE:
        limit = known[min(len(known) - 1, int(share * len(known)))]
        withheld = sum(chance < limit for chance in known) / len(known)
        honest = sum(chance < limit or right for chance, right in left_out) / len(left_out)
        points.append((round(withheld, 4), round(honest, 4)))
    return points


def _fit(channel: str, rows: Sequence[Played]) -> tuple[list[float], float]:
    weights = fit_logistic([outcome for _, _, outcome in rows], channel)
    known = [outcome for _, mode, outcome in rows if mode == _KNOWN]
    return weights, threshold(weights, known, false_unknown=FALSE_UNKNOWN)


def _folds(rows: Sequence[Played]) -> Iterator[tuple[list[Played], list[Played]]]:
    """Rows split by family: what is fitted, what is measured."""
    for turn in range(FOLDS):
        test = {family for family, _, _ in rows if crc32(family.encode()[::-1]) % FOLDS == turn}
        yield [row for row in rows if row[0] not in test], [row for row in rows if row[0] in test]


def _outcome(
    ranked: Sequence[Candidate], item: Example, channel: str, twins: dict[str, list[str]], *, ordered: bool
) -> Outcome:
    """One identification.

    With its family left out, only the same graph under another family counts as right: a twin, or a template that has
    exactly these tensors, in this order where one is left, or under the same names where they are looked at.
    """
    first = next(iter(ranked), None)
    if first is None or first.fit is None:
        return Outcome(Evidence(0.0), right=False)
    same = same_tensors(first, ordered=ordered, named=channel == "both")
    alike = same or first.family in twins.get(item.family, ())
    return Outcome(first.evidence(channel), right=alike or first.family == item.family)
