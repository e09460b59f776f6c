"""DAR202."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from clustering.facts import Fact
from clustering.text import escape
from dara.findings import Confidence, Evidence, Finding, Held, Outcome, Severity
from dara.rules.common.exempt import is_adapter, is_partial, is_toy, resized_on_purpose
from dara.rules.common.families import FamilyEvidence, accepted, gather, squash
from dara.rules.common.wording import listed, quoted
from dara.rules.contradicted_backbone import parts_in
from dara.rules.interface import Rule
from dara.subject import Subject
from naming.records import Claim

_LETTERS: Final = {"ti": "tiny", "t": "tiny", "s": "small", "b": "base", "l": "large", "h": "huge", "g": "giant"}
_SEEING: Final = ("vision", "dual")
"""Kinds of families whose publishers write one letter for the word (`dinov3-vitl16`); elsewhere it is a brand's."""


class ContradictedSize(Rule):
    """The name states a size word, the dimensions are those of another published size.

    ## Why it matters
    "base" and "large" are the commonest way of saying how big a model is; memory, speed and scores follow from it.

    ## How it is checked
    For families whose sizes are published (BERT, T5, ViT, Swin, Whisper ...) the hidden size, layers and heads are
    compared with those of the word (of the whole model, where the family's sizes are called after its backbone: SAM).
    A package is accused only when its dimensions are those of another published size of the same family, so that
    unpublished sizes never count as wrong.

    ## Example
    `someone/bert-large-reviews` with 12 layers of 768.

    ## Known limits
    A name without a family word gives low confidence: the size is then a brand's own. Size words of language-model
    brands (`mini`, `small`, `large` in product names) have no published table and are skipped.
    """

    code = "DAR202"
    slug = "contradicted-size"
    severity = Severity.ERROR
    since = "0.1.0"

    def check(self, subject: Subject) -> Iterator[Outcome]:
        """Compares size words with the published table of the package's family."""
        # The size of a backbone that the package tells is DAR103's to judge.
        backbones = (
            " ".join(claim.text for claim in subject.claims("backbone")) if parts_in(subject, "backbone") else ""
        )
        claims = [
            claim
            for claim in subject.claims("size")
            if claim.role in ("", "main") or (claim.role == "backbone" and claim.text not in backbones)
        ]
        if not claims:
            return
        if is_adapter(subject) or is_partial(subject) or is_toy(subject) or resized_on_purpose(subject):
            yield self.skipped("adapters, parts, fixtures and pruned models keep the size word of their origin")
            return
        evidence = gather(subject)
        family = _published(evidence)
        results = [(claim, self._judge(subject, claim, family)) for claim in claims]
        one_holds = any(isinstance(outcome, Held) for _, outcome in results)
        for claim, outcome in results:
            if one_holds and isinstance(outcome, Finding):
                yield self.skipped(f"{quoted(claim.text)}: another size word of the name holds")
            else:
                yield outcome

    def _judge(self, subject: Subject, claim: Claim, family: str) -> Outcome:
        from clustering.parts.variants import variant_dims, variant_of
        from naming.domains import domain_of

        word = size_word(claim)
        rows = variant_dims(family, word) if family and word else ()
        if not rows and domain_of(family) in _SEEING and word in _LETTERS:
            word = _LETTERS[word]
            rows = variant_dims(family, word)
        if not rows:
            return self.skipped(f"{quoted(claim.text)}: no published dimensions of a {word} {escape(family)}".rstrip())
        releases = [_compare(row, subject) for row in rows]
        if not any(alike or wrong for alike, wrong in releases):
            return self.skipped(f"{quoted(claim.text)}: the package tells none of the dimensions")
        fitting = next((alike for alike, wrong in releases if alike and not wrong), None)
        if fitting is not None:
            return self.held(claim, fitting[0])
        actual = variant_of(family, subject.facts)
        if actual is not None and actual.isalpha() != word.isalpha():
            return self.skipped(
                f"{quoted(claim.text)}: {escape(family)} {actual} is another way of counting the same sizes"
            )
        if actual is None:
            return self.skipped(
                f"{quoted(claim.text)}: the dimensions are those of no published size of {escape(family)}"
            )
        wrong = min((wrong for _, wrong in releases), key=len)
        if actual == word:
            return self.held(claim, wrong[0][0])
        confidence = _confidence([fact for fact, _ in wrong], claim) if _names_family(subject) else Confidence.LOW
        return self.finding(
            f"name says {quoted(claim.text)}, the dimensions are those of {escape(family)} {actual}",
            confidence=confidence,
            severity=Severity.WARNING if confidence < Confidence.MEDIUM else None,
            claim=claim,
            fact=wrong[0][0],
            evidence=tuple(
                Evidence(fact.source, f"{fact.kind} = {_plain(fact.value)}, {word} has {_plain(published)}")
                for fact, published in wrong
            ),
        )


def _published(evidence: FamilyEvidence) -> str:
    """The package's family as the table of published sizes spells it."""
    from clustering.parts.variants import families

    names = {squash(name): name for name in families()}
    measured = squash(evidence.measured.model_type) if evidence.measured else ""
    return names.get(evidence.declared) or names.get(measured) or evidence.declared_name


def _names_family(subject: Subject) -> bool:
    """Whether the name says the package's family: the "small" of a brand alone is the brand's own."""
    evidence = gather(subject)
    own = {evidence.declared, evidence.class_family} | evidence.declared_twins | evidence.measured_set
    return any(own & accepted(claim) for claim in subject.claims("family") if claim.role in ("", "main"))


def _compare(row: Mapping[str, Any], subject: Subject) -> tuple[list[Fact], list[tuple[Fact, Any]]]:
    """Facts that agree with a published release, and those that do not with what it has instead."""
    alike: list[Fact] = []
    wrong: list[tuple[Fact, Any]] = []
    for kind, published in row.items():
        known = subject.facts.all(kind)
        if not known:
            continue
        fitting = next((fact for fact in known if _values(fact.value) == _values(published)), None)
        if fitting is None:
            wrong.append((known[0], published))
        else:
            alike.append(fitting)
    return alike, wrong


def size_word(claim: Claim) -> str:
    """The size word of a claim, whether its value is the word or a record that holds it."""
    value: Any = claim.value
    if isinstance(value, Mapping):
        value = value.get("size") or value.get("variant")
    return value.lower() if isinstance(value, str) else ""


def _values(value: Any) -> Any:
    return list(value) if isinstance(value, list | tuple) else value


def _plain(value: Any) -> str:
    return listed(value, "and") if isinstance(value, list | tuple) else str(value)


def _confidence(wrong: list[Fact], claim: Claim) -> Confidence:
    """High when weights show more than one dimension to be that of another size."""
    if claim.modality == "ambiguous":
        return Confidence.LOW
    measured = any(fact.basis == "measured" for fact in wrong)
    return Confidence.HIGH if len(wrong) > 1 and measured and claim.modality == "stated" else Confidence.MEDIUM
