"""Families, classes and heads of packages that the reference corpus was never built from.

Family
    `right`: the declared model type comes first, or is listed as a twin of what does. `itself`: it comes first.
    `unknown`: no family is named.
Class
    `declared class`: `architectures[0]` is the first of `architecture_class`. `or one with the same tensors`: both
    classes explain every tensor, so that no weight file tells them apart (a masked language model and the causal one of
    an encoder; a class whose twin family copied it). `head`: the head of the first class is the head of the declared
    one (`ForCausalLM`, `ForSequenceClassification`, `Model` ...; see `head_of`), whatever the family.
Only packages whose class the corpus holds are asked for it.
"""

from __future__ import annotations

import re
import time
from collections.abc import Sequence

from benchmarks.fingerprint_data import NAMELESS, Asked, disguise
from benchmarks.fingerprint_figures import Report, Share
from clustering.declared.task import class_suffix
from clustering.family.calibrate import EXACT
from clustering.family.ranking import Candidate
from clustering.family.scorer import FamilyScorer
from clustering.graphs.layers import fold_tied, parameters_of, roots_of
from clustering.identity import FamilyMatch, Identification

MODES = {
    "ordered": ("structure alone, order kept", "95 %"),
    "shuffled": ("structure alone, order shuffled", "93 %"),
    "both": ("both channels", "99.5 %"),
    "names": ("names alone", ""),
}
"""Way of showing a package -> title and what is asked for."""
_FURTHER_HEAD = re.compile(r"(For[A-Z]\w*|WithProjection|Backbone|Encoder|Decoder)$")
_SAME_HEAD = {"LMHeadModel": "ForCausalLM"}
"""`GPT2LMHeadModel` is what the library calls `...ForCausalLM` elsewhere."""
_SHOWN = 3


def head_of(class_name: str) -> str:
    """The head that a class's name states: `ForTokenClassification`, `Model` ...; the whole name where it states none.

    >>> head_of("BertForMaskedLM"), head_of("GPT2LMHeadModel"), head_of("BertModel"), head_of("DPRQuestionEncoder")
    ('ForMaskedLM', 'ForCausalLM', 'Model', 'Encoder')
    """
    suffix = class_suffix(class_name)
    if suffix is None:
        found = _FURTHER_HEAD.search(class_name)
        suffix = found[1] if found else class_name
    return _SAME_HEAD.get(suffix, suffix)


def families(report: Report, scorer: FamilyScorer, asked: Sequence[Asked], modes: Sequence[str]) -> None:
    """Fills in the families as every mode shows them."""
    section = "Families of packages"
    named = [package for package in asked if package.model_type]
    for mode in modes:
        title, bar = MODES[mode]
        right, itself = Share(f"{title}: right", bar), Share(f"{title}: itself")
        unknown = Share(f"{title}: unknown", "at most 2 %" if mode == "both" else "")
        started = time.process_time()
        for package in named:
            truth = str(package.model_type)
            answer = scorer.identify(disguise(package.listing, mode))
            ranked = answer.structure_only if mode in NAMELESS else answer.family
            first = ranked[0] if ranked else None
            hit = first is not None and truth in (first.model_type, *first.twins)
            # families whose names are the same share the first place without their shapes: no misses to look into
            reason = _why(scorer, truth, ranked, answer) if bar else ""
            right.add(package.name, hit=hit, reason=reason)
            itself.add(package.name, hit=first is not None and first.model_type == truth)
            unknown.add(package.name, hit=first is None)
        report.add(section, right, itself, unknown)
        each = (time.process_time() - started) / max(1, len(named))
        report.note(section, f"{title}: {each * 1e3:.0f} ms of processor a package")


def _why(scorer: FamilyScorer, truth: str, ranked: Sequence[FamilyMatch], answer: Identification) -> str:
    """What was answered instead of the declared family."""
    said = ", ".join(f"{match.model_type} {match.score:.3f}" for match in ranked[:_SHOWN]) or "unknown"
    known = "" if scorer.known(truth) else " (not in the corpus)"
    return f"declared {truth}{known}, answered {said}; {answer.reason or 'no further reason'}"


def classes(report: Report, scorer: FamilyScorer, asked: Sequence[Asked]) -> None:
    """Fills in declared classes and heads."""
    section = "Classes of packages"
    known = set(scorer.index.classes)
    first_class = Share("declared class first", "97 %")
    alike = Share("declared class, or one with the same tensors, first")
    heads = Share("head of the declared class first", "97 %")
    left = 0
    for package in asked:
        declared = package.class_name
        if declared is None or declared not in known:
            left += 1
            continue
        ranked = scorer.architecture_class(package.listing)
        first = ranked[0] if ranked else ""
        same = first == declared or declared in _same_tensors(scorer, package, first)
        shown = ", ".join(ranked[:_SHOWN]) or "none"
        reason = f"declared {declared}, answered {shown}; {'the same tensors' if same else 'other tensors'}"
        first_class.add(package.name, hit=first == declared, reason=reason)
        alike.add(package.name, hit=same)
        heads.add(package.name, hit=bool(first) and head_of(first) == head_of(declared), reason=reason)
    report.add(section, first_class, alike, heads)
    report.note(section, f"{left} packages declare no class that the corpus holds, and are not asked for one")


def _same_tensors(scorer: FamilyScorer, package: Asked, first: str) -> set[str]:
    """Classes that explain every tensor of a package, if the first does."""
    parameters = parameters_of(package.listing)
    _, both = scorer.ranked(fold_tied(parameters), roots_of(parameters))
    exact = {candidate.class_name for candidate in both if _exact(candidate)}
    return exact if first in exact else set()


def _exact(candidate: Candidate) -> bool:
    return candidate.fit is not None and candidate.fit.overlap >= EXACT
