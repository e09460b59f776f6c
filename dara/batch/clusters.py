"""Clusters of the graphs of a run: which graphs are alike, and which packages' names do not fit their cluster.

Packages are reduced to different graphs (digests), those to different sketches (a sketch knows no sizes), and only
these are compared. A cluster holds at least two packages.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from dara.batch.graphs import MOST_GRAPHS, Graph, Graphs, as_json, collect, stated_families
from dara.batch.plan import Plan

MOST_ROWS: Final = 100_000
"""Different sketches that are compared. 40,000 made ones took 72 s and 0.83 GB; time grows with the square."""
_COPIES: Final = 8
"""Packages of one sketch that count for its density."""
NO_GRAPH: Final = "no measured graph: no weight header with shapes, or an adapter"
ALONE: Final = "its graph resembles no other"
TOO_MANY: Final = f"not compared: the snapshot has more than {MOST_GRAPHS:,} different graphs"
NOT_AUDITED: Final = "not audited"
NOT_COMPARED: Final = -2


@dataclass(frozen=True, slots=True)
class Cluster:
    """Graphs that are alike."""

    number: int
    family: str
    purity: float
    graphs: tuple[Graph, ...]
    families: Counter[str]
    claimed: Counter[str]
    accepted: frozenset[str]
    """Every family that one of its graphs was measured or declared to be, twins with it."""
    place: tuple[float, float]

    @property
    def packages(self) -> int:
        """Number of packages."""
        return sum(graph.packages for graph in self.graphs)


@dataclass(slots=True)
class Clusters:
    """The clusters of a run."""

    graphs: Graphs
    clusters: list[Cluster] = field(default_factory=list)
    places: dict[str, tuple[int, float, float]] = field(default_factory=dict)
    """Cluster and place on the map by digest."""
    outliers: Counter[int] = field(default_factory=Counter)
    """Packages by cluster whose names state a family that no graph of the cluster is."""
    reasons: Counter[str] = field(default_factory=Counter)

    def mark(self, table: Any) -> Any:
        """Fills in the columns of some rows of `packages` that depend on the clusters."""
        import pyarrow as pa
        import pyarrow.compute as pc

        if table.column("digest").null_count == len(table):  # a snapshot of metadata: nothing is asked row by row
            audited = pc.is_null(table.column("reason"))
            without = pc.sum(audited).as_py() or 0
            self.reasons.update({NO_GRAPH: without, NOT_AUDITED: len(table) - without})
            columns = {
                "cluster": pa.nulls(len(table), pa.int64()),
                "cluster_reason": pc.if_else(audited, NO_GRAPH, NOT_AUDITED),
                "outlier": pa.nulls(len(table), pa.bool_()),
            }
        else:
            names = ("digest", "reason", "claims")
            marks = [self._mark(*row) for row in zip(*(_values(table, name) for name in names), strict=True)]
            self.reasons.update(reason for _, reason, _ in marks if reason is not None)
            columns = {
                "cluster": pa.array([number for number, _, _ in marks], pa.int64()),
                "cluster_reason": pa.array([reason for _, reason, _ in marks], pa.string()),
                "outlier": pa.array([outlier for _, _, outlier in marks], pa.bool_()),
            }
        for name, column in columns.items():
            table = table.set_column(table.schema.get_field_index(name), name, column)
        return table

    def _mark(
        self, digest: str | None, reason: str | None, claims: str | None
    ) -> tuple[int | None, str | None, bool | None]:
        if digest is None:
            return None, NO_GRAPH if reason is None else NOT_AUDITED, None
        number = self.places[digest][0] if digest in self.places else NOT_COMPARED
        if number < 0:
            return None, ALONE if number == -1 else TOO_MANY, None
        stated = stated_families(claims)
        if not stated or not self.graphs.graphs[digest].sure:
            return number, None, None
        outlier = not stated & self.clusters[number].accepted
        self.outliers[number] += outlier
        return number, None, outlier

    def document(self) -> dict[str, Any]:
        """Totals as plain JSON."""
        alone = sum(number == -1 for number, _, _ in self.places.values())
        return {
            "graphs": len(self.graphs.graphs),
            "graphs_left_out": self.graphs.left_out,
            "clusters": len(self.clusters),
            "graphs_alone": alone,
            "packages": sum(cluster.packages for cluster in self.clusters),
            "outliers": self.outliers.total(),
            "without": {reason: number for reason, number in sorted(self.reasons.items()) if number},
        }

    def graph_rows(self) -> Iterator[dict[str, Any]]:
        """Rows of `graphs`."""
        for digest, graph in self.graphs.graphs.items():
            number, x, y = self.places[digest]
            yield {
                "digest": digest,
                "cluster": number,
                "x": x,
                "y": y,
                "identified": graph.identified,
                "score": graph.score,
                "twins": list(graph.twins),
                "packages": graph.packages,
                "defective": graph.defective,
                "families": as_json(graph.families),
                "claimed": as_json(graph.claimed),
                "strangers": graph.strangers,
                "example": graph.example,
                "parameters": graph.parameters,
            }

    def cluster_rows(self) -> Iterator[dict[str, Any]]:
        """Rows of `clusters`; the packages must have been marked."""
        for cluster in self.clusters:
            loads = [graph.downloads for graph in cluster.graphs if graph.downloads is not None]
            yield {
                "cluster": cluster.number,
                "family": cluster.family,
                "purity": cluster.purity,
                "packages": cluster.packages,
                "graphs": len(cluster.graphs),
                "defective": sum(graph.defective for graph in cluster.graphs),
                "outliers": self.outliers[cluster.number],
                "families": as_json(cluster.families),
                "claimed": as_json(cluster.claimed),
                "downloads": sum(loads) if loads else None,
                "x": cluster.place[0],
                "y": cluster.place[1],
                "example": max(cluster.graphs, key=lambda graph: graph.best).example,
            }


def _values(table: Any, name: str) -> Iterable[Any]:
    values: list[Any] = table.column(name).to_pylist()
    return values


def cluster_shards(plan: Plan, folder: Path) -> Clusters:
    """Clusters the graphs of all shards.

    Raises:
        OSError: a shard cannot be read.
        pyarrow.ArrowException: it is damaged.
    """
    found = Clusters(collect(plan, folder))
    graphs = found.graphs.graphs
    if not graphs:
        return found
    labels = _labels(graphs)
    members: dict[int, list[Graph]] = {}
    for digest, (label, _, _) in labels.items():
        if label >= 0:
            members.setdefault(label, []).append(graphs[digest])
    ranked = sorted(members.items(), key=lambda item: (-sum(g.packages for g in item[1]), item[1][0].digest))
    numbers = {label: number for number, (label, _) in enumerate(ranked)}
    found.places = {digest: (numbers.get(label, label), x, y) for digest, (label, x, y) in labels.items()}
    found.clusters = [_cluster(number, own, found.places) for number, (_, own) in enumerate(ranked)]
    return found


def _labels(graphs: Mapping[str, Graph]) -> dict[str, tuple[int, float, float]]:
    """Label and place of each graph: -1 alone, `NOT_COMPARED` beyond the bound."""
    import numpy as np

    from clustering.clusters.density import GraphClusters, projection
    from clustering.clusters.vectors import sketch_vectors

    keys = {digest: graph.sketch.key for digest, graph in graphs.items()}
    ordered = sorted(set(keys.values()))[:MOST_ROWS]
    place = {key: number for number, key in enumerate(ordered)}
    sketches = {keys[digest]: graph.sketch for digest, graph in graphs.items()}
    counts = Counter[bytes]()
    for digest, graph in graphs.items():
        counts[keys[digest]] += max(1, graph.packages)
    rows = sketch_vectors([sketches[key] for key in ordered])
    times = np.minimum([counts[key] for key in ordered], _COPIES)
    if times.sum() < 2:
        labels, points = np.full(len(ordered), -1), np.zeros((len(ordered), 2))
    else:
        fitted = GraphClusters().fit(rows[np.repeat(np.arange(len(ordered)), times)]).labels_
        labels = fitted[np.cumsum(times) - times]
        points = projection(rows, 2) if len(ordered) > 1 else np.zeros((1, 2))
    found: dict[str, tuple[int, float, float]] = {}
    for digest, key in keys.items():
        number = place.get(key)
        if number is None:
            found[digest] = (NOT_COMPARED, 0.0, 0.0)
        else:
            x, y = points[number].tolist()
            found[digest] = (int(labels[number]), round(x, 4) + 0.0, round(y, 4) + 0.0)  # adding zero drops -0.0
    return found


def _cluster(number: int, graphs: list[Graph], places: Mapping[str, tuple[int, float, float]]) -> Cluster:
    families, claimed = Counter[str](), Counter[str]()
    accepted: set[str] = set()
    for graph in graphs:
        families.update(graph.families)
        claimed.update(graph.claimed)
        accepted.update(graph.families, graph.twins)
        if graph.identified is not None:
            accepted.add(graph.identified)
    total = sum(families.values())
    fits = {
        family: sum(graph.packages for graph in graphs if graph.answers(family) or set(graph.families) == {family})
        for family in families
        if family
    }
    best = max(fits, key=lambda family: (fits[family], families[family], family), default="")
    spots = [places[graph.digest] for graph in graphs]
    middle = [round(sum(spot[axis] for spot in spots) / len(spots), 4) + 0.0 for axis in (1, 2)]
    return Cluster(
        number=number,
        family=best,
        purity=round(fits.get(best, 0) / total, 4) if total else 0.0,
        graphs=tuple(graphs),
        families=families,
        claimed=claimed,
        accepted=frozenset(accepted),
        place=(middle[0], middle[1]),
    )
