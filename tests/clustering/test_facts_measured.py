"""Facts measured from tensor names and shapes, in the spellings of many families."""

from __future__ import annotations

import random
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clustering.measured.listing import measured_facts
from clustering.tensors import Quantization, Tensor, TensorListing

Shapes = dict[str, tuple[int, ...]]


def listing(shapes: Shapes, dtype: str = "F32", **more: Any) -> TensorListing:
    return TensorListing(
        tuple(Tensor(name, shape, dtype) for name, shape in shapes.items()), more.pop("format", "safetensors"), **more
    )


def values(shapes: Shapes, config: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    facts = measured_facts(listing(shapes, **more), config)
    assert all(fact.basis == "measured" and fact.source for fact in facts)
    kinds = [fact.kind for fact in facts]
    assert len(kinds) == len(set(kinds)), "one fact of a kind"
    return {fact.kind: fact.value for fact in facts}


def bert(layers: int = 3, hidden: int = 64, inner: int = 256, *, prefix: str = "bert.", positions: int = 512) -> Shapes:
    shapes: Shapes = {
        f"{prefix}embeddings.word_embeddings.weight": (1000, hidden),
        f"{prefix}embeddings.position_embeddings.weight": (positions, hidden),
        f"{prefix}embeddings.token_type_embeddings.weight": (2, hidden),
        f"{prefix}embeddings.LayerNorm.weight": (hidden,),
        f"{prefix}embeddings.position_ids": (1, positions),
    }
    for index in range(layers):
        block = f"{prefix}encoder.layer.{index}."
        for part in ("query", "key", "value"):
            shapes[f"{block}attention.self.{part}.weight"] = (hidden, hidden)
            shapes[f"{block}attention.self.{part}.bias"] = (hidden,)
        shapes[f"{block}attention.output.dense.weight"] = (hidden, hidden)
        shapes[f"{block}attention.output.LayerNorm.weight"] = (hidden,)
        shapes[f"{block}intermediate.dense.weight"] = (inner, hidden)
        shapes[f"{block}output.dense.weight"] = (hidden, inner)
        shapes[f"{block}output.LayerNorm.weight"] = (hidden,)
    return shapes


def llama(
    layers: int = 4,
    hidden: int = 64,
    inner: int = 172,
    kv: int = 16,
    *,
    prefix: str = "model.",
    qk_norm: int | None = None,
) -> Shapes:
    shapes: Shapes = {f"{prefix}embed_tokens.weight": (1000, hidden)}
    for index in range(layers):
        block = f"{prefix}layers.{index}."
        shapes[f"{block}input_layernorm.weight"] = (hidden,)
        shapes[f"{block}self_attn.q_proj.weight"] = (hidden, hidden)
        shapes[f"{block}self_attn.k_proj.weight"] = (kv, hidden)
        shapes[f"{block}self_attn.v_proj.weight"] = (kv, hidden)
        shapes[f"{block}self_attn.o_proj.weight"] = (hidden, hidden)
        if qk_norm is not None:
            shapes[f"{block}self_attn.q_norm.weight"] = (qk_norm,)
            shapes[f"{block}self_attn.k_norm.weight"] = (qk_norm,)
        shapes[f"{block}post_attention_layernorm.weight"] = (hidden,)
        shapes[f"{block}mlp.gate_proj.weight"] = (inner, hidden)
        shapes[f"{block}mlp.up_proj.weight"] = (inner, hidden)
        shapes[f"{block}mlp.down_proj.weight"] = (hidden, inner)
    shapes["model.norm.weight"] = (hidden,)
    shapes["lm_head.weight"] = (1000, hidden)
    return shapes


def test_bert() -> None:
    found = values(bert())
    assert (found["layers"], found["hidden_size"], found["intermediate_size"]) == (3, 64, 256)
    assert (found["vocabulary"], found["context"], found["gated_mlp"]) == (1000, 512, False)
    assert "attention_heads" not in found, "shapes of plain attention do not tell the number of heads"


def test_llama_ratios_but_no_heads_without_a_head_size() -> None:
    found = values(llama())
    assert (found["layers"], found["hidden_size"], found["intermediate_size"], found["gated_mlp"]) == (4, 64, 172, True)
    assert found["attention_groups"] == 4
    assert "attention_heads" not in found
    with_norm = values(llama(qk_norm=8))
    assert (with_norm["attention_heads"], with_norm["key_value_heads"], with_norm["head_dim"]) == (8, 2, 8)


def test_full_width_query_norm_tells_no_head_size() -> None:
    assert "attention_heads" not in values(llama(qk_norm=64))


@pytest.mark.parametrize(
    "prefix", ["", "model.", "module.model.", "base_model.model.", "0.auto_model.", "transformer."]
)
def test_containers_do_not_matter(prefix: str) -> None:
    found = values(bert(prefix=prefix))
    assert (found["layers"], found["hidden_size"], found["vocabulary"]) == (3, 64, 1000)


def gpt2_spelling() -> Shapes:
    shapes: Shapes = {"wte.weight": (1000, 64), "wpe.weight": (128, 64)}
    for index in range(3):
        shapes |= {
            f"h.{index}.ln_1.weight": (64,),
            f"h.{index}.attn.bias": (1, 1, 128, 128),
            f"h.{index}.attn.c_attn.weight": (64, 192),
            f"h.{index}.attn.c_proj.weight": (64, 64),
            f"h.{index}.ln_2.weight": (64,),
            f"h.{index}.mlp.c_fc.weight": (64, 256),
            f"h.{index}.mlp.c_proj.weight": (256, 64),
        }
    return shapes


def tf_spelling() -> Shapes:
    shapes: Shapes = {"tf_bert/bert/embeddings/word_embeddings/weight:0": (1000, 64)}
    for index in range(3):
        block = f"tf_bert/bert/encoder/layer_._{index}/"
        for part in ("query", "key", "value"):
            shapes[f"{block}attention/self/{part}/kernel:0"] = (64, 64)
        shapes[f"{block}attention/output/dense/kernel:0"] = (64, 64)
        shapes[f"{block}attention/output/LayerNorm/gamma:0"] = (64,)
        shapes[f"{block}intermediate/dense/kernel:0"] = (64, 256)
        shapes[f"{block}output/dense/kernel:0"] = (256, 64)
        shapes[f"{block}output/LayerNorm/gamma:0"] = (64,)
    return shapes


def gguf_spelling() -> Shapes:
    shapes: Shapes = {"token_embd.weight": (1000, 64), "output_norm.weight": (64,), "output.weight": (1000, 64)}
    for index in range(3):
        block = f"blk.{index}."
        shapes |= {
            f"{block}attn_norm.weight": (64,),
            f"{block}attn_q.weight": (64, 64),
            f"{block}attn_k.weight": (16, 64),
            f"{block}attn_v.weight": (16, 64),
            f"{block}attn_output.weight": (64, 64),
            f"{block}ffn_norm.weight": (64,),
            f"{block}ffn_gate.weight": (256, 64),
            f"{block}ffn_up.weight": (256, 64),
            f"{block}ffn_down.weight": (64, 256),
        }
    return shapes


def original_llama_spelling() -> Shapes:
    shapes: Shapes = {"tok_embeddings.weight": (1000, 64), "norm.weight": (64,), "output.weight": (1000, 64)}
    for index in range(3):
        block = f"layers.{index}."
        shapes |= {
            f"{block}attention.wq.weight": (64, 64),
            f"{block}attention.wk.weight": (16, 64),
            f"{block}attention.wv.weight": (16, 64),
            f"{block}attention.wo.weight": (64, 64),
            f"{block}feed_forward.w1.weight": (256, 64),
            f"{block}feed_forward.w2.weight": (64, 256),
            f"{block}feed_forward.w3.weight": (256, 64),
            f"{block}attention_norm.weight": (64,),
            f"{block}ffn_norm.weight": (64,),
        }
    return shapes


def neox_spelling() -> Shapes:
    shapes: Shapes = {"gpt_neox.embed_in.weight": (1000, 64), "embed_out.weight": (1000, 64)}
    for index in range(3):
        block = f"gpt_neox.layers.{index}."
        shapes |= {
            f"{block}input_layernorm.weight": (64,),
            f"{block}post_attention_layernorm.weight": (64,),
            f"{block}attention.masked_bias": (),
            f"{block}attention.rotary_emb.inv_freq": (4,),
            f"{block}attention.query_key_value.weight": (192, 64),
            f"{block}attention.dense.weight": (64, 64),
            f"{block}mlp.dense_h_to_4h.weight": (256, 64),
            f"{block}mlp.dense_4h_to_h.weight": (64, 256),
        }
    return shapes


@pytest.mark.parametrize(
    "shapes", [gpt2_spelling(), tf_spelling(), gguf_spelling(), original_llama_spelling(), neox_spelling()]
)
def test_spellings(shapes: Shapes) -> None:
    found = values(shapes)
    assert (found["layers"], found["hidden_size"], found["intermediate_size"], found["vocabulary"]) == (
        3,
        64,
        256,
        1000,
    )


def test_wider_streams_inside_blocks_are_not_the_width() -> None:
    shapes = llama()
    for index in range(4):
        shapes[f"model.layers.{index}.input_layernorm.weight"] = (256,)
        shapes[f"model.layers.{index}.post_attention_layernorm.weight"] = (256,)
        shapes[f"model.layers.{index}.mlp.norm.weight"] = (64,)
    assert values(shapes)["hidden_size"] == 64


def test_embedding_narrower_than_the_blocks() -> None:
    shapes = bert(hidden=64) | {
        "bert.embeddings.word_embeddings.weight": (1000, 32),
        "bert.embeddings_project.weight": (64, 32),
    }
    found = values(shapes)
    assert (found["hidden_size"], found["embedding_size"]) == (64, 32)


def test_gguf_header() -> None:
    metadata = {
        "general.architecture": "deepseek2",
        "deepseek2.block_count": 4,
        "deepseek2.nextn_predict_layers": 1,
        "deepseek2.attention.head_count": 8,
        "deepseek2.context_length": 4096,
        "deepseek2.rope.freq_base": float("nan"),
        "tokenizer.ggml.tokens": {"type": "string", "length": 1000},
        "general.name": 7,
    }
    facts = measured_facts(listing(gguf_spelling(), format="gguf", metadata=metadata, files=("a.gguf",)))
    declared = {fact.kind: fact for fact in facts if fact.basis == "declared"}
    assert {kind: fact.value for kind, fact in declared.items()} == {
        "gguf_architecture": "deepseek2",
        "layers": 3,
        "attention_heads": 8,
        "context": 4096,
        "mtp_layers": 1,
        "vocabulary": 1000,
    }
    assert declared["context"].source == "a.gguf: deepseek2.context_length"
    assert "family" not in declared, "the architecture key names the code that runs the file"
    measured = {fact.kind: fact.value for fact in facts if fact.basis == "measured"}
    assert measured["layers"] == 3


def test_buffers_are_not_parameters() -> None:
    plain = values(gpt2_spelling())
    assert plain["parameters"] == 1000 * 64 + 128 * 64 + 3 * (64 + 64 * 192 + 64 * 64 + 64 + 2 * 64 * 256)
    statistics = {
        "conv.weight": (8, 3, 3, 3),
        "bn.weight": (8,),
        "bn.running_mean": (8,),
        "bn.running_var": (8,),
        "bn.num_batches_tracked": (),
    }
    assert values(statistics)["parameters"] == 8 * 27 + 8


def test_shared_storage_counts_once() -> None:
    tensors = (
        Tensor("wte.weight", (100, 8), "F32", storage="0"),
        Tensor("lm_head.weight", (100, 8), "F32", storage="0"),
    )
    facts = {fact.kind: fact for fact in measured_facts(TensorListing(tensors, "pytorch"))}
    assert facts["parameters"].value == 800
    assert facts["embedding_parameters"].value == 800
    assert "shared" in facts["parameters"].source


def test_stored_copies_of_a_shared_table_count_once() -> None:
    plain = values(t5())["parameters"]
    repeated = t5() | {f"{side}.embed_tokens.weight": (1000, 64) for side in ("encoder", "decoder")}
    assert values(repeated)["parameters"] == plain
    untied = llama()
    assert values(untied)["parameters"] - values(untied, {"tie_word_embeddings": True})["parameters"] == 64_000
    assert values(untied, {"tie_word_embeddings": False})["parameters"] == values(untied)["parameters"]


def t5(encoder: int = 3, decoder: int = 3) -> Shapes:
    shapes: Shapes = {"shared.weight": (1000, 64)}
    for side, count in (("encoder", encoder), ("decoder", decoder)):
        for index in range(count):
            block = f"{side}.block.{index}."
            parts = ["layer.0.SelfAttention"] + (["layer.1.EncDecAttention"] if side == "decoder" else [])
            for part in parts:
                for name in "qkv":
                    shapes[f"{block}{part}.{name}.weight"] = (128, 64)
                shapes[f"{block}{part}.o.weight"] = (64, 128)
            if index == 0:
                shapes[f"{block}layer.0.SelfAttention.relative_attention_bias.weight"] = (32, 8)
            for number in range(len(parts) + 1):
                shapes[f"{block}layer.{number}.layer_norm.weight"] = (64,)
            shapes[f"{block}layer.{len(parts)}.DenseReluDense.wi.weight"] = (256, 64)
            shapes[f"{block}layer.{len(parts)}.DenseReluDense.wo.weight"] = (64, 256)
    return shapes


def test_encoder_decoder() -> None:
    found = values(t5())
    assert (found["layers"], found["encoder_layers"], found["decoder_layers"]) == (3, 3, 3)
    assert (found["hidden_size"], found["attention_heads"], found["head_dim"]) == (64, 8, 16)
    uneven = values(t5(6, 2))
    assert (uneven["encoder_layers"], uneven["decoder_layers"]) == (6, 2)
    assert "layers" not in uneven, "no one number is meant"


def test_encoder_alone_is_the_model() -> None:
    encoder = {name: shape for name, shape in t5(6, 2).items() if not name.startswith("decoder")}
    found = values(encoder)
    assert found["layers"] == 6
    assert "encoder_layers" not in found


def mixtral(experts: int = 4) -> Shapes:
    shapes = {name: shape for name, shape in llama().items() if ".mlp." not in name}
    for index in range(4):
        shapes[f"model.layers.{index}.block_sparse_moe.gate.weight"] = (experts, 64)
        for expert in range(experts):
            for name, shape in (("w1", (96, 64)), ("w2", (64, 96)), ("w3", (96, 64))):
                shapes[f"model.layers.{index}.block_sparse_moe.experts.{expert}.{name}.weight"] = shape
    return shapes


def fused(experts: int = 4) -> Shapes:
    shapes = {name: shape for name, shape in llama().items() if ".mlp." not in name}
    for index in range(4):
        shapes[f"model.layers.{index}.mlp.gate.weight"] = (experts, 64)
        shapes[f"model.layers.{index}.mlp.experts.gate_up_proj"] = (experts, 192, 64)
        shapes[f"model.layers.{index}.mlp.experts.down_proj"] = (experts, 64, 96)
    return shapes


@pytest.mark.parametrize("shapes", [mixtral(), fused()])
def test_experts_in_both_spellings(shapes: Shapes) -> None:
    found = values(shapes, {"num_experts_per_tok": 1})
    assert (found["layers"], found["experts"], found["expert_intermediate_size"]) == (4, 4, 96)
    each = 3 * 96 * 64
    assert found["parameters"] - found["parameters_active"] == 4 * 3 * each
    assert "intermediate_size" not in found


def test_active_parameters_need_a_declared_number() -> None:
    assert "parameters_active" not in values(mixtral())
    assert "parameters_active" not in values(mixtral(), {"num_experts_per_tok": 99})


def test_prediction_blocks_do_not_count() -> None:
    shapes = llama(layers=4)
    shapes |= {
        "model.layers.3.eh_proj.weight": (64, 128),
        "model.layers.3.enorm.weight": (64,),
        "model.layers.3.hnorm.weight": (64,),
    }
    found = values(shapes)
    assert (found["layers"], found["mtp_layers"]) == (3, 1)


def test_shared_layers_are_unknown() -> None:
    shapes = {
        name.replace("encoder.layer.0", "encoder.albert_layer_groups.0.albert_layers.0"): shape
        for name, shape in bert(layers=1, prefix="albert.").items()
    }
    found = values(shapes)
    assert "layers" not in found
    assert found["layer_groups"] == 1


def vit(hidden: int = 64, patch: int = 16, grid: int = 14, labels: int | None = 10) -> Shapes:
    shapes: Shapes = {
        "vit.embeddings.cls_token": (1, 1, hidden),
        "vit.embeddings.position_embeddings": (1, grid * grid + 1, hidden),
        "vit.embeddings.patch_embeddings.projection.weight": (hidden, 3, patch, patch),
    }
    for name, shape in bert(prefix="vit.").items():
        if ".layer." in name:
            shapes[name] = shape
    if labels is not None:
        shapes["classifier.weight"] = (labels, hidden)
    return shapes


@pytest.mark.parametrize(("patch", "grid", "image"), [(16, 14, 224), (32, 7, 224), (14, 16, 224), (16, 24, 384)])
def test_patches_and_images(patch: int, grid: int, image: int) -> None:
    found = values(vit(patch=patch, grid=grid))
    assert (found["patch_size"], found["image_size"], found["num_labels"]) == (patch, image, 10)
    assert "vocabulary" not in found
    assert "context" not in found
    assert found["task_candidates"][0] == "image-classification"


def resnet() -> Shapes:
    shapes: Shapes = {"resnet.embedder.embedder.convolution.weight": (8, 3, 7, 7)}
    inputs = 8
    for stage, (width, depth) in enumerate([(8, 3), (16, 4), (32, 6), (64, 3)]):
        for block in range(depth):
            prefix = f"resnet.encoder.stages.{stage}.layers.{block}.layer."
            shapes[f"{prefix}0.convolution.weight"] = (width, inputs, 1, 1)
            shapes[f"{prefix}1.convolution.weight"] = (width, width, 3, 3)
            shapes[f"{prefix}2.convolution.weight"] = (4 * width, width, 1, 1)
            inputs = 4 * width
    return shapes


def test_stages_are_told_by_their_widths() -> None:
    found = values(resnet())
    assert (found["depths"], found["hidden_sizes"], found["blocks"]) == ([3, 4, 6, 3], [32, 64, 128, 256], 16)
    assert "layers" not in found
    assert "patch_size" not in found, "a stem convolution is no patch"


@pytest.mark.parametrize(
    ("extra", "task", "labels"),
    [
        ({"qa_outputs.weight": (2, 64)}, "question-answering", None),
        ({"classifier.dense.weight": (64, 64), "classifier.out_proj.weight": (5, 64)}, "text-classification", 5),
        ({"pre_classifier.weight": (64, 64), "classifier.weight": (5, 64)}, "text-classification", 5),
        ({"classifier.weight": (9, 64)}, None, 9),
        ({"score.weight": (3, 64)}, None, 3),
        ({"classifier.weight": (1, 64)}, None, None),
        ({"lm_head.weight": (7, 64)}, None, None),
        ({}, None, None),
    ],
)
def test_heads(extra: Shapes, task: str | None, labels: int | None) -> None:
    found = values(bert() | extra)
    assert (found.get("task"), found.get("num_labels")) == (task, labels)
    if labels in {9, 3}:
        assert found["task_candidates"] == ["text-classification", "token-classification"]


@pytest.mark.parametrize(
    ("extra", "first"),
    [
        ({"lm_head.dense.weight": (64, 64), "lm_head.layer_norm.weight": (64,)}, "fill-mask"),
        ({"cls.predictions.transform.dense.weight": (64, 64)}, "fill-mask"),
        ({"lm_head.weight": (1000, 64)}, "text-generation"),
    ],
)
def test_vocabulary_heads_leave_the_training_objective_open(extra: Shapes, first: str) -> None:
    found = values(bert() | extra)
    assert found["task_candidates"][0] == first
    assert {"fill-mask", "text-generation"} <= set(found["task_candidates"])
    assert "text-classification" not in found["task_candidates"]
    assert "task" not in found


def test_dtype_is_the_one_of_most_bytes() -> None:
    tensors = [Tensor(name, shape, "F32" if "norm" in name.lower() else "BF16") for name, shape in llama().items()]
    found = {fact.kind: fact.value for fact in measured_facts(TensorListing(tuple(tensors), "safetensors"))}
    assert found["dtype"] == "BF16"
    assert set(found["dtypes"]) == {"BF16", "F32"}


def test_quantization_is_passed_on() -> None:
    found = values(llama(), quantization=Quantization("gptq", 4, "qweight"))
    assert found["quantization"] == {"method": "gptq", "bits": 4}


def test_names_only_counts_blocks_and_nothing_else() -> None:
    shapes = dict.fromkeys(llama(), ())
    found = values(shapes, names_only=True)
    assert found == {"format": "safetensors", "layers": 4}


def test_missing_shards_give_lower_bounds_that_say_so() -> None:
    facts = {fact.kind: fact for fact in measured_facts(listing(llama(), incomplete=("model-00002.safetensors",)))}
    assert "parameters" not in facts
    assert "at least" in facts["layers"].source


def test_gaps_in_the_numbering() -> None:
    pruned = {name: shape for name, shape in llama(layers=12).items() if ".layers.5." not in name}
    assert values(pruned)["layers"] == 12, "a block without weights is still a layer"
    sparse = {
        name: shape
        for name, shape in llama(layers=12).items()
        if not any(f".layers.{odd}." in name for odd in (1, 3, 5, 7, 9, 11))
    }
    assert values(sparse)["layers"] == 6
    shard = {
        name: shape
        for name, shape in llama(layers=12).items()
        if any(f".layers.{late}." in name for late in (0, 9, 10))
    }
    facts = {fact.kind: fact for fact in measured_facts(listing(shard, incomplete=("x",)))}
    assert facts["layers"].value == 11


def test_hostile_nesting_is_bounded() -> None:
    deep = {".".join([str(number)] + ["0"] * 60 + ["weight"]): (2, 2) for number in range(2000)}
    flat = {f"a{number}.0.b.weight": (2, 2) for number in range(5000)} | {
        f"a{number}.0.c.weight": (2, 2) for number in range(5000)
    }
    started = time.monotonic()
    values(deep)
    values(flat)
    assert time.monotonic() - started < 10


def test_adapter() -> None:
    shapes: Shapes = {}
    for index in range(5):
        for module in ("q_proj", "v_proj"):
            prefix = f"base_model.model.model.layers.{index}.self_attn.{module}."
            shapes[f"{prefix}lora_A.weight"] = (8, 64)
            shapes[f"{prefix}lora_B.weight"] = (64, 8)
    found = values(shapes, adapter="lora")
    assert found["adapter"] == {
        "method": "lora",
        "rank": 8,
        "targets": ["q_proj", "v_proj"],
        "layers": 5,
        "hidden_size": 64,
    }
    assert not {"parameters", "layers", "hidden_size"} & set(found), "an adapter's numbers are not its model's"


def test_training_state_is_left_out() -> None:
    shapes = llama() | {"optimizer.state.exp_avg.weight": (1000, 64), "global_step": ()}
    assert values(shapes)["parameters"] == values(llama())["parameters"]


def test_multi_latent_attention_heads() -> None:
    shapes = {name: shape for name, shape in llama().items() if "self_attn" not in name}
    heads, nope, rope, value, rank = 4, 16, 8, 12, 32
    for index in range(4):
        block = f"model.layers.{index}.self_attn."
        shapes |= {
            f"{block}q_proj.weight": (heads * (nope + rope), 64),
            f"{block}kv_a_proj_with_mqa.weight": (rank + rope, 64),
            f"{block}kv_a_layernorm.weight": (rank,),
            f"{block}kv_b_proj.weight": (heads * (nope + value), rank),
            f"{block}o_proj.weight": (64, heads * value),
        }
    found = values(shapes)
    assert (found["attention_heads"], found["hidden_size"]) == (heads, 64)


def test_blocks_of_unlike_widths_have_no_one_feed_forward() -> None:
    shapes = llama()
    for part in ("gate_proj", "up_proj"):
        shapes[f"model.layers.3.mlp.{part}.weight"] = (344, 64)
    shapes["model.layers.3.mlp.down_proj.weight"] = (64, 344)
    assert "intermediate_size" not in values(shapes)


def test_order_of_tensors_does_not_matter() -> None:
    for shapes in (llama(qk_norm=8), bert(), t5(), mixtral(), vit(), resnet()):
        items = list(shapes.items())
        random.Random(7).shuffle(items)
        assert values(dict(items)) == values(shapes)


@pytest.mark.parametrize(
    "shapes",
    [
        {},
        {"": (1,)},
        {"...": (2, 2)},
        {"a": ()},
        {"layers.0.w": (0, 0), "layers.1.w": (0, 0), "layers.0.v": (0,), "layers.1.v": (0,)},
        {f"layers.{10**9}.a.weight": (2, 2), f"layers.{10**12}.a.weight": (2, 2)},
        {".".join(str(n) for n in range(500)): (2, 2)},
        {"classifier.weight": (10**15, 2)},
    ],
)
def test_odd_listings_do_not_crash(shapes: Shapes) -> None:
    values(shapes)


tokens = st.sampled_from(
    [
        "model",
        "encoder",
        "decoder",
        "layers",
        "block",
        "0",
        "1",
        "2",
        "3",
        "experts",
        "attn",
        "q_proj",
        "k_proj",
        "weight",
        "bias",
        "lora_A",
        "query",
        "norm",
        "cls_token",
        "vision",
        ".",
        "/",
    ]
)


@given(
    st.dictionaries(
        st.lists(tokens, min_size=1, max_size=8).map(".".join),
        st.lists(st.integers(0, 70), max_size=5).map(tuple),
        max_size=25,
    )
)
def test_any_listing_is_measured_without_a_crash(shapes: Shapes) -> None:
    values(shapes)


def test_decoder_without_cross_attention_is_no_second_half() -> None:
    shapes = bert(layers=4, prefix="videomae.")
    shapes |= {
        name.replace("encoder.layer", "decoder.decoder_layers"): shape
        for name, shape in bert(layers=2, prefix="").items()
        if "layer." in name
    }
    found = values(shapes)
    assert found["layers"] == 4
    assert "decoder_layers" not in found


def test_tower_alone_under_the_config_of_the_whole() -> None:
    shapes = {name.replace("vit.", "vision_model."): shape for name, shape in vit(labels=None).items()}
    assert values(shapes)["layers"] == 3
    whole = {"text_config": {"num_hidden_layers": 12}, "vision_config": {"num_hidden_layers": 3}}
    found = values(shapes, whole)
    assert found["vision_layers"] == 3
    assert "layers" not in found


def test_convolutions_count_no_layers_but_windows_of_one_do() -> None:
    def network(window: int) -> Shapes:
        return {
            f"encoder.layers.{index}.{part}.weight": (64, 64, window)
            for index in range(6)
            for part in ("query", "dense")
        }

    assert "layers" not in values(network(7))
    assert values(network(1))["layers"] == 6


@pytest.mark.parametrize(("reads", "writes", "told"), [(16384, 1024, 16384), (1026, 1026, None)])
def test_the_positions_of_an_encoder_are_told_where_its_decoder_has_others(
    reads: int, writes: int, told: int | None
) -> None:
    found = values(
        {
            "led.shared.weight": (1000, 64),
            "led.encoder.embed_positions.weight": (reads, 64),
            "led.decoder.embed_positions.weight": (writes, 64),
        }
    )
    assert found["context"] == 1024
    assert found.get("encoder_context") == told
