"""Facts that a config declares, in the spellings of many families and from hostile hands."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clustering.declared.config import declared_facts, read_config
from clustering.declared.dimensions import usable_positions
from clustering.declared.task import task_of_class


def values(config: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for fact in declared_facts(config):
        assert fact.basis == "declared"
        assert fact.source.startswith("config.json: ")
        found.setdefault(fact.kind, fact.value)
    return found


@pytest.mark.parametrize(
    "config",
    [
        {"num_hidden_layers": 12, "hidden_size": 768, "num_attention_heads": 12},
        {"n_layer": 12, "n_embd": 768, "n_head": 12},
        {"n_layers": 12, "d_model": 768, "n_heads": 12},
        {"num_layers": 12, "d_model": 768, "num_heads": 12},
        {"n_layers": 12, "dim": 768, "n_heads": 12},
        {"num_hidden_layers": 12.0, "hidden_size": 768, "num_attention_heads": 12},
        {
            "text_config": {"num_hidden_layers": 12, "hidden_size": 768, "num_attention_heads": 12},
            "vision_config": {"x": 1},
        },
        {"llm_config": {"num_hidden_layers": 12, "hidden_size": 768, "num_attention_heads": 12}},
    ],
)
def test_dimensions_are_read_from_every_spelling(config: dict[str, Any]) -> None:
    found = values(config)
    assert (found["layers"], found["hidden_size"], found["attention_heads"]) == (12, 768, 12)


def test_sources_name_the_exact_key() -> None:
    sources = {fact.kind: fact.source for fact in declared_facts({"n_layer": 2, "text_config": {"hidden_size": 8}})}
    assert sources["layers"] == "config.json: n_layer"
    assert sources["hidden_size"] == "config.json: text_config.hidden_size"


def test_nothing_is_filled_in() -> None:
    assert values({"model_type": "bert"}) == {"family": "bert"}


def test_default_number_of_labels_is_no_statement() -> None:
    assert "num_labels" not in values({"architectures": ["BertForSequenceClassification"]})
    assert values({"id2label": {"0": "neg", "1": "neu", "2": "pos"}})["num_labels"] == 3
    assert "label_names" not in values({"id2label": {"0": "LABEL_0", "1": "LABEL_1"}})


@pytest.mark.parametrize(
    ("config", "layers", "encoder", "decoder"),
    [
        ({"is_encoder_decoder": True, "num_hidden_layers": 6, "encoder_layers": 6, "decoder_layers": 6}, 6, 6, 6),
        ({"is_encoder_decoder": True, "num_hidden_layers": 32, "encoder_layers": 32, "decoder_layers": 2}, None, 32, 2),
        ({"is_encoder_decoder": True, "num_layers": 12, "num_decoder_layers": 4, "d_kv": 64}, None, 12, 4),
        ({"is_encoder_decoder": True, "num_layers": 6, "d_kv": 64}, 6, 6, 6),
        ({"num_hidden_layers": 12}, 12, None, None),
    ],
)
def test_encoder_decoder_layers(
    config: dict[str, Any], layers: int | None, encoder: int | None, decoder: int | None
) -> None:
    found = values(config)
    assert (found.get("layers"), found.get("encoder_layers"), found.get("decoder_layers")) == (layers, encoder, decoder)


def test_stages_are_not_layers() -> None:
    found = values({"model_type": "swin", "depths": [2, 2, 6, 2], "num_layers": 4, "embed_dim": 96, "hidden_size": 768})
    assert "layers" not in found
    assert (found["stages"], found["depths"], found["hidden_size"]) == (4, [2, 2, 6, 2], 768)


def test_parts_of_two_tower_models_do_not_become_the_model() -> None:
    clip = {
        "model_type": "clip",
        "projection_dim": 512,
        "text_config": {
            "model_type": "clip_text_model",
            "num_hidden_layers": 12,
            "hidden_size": 512,
            "vocab_size": 49408,
        },
        "vision_config": {
            "model_type": "clip_vision_model",
            "num_hidden_layers": 12,
            "hidden_size": 768,
            "patch_size": 32,
            "image_size": 224,
        },
    }
    found = values(clip)
    assert "layers" not in found
    assert "hidden_size" not in found
    assert (found["vision_hidden_size"], found["text_hidden_size"]) == (768, 512)
    assert (found["patch_size"], found["image_size"], found["vocabulary"]) == (32, 224, 49408)


def test_vision_language_facts_are_those_of_the_language_part() -> None:
    found = values(
        {
            "architectures": ["LlavaForConditionalGeneration"],
            "text_config": {"model_type": "llama", "num_hidden_layers": 32, "hidden_size": 4096},
            "vision_config": {
                "model_type": "clip_vision_model",
                "num_hidden_layers": 24,
                "hidden_size": 1024,
                "patch_size": 14,
            },
        }
    )
    assert (found["layers"], found["hidden_size"]) == (32, 4096)
    assert (found["vision_layers"], found["vision_patch_size"]) == (24, 14)
    assert "patch_size" not in found
    assert found["task"] == "image-text-to-text"


def test_backbones() -> None:
    assert values({"backbone": "resnet50", "use_timm_backbone": True})["backbone"] == "resnet50"
    swin = values(
        {
            "backbone_config": {
                "model_type": "swin",
                "embed_dim": 96,
                "depths": [2, 2, 6, 2],
                "num_heads": [3, 6, 12, 24],
            }
        }
    )
    assert (swin["backbone"], swin["backbone_embed_dim"], swin["backbone_depths"]) == ("swin", 96, [2, 2, 6, 2])
    wrapped = values({"backbone": "old", "backbone_config": {"model_type": "timm_backbone", "backbone": "resnet101"}})
    assert wrapped["backbone"] == "resnet101"


def test_masked_attention_configs_count_one_layer_more() -> None:
    assert values({"model_type": "mask2former", "decoder_layers": 10})["decoder_layers"] == 9
    assert values({"model_type": "detr", "decoder_layers": 6})["decoder_layers"] == 6


def test_detectors_with_a_prompt_are_not_their_text_model() -> None:
    found = values(
        {
            "d_model": 256,
            "encoder_layers": 6,
            "decoder_layers": 6,
            "text_config": {"model_type": "bert", "hidden_size": 768, "num_hidden_layers": 12},
        }
    )
    assert (found["hidden_size"], found["encoder_layers"], found["text_layers"]) == (256, 6, 12)


def test_positions_and_context() -> None:
    assert values({"max_position_embeddings": 514})["context"] == 512
    assert values({"max_position_embeddings": 512})["context"] == 512
    found = values(
        {
            "max_position_embeddings": 32768,
            "rope_scaling": {"type": "yarn", "factor": 4.0, "original_max_position_embeddings": 32768},
        }
    )
    assert found["context_scaled"] == 131072
    stretched = values(
        {
            "max_position_embeddings": 131072,
            "rope_scaling": {"rope_type": "llama3", "factor": 8.0, "original_max_position_embeddings": 8192},
        }
    )
    assert "context_scaled" not in stretched
    assert stretched["context_original"] == 8192


def test_a_factor_scales_the_original_length_where_more_is_stated() -> None:
    """Sliding windows are stated beside the original: 16 times 8,192 are meant, not 32,768."""
    rope = {"type": "yarn", "factor": 16.0, "original_max_position_embeddings": 8192}
    found = values({"model_type": "mistral", "max_position_embeddings": 32768, "rope_scaling": rope})
    assert found["context_scaled"] == 131072


@pytest.mark.parametrize(
    ("rows", "usable"), [(514, 512), (1026, 1024), (512, 512), (2050, 2048), (77, 77), (66, 64), (3, 3), (40, 40)]
)
def test_usable_positions(rows: int, usable: int) -> None:
    assert usable_positions(rows) == usable


@pytest.mark.parametrize(
    ("key", "raw", "method", "bits"),
    [
        ("quantization_config", {"quant_method": "gptq", "bits": 4, "group_size": 128}, "gptq", 4),
        ("quantization_config", {"quant_method": "awq", "w_bit": 4}, "awq", 4),
        ("quantization_config", {"load_in_8bit": True}, "bitsandbytes", 8),
        (
            "quantization_config",
            {"quant_method": "bitsandbytes", "load_in_4bit": True, "bnb_4bit_quant_type": "nf4"},
            "bitsandbytes",
            4,
        ),
        ("quantization_config", {"quant_method": "fp8", "fmt": "e4m3"}, "fp8", 8),
        ("quantization_config", {"quant_method": "mxfp4"}, "mxfp4", 4),
        ("quantization_config", {"quant_method": "modelopt", "quant_algo": "NVFP4"}, "modelopt", 4),
        (
            "quantization_config",
            {"quant_method": "compressed-tensors", "config_groups": {"group_0": {"weights": {"num_bits": 8}}}},
            "compressed-tensors",
            8,
        ),
        (
            "quantization_config",
            {"quant_method": "aqlm", "num_codebooks": 1, "nbits_per_codebook": 16, "in_group_size": 8},
            "aqlm",
            2,
        ),
        ("quantization", {"group_size": 64, "bits": 4}, "mlx", 4),
        ("quantization_config", {"quant_method": "gptq"}, "gptq", None),
    ],
)
def test_quantization_dialects(key: str, raw: dict[str, Any], method: str, bits: float | None) -> None:
    found = values({key: raw})["quantization"]
    assert (found["method"], found["bits"]) == (method, bits)


def test_settings_that_mlx_writes_twice_are_read_once() -> None:
    twice = {"group_size": 64, "bits": 8}
    assert values({"quantization": twice, "quantization_config": twice})["quantization"]["bits"] == 8
    other = {"quantization": twice, "quantization_config": {"bits": 4, "group_size": 64}}
    assert "quantization" not in values(other)


@pytest.mark.parametrize(
    ("config", "net"),
    [
        ({"architecture": "vit_base_patch16_224", "num_features": 768}, "vit_base_patch16_224"),
        ({"architecture": "resnet50", "pretrained_cfg": {"tag": "a1_in1k"}}, "resnet50"),
        ({"architecture": "resnet50"}, None),
        ({"architecture": ["resnet50"], "num_features": 2048}, None),
        ({"model_type": "timm_wrapper", "architecture": "resnet50", "num_features": 2048}, None),
        ({"architectures": ["ResNetModel"], "architecture": "resnet50", "num_features": 2048}, None),
    ],
)
def test_the_net_of_timm_needs_a_key_of_timm(config: dict[str, Any], net: str | None) -> None:
    assert values(config).get("timm_architecture") == net


def test_unknown_quantization_is_a_note_not_a_guess() -> None:
    result = read_config({"quantization_config": {"mystery": 4}})
    assert not [fact for fact in result.facts if fact.kind == "quantization"]
    assert any("quantization" in note for note in result.notes)


@pytest.mark.parametrize(
    ("name", "task"),
    [
        ("BertForTokenClassification", "token-classification"),
        ("TFBertForSequenceClassification", "text-classification"),
        ("Wav2Vec2ForSequenceClassification", "audio-classification"),
        ("GPT2LMHeadModel", "text-generation"),
        ("WhisperForConditionalGeneration", "automatic-speech-recognition"),
        ("T5ForConditionalGeneration", "text2text-generation"),
        ("MaskFormerForInstanceSegmentation", "image-segmentation"),
        ("BertModel", "feature-extraction"),
        ("XLMWithLMHeadModel", None),
        ("SomethingElse", None),
    ],
)
def test_task_of_class(name: str, task: str | None) -> None:
    assert task_of_class(name) == task


def test_conditional_generation_needs_a_modality() -> None:
    assert task_of_class("NovelForConditionalGeneration", None) is None
    assert task_of_class("NovelForConditionalGeneration", "vision") == "image-text-to-text"


@pytest.mark.parametrize(
    "hostile",
    [
        {"num_hidden_layers": "twelve", "hidden_size": [768], "vocab_size": True},
        {"num_hidden_layers": -1, "hidden_size": 10**30, "vocab_size": float("nan")},
        {"num_hidden_layers": float("inf"), "id2label": [1, 2], "architectures": "BertModel"},
        {"architectures": [{"a": 1}, None], "torch_dtype": {"x": 1}, "model_type": "b\x00d"},
        {"quantization_config": {"bits": "4", "quant_method": 7}, "rope_scaling": "linear", "text_config": []},
        {"depths": [2, "2"], "hidden_sizes": [[1]], "image_size": {"height": "x"}},
    ],
)
def test_wrong_types_are_ignored(hostile: dict[str, Any]) -> None:
    kinds = {fact.kind for fact in read_config(hostile).facts}
    assert not kinds & {
        "layers",
        "hidden_size",
        "vocabulary",
        "family",
        "architecture_class",
        "quantization",
        "depths",
        "image_size",
    }


def test_refused_values_are_noted() -> None:
    notes = read_config({"num_hidden_layers": "twelve", "vocab_size": 10**12, "torch_dtype": "float7"}).notes
    assert len(notes) == 3
    assert all(note.startswith("config.json: ") for note in notes)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
known_keys = st.sampled_from(
    [
        "num_hidden_layers",
        "hidden_size",
        "architectures",
        "model_type",
        "id2label",
        "quantization_config",
        "text_config",
        "vision_config",
        "rope_scaling",
        "torch_dtype",
        "depths",
        "image_size",
        "encoder",
        "decoder",
        "backbone_config",
        "multi_query",
        "num_labels",
        "d_kv",
        "num_layers",
        "attn_config",
    ]
)


@given(st.dictionaries(known_keys | st.text(max_size=10), json_values, max_size=8))
def test_any_json_is_read_without_a_crash(config: dict[str, Any]) -> None:
    for fact in declared_facts(config):
        json.dumps(fact.value, allow_nan=False)


def test_a_decoder_whose_config_describes_both_stacks_has_its_own() -> None:
    decoder = {
        "model_type": "mbart",
        "encoder_layers": 12,
        "num_hidden_layers": 12,
        "decoder_layers": 4,
        "encoder_attention_heads": 16,
        "decoder_attention_heads": 8,
    }
    found = values(
        {"model_type": "vision-encoder-decoder", "encoder": {"model_type": "donut-swin"}, "decoder": decoder}
    )
    assert (found["decoder_layers"], found["decoder_attention_heads"]) == (4, 8)
    plain = values({"encoder": {"num_hidden_layers": 12}, "decoder": {"num_hidden_layers": 6}})
    assert (plain["encoder_layers"], plain["decoder_layers"]) == (12, 6)


def test_encoders_may_read_more_than_their_decoders_write() -> None:
    found = values({"max_encoder_position_embeddings": 16384, "max_decoder_position_embeddings": 1024})
    assert (found["encoder_context"], found["decoder_context"]) == (16384, 1024)
