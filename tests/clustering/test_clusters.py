"""Clusters of graphs: invariants of the vectors, the estimator's contract, the map."""

from __future__ import annotations

import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clustering.clusters import neighbours
from clustering.clusters.density import GraphClusters, projection
from clustering.clusters.signature import signature
from clustering.clusters.vectors import vectors
from clustering.tensors import Tensor, TensorListing

EXPECTED_FAILURES: dict[str, str] = {}
"""Checks of scikit-learn that the estimator does not pass, with the reason; none so far."""


def transformer(layers: int, width: int, *, gated: bool = False, bias: bool = True, prefix: str = "") -> TensorListing:
    tensors = [Tensor(f"{prefix}embed_tokens.weight", (40 * width, width), "F32")]

    def add(name: str, rows: int, columns: int) -> None:
        tensors.append(Tensor(f"{name}.weight", (rows, columns), "F32"))
        if bias:
            tensors.append(Tensor(f"{name}.bias", (rows,), "F32"))

    for index in range(layers):
        block = f"{prefix}layers.{index}."
        for name in ("q", "k", "v", "o"):
            add(f"{block}attn.{name}_proj", width, width)
        for name in ("gate", "up") if gated else ("up",):
            add(f"{block}mlp.{name}_proj", 4 * width, width)
        add(f"{block}mlp.down_proj", width, 4 * width)
        tensors += [Tensor(f"{block}norm{n}.weight", (width,), "F32") for n in (1, 2)]
    return TensorListing(tuple(tensors), "safetensors")


def network(stages: int, width: int) -> TensorListing:
    tensors = [Tensor("stem.conv.weight", (width, 3, 7, 7), "F32")]
    for stage in range(stages):
        own = width * 2**stage
        for name in ("conv1", "conv2"):
            tensors.append(Tensor(f"stages.{stage}.{name}.weight", (own, own, 3, 3), "F32"))
            tensors += [Tensor(f"stages.{stage}.{name}.bn.{leaf}", (own,), "F32") for leaf in ("weight", "bias")]
    return TensorListing(tuple(tensors), "pytorch")


def distance(one: TensorListing, other: TensorListing) -> float:
    rows = vectors([signature(one), signature(other)])
    return float(np.linalg.norm((rows[0] - rows[1]).toarray()))


FAMILIES = (
    [transformer(layers, width) for layers, width in ((4, 64), (6, 96), (12, 128), (24, 256))],
    [
        transformer(layers, width, gated=True, bias=False, prefix="model.")
        for layers, width in ((4, 64), (8, 128), (32, 512))
    ],
    [network(stages, width) for stages, width in ((3, 32), (4, 32), (4, 64))],
)


def test_size_depth_and_prefix_are_no_part_of_a_signature() -> None:
    assert distance(transformer(4, 64), transformer(24, 512)) < 1e-9
    assert distance(transformer(4, 64), transformer(4, 64, prefix="model.")) < 1e-9


def test_a_gate_is_nearer_than_another_kind_of_network() -> None:
    plain, gated, convolutions = transformer(6, 64), transformer(6, 64, gated=True), network(4, 32)
    assert 0 < distance(plain, gated) < distance(plain, convolutions)
    assert distance(plain, transformer(6, 64, bias=False)) > 0


def test_rows_have_unit_length_and_empty_graphs_none() -> None:
    empty = TensorListing((), "safetensors")
    rows = vectors([signature(transformer(2, 32)), signature(empty)]).toarray()
    assert np.linalg.norm(rows[0]) == pytest.approx(1.0)
    assert not rows[1].any()


def test_an_index_without_shapes_has_names_only() -> None:
    listing = TensorListing((Tensor("layers.0.attn.q_proj.weight", (), "F32"),), "index", names_only=True)
    found = signature(listing)
    assert found.names
    assert not found.shapes
    assert not found.order


def labels_of(listings: list[TensorListing]) -> list[int]:
    return [int(label) for label in GraphClusters().fit(vectors([signature(item) for item in listings])).labels_]


def test_families_are_clusters() -> None:
    labels = labels_of([item for family in FAMILIES for item in family])
    assert labels == [0, 0, 0, 0, 1, 1, 1, 2, 2, 2] or sorted(set(labels[4:])) == [1, 2]
    assert len({tuple(labels[:4]), tuple(labels[4:7]), tuple(labels[7:])}) == 3
    assert all(len(set(part)) == 1 for part in (labels[:4], labels[4:7], labels[7:]))


def test_one_family_alone_is_a_cluster() -> None:
    assert labels_of(list(FAMILIES[0])) == [0, 0, 0, 0]


def test_two_graphs_that_share_nothing_are_outliers() -> None:
    assert labels_of([transformer(4, 64), network(4, 32)]) == [-1, -1]


def test_a_lonely_graph_is_an_outlier() -> None:
    assert labels_of([*FAMILIES[0], *FAMILIES[1], network(4, 32)])[-1] == -1


@given(st.integers(0, 10_000))
@settings(max_examples=8)
def test_shuffling_the_input_shuffles_the_labels(seed: int) -> None:
    listings = [item for family in FAMILIES for item in family]
    order = list(range(len(listings)))
    random.Random(seed).shuffle(order)
    shuffled = labels_of([listings[number] for number in order])
    assert shuffled == [labels_of(listings)[number] for number in order]


def test_beyond_the_dense_limit_the_clusters_are_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    listings = [item for family in FAMILIES for item in family]
    dense = labels_of(listings)
    monkeypatch.setattr(neighbours, "DENSE_LIMIT", 1)
    assert labels_of(listings) == dense


def test_too_few_rows_are_refused() -> None:
    with pytest.raises(ValueError, match="minimum of 2"):
        GraphClusters().fit(np.zeros((1, 3)))


def test_the_map_is_deterministic_and_centred() -> None:
    rows = vectors([signature(item) for family in FAMILIES for item in family])
    one, other = projection(rows, 2), projection(rows.copy(), 2)
    assert np.array_equal(one, other)
    assert one.shape == (10, 2)
    assert np.allclose(one.mean(axis=0), 0)


def test_the_map_of_two_graphs_has_two_dimensions() -> None:
    assert projection(vectors([signature(FAMILIES[0][0]), signature(FAMILIES[2][0])]), 2).shape == (2, 2)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # scikit-learn's own checks warn on purpose
def test_the_contract_of_scikit_learn() -> None:
    from sklearn.utils.estimator_checks import check_estimator

    results = check_estimator(GraphClusters(), on_fail=None, on_skip=None)
    failed = {item["check_name"] for item in results if item["status"] == "failed"}
    assert failed == set(EXPECTED_FAILURES)
