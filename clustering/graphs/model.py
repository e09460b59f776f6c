"""The model graph: layers as nodes, definition order as edges, symbolic dimensions, module hierarchy.

Schema (networkx DiGraph)
-------------------------
graph attributes
    - `schema`: 1
    - `format`: where the listing came from
    - `symbols`: symbol -> size; `H` is the main width, `D1`, `D2` ... the other sizes by falling use
    - `children`: module path -> child paths (containment)
nodes (integers in definition order)
    - `kind`: linear, embedding, conv1d, conv2d, conv3d, norm, batchnorm or parameter
    - `path`: module path as stored; `star`: the same with indices starred; `indices`: the indices
    - `dims`: symbols of the main tensor's axes; `shape`: their sizes; `has_bias`
    - `tensors`: ((last name component, shape), ...) in stored order
edges
    - (n, n + 1) with `relation="next"`: definition order
    - a caller that traced a forward pass may add `relation="flow"` edges

Kinds are told from shapes and the last name component; where names say nothing (numbered tensors) each tensor is a
layer of its own.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from clustering.family.tokens import SMALL, main_width
from clustering.graphs.layers import EMBEDDING_WORDS, Parameter, parameters_of
from clustering.tensors import TensorListing

if TYPE_CHECKING:
    import networkx as nx

SCHEMA = 1
_STATISTICS = frozenset({"running_mean", "running_var"})
_CONV = {3: "conv1d", 4: "conv2d", 5: "conv3d"}


def model_graph(listing: TensorListing) -> nx.DiGraph[int]:
    """The graph of a listing; see the module's schema."""
    import networkx as nx

    parameters = parameters_of(listing)
    symbols = _symbols(Counter(p.shape for p in parameters))
    names = {size: symbol for symbol, size in symbols.items()}
    graph: nx.DiGraph[int] = nx.DiGraph(schema=SCHEMA, format=listing.format, symbols=symbols)
    layers: dict[str, list[Parameter]] = {}
    for parameter in parameters:
        path = parameter.name.rpartition(".")[0] if "." in parameter.name else parameter.name
        layers.setdefault(path, []).append(parameter)
    for number, (path, members) in enumerate(layers.items()):
        graph.add_node(number, **_layer(path, members, names))
        if number:
            graph.add_edge(number - 1, number, relation="next")
    graph.graph["children"] = _containment(layers)
    return graph


def _symbols(counts: Counter[tuple[int, ...]]) -> dict[str, int]:
    width = main_width(counts)
    use: Counter[int] = Counter()
    for shape, number in counts.items():
        for size in shape:
            if size > SMALL and size != width:
                use[size] += number
    ranked = sorted(use.items(), key=lambda item: (-item[1], item[0]))
    return {"H": width, **{f"D{n}": size for n, (size, _) in enumerate(ranked, start=1)}}


def _layer(path: str, members: list[Parameter], names: dict[int, str]) -> dict[str, Any]:
    lasts = {p.star.rpartition(".")[2]: p for p in members}
    main = lasts.get("weight") or max(members, key=lambda p: len(p.shape))
    parent = main.star.rpartition(".")[0] if "." in main.star else main.star
    return {
        "kind": _kind(main, parent, set(lasts)),
        "path": path,
        "star": parent,
        "indices": main.indices,
        "dims": tuple(names.get(size, str(size)) for size in main.shape),
        "shape": main.shape,
        "has_bias": "bias" in lasts and main is not lasts["bias"],
        "tensors": tuple((p.star.rpartition(".")[2], p.shape) for p in members),
    }


def _kind(main: Parameter, parent: str, lasts: set[str]) -> str:
    rank = len(main.shape)
    if lasts & _STATISTICS:
        return "batchnorm"
    if rank == 1:
        return "norm" if "weight" in lasts else "parameter"
    if "weight" not in lasts:
        return "parameter"
    if rank == 2:
        last = parent.rpartition(".")[2]
        return "embedding" if any(word in last for word in EMBEDDING_WORDS) and "bias" not in lasts else "linear"
    return _CONV.get(rank, "parameter")


def _containment(layers: dict[str, list[Parameter]]) -> dict[str, tuple[str, ...]]:
    children: dict[str, dict[str, None]] = {}
    for layer in layers:
        path = layer
        while path:
            parent = path.rpartition(".")[0]
            known = children.setdefault(parent, {})
            if path in known:
                break
            known[path] = None
            path = parent
    return {parent: tuple(known) for parent, known in children.items()}
