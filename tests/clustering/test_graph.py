"""The model graph keeps its documented schema."""

from __future__ import annotations

import networkx as nx

from clustering.graphs.model import SCHEMA, model_graph
from clustering.tensors import Tensor, TensorListing

ROWS = (
    ("bert.embeddings.word_embeddings.weight", (2000, 48)),
    ("bert.encoder.layer.0.query.weight", (48, 48)),
    ("bert.encoder.layer.0.query.bias", (48,)),
    ("bert.encoder.layer.0.LayerNorm.weight", (48,)),
    ("bert.encoder.layer.0.LayerNorm.bias", (48,)),
    ("stem.conv.weight", (96, 3, 7, 7)),
    ("stem.bn.weight", (96,)),
    ("stem.bn.running_mean", (96,)),
    ("cls_token", (1, 1, 48)),
)


def graph() -> nx.DiGraph:
    return model_graph(TensorListing(tuple(Tensor(n, s, "F32") for n, s in ROWS), "safetensors"))


def test_kinds_dimensions_and_biases() -> None:
    nodes = [graph().nodes[n] for n in sorted(graph())]
    assert [n["kind"] for n in nodes] == ["embedding", "linear", "norm", "conv2d", "batchnorm", "parameter"]
    assert [n["has_bias"] for n in nodes] == [False, True, True, False, False, False]
    assert nodes[1]["dims"] == ("H", "H")
    assert nodes[3]["dims"][1:] == ("3", "7", "7")
    assert nodes[1]["indices"] == (0,)


def test_edges_follow_the_definition_order() -> None:
    found = graph()
    assert found.graph["schema"] == SCHEMA
    assert list(found.edges) == [(n, n + 1) for n in range(len(found) - 1)]
    assert {d["relation"] for _, _, d in found.edges(data=True)} == {"next"}
    assert nx.is_directed_acyclic_graph(found)


def test_containment_reaches_every_layer_from_the_root() -> None:
    children = graph().graph["children"]
    seen, pending = set(), [""]
    while pending:
        for child in children.get(pending.pop(), ()):
            seen.add(child)
            pending.append(child)
    assert {data["path"] for _, data in graph().nodes(data=True)} <= seen


def test_tensors_without_structure_in_their_names_are_layers_of_their_own() -> None:
    found = model_graph(TensorListing((Tensor("t1", (4, 4), "F32"), Tensor("t2", (4,), "F32")), "x"))
    assert len(found) == 2
    assert found.nodes[1]["kind"] == "parameter"


def test_empty_listing_gives_an_empty_graph() -> None:
    assert len(model_graph(TensorListing((), "x"))) == 0
