"""What numbers, letters and neighbours mean: each reading beside the names that nearly are one."""

from __future__ import annotations

import pytest

from naming import parse_name


def values(name, category):
    return [part.value for part in parse_name(name).components if part.category == category]


def texts(name, category):
    return [part.text for part in parse_name(name).components if part.category == category]


def claims(name, kind):
    return [claim.value for claim in parse_name(name).claims if claim.kind == kind]


def roles(name):
    return [(part.value, part.role) for part in parse_name(name).components if part.category == "architecture"]


def accepts(name):
    return next(claim.accepts for claim in parse_name(name).claims if claim.kind == "family")


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("a/gpt-1b", [1_000_000_000]),
        ("a/japanese-gpt-1b-chat", [1_000_000_000]),
        ("a/GPT-2B-001", [2_000_000_000]),
        ("a/gpt-1", []),
        ("a/gpt-2-small", []),
        ("a/vits8", []),
        ("qw1.5B", [1_500_000_000]),
        ("a/xy7-7b", [7_000_000_000]),
        ("a/Qwen3-30BA3B", [30_000_000_000, {"active": 3_000_000_000}]),
        ("a/Qwen3-30B-A3B", [30_000_000_000, {"active": 3_000_000_000}]),
        ("a/baobab3b", [3_000_000_000]),
        ("a/gpt2-medium-ade-7b", [7_000_000_000]),
        ("a/Ring-1T", [1_000_000_000_000]),
        ("a/TinyLlama-1.1B-step-50K-3T", [1_100_000_000]),
        ("a/GLM-4.1V-9B-Thinking", [9_000_000_000]),
        ("timm/tiny_vit_21m_512.dist_in22k", [21_000_000]),
        ("timm/eva02_large_patch14_448.mim_m38m_ft_in22k_in1k", []),
        ("a/AFM-4.5B", [4_500_000_000]),
        ("a/weblab-10b-instruct", [10_000_000_000]),
        ("a/stories15M", []),
        ("a/cybertron-v4-qw7B", [7_000_000_000]),
        ("a/Synatra-Tb2M", []),
    ],
)  # fmt: skip
def test_numbers_of_parameters(name, parameters):
    assert values(name, "parameters") == parameters


@pytest.mark.parametrize(
    ("name", "versions"),
    [
        ("a/stable-diffusion-v1-5", ["1.5"]),
        ("a/animatediff-motion-adapter-v1-5-2", ["1.5.2"]),
        ("a/WizardLM-13B-V1-1-8K", ["1.1"]),
        ("a/wizard-v1-13b", ["1"]),
        ("a/bert-v2-512", ["2"]),
        ("a/model-v2-4bit", ["2"]),
        ("a/model-v3-8-bit", ["3"]),
        ("a/kandinsky-2-2-decoder", ["2.2"]),
        ("a/bert-2-4", []),
        ("a/InternVideo2_5_Chat_8B", ["2.5"]),
        ("a/MiniCPM-o-2_6-int4", ["2.6"]),
        ("a/MiniCPM-V-2_6", ["2.6"]),
        ("a/model-v-0.1", ["0.1"]),
        ("a/gemma-3n-E4B-it", ["3n"]),
        ("a/GLM-4.1V-9B-Thinking", ["4.1"]),
        ("a/starling-7b-beta", ["beta"]),
        ("a/starling-preview2", []),
        ("a/rubert-tiny2", ["2"]),
        ("a/rubert-tiny-2000", []),
    ],
)  # fmt: skip
def test_versions(name, versions):
    assert values(name, "version") == versions


@pytest.mark.parametrize(
    ("name", "sizes", "inputs"),
    [
        ("a/CLIP-ViT-H-14-laion2B", ["h"], ["patch14"]),
        ("a/CLIP-ViT-L-14-336", ["l"], ["patch14", 336]),
        ("a/dinov3-vitl16", ["l"], ["patch16"]),
        ("a/metaclip-h14", ["h"], ["patch14"]),
        ("a/siglip-so400m-patch14-384", ["so400m"], ["patch14", 384]),
        ("a/MiniLM-L-12", [], []),
        ("a/bert-L-12-H-128", [], []),
        ("timm/nfnet_l0.ra2_in1k", ["l0"], []),
        ("a/efficientformer-l1-300", ["l1"], [300]),
        ("timm/resnext101_32x8d.fb_in1k", ["32x8d"], []),
        ("timm/regnety_320.swag_ft_in1k", ["320"], []),
        ("timm/convmixer_768_32.in1k", ["768"], []),
        ("a/levit-256", ["256"], []),
        ("a/vit-256", [], [256]),
        ("timm/resmlp_12_224.fb_dino", ["12"], [224]),
        ("timm/hrnet_w18.ms_in1k", ["w18"], []),
        ("timm/efficientvit_b3.r288_in1k", ["b3"], [288]),
        ("a/kosmos-2-patch14-224", [], ["patch14", 224]),
        ("a/paligemma-3b-mix-448", [], [448]),
        ("a/llava-7b-512", [], []),
        ("a/Toppy-M-7B", [], []),
        ("a/flan-t5-m", ["m"], []),
    ],
)  # fmt: skip
def test_sizes_and_inputs_of_models_that_see(name, sizes, inputs):
    assert (values(name, "size"), values(name, "input")) == (sizes, inputs)


@pytest.mark.parametrize("name", ["a/dinov3-vitl16", "timm/nfnet_l0.ra2_in1k", "a/CLIP-ViT-L-14-laion"])
def test_letters_of_models_that_see_claim_no_layers(name):
    assert claims(name, "layers") == []


@pytest.mark.parametrize(
    ("name", "contexts"),
    [("a/gpt2-128k", [131072]), ("a/gpt2-150k", []), ("a/turkish-bert-128k", []), ("a/llama-7b-128k", [131072])],
)
def test_contexts(name, contexts):
    assert claims(name, "context") == contexts


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("a/bert-multi-nli", ["mnli"]),
        ("a/multi-qa-mpnet-base-dot-v1", ["multi-qa"]),
        ("a/sms-spam-bert", ["sms-spam"]),
        ("a/persian-qa-bert", []),
        ("a/bert-multi-lingual", []),
        ("a/clip-vit-laion-2b", ["laion2b"]),
    ],
)
def test_data_sets_with_a_language_s_code_in_them(name, data):
    assert [value for value in values(name, "dataset") if value in {"mnli", "multi-qa", "sms-spam", "laion2b"}] == data


@pytest.mark.parametrize(
    ("name", "family", "also"),
    [
        ("a/starcoder-v2", "starcoder2", "gpt_bigcode"),
        ("a/starcoder2-15b", "starcoder2", None),
        ("a/my-qwen-v2", "qwen2", "qwen3"),
        ("a/llama-30B-A3B", "llama", "mixtral"),
        ("a/llama-8x3B-moe", "mixtral", "llama"),
        ("a/Qwen3-30B-A3B", "qwen3_moe", None),
        ("a/mms-tts-eng", "vits", None),
        ("a/mms-1b-all", "wav2vec2", "vits"),
        ("a/switch-base-8", "switch_transformers", None),
        ("a/data2vec-vision-base-ft1k", "data2vec-vision", None),
    ],
)  # fmt: skip
def test_families_by_release_and_variant(name, family, also):
    found = accepts(name)
    assert found[0] == family
    assert also is None or also in found


def test_a_switch_without_a_size_is_no_model():
    assert roles("a/nintendo-switch-style") == []


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a/sd-controlnet-canny", [("stable-diffusion", "base"), ("controlnet", "main")]),
        ("a/controlnet-union-sdxl-1.0", [("controlnet", "main"), ("sdxl", "base")]),
        ("a/CLIP-ViT-B-32-xlm-roberta-base", [("clip", "main"), ("vit", "backbone"), ("xlm-roberta", "backbone")]),
        ("a/Realistic_Vision_noVAE", []),
        ("a/mixer-v3-baked-vae", []),
        ("a/sd-vae-ft-mse", [("vae", "main")]),
        ("a/TinyLLaVA-Phi-2-SigLIP-3.1B", [("tiny_llava", "main"), ("phi", "decoder"), ("siglip", "encoder")]),
        ("a/shap-e", [("shap-e", "main")]),
        ("a/canine-s", [("canine", "main")]),
        ("a/canine-photos", []),
        ("a/tinyllama-static-shape-change", [("llama", "main")]),
    ],
)  # fmt: skip
def test_roles_of_add_ons_and_towers(name, expected):
    assert roles(name) == expected


def test_a_model_with_two_named_towers_claims_its_family_softly():
    (family,) = (claim for claim in parse_name("a/CLIP-RoBERTa-ViT-L").claims if claim.kind == "family")
    assert (family.value, family.modality) == ("clip", "ambiguous")


@pytest.mark.parametrize(
    ("name", "word", "category", "value"),
    [
        ("a/gemma-3-4b-pt", "pt", "training", "pretrained"),
        ("a/paligemma2-3b-pt-448", "pt", "training", "pretrained"),
        ("a/opus-mt-en-pt", "pt", "language", "pt"),
        ("a/ERNIE-4.5-21B-A3B-PT", "PT", "format", "pytorch"),
        ("a/wavlm-base-plus-sv", "sv", "task", "audio-classification"),
        ("a/wav2vec2-large-xlsr-53-sv", "sv", "language", "sv"),
        ("a/roberta-sms-spam-detection", "detection", "task", "text-classification"),
        ("a/detr-detection", "detection", "task", "object-detection"),
        ("a/bert-sparse-no-classifier", "classifier", "other", None),
        ("a/bert-yes-or-no-classifier", "classifier", "task", "text-classification"),
        ("a/anything-v4.5-pruned", "anything", "product", "anything"),
        ("a/model-v4.5", "model", "other", "model"),
        ("a/codebert-py", "py", "other", "python"),
        ("a/bert-classifier", "classifier", "task", "text-classification"),
        ("a/e5-large-v2", "e5", "product", "e5"),
        ("a/run-e5", "e5", "identifier", "e5"),
        ("a/ukr-roberta-base", "ukr", "language", "uk"),
        ("a/nb-bert-base", "nb", "language", "nb"),
        ("a/nb-finetuned", "nb", "other", None),
    ],
)  # fmt: skip
def test_words_that_their_neighbours_decide(name, word, category, value):
    found = next(part for part in parse_name(name).components if part.text == word)
    assert found.category == category
    assert value is None or found.value == value


@pytest.mark.parametrize(
    ("name", "layers"),
    [
        ("a/mpnet_pretrain_10_L-12", [12]),
        ("a/minilm-6-L-v2", [6]),
        ("a/bert_uncased_L-6_H-768", [6]),
        ("a/tiny-6_L-768", [6]),
        ("a/xlmr-12L", [12]),
    ],
)
def test_a_number_before_a_letter_with_a_number_of_its_own_is_no_depth(name, layers):
    assert claims(name, "layers") == layers


@pytest.mark.parametrize(
    ("name", "context"),
    [
        ("a/Qwen2.5-7B-Instruct-1M", [1_000_000]),
        ("a/TinyCLIP-ViT-8M-16-Text-3M-YFCC15M", []),
        ("a/bert-110M-biomed-5M", []),
    ],
)
def test_millions_behind_a_count_are_tokens_where_a_model_reads_so_many(name, context):
    assert claims(name, "context") == context


@pytest.mark.parametrize(("name", "adapters"), [("a/turbo-LoRA", ["lora"]), ("a/turbo", []), ("a/loran-turbo", [])])
def test_a_method_behind_an_ordinary_word_is_still_an_adapter(name, adapters):
    assert claims(name, "adapter") == adapters


@pytest.mark.parametrize(
    ("name", "families"),
    [
        ("org/falcon-instruct", ["falcon"]),
        ("org/opt-finetuned", ["opt"]),
        ("org/bloom-sft", ["bloom"]),
        ("org/opt-out", []),
        ("org/bloom-filter", []),
        ("org/falcon-eye", []),
    ],
)
def test_ordinary_words_are_families_beside_words_of_training(name, families):
    assert claims(name, "family") == families


@pytest.mark.parametrize(
    ("name", "sizes"),
    [("a/blip-vqa-capfilt-large", []), ("a/blip-vqa-large", ["large"]), ("a/capfilt-blip-base", ["base"])],
)
def test_the_size_of_a_recipe_is_not_the_model_s(name, sizes):
    assert claims(name, "size") == sizes


@pytest.mark.parametrize(
    ("name", "languages"),
    [
        ("a/bert-base-arabic-camelbert-msa", ["ar"]),
        ("a/bert-base-arabic-camelbert-ca", ["ar"]),
        ("a/opus-mt-ar-ca", ["ar", "ca"]),
        ("a/roberta-base-ca", ["ca"]),
        ("a/s2t-small-mustc-en-de-st", ["en", "de"]),
        ("a/opus-mt-en-st", ["en", "st"]),
    ],
)
def test_varieties_and_tasks_that_are_other_languages_codes(name, languages):
    assert claims(name, "language") == languages
