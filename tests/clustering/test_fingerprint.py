"""Invariants of the fingerprint: what must leave it alone and what must change it."""

from __future__ import annotations

import random

import networkx as nx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clustering.graphs.fingerprint import VERSION, fingerprint, flow_hash, structure_hash
from clustering.graphs.fold import fold
from clustering.graphs.model import model_graph
from clustering.tensors import Tensor, TensorListing


def encoder(
    depth: int = 4, width: int = 96, *, rms: bool = False, bias: bool = True, gated: bool = False, prefix: str = ""
) -> TensorListing:
    """A small post-norm encoder."""
    rows: list[tuple[str, tuple[int, ...]]] = [("embeddings.word.weight", (width * 40, width))]
    for block in range(depth):
        base = f"encoder.layer.{block}"
        for part in ("query", "key", "value", "output"):
            rows.append((f"{base}.attention.{part}.weight", (width, width)))
            if bias:
                rows.append((f"{base}.attention.{part}.bias", (width,)))
        rows.append((f"{base}.up.weight", (width * 4, width)))
        if gated:
            rows.append((f"{base}.gate.weight", (width * 4, width)))
        rows.append((f"{base}.down.weight", (width, width * 4)))
        rows.append((f"{base}.norm.weight", (width,)))
        if not rms:
            rows.append((f"{base}.norm.bias", (width,)))
    return TensorListing(tuple(Tensor(prefix + name, shape, "F32") for name, shape in rows), "safetensors")


def renumbered(listing: TensorListing) -> TensorListing:
    return TensorListing(tuple(Tensor(f"t{n:05d}", t.shape, t.dtype) for n, t in enumerate(listing.tensors)), "x")


@given(depth=st.integers(2, 30), width=st.integers(3, 40).map(lambda n: n * 16))
@settings(max_examples=40)
def test_structure_ignores_depth_size_and_names(depth: int, width: int) -> None:
    listing = encoder(depth, width)
    known = fingerprint(encoder()).structure
    assert fingerprint(listing).structure == known
    assert fingerprint(renumbered(listing)).structure == known


@pytest.mark.parametrize("prefix", ["module.", "base_model.model.", "model.", "_orig_mod.module."])
def test_container_prefixes_change_nothing(prefix: str) -> None:
    plain, wrapped = fingerprint(encoder()), fingerprint(encoder(prefix=prefix))
    assert (plain.digest, plain.structure, plain.vocabulary) == (wrapped.digest, wrapped.structure, wrapped.vocabulary)


@pytest.mark.parametrize("change", [{"rms": True}, {"bias": False}, {"gated": True}])
def test_structure_sees_norm_bias_and_gate(change: dict[str, bool]) -> None:
    assert fingerprint(encoder(**change)).structure != fingerprint(encoder()).structure  # type: ignore[arg-type]


def test_structure_sees_the_direction_of_a_layer() -> None:
    turned = tuple(
        Tensor(t.name, t.shape[::-1], t.dtype) if t.name.endswith("up.weight") else t for t in encoder().tensors
    )
    assert fingerprint(TensorListing(turned, "x")).structure != fingerprint(encoder()).structure


def test_digest_tells_sizes_and_depths_apart() -> None:
    digests = {fingerprint(encoder(depth, width)).digest for depth in (2, 3) for width in (64, 96)}
    assert len(digests) == 4


def test_vocabulary_changes_with_names_only() -> None:
    one, other = fingerprint(encoder()), fingerprint(renumbered(encoder()))
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


def test_known_value_is_stable_across_machines_and_versions() -> None:
    assert VERSION == "1"
    assert structure_hash([(64, 16), (16,), (16, 16), (16,)]) == "b2b3d7b3db64d44bc8f839e9de6e5904"


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
