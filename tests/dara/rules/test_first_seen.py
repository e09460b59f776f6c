"""Truthful packages of kinds that were accused when they were first written down, and the wrong names beside them."""

from __future__ import annotations

from typing import Any

import pytest

from clustering.declared.config import declared_facts
from clustering.facts import Fact, Facts
from corpora.reference import load_reference
from dara.engine import run
from dara.findings import Confidence, Severity
from dara.rules.registry import all_rules
from dara.subject import Subject
from naming import parse_name

XLMR = {
    "model_type": "xlm-roberta",
    "architectures": ["XLMRobertaForMaskedLM"],
    "hidden_size": 1024,
    "num_hidden_layers": 24,
    "num_attention_heads": 16,
    "intermediate_size": 4096,
    "vocab_size": 250002,
}
LLAMA = {
    "model_type": "llama",
    "architectures": ["LlamaForCausalLM"],
    "hidden_size": 3072,
    "num_hidden_layers": 30,
    "num_attention_heads": 24,
    "intermediate_size": 8256,
    "vocab_size": 49152,
}
GEMMA = {
    "model_type": "gemma3",
    "architectures": ["Gemma3ForConditionalGeneration"],
    "text_config": {"model_type": "gemma3_text", "hidden_size": 2560, "num_hidden_layers": 34, "vocab_size": 262208},
    "vision_config": {"model_type": "siglip_vision_model", "hidden_size": 1152, "num_hidden_layers": 27},
}
BLIP = {
    "model_type": "blip",
    "architectures": ["BlipForQuestionAnswering"],
    "vision_config": {
        "model_type": "blip_vision_model",
        "hidden_size": 768,
        "num_hidden_layers": 12,
        "num_attention_heads": 12,
        "intermediate_size": 3072,
    },
    "text_config": {"model_type": "blip_text_model", "hidden_size": 768},
}
CLIP = {
    "model_type": "clip",
    "architectures": ["CLIPModel"],
    "projection_dim": 512,
    "vision_config": {"model_type": "clip_vision_model", "hidden_size": 256, "num_hidden_layers": 10},
    "text_config": {"model_type": "clip_text_model", "hidden_size": 256, "max_position_embeddings": 77},
}
HIFIGAN = {"model_type": "speecht5_hifigan", "architectures": ["SpeechT5HifiGan"]}
BART = {
    "model_type": "bart",
    "architectures": ["BartForConditionalGeneration"],
    "d_model": 1024,
    "vocab_size": 50265,
    "encoder_attention_heads": 16,
    "decoder_attention_heads": 16,
}
RESNET = {"architecture": "resnet50", "num_classes": 1000, "num_features": 2048, "pretrained_cfg": {"tag": "a1_in1k"}}
VIT = {"architecture": "vit_large_patch14_clip_336", "num_features": 1024, "pretrained_cfg": {}}
QWEN = {
    "model_type": "qwen3",
    "architectures": ["Qwen3ForCausalLM"],
    "hidden_size": 4096,
    "num_hidden_layers": 36,
    "num_attention_heads": 32,
    "num_key_value_heads": 8,
    "intermediate_size": 12288,
    "vocab_size": 151936,
}

DINO = {
    "model_type": "dinov3_vit",
    "architectures": ["DINOv3ViTModel"],
    "hidden_size": 1024,
    "num_hidden_layers": 24,
    "num_attention_heads": 16,
    "patch_size": 16,
}
SMALL = {**XLMR, "num_hidden_layers": 12, "hidden_size": 384, "num_attention_heads": 12, "intermediate_size": 1536}


def mlx(bits: int) -> dict[str, Any]:
    return {"group_size": 64, "bits": bits}


EIGHT = {**QWEN, "quantization": mlx(8), "quantization_config": mlx(8)}


def bart(encoder: int, decoder: int) -> dict[str, Any]:
    return {**BART, "encoder_layers": encoder, "decoder_layers": decoder}


def accusations(name: str, config: dict[str, Any], *facts: Fact) -> set[str]:
    known = Facts([*declared_facts(config), *facts])
    subject = Subject(facts=known, parsed=parse_name(name), config=config, kinship=load_reference())
    return {
        item.code
        for item in run(all_rules(), subject).findings
        if item.severity >= Severity.WARNING and item.confidence >= Confidence.MEDIUM
    }


@pytest.mark.parametrize(
    ("name", "config"),
    [
        ("someone/afro-xlmr-large-76L", XLMR),
        ("someone/Mellum-4b-base", LLAMA),
        ("someone/shieldgemma-2-4b-it", GEMMA),
        ("someone/blip-vqa-capfilt-large", BLIP),
        ("someone/TinyCLIP-ViT-8M-16-Text-3M-YFCC15M", CLIP),
        ("someone/speecht5_hifigan", HIFIGAN),
        ("someone/distilbart-xsum-12-3", bart(12, 3)),
        ("someone/resnet50.a1_in1k", RESNET),
        ("someone/vit_large_patch14_clip_336.openai_ft_in12k_in1k", VIT),
        ("someone/clip-flowers", VIT),
        ("someone/Qwen3-8B-8bit", EIGHT),
        ("someone/dinov3-vitl16-pretrain-lvd1689m", DINO),
        ("someone/embed-xlm-roberta-l", SMALL),
        ("someone/resnet-flowers", {"architecture": "resnet50"}),
        ("someone/bert-notes", {"architecture": "transformer", "num_features": 8}),
    ],
)
def test_truthful(name: str, config: dict[str, Any]) -> None:
    assert accusations(name, config) == set()


@pytest.mark.parametrize(
    ("name", "config", "code"),
    [
        ("someone/afro-xlmr-large-12L", XLMR, "DAR203"),
        ("someone/afro-xlmr-large-76layers", XLMR, "DAR203"),
        ("someone/Mellum-4b-base", {**BART, "encoder_layers": 12}, "DAR101"),
        ("someone/gemma-2-4b-it", GEMMA, "DAR601"),
        ("someone/distilbart-xsum-12-3", bart(12, 12), "DAR203"),
        ("someone/distilbart-xsum-12-6", bart(6, 6), "DAR203"),
        ("someone/vit_base_patch16_224.augreg2_in21k_ft_in1k", RESNET, "DAR101"),
        ("someone/resnet18.fb_swsl_ig1b_ft_in1k", VIT, "DAR101"),
        ("someone/Qwen3-8B-4bit", EIGHT, "DAR501"),
        ("someone/dinov3-vits16-pretrain-lvd1689m", DINO, "DAR202"),
    ],
)
def test_wrong(name: str, config: dict[str, Any], code: str) -> None:
    assert code in accusations(name, config)


def test_a_stack_of_an_encoder_decoder_is_not_what_its_count_means() -> None:
    from clustering.tensors import Tensor, TensorListing
    from dara.rules.contradicted_parameters import possible_counts

    tensors = [
        Tensor(f"model.{part}.layers.0.fc1.weight", (size, 1000), "F32")
        for part, size in (("encoder", 1_300), ("decoder", 1_700))
    ]
    listing = TensorListing(tuple(tensors), format="safetensors")
    for family, counts in (("m2m_100", 1), ("whisper", 3)):
        facts = Facts([Fact("family", family, "declared", "config.json: model_type")])
        subject = Subject(facts=facts, config={"model_type": family}, listing=listing)
        assert len(possible_counts(subject, 3_000_000.0)) == counts
