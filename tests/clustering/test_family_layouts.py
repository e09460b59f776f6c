"""The packaged index on layouts that its corpus does not hold: combined options, composites of any two models."""

from __future__ import annotations

from typing import Any

import pytest

from clustering.identity import Identification
from clustering.tensors import Tensor, TensorListing
from corpora.reference import load_reference

pytestmark = pytest.mark.graph

DENSE_HYBRID = {
    "model_type": "granitemoehybrid",
    "architectures": ["GraniteMoeHybridForCausalLM"],
    "layer_types": ["attention"] * 5,
    "num_hidden_layers": 5,
    "hidden_size": 512,
    "num_attention_heads": 8,
    "num_key_value_heads": 2,
    "num_local_experts": 0,
    "num_experts_per_tok": 0,
    "shared_intermediate_size": 1300,
    "vocab_size": 9000,
    "tie_word_embeddings": True,
}
"""Neither experts nor state-space layers, and grouped keys: by its shapes alone it is a plain decoder."""


def small(model_type: str, **more: Any) -> dict[str, Any]:
    return {"model_type": model_type, "hidden_size": 192, "intermediate_size": 500, "num_hidden_layers": 3, **more}


def composite(model_type: str, class_name: str, **parts: Any) -> dict[str, Any]:
    return {"model_type": model_type, "architectures": [class_name], **parts}


def asked(config: dict[str, Any]) -> tuple[TensorListing, Identification]:
    pytest.importorskip("torch")
    from clustering.live.listing import listing_from_config

    listing = listing_from_config(config)
    return listing, load_reference().identify(listing)


def named(answer: Identification) -> set[str]:
    """The first family and its twins."""
    return {answer.family[0].model_type, *answer.family[0].twins} if answer.family else set()


def test_dense_model_of_a_hybrid_family_is_told_by_names_and_shapes() -> None:
    _, answer = asked(DENSE_HYBRID)
    assert answer.family[0].model_type == "granitemoehybrid"


@pytest.mark.parametrize("text", ["olmo2", "granite", "phi3", "mixtral"])
def test_wrapper_with_any_text_model_is_the_wrapper(text: str) -> None:
    heads = {"num_attention_heads": 6, "num_key_value_heads": 3}
    vision = small("siglip_vision_model", num_attention_heads=6, image_size=64, patch_size=16)
    parts = {"vision_config": vision, "text_config": small(text, vocab_size=3000, pad_token_id=0, **heads)}
    _, answer = asked(composite("llava", "LlavaForConditionalGeneration", **parts))
    assert "llava" in named(answer)


def test_a_text_model_alone_is_not_the_wrapper() -> None:
    config = small("olmo2", vocab_size=3000, num_attention_heads=6, num_key_value_heads=3)
    _, answer = asked({**config, "architectures": ["Olmo2ForCausalLM"]})
    assert answer.family[0].model_type in {"olmo2", "olmo3"}


def test_structure_does_not_hear_the_union() -> None:
    listing, answer = asked(DENSE_HYBRID)
    tensors = tuple(Tensor(f"t{n:04d}", t.shape, t.dtype) for n, t in enumerate(listing.tensors))
    numbered = load_reference().identify(TensorListing(tensors, "safetensors"))
    assert numbered.structure_only[0].model_type == answer.structure_only[0].model_type
