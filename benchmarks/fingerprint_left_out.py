"""Families left out of the corpus one at a time: is a package of one called unknown, or named as the same graph?

On packages, one of every family is asked about as if the shipped index did not hold that family: its layouts, its names
and its templates are struck from the candidates (a template that another family shares stays). The curve and the
threshold of the shipped index were fitted to left-out families of the corpus, this one perhaps among them; the
cross-fitted figures, from families that curve and threshold were not fitted to, are made with the index and stored in
it. `--corpus RAW` makes them anew.

Right is no answer, or a family whose graph is the same: a twin, or one that has a template with exactly these tensors
(in definition order, where the package has one, or under the same names). Where torch is installed, a second figure
counts an answer too whose class, built from the package's own configuration, has exactly the package's tensors by name
and shape (`benchmarks.fingerprint_same_graph`): the corpus may hold no template for these options, but the graph is the
same.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

from benchmarks.fingerprint_data import Asked
from benchmarks.fingerprint_figures import Report, Share
from benchmarks.fingerprint_same_graph import same_when_built
from clustering.family.calibrate import probability
from clustering.family.ranking import Candidate, same_tensors
from clustering.family.scorer import STRUCTURE_LIMIT, FamilyScorer
from clustering.graphs.layers import fold_tied, parameters_of, roots_of
from clustering.tensors import Tensor, TensorListing

CHANNELS = {"both": "both channels", "structure": "structure alone"}
_TORCH = find_spec("torch") is not None and find_spec("transformers") is not None


def one_of_each(asked: Sequence[Asked], known: FamilyScorer, seed: int) -> list[Asked]:
    """A seeded choice of one package for every family that the index holds."""
    by_family: dict[str, list[Asked]] = {}
    for package in asked:
        if package.model_type and known.known(package.model_type):
            by_family.setdefault(package.model_type, []).append(package)
    draw = random.Random(seed)
    return [draw.choice(by_family[family]) for family in sorted(by_family)]


def left_out(report: Report, scorer: FamilyScorer, asked: Sequence[Asked], *, seed: int = 0) -> None:
    """Fills in the figures on packages, and those that the index carries."""
    section = "Families left out of the corpus"
    calibration = scorer.index.meta.get("calibration")
    if not isinstance(calibration, dict):
        report.note(section, "the index carries no calibration, so nothing is ever withheld")
        return
    chosen = one_of_each(asked, scorer, seed)
    for place, (channel, title) in enumerate(CHANNELS.items()):
        share = Share(f"{title}: unknown or the same graph", "80 %" if channel == "both" else "")
        built = Share(f"{title}: or the same tensors when built from the package's configuration")
        limit = float(calibration[channel]["threshold"])
        if channel == "structure":
            limit = min(limit, STRUCTURE_LIMIT)
        for package in chosen:
            family = str(package.model_type)
            parameters = parameters_of(package.listing)
            answers = scorer.ranked(fold_tied(parameters), roots_of(parameters), family)
            first = next(iter(answers[1 - place]), None)
            chance = probability(calibration[channel]["weights"], first.evidence(channel)) if first else 0.0
            honest = first is None or chance < limit or _same_graph(first, family, scorer, named=channel == "both")
            reason = f"{family} left out, answered {first.family} {chance:.3f}" if first else ""
            same = not honest and channel == "both" and _same_when_built(package, first)
            share.add(package.name, hit=honest, reason=f"{reason}{'; the same tensors when built' if same else ''}")
            built.add(package.name, hit=honest or same)
        report.add(section, share, *([built] if channel == "both" and _TORCH else []))
        stored = calibration[channel]
        report.note(section, _stored(title, stored.get("measured", {}), stored.get("curve", ())))
    headed(report, scorer, asked, seed=seed)


def headed(report: Report, scorer: FamilyScorer, asked: Sequence[Asked], *, seed: int = 0) -> None:
    """Fills in how many known families are lost once somebody puts a head of their own onto a package."""
    unknown = Share("a head of somebody's own: unknown", "at most 2 %")
    right = Share("a head of somebody's own: right")
    for package in one_of_each(asked, scorer, seed):
        answer = scorer.identify(_with_head(package.listing)).family
        family = str(package.model_type)
        unknown.add(package.name, hit=not answer)
        right.add(package.name, hit=bool(answer) and family in (answer[0].model_type, *answer[0].twins))
    report.add("Packages with further tensors", right, unknown)


def _with_head(listing: TensorListing) -> TensorListing:
    """The listing with a linear layer that no family has, as wide as most of its vectors are long."""
    vectors = Counter(tensor.shape for tensor in listing.tensors if len(tensor.shape) == 1)
    ((width,),) = [shape for shape, _ in vectors.most_common(1)] or [(8,)]
    head = (Tensor("regression_probe.weight", (5, width), "F32"), Tensor("regression_probe.bias", (5,), "F32"))
    return replace(listing, tensors=(*listing.tensors, *head))


def _same_when_built(package: Asked, first: Candidate | None) -> bool:
    return _TORCH and first is not None and same_when_built(package, first.family, first.class_name)


def _same_graph(first: Candidate, family: str, scorer: FamilyScorer, *, named: bool) -> bool:
    return same_tensors(first, ordered=True, named=named) or first.family in scorer.twins(family)


def _stored(title: str, measured: dict[str, int], curve: Sequence[Sequence[float]]) -> str:
    if not measured:
        return f"{title}: the index carries no cross-fitted figures"
    total = measured["asked"]
    return (
        f"{title}, cross-fitted on {total} families of the corpus when the index was built: "
        f"{measured['left_out_honest'] / total:.1%} unknown or the same graph (asked for: 80 %), "
        f"{measured['known_withheld'] / total:.1%} of known families unknown (at most 2 %), "
        f"{measured['right'] / total:.1%} of withheld sizes and layouts right"
        + "".join(f"; at {withheld:.1%} unknown {honest:.1%}" for withheld, honest in curve)
    )


def cross_fitted(report: Report, raw: Path) -> None:
    """Leaves families out of a raw corpus and fits anew: minutes, and 3 to 4 GB."""
    from clustering.family.learn import example, learn_index
    from clustering.family.twins import find_twins
    from corpora.reference.build import CONTAINERS
    from corpora.reference.build_calibration import calibrate
    from corpora.reference.build_priors import derivation_priors
    from corpora.reference.records import read_raw

    section = "Families left out of the corpus, made anew"
    examples = [
        example(m.model_type, m.class_name, m.variant, m.listing, published=m.spelling == "published")
        for m in read_raw(raw)
        if m.model_type not in CONTAINERS
    ]
    twins = find_twins(FamilyScorer(learn_index(examples, priors=derivation_priors())))
    for channel, fitted in calibrate(examples, twins).items():
        if isinstance(fitted, dict):
            report.note(section, _stored(CHANNELS[channel], fitted["measured"], fitted["curve"]))
