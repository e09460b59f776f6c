"""Composite models taken apart, and published variants."""

from __future__ import annotations

from typing import Any

import pytest

from clustering.facts import Fact, Facts
from clustering.identity import Part
from clustering.measured.listing import measured_facts
from clustering.parts.decompose import decompose
from clustering.parts.variants import families, sizes, variant_dims, variant_of
from clustering.tensors import Tensor, TensorListing

Shapes = dict[str, tuple[int, ...]]


def listing(shapes: Shapes) -> TensorListing:
    return TensorListing(tuple(Tensor(name, shape, "F32") for name, shape in shapes.items()), "safetensors")


def by_role(parts: tuple[Part, ...]) -> dict[str, Part]:
    return {part.role: part for part in parts}


def swin(prefix: str, embed: int, depths: tuple[int, ...], heads: int) -> Shapes:
    shapes: Shapes = {f"{prefix}patch_embed.proj.weight": (embed, 3, 4, 4)}
    for stage, depth in enumerate(depths):
        width = embed * 2**stage
        for block in range(depth):
            name = f"{prefix}layers.{stage}.blocks.{block}."
            shapes |= {
                f"{name}norm1.weight": (width,),
                f"{name}attn.relative_position_bias_table": (169, heads * 2**stage),
                f"{name}attn.qkv.weight": (3 * width, width),
                f"{name}attn.proj.weight": (width, width),
                f"{name}mlp.fc1.weight": (4 * width, width),
                f"{name}mlp.fc2.weight": (width, 4 * width),
            }
        if stage < len(depths) - 1:
            shapes[f"{prefix}layers.{stage}.downsample.reduction.weight"] = (2 * width, 4 * width)
    return shapes


def maskformer(
    *, deformable: bool = False, task: bool = False, classes: int | None = 150, masks: bool = True, layers: int = 6
) -> Shapes:
    shapes = swin("backbone.", 96, (2, 2, 6, 2), 3)
    pixel = "sem_seg_head.pixel_decoder."
    shapes |= {
        f"{pixel}layer_1.weight": (256, 256, 3, 3),
        f"{pixel}layer_1.norm.weight": (256,),
        f"{pixel}mask_features.bias": (256,),
    }
    for index in range(6 if deformable else 0):
        name = f"{pixel}transformer.encoder.layers.{index}."
        shapes |= {
            f"{name}self_attn.sampling_offsets.weight": (192, 256),
            f"{name}self_attn.attention_weights.weight": (96, 256),
            f"{name}linear1.weight": (1024, 256),
            f"{name}linear2.weight": (256, 1024),
            f"{name}norm1.weight": (256,),
        }
    predictor = "sem_seg_head.predictor."
    for index in range(layers):
        name = f"{predictor}transformer.decoder.layers.{index}."
        shapes |= {
            f"{name}self_attn.in_proj_weight": (768, 256),
            f"{name}multihead_attn.in_proj_weight": (768, 256),
            f"{name}linear1.weight": (2048, 256),
            f"{name}linear2.weight": (256, 2048),
            f"{name}norm1.weight": (256,),
        }
    shapes[f"{predictor}query_embed.weight"] = (100, 256)
    if classes is not None:
        shapes |= {f"{predictor}class_embed.weight": (classes + 1, 256), f"{predictor}class_embed.bias": (classes + 1,)}
    if masks:
        shapes |= {f"{predictor}mask_embed.layers.{index}.weight": (256, 256) for index in range(3)}
    if task:
        shapes |= {"task_mlp.layers.0.weight": (256, 77), "task_mlp.layers.1.weight": (256, 256)}
    return shapes


def test_maskformer() -> None:
    parts = by_role(decompose(listing(maskformer())))
    assert (parts["model"].family, parts["backbone"].family, parts["backbone"].variant) == (
        "maskformer",
        "swin",
        "tiny",
    )
    assert parts["pixel_decoder"].family == "fpn"
    assert parts["transformer_decoder"].detail["layers"] == 6
    assert parts["transformer_decoder"].detail["queries"] == 100
    assert parts["head"].detail == {"classes": 150, "mask_dim": 256}


@pytest.mark.parametrize(
    ("more", "family"),
    [
        ({"deformable": True}, "mask2former"),
        ({"deformable": True, "task": True}, "oneformer"),
        ({"classes": None, "masks": False}, "maskformer"),
    ],
)
def test_members_of_the_family(more: dict[str, Any], family: str) -> None:
    assert by_role(decompose(listing(maskformer(**more))))["model"].family == family


@pytest.mark.parametrize("more", [{"classes": None}, {"layers": 0}])
def test_per_pixel_baselines_are_no_members(more: dict[str, Any]) -> None:
    assert "model" not in by_role(decompose(listing(maskformer(**more))))


def test_box_predictors_are_no_members() -> None:
    shapes = maskformer(deformable=True) | {"sem_seg_head.predictor._bbox_embed.layers.0.weight": (256, 256)}
    assert "model" not in by_role(decompose(listing(shapes)))


def test_facts_of_a_mask_classifier() -> None:
    found = {fact.kind: fact.value for fact in measured_facts(listing(maskformer()))}
    assert (found["backbone"], found["backbone_variant"], found["pixel_decoder"]) == ("swin", "tiny", "fpn")
    assert (found["decoder_layers"], found["queries"], found["num_labels"]) == (6, 100, 150)
    assert "layers" not in found


def vision_language() -> Shapes:
    shapes: Shapes = {
        "vision_tower.embeddings.patch_embedding.weight": (1024, 3, 14, 14),
        "language_model.model.embed_tokens.weight": (32000, 64),
        "language_model.lm_head.weight": (32000, 64),
    }
    for index in range(24):
        name = f"vision_tower.encoder.layers.{index}."
        shapes |= {
            f"{name}layer_norm1.weight": (1024,),
            f"{name}self_attn.q_proj.weight": (1024, 1024),
            f"{name}mlp.fc1.weight": (4096, 1024),
            f"{name}mlp.fc2.weight": (1024, 4096),
        }
    for index in range(4):
        name = f"language_model.model.layers.{index}."
        shapes |= {
            f"{name}input_layernorm.weight": (64,),
            f"{name}self_attn.q_proj.weight": (64, 64),
            f"{name}mlp.up_proj.weight": (256, 64),
            f"{name}mlp.down_proj.weight": (64, 256),
        }
    return shapes


def test_vision_language_models_are_split_at_the_towers() -> None:
    parts = by_role(decompose(listing(vision_language())))
    assert (parts["vision_encoder"].family, parts["vision_encoder"].variant) == ("vit", "large")
    assert parts["language_model"].family == "unknown", "shapes alone do not name a language model"
    assert parts["language_model"].detail["layers"] == 4


def test_config_and_caller_name_what_shapes_cannot() -> None:
    config = {"text_config": {"model_type": "llama"}, "vision_config": {"model_type": "clip_vision_model"}}
    parts = by_role(decompose(listing(vision_language()), config))
    assert (parts["language_model"].family, parts["vision_encoder"].family) == ("llama", "clip_vision_model")
    assert parts["vision_encoder"].variant == "large"
    seen: list[int] = []

    def identify(part: TensorListing) -> str | None:
        seen.append(len(part.tensors))
        return "qwen2"

    assert by_role(decompose(listing(vision_language()), None, identify))["language_model"].family == "qwen2"
    assert seen


def detector(outputs: int = 92) -> Shapes:
    shapes = swin("model.backbone.", 96, (2, 2, 6, 2), 3)
    for side in ("encoder", "decoder"):
        for index in range(6):
            name = f"model.{side}.layers.{index}."
            attentions = ("self_attn", "encoder_attn") if side == "decoder" else ("self_attn",)
            shapes |= {f"{name}{part}.q_proj.weight": (256, 256) for part in attentions}
            shapes |= {f"{name}norm.weight": (256,), f"{name}fc1.weight": (2048, 256), f"{name}fc2.weight": (256, 2048)}
    return shapes | {
        "model.query_position_embeddings.weight": (100, 256),
        "class_labels_classifier.weight": (outputs, 256),
        "bbox_predictor.layers.0.weight": (256, 256),
    }


def test_detectors() -> None:
    parts = by_role(decompose(listing(detector())))
    assert (parts["backbone"].family, parts["backbone"].variant) == ("swin", "tiny")
    assert parts["transformer_encoder"].detail["layers"] == 6
    assert parts["transformer_decoder"].detail["queries"] == 100
    assert parts["head"].detail == {"outputs": 92}


@pytest.mark.parametrize(
    ("config", "labels"), [(None, 91), ({"num_labels": 91}, 91), ({"num_labels": 92}, 92), ({"num_labels": 7}, 91)]
)
def test_detectors_with_and_without_a_row_for_no_object(config: dict[str, Any] | None, labels: int) -> None:
    found = {fact.kind: fact.value for fact in measured_facts(listing(detector()), config)}
    assert (found["num_labels"], found["task"], found["backbone_variant"]) == (labels, "object-detection", "tiny")


def test_one_piece_has_no_parts() -> None:
    shapes = {
        name.removeprefix("language_model."): shape
        for name, shape in vision_language().items()
        if name.startswith("language_model")
    }
    assert decompose(listing(shapes)) == ()
    assert decompose(TensorListing((), "safetensors")) == ()
    assert decompose(TensorListing((Tensor("a", (), "F32"),), "index", names_only=True)) == ()


# variants ----------------------------------------------------------------------------------------------------------


def test_variants_of_measured_facts() -> None:
    facts = Facts(
        [
            Fact("layers", 12, "measured", "x"),
            Fact("hidden_size", 768, "measured", "x"),
            Fact("intermediate_size", 3072, "measured", "x"),
        ]
    )
    assert variant_of("bert", facts) == "base"
    assert variant_of("unheard-of", facts) is None


@pytest.mark.parametrize(
    ("family", "known", "size"),
    [
        ("bert", {"layers": 24, "hidden_size": 1024}, "large"),
        ("bert", {"layers": 12, "hidden_size": 384}, None),
        ("bert", {"layers": 12}, None),
        ("bert", {"hidden_size": 768}, None),
        ("bert", {"layers": 12, "hidden_size": 768, "intermediate_size": 1536}, None),
        ("t5", {"encoder_layers": 12, "decoder_layers": 12, "hidden_size": 768, "intermediate_size": 2048}, "base"),
        ("t5", {"layers": 6, "hidden_size": 512}, "small"),
        ("t5", {"layers": 24, "hidden_size": 1024}, None),
        ("t5", {"layers": 24, "hidden_size": 1024, "intermediate_size": 2816}, "large"),
        ("whisper", {"encoder_layers": 32, "decoder_layers": 4, "hidden_size": 1280}, "large"),
        ("whisper", {"encoder_layers": 32, "decoder_layers": 2, "hidden_size": 1280}, None),
        ("swin", {"embed_dim": 128, "depths": [2, 2, 18, 2]}, "base"),
        ("resnet", {"depths": [3, 4, 6, 3], "bottleneck": False}, "34"),
    ],
)
def test_variant_needs_depth_and_width(family: str, known: dict[str, Any], size: str | None) -> None:
    assert variant_of(family, known) == size


def test_table_is_sound() -> None:
    assert len(families()) >= 60
    for family in families():
        assert sizes(family)
        for size in sizes(family):
            for row in variant_dims(family, size):
                # the generator of electra-base has the sizes of electra-small: such a row tells neither
                others = [other for other in sizes(family) if other != size and row in variant_dims(family, other)]
                assert variant_of(family, dict(row)) == (None if others else size), (family, size)
                assert len(others) <= 1


def test_unknown_sizes_are_empty() -> None:
    assert variant_dims("bert", "colossal") == ()
    assert sizes("unheard-of") == ()
