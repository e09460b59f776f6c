"""Readings that published names taught: each general case beside the names that nearly are one."""

from __future__ import annotations

import pytest

from naming import parse_name


def values(name, category):
    return [part.value for part in parse_name(name).components if part.category == category]


def families(name, role="main"):
    return [
        (claim.value, claim.modality)
        for claim in parse_name(name).claims
        if claim.kind == "family" and claim.role == role
    ]


@pytest.mark.parametrize(
    ("name", "hidden", "context"),
    [
        ("a/xlm-mlm-en-2048", [2048], []),
        ("a/xlm-clm-ende-1024", [1024], []),
        ("a/xlm-mlm-100-1280", [1280], []),
        ("a/xlm-roberta-base-1024", [], [1024]),
        ("a/xlm-mlm-en-2048-sst2", [], [2048]),
        ("a/longformer-base-4096", [], [4096]),
    ],
)
def test_the_first_cross_lingual_models_are_named_by_their_width(name, hidden, context):
    assert (values(name, "hidden"), values(name, "context")) == (hidden, context)


@pytest.mark.parametrize(
    ("name", "languages"),
    [
        ("a/wav2vec2-lg-xlsr-en-speech", ["en"]),
        ("a/wav2vec2-lg", []),
        ("a/whisper-small-lg", ["lg"]),
        ("a/opus-mt-lg-en", ["lg", "en"]),
        ("a/codegen-350M-nl", []),
        ("a/roberta-base-nl", ["nl"]),
        ("a/wav2vec2-base-superb-ks", []),
        ("a/multi-qa-mpnet-base-cos-v1", []),
        ("a/bigbird-base-trivia-itc", []),
        ("a/opus-mt-itc-en", ["itc", "en"]),
        ("a/mms-tts-eng", ["en"]),
        ("a/Karen_TheEditor_13b", []),
    ],
)
def test_codes_that_are_no_languages_where_they_stand(name, languages):
    assert values(name, "language") == languages


@pytest.mark.parametrize(
    ("name", "parameters", "dataset"),
    [
        ("a/gpt2-small-indonesian-522M", [], ["522m"]),
        ("a/bert-base-indonesian-522M", [], ["522m"]),
        ("a/gpt2-indonesian-522M", [522_000_000], []),
        ("a/granite-embedding-125m-english", [125_000_000], []),
        ("a/bert-small-en-110M", [110_000_000], []),
        ("a/ChemBERTa-77M-MLM", [], ["77m"]),
        ("a/RoBERTa-77M-MLM", [77_000_000], []),
        ("a/BELLE-7B-2M", [7_000_000_000], ["2m"]),
        ("a/babyllama-100m-2024", [], ["100m"]),
        ("a/open-llama-100m", [100_000_000], []),
    ],
)
def test_millions_of_samples_are_no_parameters(name, parameters, dataset):
    assert (values(name, "parameters"), values(name, "dataset")) == (parameters, dataset)


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("a/metaclip-b32-400m", []),
        ("a/CLIP-ViT-B-32-256x256-DataComp-s34B-b86K", []),
        ("a/EVA-CLIP-8B", [8_000_000_000]),
        ("a/CLIP-RoBERTa-102M-ViT-L", [102_000_000]),
        ("a/jina-clip-v2-865M", [865_000_000]),
        ("a/finemath-ablation-4plus-160B", []),
        ("a/nanotron-ckpt-1.7B", [1_700_000_000]),
        ("a/nanotron-ckpt-17B", [17_000_000_000]),
        ("a/bert-ckpt-100", []),
    ],
)
def test_pairs_and_tokens_are_no_parameters(name, parameters):
    assert values(name, "parameters") == parameters


@pytest.mark.parametrize(
    ("name", "tasks"),
    [
        ("a/wav2vec2-conformer-rel-pos-large", []),
        ("a/bert-base-pos", ["token-classification"]),
        ("a/bert-base-english-pos-tagging", ["token-classification"]),
    ],
)
def test_relative_positions_are_no_parts_of_speech(name, tasks):
    assert values(name, "task") == tasks


@pytest.mark.parametrize(
    ("name", "context"),
    [
        ("a/Llama-3-8B-Instruct-Gradient-1048k", [1_048_000]),
        ("a/Qwen2.5-7B-Instruct-1M", [1_000_000]),
        ("a/Llama-3-8B-0.6M", []),
        ("a/Llama-3-8B-3000k", []),
        ("a/Step-3.7-Flash-200k", [200_000]),
    ],
)
def test_long_contexts(name, context):
    assert values(name, "context") == context


@pytest.mark.parametrize(
    ("name", "versions"),
    [("a/bert-base-V100", []), ("a/run-V100-test", []), ("a/bert-base-v10", ["10"]), ("a/whisper-large-v3", ["3"])],
)
def test_graphics_cards_are_no_versions(name, versions):
    assert values(name, "version") == versions


@pytest.mark.parametrize(
    ("name", "stated"),
    [
        ("a/boxbart", [("bart", "implied")]),
        ("a/hobart", []),
        ("a/Hobart-chat", []),
        ("a/fuyu-custom-run0", [("fuyu", "stated")]),
        ("a/falcon-custom-run0", []),
        ("a/yoso-4096", [("yoso", "stated")]),
        ("a/BgGPT-Gemma-2-9B-IT", [("gpt2", "ambiguous"), ("gemma2", "stated")]),
        ("a/Mistral-T5-7B", [("mistral", "ambiguous"), ("t5", "ambiguous")]),
        ("a/LLaVA-Video-7B-Qwen2", []),
        ("a/Hermes-7B-Qwen2", [("qwen2", "stated")]),
    ],
)
def test_families_that_a_name_states(name, stated):
    assert families(name) == stated


def test_a_language_model_behind_a_vision_language_brand_is_its_decoder():
    assert families("a/LLaVA-Video-7B-Qwen2", "decoder") == [("qwen2", "stated")]


def test_brands_fused_with_bart_may_be_of_its_multilingual_kind():
    claim = next(claim for claim in parse_name("a/boxbart").claims if claim.kind == "family")
    assert {"bart", "mbart", "plbart"} <= set(claim.accepts)


@pytest.mark.parametrize(
    ("name", "spans"),
    [
        ("a/LaMini-Flan-T5-77M", ["LaMini", "Flan", "T5", "77M"]),
        ("a/dinov2-small-imagenet1k-1-layer", ["dinov2", "small", "imagenet1k", "1-layer"]),
    ],
)
def test_items_are_cut_apart(name, spans):
    assert [part.text for part in parse_name(name).components] == spans


@pytest.mark.parametrize(
    ("name", "parameters", "dtype"),
    [
        ("a/Beluga-v2-13bfp16", [13_000_000_000], ["fp16"]),
        ("a/model-7bbf16", [7_000_000_000], ["bf16"]),
        ("a/model-bfp16", [], ["bf16"]),
        ("a/model-13b-fp16", [13_000_000_000], ["fp16"]),
    ],
)
def test_counts_glued_to_a_number_format(name, parameters, dtype):
    assert (values(name, "parameters"), values(name, "dtype")) == (parameters, dtype)


def test_one_layer_behind_a_vision_model_is_its_head():
    assert values("a/dinov2-small-imagenet1k-1-layer", "layers") == []
    assert values("a/bert-1-layer", "layers") == [1]
    assert values("a/vit-2-layer", "layers") == [2]
