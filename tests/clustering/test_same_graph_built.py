"""Whether a package's graph is another family's is found out by building that family in the package's configuration."""

from __future__ import annotations

from typing import Any

import pytest

from benchmarks.fingerprint_data import Asked
from benchmarks.fingerprint_same_graph import same_when_built

pytestmark = pytest.mark.graph

SIZES = {
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "num_hidden_layers": 3,
    "vocab_size": 96,
    "tie_word_embeddings": False,
}


def package(family: str, class_name: str, **further: Any) -> Asked:
    """A package of a class as it is in memory, with its configuration."""
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    from clustering.live.listing import listing_from_module

    config = transformers.AutoConfig.for_model(family, **{**SIZES, **further})
    with torch.device("meta"):
        module = getattr(transformers, class_name)(config)
    return Asked("somebody/model", {**config.to_dict(), "model_type": family}, listing_from_module(module))


def test_a_copy_of_a_family_has_the_same_tensors() -> None:
    llama = package("llama", "LlamaForCausalLM")
    assert same_when_built(llama, "mistral", "MistralForCausalLM")
    assert same_when_built(llama, "llama", "LlamaForCausalLM")


def test_next_of_kin_has_other_tensors() -> None:
    llama = package("llama", "LlamaForCausalLM")
    assert not same_when_built(llama, "qwen2", "Qwen2ForCausalLM"), "biases"
    assert not same_when_built(llama, "gemma2", "Gemma2ForCausalLM"), "norms"


def test_kinds_per_layer_that_the_configuration_does_not_have_are_tried() -> None:
    mixtral = package("mixtral", "MixtralForCausalLM", num_local_experts=4)
    assert same_when_built(mixtral, "minimax", "MiniMaxForCausalLM")


@pytest.mark.parametrize(
    ("family", "class_name"),
    [("timm/levit", "LevitDistilled"), ("llama", "NoSuchClass"), ("nobody", "LlamaForCausalLM"), ("clip", "CLIPModel")],
)
def test_nothing_is_claimed_of_what_cannot_be_built(family: str, class_name: str) -> None:
    assert not same_when_built(package("llama", "LlamaForCausalLM"), family, class_name)
