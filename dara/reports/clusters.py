"""A clustering as JSON (`dara-clusters/1`), as text, and as a map (SVG)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape as markup
from typing import Any

from clustering.text import escape
from dara.cluster import Cluster, Clustering, Graph
from dara.reports.document import clean

SCHEMA = "dara-clusters/1"

_SHOWN = 8
_WIDTH, _HEIGHT, _MARGIN, _LEGEND = 960, 640, 32, 240
_COLOURS = (
    "#4e79a7", "#f28e2b", "#59a14f", "#e15759", "#76b7b2", "#b07aa1", "#edc948", "#9c755f", "#ff9da7", "#86bcb6",
    "#d37295", "#8cd17d",
)  # fmt: skip
"""The Tableau 10 palette and two of its lighter tones; later clusters and outliers are grey."""
_GREY = "#bab0ac"


def clusters_document(found: Clustering) -> dict[str, Any]:
    """The JSON object of a clustering."""
    return {
        "schema": SCHEMA,
        "packages": found.packages,
        "graphs": len(found.graphs),
        "clusters": [_cluster(item) for item in found.clusters],
        "outliers": [_graph(graph) for graph in found.outliers],
        "identical": [
            {"digest": graph.digest, "packages": [clean(member.name) for member in graph.members]}
            for graph in found.identical
        ],
        "map": [
            {
                "digest": graph.digest,
                "x": graph.place[0],
                "y": graph.place[1],
                "cluster": graph.cluster,
                "family": clean(graph.family),
                "packages": len(graph.members),
            }
            for graph in found.graphs
        ],
        "skipped": [{"check": clean(item.check), "reason": clean(item.reason)} for item in found.skipped],
    }


def _cluster(item: Cluster) -> dict[str, Any]:
    return {
        "id": item.number,
        "family": clean(item.family),
        "purity": item.purity,
        "packages": item.packages,
        "families": {clean(family): count for family, count in item.families},
        "graphs": [_graph(graph) for graph in item.graphs],
    }


def _graph(graph: Graph) -> dict[str, Any]:
    return {
        "digest": graph.digest,
        "family": clean(graph.family),
        "packages": [
            {"name": clean(member.name), "declared": clean(member.declared), "built_from_config": member.built}
            for member in graph.members
        ],
    }


def clusters_text(found: Clustering, *, full: bool = False) -> Iterator[str]:
    """Lines for people; `full` names every package."""
    yield (
        f"{found.packages:,} packages, {len(found.graphs):,} different graphs, {len(found.clusters):,} clusters, "
        f"{len(found.outliers):,} graphs that resemble no other"
    )
    for item in found.clusters:
        yield ""
        yield (
            f"{item.number:>4}  {escape(item.family)}: {item.packages:,} packages, {len(item.graphs):,} graphs, "
            f"purity {item.purity:.0%}"
        )
        if len(item.families) > 1:
            yield "      " + ", ".join(f"{count} {escape(family)}" for family, count in item.families[:_SHOWN])
        yield f"      {_names([m.name for graph in item.graphs for m in graph.members], full=full)}"
    if found.outliers:
        yield ""
        yield "Resembling no other"
        for graph in found.outliers:
            yield f"      {escape(graph.family)}: {_names([member.name for member in graph.members], full=full)}"
    if found.identical:
        yield ""
        yield "Identical graphs"
        for graph in sorted(found.identical, key=lambda item: (-len(item.members), item.digest)):
            yield f"      {_names([member.name for member in graph.members], full=full)}"


def _names(names: Sequence[str], *, full: bool) -> str:
    ordered = sorted(names)
    shown = ordered if full else ordered[:_SHOWN]
    more = f" and {len(ordered) - len(shown):,} more" if len(shown) < len(ordered) else ""
    return ", ".join(escape(name) for name in shown) + more


def clusters_svg(found: Clustering) -> Iterator[str]:
    """The map: one circle for each graph, its area by its packages, its colour by its cluster; no scripts, no fonts."""
    yield (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH + _LEGEND} {_HEIGHT}" role="img" '
        f'font-family="sans-serif" font-size="13">'
    )
    yield f"<title>{found.packages} packages in {len(found.clusters)} clusters</title>"
    yield f'<rect width="{_WIDTH + _LEGEND}" height="{_HEIGHT}" fill="#ffffff"/>'
    for graph, (x, y) in zip(found.graphs, _scaled(found.graphs), strict=True):
        radius = min(24.0, 4.0 + 2.0 * (len(graph.members) - 1) ** 0.5)
        where = "no cluster" if graph.cluster < 0 else f"cluster {graph.cluster}"
        label = markup(escape(f"{graph.family}, {where}: " + _names([m.name for m in graph.members], full=False)))
        yield (
            f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius:.1f}" fill="{_colour(graph.cluster)}" fill-opacity="0.75" '
            f'stroke="#ffffff"><title>{label}</title></circle>'
        )
    for row, item in enumerate(found.clusters[: len(_COLOURS)]):
        y = _MARGIN + 24 * row
        yield f'<circle cx="{_WIDTH + 12}" cy="{y}" r="6" fill="{_colour(item.number)}"/>'
        text = markup(escape(f"{item.family} ({item.packages})", 32))
        yield f'<text x="{_WIDTH + 26}" y="{y + 4}" fill="#333333">{text}</text>'
    yield "</svg>"


def _colour(cluster: int) -> str:
    return _COLOURS[cluster] if 0 <= cluster < len(_COLOURS) else _GREY


def _scaled(graphs: Sequence[Graph]) -> list[tuple[float, float]]:
    """Places in the picture; the map keeps its proportions."""
    if not graphs:
        return []
    lows = [min(graph.place[axis] for graph in graphs) for axis in (0, 1)]
    spans = [max(graph.place[axis] for graph in graphs) - lows[axis] for axis in (0, 1)]
    room = (_WIDTH - 2 * _MARGIN, _HEIGHT - 2 * _MARGIN)
    scale = min((room[axis] / spans[axis] for axis in (0, 1) if spans[axis] > 0), default=0.0)
    offsets = [_MARGIN + (room[axis] - spans[axis] * scale) / 2 for axis in (0, 1)]
    return [
        (
            offsets[0] + (graph.place[0] - lows[0]) * scale,
            _HEIGHT - offsets[1] - (graph.place[1] - lows[1]) * scale,
        )
        for graph in graphs
    ]
