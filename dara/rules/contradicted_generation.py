"""DAR601."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import Any, Final

from clustering.facts import Fact
from dara.findings import Confidence, Evidence, Outcome, Severity
from dara.rules.common.evidence import family_evidence
from dara.rules.common.numbers import whole
from dara.rules.common.rulings import RuledClaim, Ruling, observed_family, rulings, series
from dara.rules.common.tables import table
from dara.rules.common.wording import claimed, quoted
from dara.rules.interface import Rule
from dara.subject import Subject

_LAST_NUMBER: Final = re.compile(r"[vV]?(\d{1,2}(?:[._]\d)?)$")


class ContradictedGeneration(Rule):
    """The name states one generation of a series, the package holds another.

    ## Why it matters
    Generations differ in licence, vocabulary, context and quality; a reader picks the newest number.

    ## How it is checked
    Where the library has a family for each generation (`qwen2`, `qwen3`; `gemma`, `gemma2`), the declared and
    measured family is compared with those that the name's generation can have. Where generations share a family, marks
    that fine-tuning does not change are compared: the vocabulary of Llama 3, the positions of Llama 3.1, the gated
    feed-forward of T5 v1.1.

    ## Example
    `someone/Llama-3-8B-chat` whose token table has Llama 2's 32,000 rows.

    ## Known limits
    Qwen2 and Qwen2.5, or Mistral's point releases, leave no such mark and are not told apart.
    """

    code = "DAR601"
    slug = "contradicted-generation"
    severity = Severity.WARNING
    since = "0.1.0"

    def check(self, subject: Subject) -> Iterator[Outcome]:
        """Reports family claims that another generation of the series contradicts."""
        evidence, ruled = rulings(subject)
        for item in ruled:
            if item.ruling is Ruling.GENERATION:
                yield self.finding(
                    f"name says {claimed(item.claim.value, item.claim.text)}, "
                    f"the package is {observed_family(evidence)}",
                    confidence=Confidence.MEDIUM if item.claim.modality == "stated" else Confidence.LOW,
                    claim=item.claim,
                    fact=item.fact,
                    evidence=tuple(family_evidence(evidence, item.claim, subject)),
                )
            elif item.ruling is Ruling.HELD and item.claim.modality == "stated":
                yield from self._marks(subject, item, evidence.declared)

    def _marks(self, subject: Subject, item: RuledClaim, declared: str) -> Iterator[Outcome]:
        stated = _generation(subject, item)
        if not series(declared).startswith(series(item.claim.text)):
            return  # a brand counts its own releases: ShieldGemma 2 is a Gemma 3
        marks = table("generations")
        for mark in marks.get(declared) or marks.get(series(declared), ()):
            if stated not in mark["generations"]:
                continue
            fact = _mark_fact(subject, mark["kind"])
            if fact is None or _has(mark, fact.value) or mark.get("or_kind") in subject.facts.kinds():
                continue
            yield self.finding(
                f"name says {quoted(item.claim.text)} of generation {stated}, which has {mark['what']}; "
                f"the package has {mark['kind'].replace('_', ' ')} {fact.value}",
                confidence=Confidence.MEDIUM,
                claim=item.claim,
                fact=fact,
                evidence=(Evidence(fact.source, f"{fact.kind} = {fact.value}"),),
            )


def _generation(subject: Subject, item: RuledClaim) -> str:
    """The generation that the family's words end with, or that stands right behind them; empty when there is none."""
    found = _LAST_NUMBER.search(item.claim.text)
    if found and subject.parsed is not None:
        number = found[1].replace("_", ".")
        if number in {str(claim.value) for claim in subject.claims("version")}:
            return number
    parts = subject.parsed.components if subject.parsed is not None else ()
    for first, second in pairwise(parts):
        if first.text == item.claim.text and second.category == "version" and second.start - first.end <= 1:
            return str(second.value)
    return ""


def _mark_fact(subject: Subject, kind: str) -> Fact | None:
    fact = subject.facts.best(kind)
    if fact is None and kind == "gated_mlp":
        activation = (subject.config or {}).get("feed_forward_proj")
        if isinstance(activation, str):
            return Fact(kind, activation.startswith("gated"), "declared", "config.json: feed_forward_proj")
    return fact


def _has(mark: Mapping[str, Any], value: Any) -> bool:
    if "equals" in mark:
        return bool(value == mark["equals"])
    number = whole(value)
    return number is None or mark.get("min", number) <= number <= mark.get("max", number)
