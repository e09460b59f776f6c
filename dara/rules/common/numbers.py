"""Comparison of whole-number claims (layers, heads, patch size ...) with facts of one or several kinds."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from clustering.facts import Fact
from dara.findings import Confidence, Evidence, Finding, Outcome, Severity
from dara.rules.common.wording import listed, quoted
from dara.rules.interface import Rule
from dara.subject import Subject
from naming.records import Claim

Accept = Callable[[Any, Any], bool]
"""`accept(claimed, observed)`: whether the fact makes the claim true."""


def whole(value: Any) -> int | None:
    """A whole number, from an int or an integral float; None for anything else, booleans included."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return None


def numbers_in(value: Any) -> tuple[int, ...]:
    """The whole numbers that a fact holds: one, a list of them, or a "512x512" pair."""
    if isinstance(value, str):
        pieces = value.lower().split("x")
        return tuple(int(piece) for piece in pieces if piece.isascii() and piece.isdigit() and len(piece) < 10)
    if isinstance(value, Sequence):
        return tuple(number for item in value if (number := whole(item)) is not None)
    if isinstance(value, dict):
        return tuple(number for item in value.values() if (number := whole(item)) is not None)
    number = whole(value)
    return () if number is None else (number,)


def same(claimed: Any, observed: Any) -> bool:
    """True when every number claimed is among the observed ones."""
    wanted, have = numbers_in(claimed), numbers_in(observed)
    return bool(wanted) and set(wanted) <= set(have)


def confidence_of(facts: Sequence[Fact], claim: Claim) -> Confidence:
    """High when declared and measured agree with each other against the claim, medium from one channel.

    An ambiguous reading of the name is never more than low.
    """
    if claim.modality == "ambiguous":
        return Confidence.LOW
    return Confidence.HIGH if {fact.basis for fact in facts} == {"measured", "declared"} else Confidence.MEDIUM


def check_numbers(
    rule: Rule,
    subject: Subject,
    claims: Sequence[Claim],
    kinds: Sequence[str],
    noun: str,
    *,
    accept: Accept = same,
    severity: Severity | None = None,
    cap: Confidence = Confidence.HIGH,
) -> Iterator[Outcome]:
    """Compares claims with every fact of the kinds; a claim holds when any fact makes it true.

    Where a name states several numbers of one kind and one of them holds, the others are not accused: they usually
    belong to a teacher, a base model or a data set. Several facts of one kind (an encoder's and a decoder's layers)
    are alternatives for the same reason.
    """
    if not claims:
        return
    facts = tuple(fact for kind in kinds for fact in subject.facts.all(kind) if numbers_in(fact.value))
    if not facts:
        yield rule.skipped(f"the package does not tell its {noun}")
        return
    results = [(claim, next((fact for fact in facts if accept(claim.value, fact.value)), None)) for claim in claims]
    one_holds = any(fact is not None for _, fact in results)
    for claim, fact in results:
        if fact is not None:
            yield rule.held(claim, fact)
        elif one_holds:
            yield rule.skipped(f"{quoted(claim.text)} is one of several in the name, and another one holds")
        else:
            yield _contradiction(rule, claim, facts, noun, severity, cap)


def _contradiction(
    rule: Rule, claim: Claim, facts: Sequence[Fact], noun: str, severity: Severity | None, cap: Confidence
) -> Finding:
    observed = list(dict.fromkeys(_plain(fact.value) for fact in facts))
    confidence = min(confidence_of(facts, claim), cap)
    milder = Severity.WARNING if confidence < Confidence.MEDIUM else None
    return rule.finding(
        f"name says {_counted(noun, _plain(claim.value))} ({quoted(claim.text)}), the package has {listed(observed)}",
        confidence=confidence,
        claim=claim,
        fact=facts[0],
        evidence=tuple(
            Evidence(fact.source, f"{fact.kind} = {_plain(fact.value)} ({fact.basis})") for fact in facts[:4]
        ),
        severity=milder or severity,
    )


def _counted(noun: str, number: str) -> str:
    """`12 layers` of a "number of layers"; `hidden size 768`."""
    things = noun.removeprefix("number of ")
    if things == noun:
        return f"{noun} {number}"
    return f"{number} {things.removesuffix('s') if number == '1' and things != 'classes' else things}"


def _plain(value: Any) -> str:
    numbers = numbers_in(value)
    return "x".join(str(number) for number in dict.fromkeys(numbers)) if numbers else str(value)
