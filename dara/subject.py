"""What rules look at: one package's name, facts and identity, without files or network."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Protocol

from clustering.facts import Facts
from clustering.identity import Fingerprint, Identification, Part
from clustering.tensors import TensorListing
from naming.records import Claim, ParsedName

if TYPE_CHECKING:
    from corpora.card import ModelCard
    from corpora.package import HubMetadata


class Kinship(Protocol):
    """What the reference corpus knows of families."""

    def known(self, model_type: str) -> bool:
        """True when graphs of this family are in the reference corpus."""

    def twins(self, model_type: str) -> tuple[str, ...]:
        """Families whose parameter graph is the same once vocabulary and positions are set aside."""


@dataclass(frozen=True, slots=True)
class Subject:
    """One package as rules see it. Everything is optional but the facts: rules say `Skipped` for what is missing."""

    facts: Facts
    parsed: ParsedName | None = None
    config: Mapping[str, Any] | None = None
    """config.json as published; None when there is none or it cannot be read."""
    card: ModelCard | None = None
    listing: TensorListing | None = None
    """The tensors of the package's own files."""
    graph: TensorListing | None = None
    """The listing that was identified: the package's own, else that of the class which its config.json declares."""
    fingerprint: Fingerprint | None = None
    identification: Identification | None = None
    """None when no graph could be made; with an empty `family` when the graph resembles nothing known."""
    parts: tuple[Part, ...] = ()
    kinship: Kinship | None = None
    files: tuple[str, ...] = ()
    """Paths inside the package, sorted."""
    hub: HubMetadata | None = None
    """What the hub says of the package (tags, pipeline_tag, library_name ...); None for a package on disk."""
    derived: dict[str, Any] = field(init=False, default_factory=dict, repr=False, compare=False)
    """What rules worked out from the files, whatever the name, kept so that it is worked out once. A changed copy
    starts empty, but for one made by `under`."""

    def under(self, parsed: ParsedName | None) -> Subject:
        """The same package under another name; what was worked out from its files is shared."""
        named = replace(self, parsed=parsed)
        object.__setattr__(named, "derived", self.derived)  # a field of a frozen class that no constructor takes
        return named

    def claims(self, kind: str) -> tuple[Claim, ...]:
        """Claims of one kind that the name makes; none when the name is not known."""
        return self.parsed.claims_of(kind) if self.parsed else ()
