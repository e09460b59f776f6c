"""Clusters of the graphs of many packages. Prints nothing.

Packages are reduced to unique graphs first (equal digests are one graph); only those are compared. A cluster is named
by the families that its graphs were measured to be; purity says how many of its packages that name fits.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from clustering.clusters.signature import GraphSignature, signature
from clustering.clusters.vectors import vectors
from clustering.errors import MissingExtraError
from clustering.facts import Facts
from clustering.identity import Fingerprint, Identification
from clustering.tensors import TensorListing
from clustering.text import one_line
from corpora.errors import PackageError
from corpora.package import CONFIG_PATH, Package
from corpora.sources.interface import SkippedPackage
from corpora.sources.local_files import is_folder, is_there
from corpora.sources.registry import open_package
from corpora.sources.snapshots import open_snapshot
from dara.findings import Skipped

UNKNOWN = "unknown"

Progress = Callable[[int], None]
"""Called with the number of packages read so far."""


@dataclass(frozen=True, slots=True)
class Member:
    """One package."""

    name: str
    declared: str | None
    """`model_type` of its configuration."""
    built: bool
    """Whether its graph was built from the configuration."""


@dataclass(slots=True)
class Graph:
    """One unique graph with the packages that have it."""

    digest: str
    signature: GraphSignature
    family: str = UNKNOWN
    twins: tuple[str, ...] = ()
    members: list[Member] = field(default_factory=list)
    cluster: int = -1
    """-1 for a graph that resembles no other."""
    place: tuple[float, float] = (0.0, 0.0)

    def answers(self, family: str) -> bool:
        """Whether the family is the graph's, or a twin of it."""
        return family == self.family or family in self.twins


@dataclass(frozen=True, slots=True)
class Cluster:
    """Graphs that are alike."""

    number: int
    family: str
    """The family that most of its packages were measured to have, twins counted with it."""
    purity: float
    """Share of its packages that the family fits."""
    graphs: tuple[Graph, ...]
    families: tuple[tuple[str, int], ...]
    """Measured families with the number of packages, most frequent first."""

    @property
    def packages(self) -> int:
        """Number of packages."""
        return sum(len(graph.members) for graph in self.graphs)


@dataclass(frozen=True, slots=True)
class Clustering:
    """The clusters of a set of packages."""

    graphs: tuple[Graph, ...]
    """Sorted by digest."""
    clusters: tuple[Cluster, ...]
    """Largest first."""
    skipped: tuple[Skipped, ...]

    @property
    def packages(self) -> int:
        """Packages that have a graph."""
        return sum(len(graph.members) for graph in self.graphs)

    @property
    def outliers(self) -> tuple[Graph, ...]:
        """Graphs that resemble no other."""
        return tuple(graph for graph in self.graphs if graph.cluster < 0)

    @property
    def identical(self) -> tuple[Graph, ...]:
        """Graphs that several packages have."""
        return tuple(graph for graph in self.graphs if len(graph.members) > 1)


def cluster(
    targets: Sequence[str],
    *,
    offline: bool = False,
    build_graphs: bool = True,
    min_cluster_size: int = 2,
    progress: Progress | None = None,
) -> Clustering:
    """Clusters packages.

    Args:
        targets: packages, folders of packages, or snapshot files.
        offline: never use the network.
        build_graphs: build the declared class of packages without weights (needs the `graph` extra).
        min_cluster_size: smallest number of unique graphs that is a cluster.
        progress: told after every package.

    Raises:
        PackageError: a target that is neither package nor snapshot.
    """
    collector = _Collector(build_graphs=build_graphs)
    for target in targets:
        for item in packages_of(target, offline=offline):
            collector.add(item)
            if progress is not None:
                progress(collector.seen)
    graphs = tuple(sorted(collector.graphs.values(), key=lambda graph: graph.digest))
    for graph in graphs:
        graph.members.sort(key=lambda member: member.name)
    place(graphs, min_cluster_size=min_cluster_size)
    skipped = tuple(sorted(set(collector.skipped), key=lambda item: (item.check, item.reason)))
    return Clustering(graphs, summarise(graphs), skipped)


def packages_of(target: str, *, offline: bool) -> Iterator[Package | SkippedPackage]:
    """The packages that a target stands for.

    A folder with a configuration or weights of its own is a package; any other folder is looked through, and a JSON
    Lines, Parquet or PeaTMOSS file is a snapshot.

    Raises:
        PackageError: when it is neither.
    """
    path = Path(target)
    if not is_there(path) or _is_weight_file(path):
        yield open_package(target, offline=offline)
        return
    package: Package | None = None
    if is_folder(path):
        try:
            package = open_package(target, offline=offline)
        except PackageError:
            package = None  # nothing of its own; what lies inside may be packages
        own = [name for name in package.paths if "/" not in name] if package is not None else []
        if package is not None and any(name == CONFIG_PATH or _is_weight_file(Path(name)) for name in own):
            yield package
            return
    try:
        snapshot = open_snapshot(path)
    except PackageError:
        if package is None:
            raise
        yield package
        return
    yield from snapshot.packages()


_WEIGHTS = (
    ".safetensors",
    ".gguf",
    ".bin",
    ".pt",
    ".pth",
    ".ckpt",
    ".onnx",
    ".h5",
    ".msgpack",
    ".npz",
    ".keras",
    ".index",
)


def _is_weight_file(path: Path) -> bool:
    return path.name.endswith(_WEIGHTS)


class _Collector:
    """Reads packages and keeps one record for each unique graph."""

    def __init__(self, *, build_graphs: bool) -> None:
        self.build_graphs = build_graphs
        self.graphs: dict[str, Graph] = {}
        self.skipped: list[Skipped] = []
        self.seen = 0
        self._known: dict[tuple[str, str], Identification] = {}

    def add(self, item: Package | SkippedPackage) -> None:
        """Reads a package, or notes why it is left out."""
        self.seen += 1
        if isinstance(item, SkippedPackage):
            self.skipped.append(Skipped(item.place, item.reason))
            return
        name = item.name or item.location
        try:
            found = self._graph(item)
        except PackageError as error:
            found = one_line(error)
        if isinstance(found, str):
            self.skipped.append(Skipped(name, found))
            return
        listing, declared, built = found
        from clustering.graphs.fingerprint import fingerprint

        print_ = fingerprint(listing)
        graph = self.graphs.get(print_.digest)
        if graph is None:
            graph = self.graphs[print_.digest] = Graph(print_.digest, signature(listing))
            _name(graph, self._identify(listing, print_))
        graph.members.append(Member(name, declared, built))

    def _identify(self, listing: TensorListing, print_: Fingerprint) -> Identification:
        """The family; asked once for graphs that differ in size only."""
        from corpora.reference import load_reference

        key = (print_.structure, print_.vocabulary)
        if key not in self._known:
            self._known[key] = load_reference().identify(listing)
        return self._known[key]

    def _graph(self, package: Package) -> tuple[TensorListing, str | None, bool] | str:
        """(graph, declared family, built), or why there is none."""
        from clustering.quantization.logical import logical
        from clustering.readers.select import read_weights

        document = package.config()
        config: dict[str, Any] | None = document.value if document is not None else None
        declared = _declared(config)
        result = read_weights(package.files)
        if result.listing is not None and not result.listing.names_only:
            listing = logical(result.listing, config)
            if listing.adapter is not None:
                return f"an adapter ({listing.adapter}) has no graph of its own"
            return listing, declared, False
        if config is not None and self.build_graphs:
            from clustering.live.listing import LiveModelError, listing_from_config

            try:
                return listing_from_config(config), declared, True
            except (MissingExtraError, LiveModelError) as error:
                return f"no weight header, and the declared class was not built: {one_line(error)}"
        problems = (*result.damaged, *result.skipped)
        return problems[0][1] if problems else "holds no weights that can be read"


def _declared(config: dict[str, Any] | None) -> str | None:
    if config is None:
        return None
    from clustering.declared.config import declared_facts

    fact = Facts(declared_facts(config)).best("family")
    return str(fact.value) if fact is not None else None


def _name(graph: Graph, identity: Identification) -> None:
    if identity.family:
        graph.family = identity.family[0].model_type
        graph.twins = tuple(identity.family[0].twins)


def place(graphs: Sequence[Graph], *, min_cluster_size: int = 2) -> None:
    """Gives every graph its cluster and its place on the map. `graphs` are sorted by digest."""
    from clustering.clusters.density import GraphClusters, projection

    if len(graphs) < 2:
        return
    rows = vectors([graph.signature for graph in graphs])
    labels = GraphClusters(min_cluster_size=min_cluster_size).fit(rows).labels_
    for graph, label, point in zip(graphs, labels.tolist(), projection(rows, 2).tolist(), strict=True):
        graph.cluster = label
        graph.place = (round(point[0], 4) + 0.0, round(point[1], 4) + 0.0)  # adding zero drops the sign of -0.0


def summarise(graphs: Sequence[Graph]) -> tuple[Cluster, ...]:
    """The clusters with their families."""
    groups: dict[int, list[Graph]] = {}
    for graph in graphs:
        if graph.cluster >= 0:
            groups.setdefault(graph.cluster, []).append(graph)
    return tuple(_summary(number, groups[number]) for number in sorted(groups))


def _summary(number: int, graphs: list[Graph]) -> Cluster:
    families = Counter[str]()
    for graph in graphs:
        for member in graph.members:
            # twins have one graph; the declaration says which of them a package is
            twin = member.declared is not None and graph.answers(member.declared)
            families[member.declared if twin and member.declared is not None else graph.family] += 1
    ranked = sorted(families.items(), key=lambda item: (-item[1], item[0]))
    total = sum(families.values())
    fits = {
        family: sum(len(graph.members) for graph in graphs if graph.answers(family))
        for family, _ in ranked
        if family != UNKNOWN
    }
    best = max(fits, key=lambda family: (fits[family], families[family], family), default=UNKNOWN)
    return Cluster(number, best, round(fits.get(best, 0) / total, 4), tuple(graphs), tuple(ranked))
