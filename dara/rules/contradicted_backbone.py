"""DAR103."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from clustering.facts import Fact
from clustering.parts.wording import dimensions
from clustering.text import escape
from dara.findings import Confidence, Evidence, Finding, Outcome, Severity
from dara.rules.common.families import squash
from dara.rules.common.wording import quoted
from dara.rules.interface import Rule
from dara.subject import Subject
from naming.records import Claim

_ROLES: Final[Mapping[str, frozenset[str]]] = {
    "backbone": frozenset({"backbone"}),
    "encoder": frozenset({"encoder", "text_encoder", "vision_encoder", "speech_encoder"}),
    "decoder": frozenset({"decoder", "language_model", "text_decoder"}),
}
_KEYS: Final[Mapping[str, tuple[str, ...]]] = {
    "backbone": ("backbone_config",),
    "encoder": ("encoder",),
    "decoder": ("decoder", "text_config", "llm_config", "language_config"),
}
"""Where configurations keep the family of each part."""

_FEW: Final = 4
"""Dimensions that a finding shows: they tell a variant."""
_SIZES: Final = {"t": "tiny", "s": "small", "b": "base", "l": "large", "h": "huge", "g": "giant"}


@dataclass(frozen=True, slots=True)
class _Seen:
    """One part of the package."""

    family: str
    variant: str
    measured: bool
    source: str
    detail: str = ""
    """Its dimensions, as far as they were measured."""


class ContradictedBackbone(Rule):
    """The name states a backbone, encoder or decoder that the package does not hold.

    ## Why it matters
    A detector or captioner is chosen for its backbone: it decides accuracy, memory and which weights can be swapped in.

    ## How it is checked
    Composite models are taken apart, and the part in the role that the name gives is compared by family and, where
    the name states one, by variant (`swin-base`, `resnet-101`). Parts come from tensor shapes or from the
    sub-configuration of that role.

    ## Example
    `someone/maskformer-swin-base-coco` whose backbone has Swin-T's 96 channels and depths 2-2-6-2.

    ## Known limits
    Towers that libraries keep under a family of their own (the ViT inside CLIP or SAM) are not compared by family.
    """

    code = "DAR103"
    slug = "contradicted-backbone"
    severity = Severity.ERROR
    since = "0.1.0"

    def check(self, subject: Subject) -> Iterator[Outcome]:
        """Compares each part that the name states with the part found in that role."""
        for claim, role in _stated(subject):
            seen = parts_in(subject, role)
            if not seen:
                yield self.skipped(f"{quoted(claim.text)}: the package does not tell its {role}")
                continue
            yield self._judge(subject, claim, role, seen)

    def _judge(self, subject: Subject, claim: Claim, role: str, seen: tuple[_Seen, ...]) -> Outcome:
        families, variant = _meaning(claim)
        fitting = tuple(part for part in seen if part.family in families)
        if not families or not fitting:
            return self._other_family(subject, claim, role, seen, families)
        stated = [part for part in fitting if part.variant]
        if variant and stated and all(part.variant != variant for part in stated):
            part = next((part for part in stated if part.measured), stated[0])
            observed = f"{part.family} {part.variant}"
            return self._finding(claim, role, part, observed, Confidence.HIGH if part.measured else Confidence.MEDIUM)
        if variant and not stated:
            return self.skipped(f"{quoted(claim.text)}: the size of the {role} fits no published variant")
        return self.held(claim, _fact(fitting[0], role))

    def _other_family(
        self, subject: Subject, claim: Claim, role: str, seen: tuple[_Seen, ...], families: frozenset[str]
    ) -> Outcome:
        part = seen[0]
        kinship = subject.kinship
        comparable = (
            kinship is not None and kinship.known(part.family) and any(kinship.known(name) for name in families)
        )
        twins = {squash(name) for name in kinship.twins(part.family)} if kinship is not None and comparable else set()
        if role == "backbone":
            comparable = comparable or part.measured
        if not families or not comparable or twins & families or any(part.family.startswith(name) for name in families):
            return self.skipped(f"{quoted(claim.text)}: the {role} is {escape(part.family)}, which cannot be compared")
        agree = len({item.measured for item in seen}) == 2
        return self._finding(claim, role, part, part.family, Confidence.HIGH if agree else Confidence.MEDIUM)

    def _finding(self, claim: Claim, role: str, part: _Seen, observed: str, confidence: Confidence) -> Finding:
        indirect = claim.modality != "stated" or not part.measured
        return self.finding(
            f"name says {quoted(claim.text)}, the {role} is {escape(observed)}",
            confidence=Confidence.LOW if claim.modality == "ambiguous" else confidence,
            severity=Severity.WARNING if indirect else None,
            claim=claim,
            fact=_fact(part, role),
            evidence=(Evidence(part.source, f"{role} = {escape(observed)}{part.detail}"),),
        )


def _stated(subject: Subject) -> Iterator[tuple[Claim, str]]:
    for claim in subject.claims("backbone"):
        yield claim, "backbone"
    for claim in subject.claims("family"):
        if claim.role in _ROLES:
            yield claim, claim.role


def _meaning(claim: Claim) -> tuple[frozenset[str], str]:
    """Families that make the claim true, squashed, and the variant it states."""
    value = claim.value if isinstance(claim.value, Mapping) else {"family": claim.value}
    names = claim.accepts or (value.get("family"),)
    families = frozenset(squash(name) for name in names if isinstance(name, str)) - {""}
    return families, _variant(value.get("variant"))


def _variant(value: Any) -> str:
    word = str(value).lower().strip() if value not in (None, "") else ""
    return _SIZES.get(word, word)


def _fact(part: _Seen, role: str) -> Fact:
    value = {"family": part.family, "variant": part.variant or None}
    return Fact(role, value, "measured" if part.measured else "declared", part.source)


def parts_in(subject: Subject, role: str) -> tuple[_Seen, ...]:
    """Parts in a role, measured ones first."""
    seen: list[_Seen] = []
    own_graph = subject.listing is not None
    for part in subject.parts:
        if part.role in _ROLES[role] and part.family:
            source = "tensor shapes" if own_graph else "graph built from config.json"
            told = dimensions(part, _FEW)
            detail = f", {told}" if told else ""
            seen.append(_Seen(squash(part.family), _variant(part.variant), own_graph, source, detail))
    for key in _KEYS[role]:
        inner = (subject.config or {}).get(key)
        if isinstance(inner, Mapping) and isinstance(inner.get("model_type"), str):
            seen.append(_Seen(squash(inner["model_type"]), "", False, f"config.json: {key}.model_type"))
    return tuple(seen)
