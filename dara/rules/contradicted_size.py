"""DAR202."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from clustering.facts import Fact
from dara.findings import Confidence, Evidence, Outcome, Severity
from dara.rules.common.exempt import is_adapter, is_partial, is_toy, resized_on_purpose
from dara.rules.common.families import gather
from dara.rules.common.numbers import numbers_in
from dara.rules.common.wording import listed, quoted
from dara.rules.interface import Rule
from dara.subject import Subject
from naming.records import Claim

_TELLING: Final = ("hidden_size", "layers", "attention_heads", "hidden_sizes", "depths", "embed_dim")
"""Dimensions by which published sizes of one family differ."""


class ContradictedSize(Rule):
    """The name states a size word, the dimensions are those of another published size.

    ## Why it matters
    "base" and "large" are the commonest way of saying how big a model is; memory, speed and scores follow from it.

    ## How it is checked
    For families whose sizes are published (BERT, T5, ViT, Swin, Whisper ...) the hidden size, layers and heads are
    compared with those of the word. A package is accused only when its dimensions are those of another published size
    of the same family, so that unpublished sizes never count as wrong.

    ## Example
    `someone/bert-large-reviews` with 12 layers of 768.

    ## Known limits
    Size words of language-model brands (`mini`, `small`, `large` in product names) have no published table and are
    skipped.
    """

    code = "DAR202"
    slug = "contradicted-size"
    severity = Severity.ERROR
    since = "0.1.0"

    def check(self, subject: Subject) -> Iterator[Outcome]:
        """Compares size words with the published table of the package's family."""
        claims = [claim for claim in subject.claims("size") if claim.role in ("", "main")]
        if not claims:
            return
        if is_adapter(subject) or is_partial(subject) or is_toy(subject) or resized_on_purpose(subject):
            yield self.skipped("adapters, parts, fixtures and pruned models keep the size word of their origin")
            return
        evidence = gather(subject)
        family = evidence.declared_name or (evidence.measured.model_type if evidence.measured else "")
        results = [(claim, self._judge(subject, claim, family)) for claim in claims]
        one_holds = any(not hasattr(outcome, "severity") and hasattr(outcome, "fact") for _, outcome in results)
        for claim, outcome in results:
            if one_holds and hasattr(outcome, "severity"):
                yield self.skipped(f"{quoted(claim.text)}: another size word of the name holds")
            else:
                yield outcome

    def _judge(self, subject: Subject, claim: Claim, family: str) -> Outcome:
        try:
            from clustering.variants import variant_dims, variant_of
        except ModuleNotFoundError:
            return self.skipped("no table of published sizes")

        word = size_word(claim)
        published = variant_dims(family, word) if family and word else None
        if not published:
            return self.skipped(
                f"{quoted(claim.text)}: no published dimensions of a {word} {family or 'model'}".rstrip()
            )
        seen = [fact for kind in _TELLING if (fact := subject.facts.best(kind)) is not None and kind in published]
        if not seen:
            return self.skipped(f"{quoted(claim.text)}: the package tells none of the dimensions")
        wrong = [fact for fact in seen if not _alike(published[fact.kind], fact.value)]
        if not wrong:
            return self.held(claim, seen[0])
        actual = variant_of(family, {fact.kind: fact.value for fact in subject.facts})
        if actual is None:
            return self.skipped(f"{quoted(claim.text)}: the dimensions are those of no published size of {family}")
        if actual == word:
            return self.held(claim, wrong[0])
        return self.finding(
            f"name says {quoted(claim.text)}, the dimensions are those of {family} {actual}",
            confidence=_confidence(subject, wrong, claim),
            claim=claim,
            fact=wrong[0],
            evidence=tuple(
                Evidence(
                    fact.source,
                    f"{fact.kind} = {listed(numbers_in(fact.value), 'and')}, {word} has {published[fact.kind]}",
                )
                for fact in wrong
            ),
        )


def size_word(claim: Claim) -> str:
    """The size word of a claim, whether its value is the word or a record that holds it."""
    value: Any = claim.value
    if isinstance(value, Mapping):
        value = value.get("size") or value.get("variant")
    return value.lower() if isinstance(value, str) else ""


def _alike(published: Any, observed: Any) -> bool:
    return numbers_in(published) == numbers_in(observed)


def _confidence(subject: Subject, wrong: list[Fact], claim: Claim) -> Confidence:
    if claim.modality == "ambiguous":
        return Confidence.LOW
    bases = {fact.basis for kind in _TELLING for fact in subject.facts.all(kind)}
    return Confidence.HIGH if len(wrong) > 1 and "measured" in bases else Confidence.MEDIUM
