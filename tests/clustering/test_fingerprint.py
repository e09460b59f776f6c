"""Invariants of the fingerprint: what must leave it alone and what must change it."""

from __future__ import annotations

import random

import networkx as nx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_models import as_listing, encoder_shapes, numbered

from clustering.graphs.fingerprint import VERSION, fingerprint, flow_hash
from clustering.graphs.fold import fold
from clustering.graphs.model import model_graph
from clustering.tensors import Tensor, TensorListing


def encoder(depth: int = 4, width: int = 96, *, prefix: str = "", **options: bool) -> TensorListing:
    return as_listing({prefix + name: shape for name, shape in encoder_shapes(depth, width, **options).items()})


@given(depth=st.integers(2, 30), width=st.integers(3, 40).map(lambda n: n * 16))
@settings(max_examples=40)
def test_structure_ignores_depth_size_and_names(depth: int, width: int) -> None:
    listing = encoder(depth, width)
    known = fingerprint(encoder()).structure
    assert fingerprint(listing).structure == known
    assert fingerprint(numbered(listing)).structure == known


@pytest.mark.parametrize("prefix", ["module.", "base_model.model.", "model.", "_orig_mod.module."])
def test_container_prefixes_change_nothing(prefix: str) -> None:
    plain, wrapped = fingerprint(encoder()), fingerprint(encoder(prefix=prefix))
    assert (plain.digest, plain.structure, plain.vocabulary) == (wrapped.digest, wrapped.structure, wrapped.vocabulary)


@pytest.mark.parametrize("change", [{"rms": True}, {"bias": False}, {"gated": True}])
def test_structure_sees_norm_bias_and_gate(change: dict[str, bool]) -> None:
    assert fingerprint(encoder(**change)).structure != fingerprint(encoder()).structure


def test_structure_sees_the_direction_of_a_layer() -> None:
    turned = tuple(
        Tensor(t.name, t.shape[::-1], t.dtype) if t.name.endswith("up.weight") else t for t in encoder().tensors
    )
    assert fingerprint(TensorListing(turned, "x")).structure != fingerprint(encoder()).structure


def test_digest_tells_sizes_and_depths_apart() -> None:
    digests = {fingerprint(encoder(depth, width)).digest for depth in (2, 3) for width in (64, 96)}
    assert len(digests) == 4


def test_vocabulary_changes_with_names_only() -> None:
    one, other = fingerprint(encoder()), fingerprint(numbered(encoder()))
    assert one.structure == other.structure
    assert one.vocabulary != other.vocabulary


def test_files_sorted_by_name_have_the_same_fingerprint() -> None:
    listing = encoder(depth=12)
    stored = TensorListing(tuple(sorted(listing.tensors, key=lambda t: t.name)), "safetensors")
    assert fingerprint(stored) == fingerprint(listing)


def test_buffers_and_tied_copies_do_not_matter() -> None:
    listing = encoder()
    extra = (
        Tensor("embeddings.position_ids", (1, 512), "I64"),
        Tensor("encoder.layer.0.attention.masked_bias", (), "F32"),
        Tensor("encoder.layer.0.attention.rotary.inv_freq", (32,), "F32"),
        Tensor("encoder.layer.0.attention.bias", (1, 1, 512, 512), "F32"),
        Tensor("lm_head.weight", (96 * 40, 96), "F32"),
    )
    more = TensorListing((*listing.tensors, *extra), "safetensors")
    assert fingerprint(more).digest == fingerprint(listing).digest


def test_graph_and_listing_agree_and_labels_do_not_matter() -> None:
    graph = model_graph(encoder())
    order = list(graph)
    random.Random(3).shuffle(order)
    relabelled = nx.relabel_nodes(graph, dict(zip(graph, order, strict=True)))
    plain = fingerprint(encoder())
    for seen in (fingerprint(graph), fingerprint(relabelled)):
        assert (seen.digest, seen.structure, seen.vocabulary) == (plain.digest, plain.structure, plain.vocabulary)
    assert flow_hash(graph) == flow_hash(relabelled)


def test_flow_is_sensitive_to_direction_and_order() -> None:
    graph = model_graph(encoder())
    assert flow_hash(graph.reverse()) != flow_hash(graph)
    swapped = graph.copy()
    swapped.remove_edge(1, 2)
    swapped.add_edge(2, 1, relation="next")
    assert flow_hash(swapped) != flow_hash(graph)


def test_known_values_are_stable_across_machines_and_versions() -> None:
    known = fingerprint(
        as_listing({"up.weight": (64, 16), "up.bias": (64,), "out.weight": (16, 16), "out.bias": (16,)})
    )
    assert VERSION == "2"
    assert (known.version, known.structure) == (VERSION, "34d03cce64692cec9335a1a0de391ec5")
    assert (known.digest, known.vocabulary) == (
        "2c790e05eb1e623b666ed07e57212855",
        "af661c09e5ddd222fd368d3d25757b5b",
    ), "as they were in version 1"


@given(st.lists(st.integers(0, 6), max_size=80))
@settings(max_examples=100)
def test_folding_never_invents_symbols(sequence: list[int]) -> None:
    def symbols(motif: object) -> set[int]:
        return {s for s, _ in motif.items} | {s for m in motif.inner for s in symbols(m)}  # type: ignore[attr-defined]

    assert symbols(fold(sequence)) == set(sequence)


@given(st.integers(2, 9), st.lists(st.integers(0, 9), min_size=5, max_size=9, unique=True))
@settings(max_examples=60)
def test_folding_forgets_how_often_a_block_repeats(times: int, block: list[int]) -> None:
    assert fold([20, *block * times, 21]) == fold([20, *block * 2, 21])


def test_empty_listing_has_a_fingerprint() -> None:
    assert fingerprint(TensorListing((), "x")).attributes["tensors"] == 0
