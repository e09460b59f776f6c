"""From a package to what is known about it: every file is read here, rules read none."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from clustering.collecting import no_collection
from clustering.errors import MissingExtraError
from clustering.facts import Fact, Facts
from clustering.identity import Fingerprint, Identification, Part
from clustering.tensors import TensorListing
from clustering.text import one_line
from corpora.card import CARD_PATH, ModelCard
from corpora.errors import PackageError
from corpora.package import CONFIG_PATH, Package
from dara.findings import Skipped

if TYPE_CHECKING:
    from clustering.declared.config import Declared

SURE_FAMILY = 0.9
"""Calibrated score from which a family counts as measured."""
DIMENSIONS = frozenset(
    {
        "layers",
        "encoder_layers",
        "decoder_layers",
        "depths",
        "hidden_size",
        "hidden_sizes",
        "intermediate_size",
        "vocabulary",
    }
)
"""Declared facts that size a graph; one that is built from fewer than two of them is mostly the library's defaults."""
TIE = 0.02
"""Families whose scores differ by less are equally good readings of one graph."""


@dataclass(slots=True)
class Measurement:
    """What was read from one package, and what could not be."""

    config: Mapping[str, Any] | None = None
    card: ModelCard | None = None
    listing: TensorListing | None = None
    """The tensors of the package's own files."""
    graph: TensorListing | None = None
    """The listing that was identified: the package's own, else that of the class which its config.json declares."""
    facts: Facts = field(default_factory=Facts)
    fingerprint: Fingerprint | None = None
    identification: Identification | None = None
    parts: tuple[Part, ...] = ()
    skipped: list[Skipped] = field(default_factory=list)
    damaged: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    """What was odd without hindering the audit: renamed on the hub, duplicate keys, values of a wrong type."""
    bytes_read: int = 0

    @property
    def auditable(self) -> bool:
        """True when there is anything that a name could be compared with."""
        return self.config is not None or self.listing is not None

    def skip(self, check: str, reason: str) -> None:
        """Notes a step that could not be made."""
        self.skipped.append(Skipped(check, reason))

    def damage(self, check: str, error: Exception) -> None:
        """Notes a file that is not what it claims to be."""
        message = one_line(error)
        self.damaged.append(message)
        self.skip(check, message)


@dataclass(frozen=True, slots=True)
class GraphReading:
    """What a graph alone says, whichever package holds it."""

    identification: Identification
    fingerprint: Fingerprint | None
    """None for an index, which has names without shapes."""
    parts: tuple[Part, ...]


class Computing:
    """Computes what configs and graphs say. A run over many packages may remember instead; the answers are the same."""

    def declared(self, config: Mapping[str, Any]) -> Declared:
        """The facts that a config declares."""
        from clustering.declared.config import read_config

        return read_config(config)

    def graph(self, listing: TensorListing, config: Mapping[str, Any] | None, *, parts: bool) -> GraphReading:
        """What a graph says; `parts`: also take it apart, with the config's help."""
        from clustering.graphs.fingerprint import fingerprint
        from clustering.parts.decompose import decompose
        from corpora.reference import load_reference

        reference = load_reference()

        def surely(part: TensorListing) -> str | None:
            best = reference.identify(part).family
            return best[0].model_type if best and best[0].score >= SURE_FAMILY else None

        return GraphReading(
            reference.identify(listing),
            None if listing.names_only else fingerprint(listing),
            decompose(listing, config, identify=surely) if parts else (),
        )


def measure(package: Package, *, build_graphs: bool = True, computing: Computing | None = None) -> Measurement:
    """Reads config, card and weight headers, and measures the model graph.

    Args:
        package: the package; its weights are read by ranges, headers only.
        build_graphs: without a weight header, build the declared class on the meta device (needs the `graph` extra).
        computing: how to compute what configs and graphs say; afresh when None.
    """
    with no_collection():
        return _measured(package, computing or Computing(), build_graphs=build_graphs)


def _measured(package: Package, computing: Computing, *, build_graphs: bool) -> Measurement:
    known = Measurement(notes=list(package.notes))
    facts: list[Fact] = []
    package.prefetch()
    _read_config(package, known, facts, computing)
    _read_card(package, known)
    _read_weights(package, known, facts)
    facts.extend(adapter_facts(package))
    graph = known.listing
    if graph is None and known.config is not None:
        graph = _built_listing(known.config, known, facts, build_graphs=build_graphs)
    known.graph = graph
    if graph is not None and graph.adapter is None:
        _identify(graph, known, computing)
        if graph is known.listing and known.identification is not None:
            facts.extend(family_facts(known.identification, known.config))
    known.facts = Facts(facts)
    return known


def adapter_facts(package: Package) -> Iterator[Fact]:
    """The published model that an adapter says it was made for."""
    from dara.metadata import ADAPTER_CONFIG, base_model_of

    if package.has(ADAPTER_CONFIG):
        for derived in base_model_of(package):
            if derived.key == "base_model":
                yield Fact("base_model", derived.value, "declared", derived.reason)


def family_facts(identification: Identification, config: Mapping[str, Any] | None) -> Iterator[Fact]:
    """The measured family, where the graph is one that the reference corpus knows surely.

    A graph says which families it can be, not which of some twins: where the declared one is among them, it is the
    family measured.
    """
    if not identification.family:
        return
    top = identification.family[0]
    if top.score < SURE_FAMILY:
        return
    declared = config.get("model_type") if config else None
    alike = {
        name
        for match in identification.family
        if match is top or (match.score >= SURE_FAMILY and top.score - match.score < TIE)
        for name in (match.model_type, *match.twins)
    }
    family = declared if isinstance(declared, str) and declared in alike else top.model_type
    others = f"; twins {', '.join(sorted(alike - {family})[:4])}" if len(alike) > 1 else ""
    yield Fact("family", family, "measured", f"graph, score {top.score:.2f}{others}")


def _read_config(package: Package, known: Measurement, facts: list[Fact], computing: Computing) -> None:
    try:
        document = package.config()
    except PackageError as error:
        known.damage(CONFIG_PATH, error)
        return
    if document is None:
        return
    known.config = document.value
    declared = computing.declared(document.value)
    facts.extend(declared.facts)
    known.notes.extend(
        f"{CONFIG_PATH}: {note.removeprefix(f'{CONFIG_PATH}: ')}" for note in (*document.notes, *declared.notes)
    )


def _read_card(package: Package, known: Measurement) -> None:
    try:
        known.card = package.card()
        known.notes.extend(known.card.notes)
    except PackageError as error:
        known.damage(CARD_PATH, error)


def _read_weights(package: Package, known: Measurement, facts: list[Fact]) -> None:
    from clustering.measured.listing import measured_facts
    from clustering.readers.select import read_weights

    result = read_weights(package.files)
    for check, reason in result.skipped:
        known.skip(check, reason)
    known.damaged.extend(f"{check.removeprefix('weights of ')}: {reason}" for check, reason in result.damaged)
    known.bytes_read += result.bytes_read
    if result.listing is not None:
        known.listing = result.listing
        facts.extend(measured_facts(known.listing, known.config))
    if result.components:
        from clustering.parts.diffusion import pipeline_parts

        known.parts = pipeline_parts(result.components)


def _built_listing(
    config: Mapping[str, Any], known: Measurement, facts: list[Fact], *, build_graphs: bool
) -> TensorListing | None:
    """The graph of the declared class. Its facts are as declared as the config that they come from."""
    if not build_graphs:
        known.skip("graph", "no weight header; the declared class is not built in this mode")
        return None
    from clustering.live.listing import LiveModelError, listing_from_config
    from clustering.measured.listing import measured_facts

    try:
        listing = listing_from_config(config)
    except (MissingExtraError, LiveModelError) as error:
        known.skip("graph", f"no weight header, and the declared class was not built: {one_line(error)}")
        return None
    if len({fact.kind for fact in facts} & DIMENSIONS) < 2:
        known.skip("graph", f"{CONFIG_PATH} states too few dimensions: the library's defaults would say the rest")
        return listing
    facts.extend(
        replace(fact, basis="declared", source=f"graph built from {CONFIG_PATH}: {fact.source}")
        for fact in measured_facts(listing, config)
        if fact.kind not in {"format", "dtype", "quantization"}
    )
    return listing


def _identify(listing: TensorListing, known: Measurement, computing: Computing) -> None:
    reading = computing.graph(
        listing, known.config, parts=not known.parts
    )  # a pipeline's folders are its parts already
    known.parts = known.parts or reading.parts
    known.identification = reading.identification
    known.fingerprint = reading.fingerprint
