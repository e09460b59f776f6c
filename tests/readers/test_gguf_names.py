from __future__ import annotations

import json
import struct

import pytest

from clustering.readers.gguf_names import NAMES, generic, translated
from clustering.readers.select import read_weights
from clustering.tables import table
from clustering.tensors import Tensor, TensorListing


def listing(architecture, rows, kind="gguf"):
    tensors = tuple(Tensor(name, shape, "Q4_K", 10) for name, shape in rows.items())
    return TensorListing(tensors, kind, metadata={"general.architecture": architecture})


def rows(found):
    return {tensor.name: tensor.shape for tensor in found.tensors}


def test_a_llama():
    found = translated(
        listing(
            "llama",
            {
                "token_embd.weight": (100, 8),
                "blk.0.attn_q.weight": (8, 8),
                "blk.31.ffn_down.weight": (8, 20),
                "rope_freqs.weight": (4,),
                "output_norm.weight": (8,),
            },
        )
    )
    assert rows(found) == {
        "model.embed_tokens.weight": (100, 8),
        "model.layers.0.self_attn.q_proj.weight": (8, 8),
        "model.layers.31.mlp.down_proj.weight": (8, 20),
        "model.norm.weight": (8,),
    }
    assert found.metadata["tensor_names"] == "translated from GGUF names of llama"


def test_experts_become_one_tensor():
    found = translated(
        listing(
            "qwen3moe",
            {
                "blk.1.ffn_gate_exps.weight": (4, 6, 8),
                "blk.1.ffn_down_exps.weight": (4, 8, 6),
                "blk.1.ffn_up_exps.weight": (4, 6, 8),
            },
        )
    )
    assert rows(found) == {
        "model.layers.1.mlp.experts.gate_up_proj": (4, 12, 8),
        "model.layers.1.mlp.experts.down_proj": (4, 8, 6),
    }
    assert found.tensors[0].nbytes == 20


def test_what_a_gate_and_an_input_become_together():
    experts = {"blk.0.ffn_gate_exps.bias": (4, 6), "blk.0.ffn_up_exps.bias": (4, 6), "blk.0.ffn_down_exps.bias": (4, 8)}
    assert rows(translated(listing("gpt-oss", experts))) == {
        "model.layers.0.mlp.experts.gate_up_proj_bias": (4, 12),
        "model.layers.0.mlp.experts.down_proj_bias": (4, 8),
    }
    shared = {"blk.0.ffn_gate_shexp.weight": (6, 8), "blk.0.ffn_up_shexp.weight": (6, 8)}
    joined = {"model.layers.0.shared_mlp.input_linear.weight": (12, 8)}
    assert rows(translated(listing("granitehybrid", shared))) == joined
    dense = {"blk.0.ffn_gate.weight": (6, 8), "blk.0.ffn_up.weight": (6, 8)}
    assert rows(translated(listing("granitehybrid", dense))) == joined
    assert len(translated(listing("qwen3moe", dense)).tensors) == 2, "no name for both in one"
    alone = {"blk.0.ffn_gate.weight": (6, 8)}
    assert rows(translated(listing("granitehybrid", alone))) == alone


def test_vectors_with_further_axes():
    stored = {"blk.0.ssm_a": (24, 1), "blk.0.ssm_norm.weight": (2, 32), "blk.0.ssm_d": (24,)}
    assert [t.shape for t in translated(listing("mamba2", stored)).tensors] == [(24,), (64,), (24,)]
    gate = translated(listing("qwen2moe", {"blk.3.ffn_gate_inp_shexp.weight": (8,)}))
    assert rows(gate) == {"model.layers.3.mlp.shared_expert_gate.weight": (1, 8)}


def test_experts_of_unequal_shape_stay_apart():
    names = {"blk.1.ffn_gate_exps.weight": (4, 6, 8), "blk.1.ffn_up_exps.weight": (4, 7, 8)}
    assert rows(translated(listing("qwen3moe", names))) == names


def test_axes_follow():
    found = translated(listing("gpt2", {"blk.0.attn_qkv.weight": (24, 8), "blk.0.attn_qkv.bias": (24,)}))
    assert rows(found) == {"transformer.h.0.attn.c_attn.weight": (8, 24), "transformer.h.0.attn.c_attn.bias": (24,)}
    found = translated(listing("mamba", {"blk.0.ssm_conv1d.weight": (16, 4)}))
    assert rows(found) == {"backbone.layers.0.mixer.conv1d.weight": (16, 1, 4)}


def test_encoder_and_decoder_blocks():
    found = translated(listing("t5", {"enc.blk.3.attn_q.weight": (8, 8), "dec.blk.2.cross_attn_k.weight": (8, 8)}))
    assert rows(found) == {
        "encoder.block.3.layer.0.SelfAttention.q.weight": (8, 8),
        "decoder.block.2.layer.1.EncDecAttention.k.weight": (8, 8),
    }


@pytest.mark.parametrize(
    "before",
    [
        listing("no such architecture", {"blk.0.attn_q.weight": (8, 8)}),
        listing(None, {"blk.0.attn_q.weight": (8, 8)}),
        listing(["llama"], {"blk.0.attn_q.weight": (8, 8)}),
        listing("llama", {"blk.0.attn_q.weight": (8, 8)}, kind="safetensors"),
        listing("llama", {"blk.0.attn_q.weight": (8, 8), "model.layers.0.self_attn.q_proj.weight": (8, 8)}),
    ],
)
def test_what_is_not_known_for_sure_stays(before):
    assert translated(before) is before


def test_unknown_tensors_keep_their_names():
    assert rows(translated(listing("llama", {"blk.0.something.weight": (8,), "v.patch.weight": (3,)}))) == {
        "blk.0.something.weight": (8,),
        "v.patch.weight": (3,),
    }


def test_generic_names():
    assert generic("blk.12.attn_q.weight") == ("blk.{}.attn_q.weight", "12")
    assert generic("dec.blk.0.blk.1.x") == ("dec.blk.{}.blk.1.x", "0")
    assert generic("output.weight") == ("output.weight", "")


def test_the_table_is_one_to_one():
    for architecture, known in table(NAMES).items():
        names = known["names"]
        plain = {"blk.{}.ffn_gate_up.weight", "blk.{}.ffn_down.weight"} if architecture == "granitehybrid" else set()
        distinct = [name for key, name in names.items() if key not in plain]  # a dense block's, never beside experts
        assert len(set(distinct)) == len(distinct), architecture
        for key, name in names.items():
            assert key.count("{}") == name.count("{}"), (architecture, key, name)
        assert set(known.get("turned", ())) | set(known.get("window", ())) <= set(names)
    json.dumps(table(NAMES))  # plain data


def test_packages_are_read_with_translated_names(package):
    def text(value):
        raw = value.encode()
        return struct.pack("<Q", len(raw)) + raw

    head = b"GGUF" + struct.pack("<IQQ", 3, 1, 1) + text("general.architecture") + struct.pack("<I", 8) + text("llama")
    body = head + text("blk.0.attn_q.weight") + struct.pack("<IQQIQ", 2, 32, 4, 8, 0)
    result = read_weights(package({"m.gguf": body + bytes(-len(body) % 32 + 4 * 34)}))
    assert rows(result.listing) == {"model.layers.0.self_attn.q_proj.weight": (4, 32)}
    assert result.listing.quantization.bits == 8
