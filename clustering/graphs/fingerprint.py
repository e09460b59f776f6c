"""The fingerprint of a model graph: versioned, deterministic, the same on every machine.

What each part needs, and what it ignores
-----------------------------------------
`structure`
    Made of shapes alone. Of the names it takes where they sort, which puts the tensors of a block side by side, and
    nothing that they say: numbers in the same order give the same hash. So it is the same for a live module, the file
    saved from it, and that file with its header in any order; without names the stored order stands for theirs, and
    a file that has lost both names and order keeps its digest only. Invariant to container prefixes, to sizes
    (dimensions are symbols, refined by how layers share them; sizes that happen to be equal are one dimension) and to
    the number of repeated blocks from two on. Sensitive to direction (which axis of a layer shares a dimension with
    which axis of another), to a norm that gains or loses its bias, to removed biases, to gating.
`vocabulary`
    The set of starred names: containers stripped, indices starred.
`digest`
    Every shape with its count, nothing else: equal in whatever order, and under whatever names, a file keeps them.
`attributes["flow"]`
    Hash of the edges in definition (or traced) order: changes when the order or direction of edges changes. Kept apart
    from the digest, because a file sorted by name no longer has that order.

The refinement is our own: directed, over the incidence of tensors and dimensions, with labelled axes.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

from clustering.family.tokens import main_width
from clustering.graphs.fold import Motif
from clustering.graphs.layers import Parameter, Parameters, fold_tied, parameters_of
from clustering.graphs.order import folded
from clustering.identity import Fingerprint
from clustering.tensors import TensorListing

if TYPE_CHECKING:
    import networkx as nx

VERSION = "2"
_UNCHANGED = "1"
"""Version since which `digest` and `vocabulary` are made the same way, so that those of earlier runs still compare."""
ROUNDS = 4
"""Refinement rounds; on the reference corpus colours are stable after three."""
CHANNELS = 4
"""Up to this many input channels of a convolution are those of an image (grey, colour, with depth), not a size."""
KERNEL = 32
"""Extents of kernels and patches end here (ViT-B/32); a longer third axis is a size, as in a table of positions."""

Shape = tuple[int, ...]


def _hash(value: object) -> str:
    return blake2b(json.dumps(value, separators=(",", ":"), sort_keys=True).encode(), digest_size=16).hexdigest()


def _literal(size: int, axis: int, rank: int, widths: AbstractSet[int]) -> bool:
    """Kernel extents, input channels and singleton axes are structure; every other size is a size."""
    if size == 1:
        return axis >= 1 or rank >= 3
    if axis == 1:
        return rank >= 4 and size <= CHANNELS
    return axis >= 2 and size <= KERNEL and size not in widths


def _placed(motif: Motif, shapes: Sequence[Shape], path: str = "") -> list[tuple[str, Shape, int]]:
    """(path of the motif, shape, count inside the motif) for all motifs; equal siblings have equal paths."""
    rows = [(path, shapes[symbol], count) for symbol, count in motif.items]
    for inner in motif.inner:
        rows += _placed(inner, shapes, path + "/")
    return rows


def _refine(rows: Sequence[tuple[str, Shape, int]]) -> list[str]:
    """Colours of the rows after refinement over shared dimensions."""
    widths = {shape[0] for _, shape, _ in rows if len(shape) == 1}
    literal = [[_literal(size, axis, len(shape), widths) for axis, size in enumerate(shape)] for _, shape, _ in rows]
    colour: dict[int, str] = {size: "d" for _, shape, _ in rows for size in shape}
    rows_colours: list[str] = []
    for _ in range(ROUNDS):
        rows_colours = [
            _hash([path, count, [str(s) if fixed else colour[s] for s, fixed in zip(shape, flags, strict=True)]])
            for (path, shape, count), flags in zip(rows, literal, strict=True)
        ]
        seen: dict[int, list[str]] = {}
        for own, (_, shape, _), flags in zip(rows_colours, rows, literal, strict=True):
            for axis, size in enumerate(shape):
                if not flags[axis]:
                    # the pattern of axes with the same size tells a square layer from two that meet by chance
                    equal = [a for a, s in enumerate(shape) if s == size]
                    seen.setdefault(size, []).append(f"{own}:{axis}:{equal}")
        colour = {size: _hash([colour[size], sorted(found)]) for size, found in seen.items()} | {
            size: c for size, c in colour.items() if size not in seen
        }
    return rows_colours


def structure_hash(parameters: Sequence[Parameter]) -> str:
    """Hash of a model's parameters without their sizes; see the module's text."""
    motif, shapes = folded(parameters)
    return _hash([VERSION, sorted(_refine(_placed(motif, shapes)))])


def flow_hash(graph: nx.DiGraph[int]) -> str:
    """Hash of a graph's layers and directed edges, independent of node labels.

    Own Weisfeiler-Lehman refinement: successors and predecessors are told apart in every round.
    """
    colour = {
        node: _hash([data.get("kind"), data.get("dims"), data.get("has_bias")]) for node, data in graph.nodes(data=True)
    }
    for _ in range(ROUNDS):
        colour = {
            node: _hash(
                [
                    colour[node],
                    sorted([d.get("relation", ""), colour[other]] for _, other, d in graph.out_edges(node, data=True)),
                    sorted([d.get("relation", ""), colour[other]] for other, _, d in graph.in_edges(node, data=True)),
                ]
            )
            for node in graph
        }
    edges = sorted([d.get("relation", ""), colour[a], colour[b]] for a, b, d in graph.edges(data=True))
    return _hash([sorted(colour.values()), edges])


def fingerprint(source: TensorListing | nx.DiGraph[int]) -> Fingerprint:
    """The fingerprint of a listing, or of a graph made by `clustering.graphs.model.model_graph`."""
    if isinstance(source, TensorListing):
        return _fingerprint(fold_tied(parameters_of(source)), {})
    return _fingerprint(_graph_parameters(source), {"flow": flow_hash(source)})


def _graph_parameters(graph: nx.DiGraph[int]) -> Parameters:
    """Parameters of a graph's nodes in definition order."""
    following = {a: b for a, b, d in graph.edges(data=True) if d.get("relation") == "next"}
    starts = sorted(set(graph) - set(following.values()), key=str)
    order: list[int] = []
    placed: set[int] = set()
    for start in starts:
        node: int | None = start
        while node is not None and node not in placed:
            placed.add(node)
            order.append(node)
            node = following.get(node)
    order += [node for node in graph if node not in placed]
    parameters: list[Parameter] = []
    for node in order:
        data = graph.nodes[node]
        for last, shape in data["tensors"]:
            star = data["star"] if data["star"] == last else f"{data['star']}.{last}"
            parameters.append(Parameter(star, tuple(data["indices"]), tuple(shape), star))
    return fold_tied(tuple(parameters))


def _fingerprint(parameters: Sequence[Parameter], extra: dict[str, Any]) -> Fingerprint:
    columns = Parameters.of(parameters)
    structure = structure_hash(columns)
    counts = columns.shape_counts
    exact = sorted((list(shape), number) for shape, number in counts.items())
    wide = [s for s in counts if len(s) == 2 and s[0] >= 4 * s[1] > 4]
    attributes: dict[str, Any] = {
        "tensors": len(columns),
        "parameters": sum(_size(shape) * number for shape, number in counts.items()),
        "width": main_width(counts),
        **({"vocabulary": max(s[0] for s in wide)} if wide else {}),
        **extra,
    }
    return Fingerprint(
        version=VERSION,
        digest=_hash([_UNCHANGED, exact]),
        structure=structure,
        vocabulary=_hash([_UNCHANGED, sorted(columns.star_set)]),
        attributes=attributes,
    )


def _size(shape: Shape) -> int:
    product = 1
    for size in shape:
        product *= size
    return product
