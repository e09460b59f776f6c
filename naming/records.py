"""The records that a parsed name consists of."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

Value: TypeAlias = Any
"""A normalised value, as plain JSON: string, number, list or object."""

Category = Literal[
    "architecture", "product", "organization", "size", "parameters", "layers", "hidden", "heads", "dataset", "input",
    "language", "task", "version", "training", "adaptation", "context", "quantization", "dtype", "format",
    "identifier", "other",
]  # fmt: skip

Role = Literal["", "main", "backbone", "encoder", "decoder", "teacher", "base"]
"""The part that an architecture plays in the name; empty for every other category."""

Modality = Literal["stated", "implied", "ambiguous"]
"""How firmly a name makes a claim: in its own words, through a derivative brand, or in one of several readings."""


@dataclass(frozen=True, slots=True)
class Component:
    """A span of a repository name with its category and normalised value."""

    text: str
    start: int
    """Offset of the first character in `ParsedName.repo`."""
    end: int
    """Offset behind the last character in `ParsedName.repo`."""
    category: Category
    value: Value
    role: Role = ""


@dataclass(frozen=True, slots=True)
class Claim:
    """A checkable statement that a name makes."""

    kind: str
    """Same vocabulary as fact kinds: family, backbone, parameters, size, layers, hidden_size, attention_heads,
    experts, context, patch_size, image_size, queries, task, dataset, num_labels, dtype, quantization, format,
    language, version, casing, adapter."""
    value: Value
    text: str
    """The words of the name that make the claim, exactly as written."""
    modality: Modality = "stated"
    role: Role = ""
    """For family claims: main, decoder, encoder, teacher, base ...; only `main` speaks about the whole model."""
    accepts: tuple[str, ...] = ()
    """For family and backbone claims: every model type under which the words are true (the value included).
    `qwen3` accepts qwen3, qwen3_moe, ...; `sbert` accepts every encoder family."""


@dataclass(frozen=True, slots=True)
class Convention:
    """How a name is built: which of the field's naming conventions it follows."""

    category: Literal["implementation", "application", "both", "other"]
    pattern: str
    """Category sequence with separators, e.g. `architecture-size-input`."""


@dataclass(frozen=True, slots=True)
class ParsedName:
    """A package name, taken apart."""

    name: str
    """The name as given, e.g. `google/vit-base-patch16-224`."""
    owner: str
    """The part before the last slash's repository; empty when the name has no slash."""
    repo: str
    """The part that components point into."""
    components: tuple[Component, ...]
    convention: Convention
    claims: tuple[Claim, ...] = field(default=())

    def claims_of(self, kind: str) -> tuple[Claim, ...]:
        """Claims of one kind, in the order of the name."""
        return tuple(claim for claim in self.claims if claim.kind == kind)
