"""What rules look at: one package's name, facts and identity, without files or network."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from clustering.facts import Facts
from clustering.identity import Fingerprint, Identification, Part
from clustering.tensors import TensorListing
from naming.records import Claim, ParsedName

if TYPE_CHECKING:
    from corpora.card import ModelCard
    from corpora.package import HubMetadata

Computed = TypeVar("Computed")


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
    _computed: dict[Callable[[Subject], Any], Any] = field(init=False, default_factory=dict, repr=False, compare=False)

    def computed(self, value: Callable[[Subject], Computed]) -> Computed:
        """`value` of this package whatever its name, worked out once.

        The function is given the package without a name, so that every name of it (`under`) may share the answer. A
        copy that was changed in anything else works it out anew.
        """
        if value not in self._computed:
            self._computed[value] = value(self.under(None))
        found: Computed = self._computed[value]
        return found

    def under(self, parsed: ParsedName | None) -> Subject:
        """The same package under another name; what was computed from its files is shared."""
        named = replace(self, parsed=parsed)
        object.__setattr__(named, "_computed", self._computed)  # a field of a frozen class that no constructor takes
        return named

    def claims(self, kind: str) -> tuple[Claim, ...]:
        """Claims of one kind that the name makes; none when the name is not known."""
        return self.parsed.claims_of(kind) if self.parsed else ()
