"""A conventional name for a package: what its name would say if every part of it were true.

The order and the words of the name are kept wherever a claim holds or could not be checked. A contradicted part is
replaced by the measured value in the same spelling, or left out where no word fits. Family and size are added where
the name states neither (the implementation convention of the naming study: architecture, then size, then the rest).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from clustering.facts import Fact
from clustering.parts.variants import variant_of
from dara.report import AuditReport
from dara.reports.values import count_text, fact_text, named_fact
from naming.records import Claim, Component

Change = Literal["kept", "replaced", "added", "left out"]

_NUMERIC = {"layers", "hidden_size", "attention_heads", "experts", "context", "patch_size", "image_size", "queries"}
_NUMBER = re.compile(r"\d+(?:[._]\d+)?")
_LARGE = 1e9
"""From here on a parameter count says more than a size word; below, families have published size words."""


@dataclass(frozen=True, slots=True)
class NamePart:
    """One part of the suggested name."""

    text: str
    """As it stands in the suggestion; for a part that is left out, as it stood in the name."""
    change: Change
    reason: str


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A name and why it is so."""

    current: str
    name: str
    parts: tuple[NamePart, ...]

    @property
    def differs(self) -> bool:
        """False when the name is already what it would be called."""
        return self.current != self.name


def suggest(report: AuditReport) -> Suggestion | None:
    """The name that fits what the package holds; None when the package has no name to start from.

    The owner is kept as it is.
    """
    if report.parsed is None:
        return None
    parsed = report.parsed
    pieces = list(_front(report, parsed.components))
    end = 0
    for component in parsed.components:
        # What is added stands before the whole name and is set off by a hyphen, like everything after a gap.
        separator = parsed.repo[end : component.start] if end else "-"
        end = component.end
        pieces.append((separator, _part(component, report)))
    repo = ""
    for separator, part in pieces:
        if part.change != "left out":
            repo += separator + part.text if repo else part.text
    name = f"{parsed.owner}/{repo}" if parsed.owner else repo
    return Suggestion(parsed.name, name, tuple(part for _, part in pieces))


def _part(component: Component, report: AuditReport) -> NamePart:
    finding = next((item for item in report.findings if item.claim and item.claim.text == component.text), None)
    if finding is not None and finding.claim is not None and finding.fact is not None:
        word = _word(finding.claim, finding.fact, report)
        if word is None:
            return NamePart(component.text, "left out", f"{finding.code}: {finding.message}")
        return NamePart(word, "replaced", f"{finding.code}: {finding.message}")
    held = next((item for item in report.outcomes.held if item.claim.text == component.text), None)
    if held is not None:
        return NamePart(component.text, "kept", f"holds: {named_fact(None, held.fact)}")
    claims = report.parsed.claims if report.parsed else ()
    checkable = any(claim.text == component.text for claim in claims)
    return NamePart(component.text, "kept", "claimed, not checked" if checkable else "makes no claim")


def _word(claim: Claim, fact: Fact, report: AuditReport) -> str | None:
    """The true value in the spelling of the claim; None when no word can be derived."""
    value: Any = fact.value
    if claim.kind == "family" and isinstance(value, str):
        return family_word(value)
    if claim.kind == "parameters" and isinstance(value, (int, float)):
        return _in_case_of(claim.text, size_word(value))
    if claim.kind in _NUMERIC and isinstance(value, int) and len(_NUMBER.findall(claim.text)) == 1:
        return _NUMBER.sub(str(value), claim.text)
    if claim.kind == "size":
        family = report.facts.best("family")
        return variant_of(str(family.value), report.facts) if family is not None else None
    if claim.kind == "dtype" and isinstance(value, str):
        return _in_case_of(claim.text, value.lower())
    return None


def _front(report: AuditReport, components: tuple[Component, ...]) -> Iterator[tuple[str, NamePart]]:
    """Family and size, where the name states neither and the package shows them."""
    if any(component.category == "architecture" for component in components):
        return
    claims = report.parsed.claims if report.parsed else ()
    if any(claim.kind == "family" for claim in claims):
        return  # a brand that stands for its family
    family = report.facts.best("family")
    if family is None or not isinstance(family.value, str):
        return
    reason = f"the name states no family; {family.source}: {family.value}"
    yield "", NamePart(family_word(family.value), "added", reason)
    if any(component.category in {"size", "parameters"} for component in components):
        return
    parameters = report.facts.best("parameters")
    if parameters is not None and isinstance(parameters.value, (int, float)) and parameters.value >= _LARGE:
        yield "-", NamePart(size_word(parameters.value), "added", f"{parameters.source}: {fact_text(parameters)}")
        return
    size = variant_of(family.value, report.facts)
    if size is not None:
        yield "-", NamePart(size, "added", f"the dimensions are those published as {family.value} {size}")


def family_word(model_type: str) -> str:
    """A model type as names spell it."""
    return model_type.replace("_", "-")


def size_word(parameters: float) -> str:
    """A number of parameters as names spell it: 7b, 1.1b, 110m; two digits are what names carry."""
    digits = count_text(float(f"{parameters:.2g}"))
    return digits.lower()


def _in_case_of(pattern: str, word: str) -> str:
    return word.upper() if pattern.upper() == pattern and any(char.isalpha() for char in pattern) else word
