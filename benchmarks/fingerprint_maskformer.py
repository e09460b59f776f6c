"""The MaskFormer family of the development data, in three frameworks: every part of every listing.

A listing is right when all of its `ATTRIBUTES` are. The per-pixel baselines must not be called members. Listings of one
model in several frameworks must be taken into the same parts.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from benchmarks.fingerprint_figures import Report, Share
from benchmarks.maskformer_data import ATTRIBUTES, FRAMEWORKS, Case, Truth, measured
from clustering.identity import Part


def maskformers(report: Report, data: Path) -> None:
    """Fills in the listings of every framework."""
    section = "The MaskFormer family"
    cases = [case for source in FRAMEWORKS.values() for case in source(data)]
    answers = [(case, *measured(case.listing)) for case in cases]
    for framework in FRAMEWORKS:
        share = Share(f"{framework}: all {len(ATTRIBUTES)} attributes", "100 %", grouped=False)
        for case, found, _ in answers:
            if case.framework == framework and case.truth is not None:
                share.add(case.name, hit=found == case.truth, reason=f"is {case.truth}, answered {found}")
        report.add(section, share)
    for place, attribute in enumerate(ATTRIBUTES):
        share = Share(attribute, "100 %", grouped=False)
        for case, found, _ in answers:
            if case.truth is not None:
                share.add(case.name, hit=found is not None and found[place] == case.truth[place])
        report.add(section, share)
    negatives = Share("per-pixel baselines: no members", "100 %", grouped=False)
    for case, found, _ in answers:
        if case.truth is None:
            negatives.add(case.name, hit=found is None, reason=f"answered {found}")
    report.add(section, negatives, _agreement(answers))


def _agreement(answers: Sequence[tuple[Case, Truth | None, tuple[Part, ...]]]) -> Share:
    """Whether the listings of one model in several frameworks have the same parts."""
    share = Share("one model in several frameworks: the same parts", "100 %", grouped=False)
    models: dict[Truth, list[tuple[Case, tuple[Part, ...]]]] = defaultdict(list)
    for case, _, parts in answers:
        if case.truth is not None:
            models[case.truth].append((case, parts))
    for truth, listings in models.items():
        if len({case.framework for case, _ in listings}) < 2:
            continue
        first, *others = (sorted(parts, key=lambda part: part.role) for _, parts in listings)
        same = all(other == first for other in others)
        share.add(" ".join(map(str, truth)), hit=same, reason=f"{len(listings)} listings differ")
    return share
