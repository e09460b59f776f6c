"""The model graph of a live module, with the layers that hold no parameters.

The schema is that of `clustering.graphs.model`. A layer without parameters (an activation, a pooling, a dropout) is a
node of kind `operator` with its class as `op` and no tensors, so the fingerprint of the graph has the digest of the
module's listing: a saved file does not know of such layers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from clustering.graphs.layers import star_name
from clustering.graphs.model import model_graph
from clustering.live.listing import listing_from_module

if TYPE_CHECKING:
    import networkx as nx
    from torch import nn


def module_graph(module: nn.Module) -> nx.DiGraph[int]:
    """The graph of a module in definition order, layers without parameters at their places.

    A layer that is used at several places stands at its first, as in the module tree.
    """
    import networkx as nx

    layers = model_graph(listing_from_module(module))
    rows: list[tuple[int, dict[str, object]]] = []
    places = {path: number for number, (path, _) in enumerate(module.named_modules())}
    for _, data in layers.nodes(data=True):
        rows.append((_place(str(data["path"]), places), data))
    held = {str(data["path"]) for _, data in layers.nodes(data=True)}
    for path, inner in module.named_modules():
        if path and path not in held and next(inner.children(), None) is None and not _holds(inner):
            rows.append((places[path], _operator(path, type(inner).__name__)))
    graph: nx.DiGraph[int] = nx.DiGraph(**layers.graph)
    for number, (_, data) in enumerate(sorted(rows, key=lambda row: row[0])):
        graph.add_node(number, **data)
        if number:
            graph.add_edge(number - 1, number, relation="next")
    return graph


def _holds(module: nn.Module) -> bool:
    return next(module.parameters(), None) is not None


def _place(path: str, places: dict[str, int]) -> int:
    """Where a layer stands: at its module, or at the nearest one around a parameter without a module of its name."""
    while path and path not in places:
        path = path.rpartition(".")[0]
    return places[path]


def _operator(path: str, name: str) -> dict[str, object]:
    star, indices = star_name(path)
    return {
        "kind": "operator",
        "op": name,
        "path": path,
        "star": star,
        "indices": indices,
        "dims": (),
        "shape": (),
        "has_bias": False,
        "tensors": (),
    }
