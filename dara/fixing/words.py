"""The true value of a contradicted claim in the spelling of the name; nothing where no single word follows."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from clustering.facts import Fact, Facts
from clustering.parts.variants import variant_of
from dara.rules.common.families import squash
from dara.rules.common.numbers import numbers_in
from dara.suggest import family_word, size_word
from naming.records import Claim

_NUMERIC: Final = frozenset({"layers", "hidden_size", "attention_heads", "experts", "patch_size", "image_size"})
_NUMBER: Final = re.compile(r"\d+(?:[._]\d+)?")
_DTYPES: Final = {"F32": "fp32", "F16": "fp16", "BF16": "bf16", "F64": "fp64"}
_ENCODINGS: Final = frozenset({"quantization", "dtype", "format"})
"""Kinds of words without which a name still says the truth: it then promises no special encoding."""


def true_words(claim: Claim, fact: Fact, facts: Facts) -> str | None:
    """What the name would say in place of a claim's words.

    Returns:
        The words; empty where they have to go because nothing is there that they could speak of; None where more than
        one word would do, or none.
    """
    if claim.modality != "stated":
        return None  # a brand is not a word for its family
    value = fact.value
    match claim.kind:
        case "family":
            return _family(claim, fact)
        case "backbone":
            return _backbone(claim, value)
        case "size":
            family = facts.best("family")
            word = variant_of(str(family.value), facts) if family is not None else None
            return _cased(claim.text, word) if word else None
        case "parameters" if isinstance(claim.value, int | float) and isinstance(value, int | float) and value > 0:
            return _cased(claim.text, size_word(value))
        case "context":
            return _context(claim, value)
        case "dtype" if fact.kind == "dtype" and str(value) in _DTYPES:
            return _cased(claim.text, _DTYPES[str(value)])
        case kind if kind in _NUMERIC:
            numbers = numbers_in(value)
            single = len(numbers) == 1 and len(_NUMBER.findall(claim.text)) == 1
            return _NUMBER.sub(str(numbers[0]), claim.text) if single else None
        case kind if kind in _ENCODINGS:
            return "" if _is_plain(kind, facts) else None
    return None


def _family(claim: Claim, fact: Fact) -> str | None:
    if fact.kind != "family" or not isinstance(fact.value, str):
        return None  # a generation told by its vocabulary has no name of its own
    spelled = {squash(str(claim.value)), *(squash(name) for name in claim.accepts)}
    if squash(claim.text) not in spelled:
        return None
    return family_word(fact.value)


def _backbone(claim: Claim, value: Any) -> str | None:
    """`swin-base` to `swin-tiny`; another family with its variant where the name states one."""
    if not isinstance(value, Mapping) or not isinstance(claim.value, Mapping):
        return None
    family, variant = str(value.get("family") or ""), str(value.get("variant") or "")
    stated = str(claim.value.get("variant") or "")
    if not family or bool(stated) != bool(variant):
        return None
    if squash(str(claim.value.get("family"))) != squash(family):
        return f"{family_word(family)}-{variant}" if variant else family_word(family)
    return claim.text.replace(stated, variant) if claim.text.count(stated) == 1 else None


def _context(claim: Claim, value: Any) -> str | None:
    numbers = numbers_in(value)
    if len(numbers) != 1 or not claim.text[:1].isdigit():
        return None
    if claim.text[-1:] not in "kK":
        return str(numbers[0]) if claim.text.isdigit() else None
    for unit in (1024, 1000):
        if numbers[0] % unit == 0:
            return f"{numbers[0] // unit}{claim.text[-1]}"
    return None


def _is_plain(kind: str, facts: Facts) -> bool:
    """Whether the package is known to have no special encoding of a kind."""
    if kind != "quantization":
        return False
    dtype = facts.measured("dtype")
    return "quantization" not in facts and dtype is not None and str(dtype.value) in _DTYPES


def _cased(pattern: str, word: str) -> str:
    return word.upper() if pattern.isupper() else word
