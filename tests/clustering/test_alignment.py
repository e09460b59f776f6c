"""Pairing the tensors of two models by structure."""

from __future__ import annotations

import gzip
import json
import random
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from weights import Shapes, bert_blocks

from clustering.alignment.align import AlignmentError, align
from clustering.alignment.layout import layout_change
from clustering.alignment.units import MAX_TENSORS
from clustering.alignment.words import indices_of, stage_of, star_of, tokens_of
from clustering.tensors import Tensor, TensorListing

DATA = Path(__file__).resolve().parents[3] / "shared" / "data" / "maskformer"
needs_data = pytest.mark.skipif(not DATA.is_dir(), reason="development data is not beside the checkout")


def listing(shapes: Shapes, form: str = "safetensors") -> TensorListing:
    return TensorListing(tuple(Tensor(name, shape, "F32") for name, shape in shapes.items()), form)


def bert(layers: int = 3, width: int = 32, *, prefix: str = "bert.", vocabulary: int = 600) -> Shapes:
    """A BERT in the spelling of transformers."""
    shapes: Shapes = {
        f"{prefix}embeddings.word_embeddings.weight": (vocabulary, width),
        f"{prefix}embeddings.position_embeddings.weight": (64, width),
        f"{prefix}embeddings.LayerNorm.weight": (width,),
        f"{prefix}embeddings.LayerNorm.bias": (width,),
    }
    return shapes | bert_blocks(layers, width, prefix)


def fused(layers: int = 3, width: int = 32, *, bias: bool = True) -> tuple[Shapes, dict[str, str]]:
    """The same model as another library writes it, and what each of its names is in the first spelling."""
    shapes: Shapes = {}
    truth: dict[str, str] = {}

    def add(name: str, shape: tuple[int, ...], original: str) -> None:
        shapes[name] = shape
        truth[name] = original

    add("tok.weight", (600, width), "bert.embeddings.word_embeddings.weight")
    add("pos.weight", (64, width), "bert.embeddings.position_embeddings.weight")
    for leaf in ("weight", "bias"):
        add(f"tok_norm.{leaf}", (width,), f"bert.embeddings.LayerNorm.{leaf}")
    for index in range(layers):
        block, old = f"blocks.{index}.", f"bert.encoder.layer.{index}."
        shapes[f"{block}attn.in_proj_weight"] = (3 * width, width)
        shapes[f"{block}attn.in_proj_bias"] = (3 * width,)
        for name, rows, columns, original in (
            ("attn.out_proj", width, width, "attention.output.dense"),
            ("mlp.fc1", 4 * width, width, "intermediate.dense"),
            ("mlp.fc2", width, 4 * width, "output.dense"),
        ):
            add(f"{block}{name}.weight", (rows, columns), f"{old}{original}.weight")
            add(f"{block}{name}.bias", (rows,), f"{old}{original}.bias")
        for name, original in (("norm1", "attention.output.LayerNorm"), ("norm2", "output.LayerNorm")):
            for leaf in ("weight", "bias"):
                add(f"{block}{name}.{leaf}", (width,), f"{old}{original}.{leaf}")
    if not bias:
        for name in [name for name in shapes if name.endswith(("in_proj_bias", "out_proj.bias"))]:
            del shapes[name]
            truth.pop(name, None)
    return shapes, truth


def test_a_model_is_the_same_as_itself() -> None:
    found = align(listing(bert()), listing(bert()))
    assert found.same
    assert {(pair.left, pair.right) for pair in found.pairs} == {(name, name) for name in bert()}


@settings(max_examples=25)
@given(st.integers(0, 10_000))
def test_the_order_of_a_file_does_not_matter(seed: int) -> None:
    shapes = bert()
    names = list(shapes)
    random.Random(seed).shuffle(names)
    other, truth = fused()
    found = align(listing({name: shapes[name] for name in names}), listing(other))
    assert found.same
    pairs = {(pair.right, pair.left) for pair in found.pairs}
    assert set(truth.items()) <= pairs


def test_fused_rows_are_told() -> None:
    found = align(listing(bert()), listing(fused()[0]))
    rows = {pair.left: (pair.right, pair.layout) for pair in found.pairs if pair.change == "fused"}
    assert rows["bert.encoder.layer.1.attention.self.key.weight"] == (
        "blocks.1.attn.in_proj_weight",
        "rows 32:64 of right",
    )
    assert rows["bert.encoder.layer.2.attention.self.value.bias"] == (
        "blocks.2.attn.in_proj_bias",
        "rows 64:96 of right",
    )
    assert len(rows) == 3 * 3 * 2


def test_the_pairing_is_symmetric() -> None:
    one = {(pair.left, pair.right) for pair in align(listing(bert()), listing(fused()[0])).pairs}
    other = {(pair.right, pair.left) for pair in align(listing(fused()[0]), listing(bert())).pairs}
    assert one == other


def test_missing_biases_stand_alone_and_make_a_difference() -> None:
    found = align(listing(bert()), listing(fused(bias=False)[0]))
    assert not found.same
    assert not found.right_only
    assert len(found.left_only) == 3 * 4
    assert all(lone.name.endswith("bias") and lone.kind == "parameter" for lone in found.left_only)


def test_a_missing_norm_is_a_difference() -> None:
    shapes = bert()
    for leaf in ("weight", "bias"):
        del shapes[f"bert.encoder.layer.2.output.LayerNorm.{leaf}"]
    found = align(listing(fused()[0]), listing(shapes))
    assert not found.same
    assert {lone.name for lone in found.left_only} == {"blocks.2.norm2.weight", "blocks.2.norm2.bias"}


def test_buffers_and_the_loss_are_no_difference() -> None:
    more = bert() | {"bert.embeddings.position_ids": (1, 64), "criterion.empty_weight": (5,)}
    tensors = (*listing(bert()).tensors, Tensor("bert.embeddings.position_ids", (1, 64), "I64"))
    found = align(TensorListing(tensors, "safetensors"), listing(more))
    assert found.same
    assert {lone.kind for lone in found.right_only} == {"training"}
    found = align(TensorListing(tensors, "safetensors"), listing(bert()))
    assert found.same
    assert [lone.kind for lone in found.left_only] == ["buffer"]


def test_transposed_kernels_of_another_framework() -> None:
    shapes = bert()
    turned: Shapes = {}
    for name, shape in shapes.items():
        path = name.replace(".", "/")
        if "embeddings.weight" in name:
            turned[path.removesuffix("/weight") + "/embeddings"] = shape
        elif "LayerNorm" in name:
            turned[path.replace("/weight", "/gamma").replace("/bias", "/beta")] = shape
        elif len(shape) == 2:
            turned[path.replace("/weight", "/kernel")] = shape[::-1]
        else:
            turned[path] = shape
    found = align(listing(shapes), listing(turned, "tensorflow"))
    assert found.same
    layouts = {pair.left: pair.layout for pair in found.pairs}
    assert layouts["bert.encoder.layer.0.attention.self.query.weight"] == "transpose", "square, and turned all the same"
    assert layouts["bert.encoder.layer.0.intermediate.dense.weight"] == "transpose"
    assert layouts["bert.embeddings.word_embeddings.weight"] == "same"


def test_another_head_is_resized() -> None:
    head = {"classifier.weight": (3, 32), "classifier.bias": (3,)}
    other = {"cls_head.weight": (7, 32), "cls_head.bias": (7,)}
    found = align(listing(bert() | head), listing(fused()[0] | other))
    changed = {(pair.left, pair.right) for pair in found.pairs if pair.change == "resized"}
    assert changed == {("classifier.weight", "cls_head.weight"), ("classifier.bias", "cls_head.bias")}
    assert not found.same


def test_another_depth_leaves_blocks_alone() -> None:
    found = align(listing(bert(4)), listing(fused(3)[0]))
    assert not found.same
    assert {lone.name.split(".")[3] for lone in found.left_only} == {"3"}
    assert not found.right_only


def pyramid(*, reverse: bool, names: str) -> Shapes:
    """Lateral convolutions of distinct widths with outputs that shapes cannot tell apart."""
    shapes: Shapes = {}
    for place, width in enumerate(sorted((16, 32, 64), reverse=reverse), start=1):
        lateral, out = (f"{names}lateral_{place}", f"{names}out_{place}")
        shapes |= {f"{lateral}.weight": (8, width, 1, 1), f"{out}.weight": (8, 8, 3, 3), f"{out}.norm.weight": (8,)}
    return shapes


def test_runs_that_go_against_each_other() -> None:
    found = align(listing(pyramid(reverse=True, names="a_")), listing(pyramid(reverse=False, names="fpn.b_")))
    pairs = {pair.left: pair.right for pair in found.pairs}
    assert pairs["a_lateral_1.weight"] == "fpn.b_lateral_3.weight"
    assert pairs["a_out_1.weight"] == "fpn.b_out_3.weight"
    assert pairs["a_out_3.norm.weight"] == "fpn.b_out_1.norm.weight"


def test_experts_in_one_tensor() -> None:
    split: Shapes = {}
    for expert in range(4):
        split |= {
            f"layers.0.mlp.experts.{expert}.gate_proj.weight": (48, 32),
            f"layers.0.mlp.experts.{expert}.up_proj.weight": (48, 32),
            f"layers.0.mlp.experts.{expert}.down_proj.weight": (32, 48),
        }
    stacked: Shapes = {"h.0.moe.experts.gate_up_proj": (4, 96, 32), "h.0.moe.experts.down_proj": (4, 32, 48)}
    found = align(listing(split), listing(stacked))
    assert found.same
    rights = {pair.left: pair.right for pair in found.pairs}
    assert rights["layers.0.mlp.experts.2.up_proj.weight"] == "h.0.moe.experts.gate_up_proj"
    assert rights["layers.0.mlp.experts.3.down_proj.weight"] == "h.0.moe.experts.down_proj"


def test_unlike_models_share_nothing_they_do_not_have() -> None:
    image: Shapes = {f"conv{n}.weight": (16 * n, 16, 3, 3) for n in range(1, 6)}
    found = align(listing(bert()), listing(image))
    assert not found.same
    assert not [pair for pair in found.pairs if pair.change != "resized"]


def test_a_saved_copy_of_the_token_table_is_no_difference() -> None:
    found = align(listing(bert() | {"lm_head.weight": (600, 32)}), listing(fused()[0]))
    assert found.same
    assert [(lone.shape, lone.kind) for lone in found.left_only] == [((600, 32), "copy")], "either copy may be the pair"
    assert not align(listing(bert() | {"lm_head.weight": (601, 32)}), listing(fused()[0])).same


def test_empty_listings() -> None:
    found = align(listing({}), listing({}))
    assert not found.same, "nothing in common is not the same"
    assert not align(listing(bert()), listing({})).same


def test_what_cannot_be_compared_is_one_error() -> None:
    names_only = TensorListing((Tensor("a", (), "F32"),), "index", names_only=True)
    adapter = TensorListing((Tensor("a", (2, 2), "F32"),), "safetensors", adapter="lora")
    many = TensorListing((Tensor("a", (2, 2), "F32"),) * (MAX_TENSORS + 1), "safetensors")
    for bad in (names_only, adapter, many):
        with pytest.raises(AlignmentError):
            align(bad, listing(bert()))


@given(
    st.lists(
        st.tuples(
            st.text(st.characters(codec="utf-8"), max_size=40), st.lists(st.integers(0, 9), max_size=7).map(tuple)
        ),
        max_size=12,
    ),
    st.lists(
        st.tuples(
            st.text("abw.0/_", max_size=12).map(lambda text: text + ".weight"),
            st.lists(st.integers(0, 9), max_size=5).map(tuple),
        ),
        max_size=12,
    ),
)
def test_any_names_and_shapes(
    left: list[tuple[str, tuple[int, ...]]], right: list[tuple[str, tuple[int, ...]]]
) -> None:
    sides = listing(dict(left)), listing(dict(right))
    found = align(*sides)
    for side, names in enumerate(({pair.left for pair in found.pairs}, {pair.right for pair in found.pairs})):
        alone = {lone.name for lone in (found.left_only, found.right_only)[side]}
        assert not names & alone
        assert names | alone == {tensor.name for tensor in sides[side].tensors}
    unfused = [pair for pair in found.pairs if pair.change != "fused"]
    assert len({pair.left for pair in unfused}) == len({pair.right for pair in unfused}) == len(unfused)


@pytest.mark.parametrize(
    ("left", "right", "kernels", "expected"),
    [
        ((4, 3), (4, 3), (False, False), "same"),
        ((4, 4), (4, 4), (True, False), "transpose"),
        ((4, 3), (3, 4), (False, False), "transpose"),
        ((3, 3, 8, 8), (8, 8, 3, 3), (True, False), "HWIO->OIHW"),
        ((8, 8, 3, 3), (3, 3, 8, 8), (False, True), "OIHW->HWIO"),
        ((32, 4, 8), (32, 32), (True, False), "transpose and merge axes"),
        ((1, 1, 5), (5,), (False, False), "squeeze"),
        ((2, 3, 4), (6, 4), (False, False), "merge axes"),
        ((4, 2, 3), (6, 4), (False, False), "permute 1,2,0 and merge axes"),
        ((4, 3), (2, 6), (False, False), None),
        ((4, 3), (4, 4), (False, False), None),
    ],
)
def test_changes_of_layout(
    left: tuple[int, ...], right: tuple[int, ...], kernels: tuple[bool, bool], expected: str | None
) -> None:
    assert layout_change(left, right, kernels=kernels) == expected


def test_words() -> None:
    assert tokens_of(("layer_norm1",)) == ("block", "norm", "norm#1", "#1")
    assert star_of(("layers", 3, "conv2")) == ("layers", "*", "conv*")
    assert indices_of(("layers", 3, "conv2")) == (3, 2)
    stages = [
        stage_of((name,)) for name in ("self_attention_layer_norm", "encdec_attention_layer_norm", "output_layer_norm")
    ]
    assert stages == sorted(stages)
    assert stage_of(("input_layernorm",)) < stage_of(("post_attention_layernorm",))
    assert stage_of(("norm1",)) < 0


def read(name: str) -> TensorListing:
    path = DATA / name
    document = json.loads(gzip.decompress(path.read_bytes()) if name.endswith(".gz") else path.read_bytes())
    rows = document.get("tensors") or document["checkpoint_variables"]
    return TensorListing(
        tuple(Tensor(row[0], tuple(row[1]), "F32") for row in rows), "tensorflow" if "tfmg" in name else "pytorch"
    )


@pytest.mark.shared
@needs_data
def test_a_replication_in_another_framework() -> None:
    gold = json.loads((DATA / "tfmg_vs_detectron2_correspondence.json").read_text("utf-8"))
    found = align(read(gold["tfmg"]), read(gold["original"]))
    pairs = {(pair.left.removesuffix("/.ATTRIBUTES/VARIABLE_VALUE"), pair.right) for pair in found.pairs}
    truth = {(left, right) for left, right, _ in gold["pairs"] if right}
    assert len(pairs & truth) >= 0.99 * len(truth)
    assert len(pairs - truth) <= 0.01 * len(truth)
    assert {lone.name for lone in found.right_only} == set(gold["original_only"])
    assert not found.same


@pytest.mark.shared
@needs_data
@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("facebook__maskformer-resnet50-ade", "d2_maskformer_r50_ade150"),
        ("facebook__mask2former-swin-tiny-coco-panoptic", "d2_mask2former_swin_tiny_coco133_panoptic"),
    ],
)
def test_a_conversion_has_the_graph_of_its_source(left: str, right: str) -> None:
    assert align(read(f"hf_tensors/{left}.json.gz"), read(f"detectron2/{right}.json")).same
