"""What the parser reads in names, with the packaged lexicons: positives, negatives and near misses."""

from __future__ import annotations

import pytest

from naming import parse_name


def spans(name):
    return [(c.text, c.category) for c in parse_name(name).components]


def roles(name):
    return [(c.text, c.value, c.role) for c in parse_name(name).components if c.category == "architecture"]


def family(name):
    """(value, modality) of the family claims about the whole model."""
    return [(c.value, c.modality) for c in parse_name(name).claims if c.kind == "family" and c.role == "main"]


def values(name, kind):
    return [c.value for c in parse_name(name).claims if c.kind == kind]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("facebook/maskformer-swin-base-coco", [("maskformer", "maskformer", "main"), ("swin", "swin", "backbone")]),
        ("openai/clip-vit-large-patch14", [("clip", "clip", "main"), ("vit", "vit", "backbone")]),
        ("a/vit-gpt2-captions", [("vit", "vit", "encoder"), ("gpt2", "gpt2", "decoder")]),
        ("a/bert2bert_L-24_wmt_en_de", [("bert", "bert", "encoder"), ("bert", "bert", "decoder")]),
        ("a/wav2vec2-2-bart-base", [("wav2vec2", "wav2vec2", "encoder"), ("bart", "bart", "decoder")]),
        ("a/DeepSeek-R1-Distill-Qwen-7B", [("DeepSeek", "deepseek_v3", "teacher"), ("Qwen", "qwen", "main")]),
        ("a/rugpt3small_based_on_gpt2", [("rugpt3", "gpt2", "main"), ("gpt2", "gpt2", "base")]),
        ("a/MiniLM-L6-distilled-from-RoBERTa", [("MiniLM", "bert", "main"), ("RoBERTa", "roberta", "teacher")]),
        ("timm/vit_large_patch14_clip_336.laion2b_ft_in1k", [("vit", "vit", "main"), ("clip", "clip", "base")]),
        ("a/controlnet-sd21-canny", [("controlnet", "controlnet", "main"), ("sd", "stable-diffusion", "base")]),
        ("a/Qwen-LLaMAfied-7B-Chat", [("Qwen", "qwen", "base"), ("LLaMAfied", "llama", "main")]),
    ],
)  # fmt: skip
def test_several_architectures_play_their_parts(name, expected):
    assert roles(name) == expected


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("a/Qwen2.5-VL-7B-Instruct", "qwen2_5_vl"),
        ("a/Qwen3-VL-235B-A22B", "qwen3_vl_moe"),
        ("a/Qwen1.5-7B", "qwen2"),
        ("a/Llama-4-Scout-17B-16E", "llama4"),
        ("a/Llama-3.2-11B-Vision-Instruct", "mllama"),
        ("a/gemma-3n-E4B-it", "gemma3n"),
        ("a/phi-2", "phi"),
        ("a/Phi-3.5-mini", "phi3"),
        ("a/codegen-25-7b", "llama"),
        ("a/Kimi-K2.5", "kimi_k25"),
        ("a/deberta-v3-base", "deberta-v2"),
        ("a/wav2vec2-xls-r-300m", "wav2vec2"),
        ("a/opus-mt-en-fr", "marian"),
        ("a/nllb-200-1.3B", "m2m_100"),
        ("a/donut-base", "vision-encoder-decoder"),
    ],
)
def test_aliases_and_generations_give_the_family(name, value):
    assert [claimed for claimed, _ in family(name)] == [value]


@pytest.mark.parametrize("name", ["a/falcon-7b-instruct-v3", "a/llama-13b-v4", "a/gemma-7b-v3"])
def test_the_release_number_of_a_checkpoint_is_no_generation(name):
    assert {"falcon", "llama", "gemma2", "gemma"} >= {claimed for claimed, _ in family(name)}


@pytest.mark.parametrize(
    "name",
    [
        "a/BARTender", "a/vitamin", "a/optimizer", "a/samsum-model", "a/github-issues", "a/esmerald", "a/bertrand",
        "a/robert-chatbot", "a/paperclip", "a/medBIT-r3", "a/DocsGPT-7B", "a/donut-or-bagel", "a/cat-toy", "a/my-model",
        "a/food-classifier", "a/stable-diffusion-prompt-generator", "a/affidavit-ner", "a/hobart-news",
    ],
)  # fmt: skip
def test_words_that_contain_a_family_claim_none(name):
    assert family(name) == []


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("a/PubMedBERT", "bert"), ("a/KoELECTRA", "electra"), ("a/CamemBERTa", None), ("a/hebert", "bert"),
        ("a/banglat5", "t5"), ("a/ZorgBERT", "bert"), ("a/zorgroberta", "roberta"), ("a/LLaMAntino", "llama"),
        ("a/Qwen2.5VL", "qwen2_5_vl"), ("a/distilroberta-base", "roberta"),
    ],
)  # fmt: skip
def test_fused_brands_carry_their_family(name, value):
    claimed = [claim for claim, _ in family(name)]
    assert claimed == [value] if value else len(claimed) == 1


def test_an_unknown_fused_brand_only_implies_its_family():
    assert family("a/zorgbert") == [("bert", "implied")]
    assert family("a/zorg-bert") == [("bert", "stated")]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a/model-7b", [7_000_000_000]),
        ("a/bloom-7b1", [7_100_000_000]),
        ("a/h2o-6_9b", [6_900_000_000]),
        ("a/opt-125m", [125_000_000]),
        ("a/Mixtral-8x7B-v0.1", [{"experts": 8, "each": 7_000_000_000}]),
        ("a/Llama-3.2-3Bx4-MoE", [{"experts": 4, "each": 3_000_000_000}]),
        ("a/Qwen3-30B-A3B", [30_000_000_000, {"active": 3_000_000_000}]),
        ("a/Llama-4-Scout-17B-16E", [17_000_000_000, {"experts": 16}]),
        ("a/esm2_t36_3B_UR50D", [3_000_000_000]),
        ("a/m2m100_418M", [418_000_000]),
        ("a/bert-base", []),
        ("a/llama-7b-4bit", [7_000_000_000]),
    ],
)
def test_parameters(name, expected):
    assert values(name, "parameters") == expected


@pytest.mark.parametrize(
    ("name", "kind", "expected"),
    [
        ("a/bert_uncased_L-10_H-768_A-12", "layers", [10]),
        ("a/bert_uncased_L-10_H-768_A-12", "hidden_size", [768]),
        ("a/bert_uncased_L-10_H-768_A-12", "attention_heads", [12]),
        ("a/distilbart-xsum-12-3", "layers", [12, 3]),
        ("a/vit-base-patch16-224", "patch_size", [16]),
        ("a/vit-base-patch16-224", "image_size", [224]),
        ("a/clip-vit-b-32", "patch_size", [32]),
        ("a/dino-vits8", "patch_size", [8]),
        ("a/longformer-base-4096", "context", [4096]),
        ("a/vicuna-7b-v1.5-16K", "context", [16384]),
        ("a/Qwen2.5-7B-Instruct-1M", "context", [1_000_000]),
        ("a/segformer-b0-512-512", "image_size", [512]),
        ("a/vit-384", "image_size", [384]),
        ("a/MiniLM-L12-H384", "hidden_size", [384]),
        ("a/Llama-2-7b", "version", ["2"]),
        ("a/llama-3_1-8b", "version", ["3.1"]),
        ("a/stable-diffusion-2-1", "version", ["2.1"]),
        ("a/controlnet_v11p_sd15", "version", ["1.1", "1.5"]),
        ("a/gpt2-medium", "version", []),
        ("a/whisper-large-v3", "version", ["3"]),
        ("a/Qwen3-30B-A3B-Instruct-2507", "version", ["3"]),
        ("a/llama-7b-GPTQ-4bit-128g", "quantization", [{"method": "gptq", "bits": 4}]),
        ("a/Qwen3-32B-FP8", "quantization", [{"method": "fp8", "bits": 8}]),
        ("a/llama-7b.Q4_K_M.gguf", "quantization", [{"method": "gguf", "bits": 4}]),
        ("a/llama-7b-fp16", "dtype", ["fp16"]),
        ("a/llama-7b-fp16", "quantization", []),
        ("a/llama-7b-qlora", "adapter", ["qlora"]),
        ("a/llama-7b-qlora-merged", "adapter", []),
        ("a/bert-base-uncased", "casing", ["uncased"]),
        ("a/roberta-5-class", "num_labels", [5]),
        ("a/maskformer-swin-base-coco", "backbone", [{"family": "swin", "variant": "base"}]),
    ],
)
def test_claims(name, kind, expected):
    found = values(name, kind)
    assert found == expected, parse_name(name)


def test_a_dimension_of_the_backbone_does_not_speak_about_the_whole_model():
    (size,) = [claim for claim in parse_name("facebook/maskformer-swin-base-coco").claims if claim.kind == "size"]
    assert (size.value, size.role) == ("base", "backbone")


@pytest.mark.parametrize(
    ("name", "word", "category"),
    [
        ("google/gemma-2b-it", "it", "training"),
        ("google/gemma-2-2b-jpn-it", "it", "training"),
        ("a/whisper-small-it", "it", "language"),
        ("a/opus-mt-it-fr", "it", "language"),
        ("a/bert-base-uncased", "base", "size"),
        ("a/tigerbot-7b-base", "base", "training"),
        ("a/turkish-bert-128k", "128k", "input"),
        ("a/mpt-7b-8k", "8k", "context"),
        ("a/swin-22k", "22k", "dataset"),
        ("a/whisper-16k", "16k", "input"),
        ("a/deberta-v3-base", "deberta-v3", "architecture"),
        ("a/koelectra-base-v3", "v3", "version"),
        ("a/llama-7b-20230601", "20230601", "identifier"),
        ("a/bert-seed-3", "seed-3", "identifier"),
    ],
)
def test_context_decides_what_an_ambiguous_item_is(name, word, category):
    assert (word, category) in spans(name)


def test_languages_of_a_translation_pair():
    assert [c.value for c in parse_name("a/opus-mt-tc-big-en-fi").components if c.category == "language"] == [
        "en",
        "fi",
    ]


def test_english_words_are_no_languages():
    assert values("a/bert-base-no-stopwords-or-so", "language") == []


@pytest.mark.parametrize("name", ["\uff31\uff57\uff45\uff4e\uff12-\uff17\uff22", "Qwen2-7B"])
def test_full_width_letters_and_digits_are_read(name):
    assert family(name) == [("qwen2", "stated")]
    assert values(name, "parameters") == [7_000_000_000]


@pytest.mark.parametrize("name", ["通义千问-7B", "модель-bert-base", "भाषा-मॉडल"])
def test_other_scripts_stay_words(name):
    assert "".join(c.text for c in parse_name(name).components).replace("-", "") == name.replace("-", "")


@pytest.mark.parametrize(
    ("name", "category"),
    [
        ("a/bert-base-uncased", "implementation"),
        ("a/sentiment-classifier-en", "application"),
        ("a/roberta-base-squad2", "both"),
        ("a/cat-toy", "other"),
    ],
)
def test_conventions(name, category):
    assert parse_name(name).convention.category == category


def test_the_pattern_keeps_the_separators():
    assert parse_name("a/vit_base-patch16").convention.pattern == "architecture_size-input"


def test_separators_and_case_change_no_category():
    reference = [c.category for c in parse_name("a/bert-base-uncased-finetuned-squad2").components]
    for name in (
        "a/bert_base_uncased_finetuned_squad2",
        "a/BERT-Base-Uncased-Finetuned-SQuAD2",
        "a/bert.base.uncased.finetuned.squad2",
    ):
        assert [c.category for c in parse_name(name).components] == reference


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Qwen/Qwen3-30B-A3B", [30_000_000_000, {"active": 3_000_000_000}]),
        ("org/falcon-finetuned-ner-1a6b", []),
        ("org/falcon-0e4b", []),
    ],
)
def test_a_run_counter_in_hexadecimal_is_no_parameter_count(name, expected):
    assert [claim.value for claim in parse_name(name).claims_of("parameters")] == expected
