"""DAR602."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from clustering.facts import Fact
from clustering.text import escape
from dara.findings import Confidence, Evidence, Outcome, Severity
from dara.rules.common.exempt import is_adapter
from dara.rules.common.families import SHORTEST_WORD, FamilyEvidence, accepted, gather, squash
from dara.rules.common.rulings import observed_family, series
from dara.rules.common.tables import words
from dara.rules.common.wording import quoted
from dara.rules.interface import Rule
from dara.subject import Subject
from naming.records import Claim

_OTHERWISE = ("distil", "student", "draft", "eagle", "mmproj")
"""Words of packages that are made with the help of a model without having its graph."""


_MOST_BASES = 8


class ContradictedBaseModel(Rule):
    """The base model that the card names is of another family than the package.

    ## Why it matters
    Licence, safety and evaluation are inherited from the base model, and hubs build family trees from this field.

    ## How it is checked
    The names in `base_model` are read like any package name, and the family they state is compared with the declared
    and measured one. With several base models it is enough that one fits. An adapter has no graph of a family: there
    the family that its own name states is compared with that of the model in `adapter_config.json`, else in the card.

    ## Example
    A package with `base_model: mistralai/Mistral-7B-v0.1` whose config.json declares `gpt_neox`.

    ## Known limits
    Distilled models, drafts and composites of several models are skipped, and so is a base that is such a composite:
    the package may be a part of it. A base whose name tells no family may be the one that fits. What the base package
    really holds is not looked up.
    """

    code = "DAR602"
    slug = "contradicted-base-model"
    severity = Severity.WARNING
    since = "0.1.0"

    def check(self, subject: Subject) -> Iterator[Outcome]:
        """Compares families that the base models' names state with the package's."""
        bases = subject.card.base_model if subject.card is not None else ()
        if not bases and subject.hub is not None:
            bases = subject.hub.base_model
        if is_adapter(subject):
            yield from self._adapter(subject, bases)
            return
        repo = subject.parsed.repo.lower() if subject.parsed else ""
        if not bases or any(word in repo for word in _OTHERWISE):
            return
        evidence = gather(subject)
        if not evidence.declared and evidence.measured is None:
            yield self.skipped("the package does not tell its family")
            return
        claims = {base: _family_claims(base) for base in bases[:_MOST_BASES]}
        if not all(claims.values()) or len(bases) > _MOST_BASES:
            yield self.skipped("the names of the base models state no family")
            return
        told = [(base, claim) for base, found in claims.items() for claim in found]
        wrong = [(base, claim) for base, claim in told if _apart(claim, evidence, subject)]
        if len(wrong) < len(told):
            return
        base, claim = wrong[0]
        meant = escape(str(claim.value))
        yield self.finding(
            f"the card's base model {quoted(base)} is {meant}, the package is {observed_family(evidence)}",
            confidence=Confidence.MEDIUM
            if evidence.agree is not False and claim.modality == "stated"
            else Confidence.LOW,
            claim=claim,
            fact=evidence.declared_fact or Fact("base_model", list(bases), "declared", "README.md: base_model"),
            evidence=(Evidence("README.md", f"base_model: {escape(base)}"),),
        )

    def _adapter(self, subject: Subject, bases: Sequence[str]) -> Iterator[Outcome]:
        """Compares the families that an adapter's name states with those that the name of its base states."""
        own = [claim for claim in subject.claims("family") if claim.role in ("", "main") and claim.modality == "stated"]
        fact = subject.facts.declared("base_model")
        if fact is None:
            fact = Fact("base_model", bases[0], "declared", "README.md: base_model") if len(bases) == 1 else None
        if not own or fact is None:
            return
        told = [claim for claim in _family_claims(str(fact.value)) if claim.modality == "stated"]
        composite = words("composites") | words("pipelines") | words("containers")
        if not told or any(squash(str(claim.value)) in composite for claim in (*own, *told)):
            yield self.skipped("the name of the base model states no family that could be compared")
            return
        fits = next((claim for claim in own for other in told if _related(claim, other)), None)
        if fits is not None:
            yield self.held(fits, fact)
            return
        yield self.finding(
            f"name says {escape(str(own[0].value))} ({quoted(own[0].text)}), "
            f"the adapter is made for {quoted(str(fact.value))}, which is {escape(str(told[0].value))}",
            confidence=Confidence.MEDIUM,
            claim=own[0],
            fact=fact,
            evidence=(Evidence(fact.source, escape(str(fact.value))),),
        )


def _related(claim: Claim, other: Claim) -> bool:
    """Whether two families may be the same, generations of one series, or one spelled in short (`roberta`)."""
    first, second = accepted(claim), accepted(other)
    if first & second or {series(name) for name in first} & {series(name) for name in second}:
        return True
    short, long = sorted((squash(str(claim.value)), squash(str(other.value))), key=len)
    return len(short) >= SHORTEST_WORD and short in long


def _family_claims(name: str) -> tuple[Claim, ...]:
    from naming import NameRefused, parse_name

    try:
        parsed = parse_name(name)
    except NameRefused:
        return ()
    return tuple(
        claim for claim in parsed.claims_of("family") if claim.role in ("", "main") and claim.modality != "ambiguous"
    )


def _apart(claim: Claim, evidence: FamilyEvidence, subject: Subject) -> bool:
    accept = accepted(claim)
    own = (
        {evidence.declared, evidence.class_family}
        | evidence.declared_twins
        | evidence.measured_set
        | evidence.components
    )
    if not evidence.recognised or accept & own or _may_be_part(squash(str(claim.value)), evidence, subject):
        return False
    roots = {series(name) for name in accept if len(name) > 2}
    return not any(series(name) in roots or any(name.startswith(other) for other in accept) for name in own if name)


def _may_be_part(base: str, evidence: FamilyEvidence, subject: Subject) -> bool:
    """Whether the package may have been cut from a base of several parts.

    The encoder of a TrOCR, the tower of a CLIP or an InternVL, the Gemma of a PaliGemma.
    """
    if base in words("containers"):
        return True
    sees = {"patch_size", "image_size"} & set(subject.facts.kinds())
    named = len(evidence.declared) >= SHORTEST_WORD and evidence.declared in base
    return base in words("composites") and bool(sees or named)
