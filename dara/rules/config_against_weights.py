"""DAR104."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from clustering.facts import Fact
from clustering.text import escape
from dara.findings import Confidence, Evidence, Outcome, Severity
from dara.rules.common.exempt import is_adapter, is_partial
from dara.rules.common.families import SURE, FamilyEvidence, gather, squash, sub_families
from dara.rules.common.graphs import is_alien, is_surely, spelling
from dara.rules.common.numbers import numbers_in
from dara.rules.common.wording import listed
from dara.rules.interface import Rule
from dara.subject import Subject

_EXACT: Final = ("layers", "encoder_layers", "decoder_layers", "hidden_size", "experts", "num_labels", "patch_size")
"""Kinds whose declared and measured value must be the same number."""

VOCABULARY_PADDING: Final = 0.05
"""Share by which an embedding may have more rows than the declared vocabulary: libraries pad to multiples of 64 to
1024, and tokens are added after the configuration was written."""


class ConfigAgainstWeights(Rule):
    """The configuration describes another model than the weights hold.

    ## Why it matters
    Loading fails, or fills what is missing with random numbers and a warning that few people read.

    ## How it is checked
    Facts of one kind that are both declared and measured are compared: family (a contradiction needs a graph that is
    told with high score and is no twin of the declared family), layers, hidden size, experts, labels, patch size, and
    vocabulary with a tolerance for padding.

    ## Example
    A config.json that says `bert` with 12 layers over the 6 layers of a DistilBERT.

    ## Known limits
    Heads without weights (a label map written before training) and additional prediction layers are tolerated.
    """

    code = "DAR104"
    slug = "config-against-weights"
    severity = Severity.ERROR
    since = "0.1.0"

    def check(self, subject: Subject) -> Iterator[Outcome]:
        """Compares every fact that is both declared and measured."""
        listing = subject.listing
        if listing is None or subject.config is None or is_adapter(subject) or is_partial(subject):
            return
        evidence = gather(subject)
        yield from self._family(subject, evidence)
        for kind in _EXACT:
            declared, measured = subject.facts.declared(kind), subject.facts.measured(kind)
            if declared is not None and "embed_dim" in declared.source:
                continue  # some families keep the width of an inner projection under this key
            if declared is not None and measured is not None and not _compatible(kind, subject):
                yield self._contradiction(kind, declared, measured)
        declared, measured = subject.facts.declared("vocabulary"), subject.facts.measured("vocabulary")
        if declared is not None and measured is not None and not _vocabulary_fits(declared, measured):
            yield self._contradiction("vocabulary", declared, measured)

    def _family(self, subject: Subject, evidence: FamilyEvidence) -> Iterator[Outcome]:
        measured = evidence.measured
        if measured is None or not evidence.known or evidence.agree is not False:
            return
        # Parts that the graph itself shows say nothing of what was declared.
        if evidence.measured_set & sub_families(subject.config):
            return
        if any(
            name.startswith(evidence.declared) or evidence.declared.startswith(name) for name in evidence.measured_set
        ):
            return
        if measured.score < SURE:
            yield from self._alien(subject, evidence)
            return
        answer = subject.identification
        alone = answer.structure_only[0] if answer is not None and answer.structure_only else None
        both = alone is not None and squash(alone.model_type) in evidence.measured_set
        declared = escape(evidence.declared_name)
        yield self.finding(
            f"config.json declares {declared}, the weights are those of {escape(measured.model_type)}",
            confidence=Confidence.HIGH if both else Confidence.MEDIUM,
            severity=None if both else Severity.WARNING,
            fact=Fact("family", measured.model_type, "measured", f"graph, score {measured.score:.2f}"),
            evidence=(
                Evidence("config.json", f"model_type = {escape(evidence.declared_name)}"),
                Evidence(
                    "weights", f"graph of {listed((measured.model_type, *measured.twins))}, score {measured.score:.2f}"
                ),
            ),
        )

    def _alien(self, subject: Subject, evidence: FamilyEvidence) -> Iterator[Outcome]:
        """The weights are of no family that is surely told, and surely not of the declared one."""
        declared = escape(evidence.declared_name)
        instead = evidence.measured.model_type if evidence.measured is not None else ""
        own = spelling(subject, evidence.declared_name)
        told = bool(instead) and is_surely(subject, instead, own)
        if not told and ("auto_map" in (subject.config or {}) or not is_alien(subject, own, instead)):
            return
        yield self.finding(
            f"config.json declares {declared}, the weights are those of {escape(instead)}"
            if told
            else f"config.json declares {declared}, which explains neither the shapes nor the names of the weights",
            confidence=Confidence.MEDIUM,
            severity=Severity.WARNING,
            fact=evidence.declared_fact,
            evidence=(Evidence("weights", f"nearest known family: {escape(instead)}"),) if instead else (),
        )

    def _contradiction(self, kind: str, declared: Fact, measured: Fact) -> Outcome:
        label = kind.replace("_", " ")
        return self.finding(
            f"config.json declares {label} {_shown(declared)}, the weights have {_shown(measured)}",
            confidence=Confidence.MEDIUM if kind == "num_labels" else Confidence.HIGH,
            severity=Severity.WARNING if kind in ("num_labels", "vocabulary") else None,
            fact=measured,
            evidence=(
                Evidence(declared.source, f"{kind} = {_shown(declared)}"),
                Evidence(measured.source, f"{kind} = {_shown(measured)}"),
            ),
        )


def _shown(fact: Fact) -> str:
    return "x".join(str(number) for number in numbers_in(fact.value)) or str(fact.value)


def _compatible(kind: str, subject: Subject) -> bool:
    """Whether some declared and some measured value of a kind agree, or may be of different things."""
    declared = [numbers_in(fact.value) for fact in subject.facts.all(kind) if fact.basis == "declared"]
    measured = [numbers_in(fact.value) for fact in subject.facts.all(kind) if fact.basis == "measured"]
    if not all(declared) or not all(measured) or not declared or not measured:
        return True
    if any(set(one) & set(two) for one in declared for two in measured):
        return True
    if kind in ("layers", "decoder_layers"):  # multi-token-prediction layers are declared apart from the stack
        extra = subject.facts.declared("mtp_layers")
        more = numbers_in(extra.value)[0] if extra is not None and numbers_in(extra.value) else 0
        return any(one[0] + more == two[0] or one[0] - two[0] == more for one in declared for two in measured)
    if kind == "experts":  # shared experts stand beside the routed ones
        shared = subject.facts.declared("experts_shared")
        more = numbers_in(shared.value)[0] if shared is not None and numbers_in(shared.value) else 0
        return any(one[0] + more == two[0] for one in declared for two in measured)
    return False


def _vocabulary_fits(declared: Fact, measured: Fact) -> bool:
    stated, rows = numbers_in(declared.value), numbers_in(measured.value)
    if not stated or not rows or not stated[0]:
        return True
    return 1 - 0.01 <= rows[0] / stated[0] <= 1 + VOCABULARY_PADDING or abs(rows[0] - stated[0]) <= 1024
