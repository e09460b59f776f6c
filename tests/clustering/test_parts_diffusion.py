"""Diffusion pipelines taken apart."""

from __future__ import annotations

import pytest

from clustering.parts.diffusion import pipeline_parts
from clustering.tensors import Tensor, TensorListing

Shapes = dict[str, tuple[int, ...]]


def listing(shapes: Shapes) -> TensorListing:
    return TensorListing(tuple(Tensor(name, shape, "F16") for name, shape in shapes.items()), "safetensors")


def unet(context: int, width: int = 320, channels: int = 4) -> TensorListing:
    shapes: Shapes = {"conv_in.weight": (width, channels, 3, 3)}
    for side in ("down_blocks", "up_blocks"):
        for stage in range(2):
            for block in range(2):
                size = width * 2**stage
                name = f"{side}.{stage}.attentions.{block}.transformer_blocks.0."
                shapes |= {
                    f"{side}.{stage}.resnets.{block}.conv1.weight": (size, size, 3, 3),
                    f"{side}.{stage}.resnets.{block}.conv2.weight": (size, size, 3, 3),
                    f"{name}attn1.to_k.weight": (size, size),
                    f"{name}attn2.to_k.weight": (size, context),
                    f"{name}attn2.to_v.weight": (size, context),
                }
    return listing(shapes)


def text(layers: int, hidden: int) -> TensorListing:
    shapes: Shapes = {"text_model.embeddings.token_embedding.weight": (49408, hidden)}
    for index in range(layers):
        name = f"text_model.encoder.layers.{index}."
        shapes |= {
            f"{name}layer_norm1.weight": (hidden,),
            f"{name}self_attn.q_proj.weight": (hidden, hidden),
            f"{name}mlp.fc1.weight": (4 * hidden, hidden),
            f"{name}mlp.fc2.weight": (hidden, 4 * hidden),
        }
    return listing(shapes)


def vae(latent: int) -> TensorListing:
    return listing({"encoder.conv_in.weight": (128, 3, 3, 3), "decoder.conv_in.weight": (512, latent, 3, 3)})


def flux(joint: int = 19, single: int = 38, hidden: int = 3072) -> TensorListing:
    shapes: Shapes = {}
    for index in range(joint):
        name = f"transformer_blocks.{index}."
        shapes |= {f"{name}attn.{part}.weight": (hidden, hidden) for part in ("to_q", "to_k", "to_v", "add_k_proj")}
        shapes |= {f"{name}attn.norm_q.weight": (128,), f"{name}ff.net.0.proj.weight": (4 * hidden, hidden)}
    for index in range(single):
        name = f"single_transformer_blocks.{index}."
        shapes |= {f"{name}attn.to_q.weight": (hidden, hidden), f"{name}attn.to_k.weight": (hidden, hidden)}
        shapes |= {f"{name}attn.norm_q.weight": (128,), f"{name}proj_mlp.weight": (4 * hidden, hidden)}
    return listing(shapes)


@pytest.mark.parametrize(
    ("context", "width", "family", "variant"),
    [
        (768, 320, "stable-diffusion", "1"),
        (1024, 320, "stable-diffusion", "2"),
        (2048, 320, "stable-diffusion-xl", "base"),
        (1280, 384, "stable-diffusion-xl", "refiner"),
        (512, 320, "unknown", None),
        (768, 256, "unknown", None),
    ],
)
def test_denoisers_are_told_by_what_they_read(context: int, width: int, family: str, variant: str | None) -> None:
    (part,) = pipeline_parts({"unet": unet(context, width)})
    assert (part.role, part.family, part.variant) == ("denoiser", family, variant)


def test_inpainting_shows_in_the_input_channels() -> None:
    (part,) = pipeline_parts({"unet": unet(768, channels=9)})
    assert (part.variant, part.detail["input_channels"]) == ("1", 9)


def test_pipeline() -> None:
    parts = pipeline_parts(
        {"vae": vae(4), "unet": unet(2048), "text_encoder": text(12, 768), "text_encoder_2": text(32, 1280)}
    )
    assert [(part.role, part.family, part.variant) for part in parts] == [
        ("text_encoder", "clip_text_model", "large"),
        ("text_encoder", "clip_text_model", "gigantic"),
        ("denoiser", "stable-diffusion-xl", "base"),
        ("autoencoder", "autoencoder_kl", None),
    ]
    assert parts[-1].detail == {"latent_channels": 4}


def test_transformers() -> None:
    (part,) = pipeline_parts({"transformer": flux()})
    assert (part.family, part.detail) == ("flux", {"joint_layers": 19, "single_layers": 38, "hidden_size": 3072})
    (other,) = pipeline_parts({"transformer": flux(8, 16)})
    assert other.family == "unknown"


def test_nothing_to_see() -> None:
    assert pipeline_parts({}) == ()
    assert pipeline_parts({"unet": listing({}), "scheduler": text(1, 8)}) == ()
    assert (
        pipeline_parts({"unet": listing({"a": ()}), "vae": listing({"b": (1,)}), "text_encoder": listing({"c": (2,)})})
        != ()
    )
