"""How facts are written for people."""

from __future__ import annotations

from typing import Any

from clustering.facts import Fact
from naming.records import Claim

HEADLINE_KINDS = (
    "family",
    "architecture_class",
    "parameters",
    "layers",
    "hidden_size",
    "attention_heads",
    "experts",
    "backbone",
    "vocabulary",
    "context",
    "num_labels",
    "dtype",
    "quantization",
    "format",
)
"""Facts that say what a model is at a glance, in reading order; the JSON report has all of them."""


def fact_text(fact: Fact) -> str:
    """A fact's value in the field's spelling; declared ones say so. Not escaped."""
    mark = "" if fact.basis == "measured" else " (declared)"
    return f"{value_text(fact.kind, fact.value)}{mark}"


def named_fact(claim: Claim | None, fact: Fact) -> str:
    """A fact beside the claim that it speaks to: with its kind where that is another one. Not escaped."""
    if claim is not None and claim.kind == fact.kind:
        return fact_text(fact)
    return f"{fact.kind.replace('_', ' ')} {fact_text(fact)}"


def value_text(kind: str, value: Any) -> str:
    """A value of a kind: `1.1B` parameters, `gptq 4` for a method with its bits."""
    if isinstance(value, dict):
        return " ".join(value_text("", item) for item in value.values() if item is not None)
    if isinstance(value, (list, tuple)):
        return ", ".join(value_text("", item) for item in value)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if kind == "parameters" and isinstance(value, (int, float)):
        return count_text(value)
    return str(value)


def count_text(number: float) -> str:
    """A number of parameters with three digits: 1.1B, 110M."""
    for unit, size in (("T", 1e12), ("B", 1e9), ("M", 1e6), ("K", 1e3)):
        if number >= size:
            return f"{number / size:.3g}{unit}"
    return str(int(number))
