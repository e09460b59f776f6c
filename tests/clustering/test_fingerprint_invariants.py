"""What the fingerprint promises (the table in docs/fingerprints.md), each promise over random models.

`structure` sees where a name sorts, never what it says; everything else of the promises follows from that.
"""

from __future__ import annotations

import json
import random
from io import BytesIO
from pathlib import Path
from typing import Any

import networkx as nx
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from small_models import Shape, as_listing, encoder_shapes, numbered, renamed
from weights import write

from clustering.graphs.fingerprint import fingerprint
from clustering.graphs.model import model_graph
from clustering.readers.select import read_weights
from clustering.tensors import Tensor, TensorListing
from corpora.sources.registry import open_package

OPTIONS = st.fixed_dictionaries(
    {"rms": st.booleans(), "bias": st.booleans(), "gated": st.booleans(), "experts": st.sampled_from([0, 0, 2, 8])}
)
DEPTHS, WIDTHS = st.integers(2, 9), st.integers(2, 12).map(lambda number: number * 16)
MODELS = st.builds(lambda depth, width, options: encoder_shapes(depth, width, **options), DEPTHS, WIDTHS, OPTIONS)
"""Shapes by name, in definition order."""
RANDOM = st.randoms(use_true_random=False)


def hashes(listing: TensorListing) -> tuple[str, str, str]:
    known = fingerprint(listing)
    return known.digest, known.structure, known.vocabulary


def reordered(listing: TensorListing, rng: random.Random) -> TensorListing:
    return TensorListing(tuple(rng.sample(listing.tensors, len(listing.tensors))), listing.format)


@given(MODELS, RANDOM)
@settings(max_examples=30)
def test_no_order_of_the_tensors_changes_anything(shapes: dict[str, Shape], rng: random.Random) -> None:
    listing = as_listing(shapes)
    assert hashes(reordered(listing, rng)) == hashes(listing)
    assert hashes(as_listing(dict(sorted(shapes.items())))) == hashes(listing)


@given(MODELS)
@settings(max_examples=25)
def test_numbers_for_names_change_the_vocabulary_alone(shapes: dict[str, Shape]) -> None:
    listing = as_listing(shapes)
    known, seen = hashes(listing), hashes(numbered(listing))
    assert seen[:2] == known[:2]
    assert seen[2] != known[2]


@given(MODELS, RANDOM)
@settings(max_examples=25)
def test_names_that_sort_at_random_leave_the_stored_order(shapes: dict[str, Shape], rng: random.Random) -> None:
    assume(len({name.split(".")[2] for name in shapes if name.startswith("encoder")}) >= 4)
    listing = as_listing(shapes)
    names = [f"{rng.getrandbits(64):016x}x" for _ in listing.tensors]
    assert hashes(renamed(listing, names))[:2] == hashes(listing)[:2]


@given(DEPTHS, WIDTHS, OPTIONS, RANDOM)
@settings(max_examples=30)
def test_nothing_depends_on_the_order_inside_a_block(
    depth: int, width: int, options: dict[str, Any], rng: random.Random
) -> None:
    shapes = encoder_shapes(depth, width, **options)
    block = [name for name in shapes if name.startswith("encoder.layer.0.")]
    rng.shuffle(block)
    rows = {name: shape for name, shape in shapes.items() if not name.startswith("encoder")}
    for number in range(depth):
        rows |= {name.replace(".0.", f".{number}.", 1): shapes[name] for name in block}
    if not options["experts"]:  # experts torn apart are no blocks any more
        assert hashes(numbered(as_listing(rows)))[:2] == hashes(as_listing(shapes))[:2]
    assert hashes(as_listing(rows)) == hashes(as_listing(shapes))


@given(DEPTHS, DEPTHS, WIDTHS, WIDTHS, OPTIONS)
@settings(max_examples=30)
def test_structure_ignores_depth_and_size(
    depth: int, other_depth: int, width: int, other_width: int, options: dict[str, Any]
) -> None:
    one = as_listing(encoder_shapes(depth, width, **options))
    other = as_listing(encoder_shapes(other_depth, other_width, **options))
    assert fingerprint(one).structure == fingerprint(other).structure
    assert fingerprint(one).vocabulary == fingerprint(other).vocabulary
    assert (fingerprint(one).digest == fingerprint(other).digest) == ((depth, width) == (other_depth, other_width))


@given(MODELS, st.sampled_from(["module.", "_orig_mod.", "base_model.model.", "model.", "module.model.", "params/"]))
@settings(max_examples=30)
def test_containers_change_nothing(shapes: dict[str, Shape], prefix: str) -> None:
    assert hashes(as_listing({prefix + name: shape for name, shape in shapes.items()})) == hashes(as_listing(shapes))


@given(MODELS, st.sampled_from(["F64", "F16", "BF16", "F8_E4M3"]))
@settings(max_examples=20)
def test_the_dtype_changes_nothing(shapes: dict[str, Shape], dtype: str) -> None:
    assert hashes(as_listing(shapes, dtype=dtype)) == hashes(as_listing(shapes))


@given(shapes=MODELS, stored=st.booleans())
@settings(max_examples=30)
def test_tied_copies_and_buffers_change_nothing(shapes: dict[str, Shape], *, stored: bool) -> None:
    table = shapes["embeddings.word.weight"]
    known = as_listing(shapes).tensors
    one = Tensor("embeddings.word.weight", table, "F32", storage="file#0:8")
    copy = Tensor("lm_head.weight", table, "F32", storage=None if stored else "file#0:8")
    buffer = Tensor("embeddings.position_ids", (1, 512), "I64")
    assert hashes(TensorListing((one, *known[1:], copy, buffer), "x")) == hashes(as_listing(shapes))


@given(MODELS, RANDOM)
@settings(max_examples=25)
def test_labels_of_nodes_change_nothing(shapes: dict[str, Shape], rng: random.Random) -> None:
    graph = model_graph(as_listing(shapes))
    labels = list(graph)
    rng.shuffle(labels)
    relabelled = fingerprint(nx.relabel_nodes(graph, dict(zip(graph, labels, strict=True))))
    assert (relabelled.digest, relabelled.structure, relabelled.vocabulary) == hashes(as_listing(shapes))
    assert relabelled.attributes["flow"] == fingerprint(graph).attributes["flow"]
    assert fingerprint(graph.reverse()).attributes["flow"] != fingerprint(graph).attributes["flow"]


@given(MODELS, st.data())
@settings(max_examples=30)
def test_one_tensor_or_one_size_more_is_another_digest(shapes: dict[str, Shape], data: st.DataObject) -> None:
    listing = as_listing(shapes)
    place = data.draw(st.integers(0, len(listing.tensors) - 1))
    tensor, others = listing.tensors[place], (*listing.tensors[:place], *listing.tensors[place + 1 :])
    axis = data.draw(st.integers(0, len(tensor.shape) - 1))
    grown = Tensor(tensor.name, tuple(s + (a == axis) for a, s in enumerate(tensor.shape)), tensor.dtype)
    digests = {fingerprint(TensorListing(rows, "x")).digest for rows in (listing.tensors, others, (*others, grown))}
    assert len(digests) == 3


@given(DEPTHS, WIDTHS, OPTIONS, st.sampled_from(["rms", "bias", "gated", "up", "down"]))
@settings(max_examples=30)
def test_structure_sees_a_norm_a_bias_a_gate_and_a_reversed_layer(
    depth: int, width: int, options: dict[str, Any], change: str
) -> None:
    shapes = encoder_shapes(depth, width, **options)
    if change in options:
        other = encoder_shapes(depth, width, **options | {change: not options[change]})
    else:
        other = {n: s[::-1] if n.endswith(f"{change}.weight") else s for n, s in shapes.items()}
    assert fingerprint(as_listing(other)).structure != fingerprint(as_listing(shapes)).structure
    assert fingerprint(as_listing(other)).digest != fingerprint(as_listing(shapes)).digest


@given(shapes=st.builds(encoder_shapes, st.integers(2, 3), st.just(32)), rng=RANDOM, shards=st.integers(2, 5))
@settings(max_examples=8)
def test_shards_change_nothing(
    tmp_path_factory: pytest.TempPathFactory, shapes: dict[str, Shape], rng: random.Random, shards: int
) -> None:
    folder = tmp_path_factory.mktemp("owner--sharded")
    place = {name: f"model-{rng.randrange(shards) + 1:05d}-of-{shards:05d}.safetensors" for name in shapes}
    for file in set(place.values()):
        write(folder / file, {name: shapes[name] for name in shapes if place[name] == file})
    (folder / "model.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": place}))
    stored = read_weights(open_package(str(folder), offline=True).files).listing
    assert stored is not None
    assert hashes(stored) == hashes(as_listing(shapes))


def _numpy(shapes: dict[str, Shape], path: Path) -> None:
    buffer = BytesIO()
    np.savez(buffer, **{name: np.zeros(shape, "f2") for name, shape in shapes.items()})
    path.write_bytes(buffer.getvalue())


def _pickle(shapes: dict[str, Shape], path: Path) -> None:
    torch = pytest.importorskip("torch")
    torch.save({name: torch.zeros(shape, dtype=torch.float16) for name, shape in shapes.items()}, path)


def _legacy_pickle(shapes: dict[str, Shape], path: Path) -> None:
    torch = pytest.importorskip("torch")
    state = {name: torch.zeros(shape, dtype=torch.float16) for name, shape in shapes.items()}
    torch.save(state, path, _use_new_zipfile_serialization=False)


def _gguf(shapes: dict[str, Shape], path: Path) -> None:
    gguf = pytest.importorskip("gguf")
    writer = gguf.GGUFWriter(str(path), "no such architecture")
    for name, shape in shapes.items():
        writer.add_tensor(name, np.zeros(shape, np.float16))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def _onnx(shapes: dict[str, Shape], path: Path) -> None:
    onnx = pytest.importorskip("onnx")
    kind, helper = onnx.TensorProto.FLOAT16, onnx.helper
    stored = [helper.make_tensor(n, kind, s, bytes(2 * int(np.prod(s))), raw=True) for n, s in shapes.items()]
    nodes = [helper.make_node("Identity", [name], [f"{name}_out"]) for name in shapes]
    ends = [helper.make_tensor_value_info("y", kind, [1])]
    path.write_bytes(helper.make_model(helper.make_graph(nodes, "g", [], ends, stored)).SerializeToString())


def _flax(shapes: dict[str, Shape], path: Path) -> None:
    msgpack = pytest.importorskip("msgpack")
    tree: dict[str, Any] = {}
    for name, shape in shapes.items():
        *parents, last = name.split(".")
        inner = tree
        for parent in parents:
            inner = inner.setdefault(parent, {})
        matrix = last == "weight" and len(shape) == 2 and "embeddings" not in parents
        array = msgpack.packb((shape[::-1] if matrix else shape, "float16", bytes(2 * int(np.prod(shape)))))
        inner["kernel" if matrix else last] = msgpack.ExtType(1, array)
    path.write_bytes(msgpack.packb(tree))


def _hdf5(shapes: dict[str, Shape], path: Path) -> None:
    h5py = pytest.importorskip("h5py")
    with h5py.File(path, "w") as file:
        for name, shape in shapes.items():
            *parents, last = name.split(".")
            matrix = last == "weight" and len(shape) == 2 and "embeddings" not in parents
            place = "/".join([*parents, "kernel:0" if matrix else f"{last}:0"])
            file[place] = np.zeros(shape[::-1] if matrix else shape, "f2")


FORMATS = {
    "model.safetensors": lambda shapes, path: write(path, shapes),
    "pytorch_model.bin": _pickle,
    "legacy/pytorch_model.bin": _legacy_pickle,
    "model.gguf": _gguf,
    "model.onnx": _onnx,
    "weights.npz": _numpy,
    "flax_model.msgpack": _flax,
    "tf_model.h5": _hdf5,
}
"""File name -> what writes shapes into such a file."""


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("options", [{}, {"rms": True, "bias": False, "gated": True}], ids=["plain", "gated"])
def test_the_format_changes_nothing(name: str, options: dict[str, Any], tmp_path: Path) -> None:
    shapes = encoder_shapes(3, 32, **options)
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    FORMATS[name](shapes, path)
    stored = read_weights(open_package(str(path), offline=True).files).listing
    assert stored is not None
    assert hashes(stored) == hashes(as_listing(shapes))
