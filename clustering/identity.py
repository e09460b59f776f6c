"""What a fingerprint says about a model: its digest, its family, its parts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """Versioned, deterministic identity of a model graph."""

    version: str
    digest: str
    """Hash of the structural part and the exact attributes: equal digests mean the same graph with the same sizes."""
    structure: str
    """Hash of the name-free structural part alone: equal for two sizes of one architecture."""
    vocabulary: str
    """Hash of the lexical part (normalised tensor-name vocabulary)."""
    attributes: Mapping[str, Any] = field(default_factory=dict)
    """Exact numbers kept apart from the structure (layers, hidden size, vocabulary ...)."""


@dataclass(frozen=True, slots=True)
class FamilyMatch:
    """One candidate family."""

    model_type: str
    score: float
    """Calibrated: an estimate of the probability that the family or one of its twins is right."""
    twins: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a composite model, identified by itself."""

    role: str
    """backbone, pixel_decoder, transformer_decoder, head, vision_encoder, text_encoder, language_model, ..."""
    family: str
    variant: str | None = None
    """`tiny`, `base`, `50` ... where the dimensions fit a published variant; else None."""
    detail: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Identification:
    """The answer of the family estimator for one graph."""

    family: tuple[FamilyMatch, ...]
    """Ranked, both channels; empty when the estimator abstains."""
    structure_only: tuple[FamilyMatch, ...]
    """Ranked, from the graph alone."""
    channel: str
    """Which channel decided: `both`, `structure`, `vocabulary`, or `none` when it abstained."""
    parts: tuple[Part, ...] = ()
    reason: str = ""
    """Why it abstained, or what told twins apart."""
