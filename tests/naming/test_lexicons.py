"""The lexicon files: schema, no contradiction, known families, sources, sizes, freshness."""

import json
import re
import tomllib
from collections import defaultdict
from functools import cache
from typing import get_args

import pytest

from naming import generate
from naming.generate import LEXICONS, dump, part_types, surface
from naming.records import Category

FILES = sorted(path.name for path in LEXICONS.glob("*.json"))
ENTRY_KEYS = {
    "aliases", "only_aliases", "word", "glue", "family", "accepts", "generations", "with", "strength", "outside",
    "separated", "timm", "part", "group", "generation", "category", "num_labels", "num_labels_also", "task",
    "pipeline_tag",
    "order", "method", "bits", "bits_per_weight", "mixture", "file", "samples",
}  # fmt: skip
BOOLEANS = ("only_aliases", "word", "glue", "outside", "separated", "timm", "part", "mixture", "file", "samples")


@cache
def read(name):
    return json.loads((LEXICONS / name).read_text(encoding="utf-8"))


def entries(name):
    document = read(name)
    for block in document["blocks"]:
        for canonical, entry in block["entries"].items():
            yield canonical, entry, entry.get("category", document["category"])


def surfaces(canonical, entry):
    own = [] if entry.get("only_aliases") else [surface(canonical)]
    return own + list(entry["aliases"])


def glued(text):
    return surface(text).replace("-", "")


def entry_of(name, word):
    return next(entry for canonical, entry, _ in entries(name) if glued(word) in map(glued, surfaces(canonical, entry)))


@cache
def known_families():
    outside = set(read("families.json")["outside_families"]) | set(read("brands.json")["outside_families"])
    return set(read("families_transformers.json")["registry"]) | outside


def family_facts(entry):
    """An entry and every generation and variant inside it."""
    yield entry
    for key in ("generations", "with"):
        for inner in entry.get(key, {}).values():
            yield from family_facts(inner)


@pytest.mark.parametrize("name", FILES)
def test_the_schema_holds(name):
    document = read(name)
    assert document["category"] in get_args(Category)
    assert document["blocks"]
    for block in document["blocks"]:
        assert set(block) == {"source", "entries"}
        assert len(block["source"]) > 15
        assert block["entries"]
        for canonical, entry in block["entries"].items():
            assert set(entry) <= ENTRY_KEYS, canonical
            assert isinstance(entry["aliases"], list), canonical
            assert all(isinstance(entry[key], bool) for key in BOOLEANS if key in entry), canonical
            assert entry.get("strength", "usual") in ("always", "usual"), canonical
            assert entry.get("category", document["category"]) in get_args(Category), canonical


@pytest.mark.parametrize("name", FILES)
def test_surfaces_are_normal_forms(name):
    for canonical, entry, _ in entries(name):
        for alias in entry["aliases"]:
            assert alias == surface(alias), (canonical, alias)
            assert alias, canonical
        assert len(set(entry["aliases"])) == len(entry["aliases"]), canonical
        assert surface(canonical) not in entry["aliases"] or entry.get("only_aliases"), canonical


def test_a_surface_has_one_meaning_in_its_category():
    owners = defaultdict(set)
    for name in FILES:
        for canonical, entry, category in entries(name):
            for written in surfaces(canonical, entry):
                owners[category, written].add(canonical)
    assert {key: names for key, names in owners.items() if len(names) > 1} == {}


def test_spellings_that_differ_in_separators_only_mean_the_same():
    values = defaultdict(set)
    for name in FILES:
        for canonical, entry, category in entries(name):
            for written in surfaces(canonical, entry):
                values[category, glued(written)].add(entry.get("family", canonical))
    assert {key: names for key, names in values.items() if len(names) > 1} == {}


@pytest.mark.parametrize("name", ["families.json", "brands.json", "families_transformers.json"])
def test_families_are_known(name):
    for canonical, entry, category in entries(name):
        if category == "architecture" and "family" not in entry:
            assert canonical in known_families(), canonical
        for facts in family_facts(entry):
            for family in {facts.get("family"), *facts.get("accepts", ())} - {None}:
                assert family in known_families(), (canonical, family)


@pytest.mark.parametrize("name", ["families.json", "brands.json"])
def test_outside_families_are_used_and_not_registered(name):
    document = read(name)
    outside = document["outside_families"]
    assert outside == sorted(set(outside))
    assert not set(outside) & set(read("families_transformers.json")["registry"])
    used = set()
    for canonical, entry, _ in entries(name):
        used.add(canonical)
        for facts in family_facts(entry):
            used |= {facts.get("family"), *facts.get("accepts", ())}
    assert set(outside) <= used


def test_curated_families_accept_their_own_family():
    for canonical, entry, category in entries("families.json"):
        for facts in family_facts(entry):
            family = facts.get("family", canonical)
            registered = family in read("families_transformers.json")["registry"]
            if registered and category == "architecture" and facts.get("strength") != "usual":
                assert family in facts["accepts"], (canonical, family)


def test_generations_and_variants_are_complete():
    for canonical, entry, _ in entries("families.json"):
        for key in ("generations", "with"):
            for word, facts in entry.get(key, {}).items():
                assert facts["family"], (canonical, word)
                assert facts["accepts"], (canonical, word)
                assert facts["family"] in facts["accepts"], (canonical, word)
                assert word == word.lower(), (canonical, word)


def test_brands_with_a_family_say_how_firmly():
    for canonical, entry, category in entries("brands.json"):
        assert category in ("architecture", "product"), canonical
        if "family" in entry:
            assert entry["strength"] in ("always", "usual"), canonical
            assert entry["accepts"], canonical
        if entry.get("strength") == "always":
            assert entry["family"] in entry["accepts"], canonical


@pytest.mark.parametrize(
    ("word", "family", "also", "never"),
    [
        ("deberta-v3", "deberta-v2", "deberta-v2", "deberta"),
        ("xls-r", "wav2vec2", "wav2vec2", "hubert"),
        ("xlm-roberta", "xlm-roberta", "xlm-roberta", "roberta"),
        ("nllb-200", "m2m_100", "nllb-moe", "mbart"),
        ("opus-mt", "marian", "marian", "mbart"),
        ("pythia", "gpt_neox", "gpt_neox", "gpt2"),
        ("galactica", "opt", "opt", "gpt2"),
        ("bert", "bert", "encoder-decoder", "distilbert"),
        ("roberta", "roberta", "roberta", "xlm-roberta"),
        ("t5", "t5", "t5", "mt5"),
        ("mt5", "mt5", "mt5", "t5"),
        ("pegasus", "pegasus", "pegasus", "bigbird_pegasus"),
        ("longformer", "longformer", "longformer", "roberta"),
        ("mbart", "mbart", "mbart", "bart"),
        ("deit", "deit", "deit", "vit"),  # a DeiT has a distillation token; called so without one, it is a plain ViT
        ("trocr", "trocr", "vision-encoder-decoder", "vit"),
        ("sbert", "bert", "mpnet", "whisper"),
        ("yi", "llama", "llama", "mistral"),
    ],
)
def test_families_accept_what_their_publishers_declare(word, family, also, never):
    entry = entry_of("families.json", word)
    assert entry.get("family", word) == family
    assert also in entry["accepts"]
    assert never not in entry["accepts"]


@pytest.mark.parametrize(
    ("group", "version", "variant", "accepted", "refused"),
    [
        ("qwen", "1", None, "qwen", "qwen2"),
        ("qwen", "1.5", None, "qwen2", "qwen"),
        ("qwen", "2.5", None, "qwen2", "qwen3"),
        ("qwen", "2.5", "vl", "qwen2_5_vl", "qwen2"),
        ("qwen", "3", None, "qwen3_moe", "qwen2"),
        ("qwen", "3", "vl", "qwen3_vl_moe", "qwen3"),
        ("llama", "2", None, "llama", "mistral"),
        ("llama", "3.2", "vision", "mllama", "llama"),
        ("llama", "4", None, "llama4", "llama"),
        ("gemma", "2", None, "gemma2", "gemma"),
        ("gemma", "3", None, "gemma3_text", "gemma2"),
        ("phi", "2", None, "phi", "phi3"),
        ("phi", "3.5", "moe", "phimoe", "phi3"),
        ("deepseek", "2", None, "deepseek_v2", "deepseek_v3"),
        ("deepseek", "r1", None, "deepseek_v3", "qwen2"),
        ("deepseek", "r1", "distill", "qwen2", "deepseek_v3"),
        ("falcon", "3", None, "llama", "falcon"),
        ("internlm", "2", None, "internlm2", "internlm"),
        ("codegen", "2.5", None, "llama", "codegen"),
        ("starcoder", "2", None, "starcoder2", "gpt_bigcode"),
        ("rwkv", "4", None, "rwkv", "rwkv6"),
    ],
)
def test_generations_tell_model_types_apart(group, version, variant, accepted, refused):
    facts = entry_of("families.json", group)["generations"][version]
    if variant:
        facts = facts["with"][variant]
    assert accepted in facts["accepts"]
    assert refused not in facts["accepts"]


@pytest.mark.parametrize(
    ("brand", "category", "family", "strength"),
    [
        ("koelectra", "architecture", "electra", "always"),
        ("bertimbau", "architecture", "bert", "always"),
        ("phobert", "architecture", "roberta", "always"),
        ("codebert", "architecture", "roberta", "always"),
        ("bio-clinicalbert", "architecture", "bert", "always"),
        ("umberto", "architecture", "camembert", "always"),
        ("bertino", "architecture", "distilbert", "always"),
        ("vicuna", "product", "llama", "usual"),
        ("zephyr", "product", "mistral", "usual"),
        ("bge", "product", "bert", "always"),
        ("hermes", "product", "llama", "usual"),
    ],
)
def test_brands_stand_for_their_family(brand, category, family, strength):
    entry = entry_of("brands.json", brand)
    assert (entry["category"], entry["family"], entry["strength"]) == (category, family, strength)


def test_ordinary_words_are_marked():
    for word in (
        "albert",
        "bart",
        "opt",
        "sam",
        "git",
        "clip",
        "esm",
        "vit",
        "pegasus",
        "falcon",
        "led",
        "dpr",
        "step",
    ):
        assert entry_of("families.json", word).get("word"), word
    for word in ("bert", "roberta", "deberta-v3", "wav2vec2", "xlnet", "longformer"):
        assert not entry_of("families.json", word).get("word"), word
    marked = {
        written for c, entry, _ in entries("languages.json") if entry.get("word") for written in surfaces(c, entry)
    }
    assert {"it", "is", "no", "as", "or", "he", "am", "to", "in", "so", "my", "be"} - {"in", "to"} <= marked
    assert not {"german", "french", "zh", "ja", "ko", "russian"} & marked


def test_silent_types_have_no_surface():
    flags = tomllib.loads((LEXICONS / "flags.toml").read_text(encoding="utf-8"))
    listed = {canonical: entry for canonical, entry, _ in entries("families_transformers.json")}
    for model_type in flags["silent"]:
        if model_type in listed:
            assert surfaces(model_type, listed[model_type]) == []
    for flag in ("word", "glue", "silent"):
        assert len(set(flags[flag])) == len(flags[flag])


@pytest.mark.parametrize(
    ("dataset", "labels"),
    [
        ("ade20k", 150), ("coco-panoptic", 133), ("cityscapes", 19), ("mnli", 3), ("sst-2", 2), ("conll2003", 9),
        ("in1k", 1000), ("ag_news", 4), ("food101", 101), ("cifar10", 10), ("k400", 400), ("rvl_cdip", 16),
    ],
)  # fmt: skip
def test_label_counts_of_standard_tasks(dataset, labels):
    assert entry_of("datasets.json", dataset)["num_labels"] == labels


def test_label_counts_are_plain_numbers():
    for canonical, entry, _ in entries("datasets.json"):
        if "num_labels" in entry:
            assert 1 <= entry["num_labels"] < 30_000, canonical
            assert entry["num_labels"] not in entry.get("num_labels_also", ()), canonical
        else:
            assert "num_labels_also" not in entry, canonical


@pytest.mark.parametrize(
    ("word", "method", "bits"),
    [
        ("gptq", "gptq", None), ("gptq-int4", "gptq", 4), ("awq", "awq", 4), ("nf4", "bitsandbytes", 4),
        ("bnb-8bit", "bitsandbytes", 8), ("exl2", "exl2", None), ("q4_k_m", "gguf", 4), ("IQ2_XXS", "gguf", 2),
        ("w4a16", None, 4), ("w8a8", None, 8), ("int8", None, 8), ("nvfp4", "nvfp4", 4), ("mlx-4bit", "mlx", 4),
    ],
)  # fmt: skip
def test_quantization_words(word, method, bits):
    entry = entry_of("quantization.json", word)
    assert (entry.get("method"), entry.get("bits")) == (method, bits)


def test_gguf_types_are_all_there():
    base = ["q4_0", "q4_1", "q5_0", "q5_1", "q8_0", "q2_k", "q3_k", "q4_k", "q5_k", "q6_k", "q8_k"]
    mixes = ["q2_k_s", *(f"q{bits}_k_{kind}" for bits in (3, 4, 5) for kind in "sm"), "q3_k_l"]
    small = ["iq1_s", "iq1_m", "iq2_xxs", "iq2_xs", "iq2_s", "iq2_m", "iq3_xxs", "iq3_xs", "iq3_s", "iq3_m"]
    integers = [*small, "iq4_nl", "iq4_xs", "tq1_0", "tq2_0"]
    for name in [*base, *mixes, *integers]:
        entry = entry_of("quantization.json", name)
        assert entry["method"] == "gguf", name
        assert entry["bits"] == int(re.search(r"\d", name)[0]), name
        assert entry["bits"] <= entry["bits_per_weight"] < entry["bits"] + 2, name


def test_bits_per_weight_grow_with_the_letter():
    def weight(name):
        return entry_of("quantization.json", name)["bits_per_weight"]

    assert weight("q3_k_s") < weight("q3_k_m") < weight("q3_k_l") < weight("q4_k_s") < weight("q4_k_m") < weight("q6_k")


def test_size_words_are_ranked():
    order = [entry_of("sizes.json", word)["order"] for word in ("tiny", "mini", "small", "base", "large", "xl", "xxl")]
    assert order == sorted(order)
    assert len(set(order)) == len(order)


@pytest.mark.parametrize(
    ("word", "tag"),
    [
        ("ner", "token-classification"), ("asr", "automatic-speech-recognition"), ("qa", "question-answering"),
        ("sentiment", "text-classification"), ("ForMaskedLM", "fill-mask"), ("ForCausalLM", "text-generation"),
        ("tts", "text-to-speech"), ("vqa", "visual-question-answering"), ("nli", "text-classification"),
        ("reranker", "text-ranking"), ("ocr", "image-to-text"), ("zero-shot", "zero-shot-classification"),
    ],
)  # fmt: skip
def test_tasks_have_pipeline_tags(word, tag):
    assert entry_of("tasks.json", word)["pipeline_tag"] == tag


def test_languages_cover_iso_639_1_and_opus_codes():
    codes = {canonical for canonical, _, _ in entries("languages.json")}
    assert len([code for code in codes if len(code) == 2]) >= 180
    assert {"gem", "gmw", "roa", "sla", "zls", "trk", "sem", "bnt", "yue", "ceb", "ckb", "multilingual"} <= codes
    assert entry_of("languages.json", "bangla") is entry_of("languages.json", "bengali")


def test_file_formats_are_told_from_runtimes():
    for word in ("gguf", "safetensors", "onnx", "tflite", "coreml", "openvino", "ct2"):
        assert entry_of("formats.json", word).get("file"), word
    for word in ("ipu", "vllm", "transformers", "sharded", "cpu"):
        assert not entry_of("formats.json", word).get("file"), word


def test_the_lexicons_are_large_enough():
    count = {name: sum(1 for _ in entries(name)) for name in FILES}
    assert count["brands.json"] >= 500
    assert count["datasets.json"] >= 250
    assert count["families.json"] >= 500
    assert count["languages.json"] >= 250
    assert count["quantization.json"] >= 100


def test_no_surface_is_a_repository_path():
    for name in FILES:
        for canonical, entry, _ in entries(name):
            assert "/" not in canonical, (name, canonical)
            assert not any("/" in alias for alias in entry["aliases"]), (name, canonical)


@pytest.mark.parametrize("name", FILES)
def test_files_are_laid_out_one_entry_a_line(name):
    text = (LEXICONS / name).read_text(encoding="utf-8")
    assert dump(json.loads(text)) == text


def test_layout_keeps_everything():
    lexicon = {
        "category": "other",
        "note": ["kept"],
        "blocks": [
            {"source": "a", "entries": {"ü": {"aliases": []}}},
            {"source": "b", "entries": {"y": {"aliases": ["z"]}, "w": {"aliases": []}}},
        ],
    }
    text = dump(lexicon)
    assert json.loads(text) == lexicon
    assert '"y": {"aliases": ["z"]},\n' in text


def test_check_reports_a_changed_file_and_leaves_it(tmp_path, monkeypatch):
    (tmp_path / "words.json").write_text('{"category": "other", "blocks": []}', encoding="utf-8")
    (tmp_path / "families.json").write_text(dump(read("families.json")), encoding="utf-8")
    (tmp_path / "flags.toml").write_bytes((LEXICONS / "flags.toml").read_bytes())
    monkeypatch.setattr(generate, "LEXICONS", tmp_path)
    monkeypatch.setattr(generate, "family_lexicon", lambda curated, flags: {"category": "architecture", "blocks": []})
    before = (tmp_path / "words.json").read_text(encoding="utf-8")
    assert generate.main(["--check"]) == 1
    assert (tmp_path / "words.json").read_text(encoding="utf-8") == before
    assert generate.main([]) == 0
    assert generate.main(["--check"]) == 0
    assert (tmp_path / "words.json").read_text(encoding="utf-8") == dump(json.loads(before))


@pytest.mark.graph
def test_the_generated_lexicon_is_that_of_the_installed_library():
    pytest.importorskip("transformers")
    version, prefixes = generate.class_prefixes()
    recorded = read("families_transformers.json")
    if version != recorded["transformers"]:
        missing = sorted(set(prefixes) - set(recorded["registry"]))
        pytest.fail(
            f"transformers is {version}, the lexicon was made with {recorded['transformers']}; "
            f"{len(missing)} model types are new ({', '.join(missing[:10])}): run `python -m naming.generate`"
        )
    flags = tomllib.loads((LEXICONS / "flags.toml").read_text(encoding="utf-8"))
    assert generate.family_lexicon(read("families.json"), flags) == recorded


@pytest.mark.graph
def test_every_model_type_is_described_once():
    pytest.importorskip("transformers")
    _, prefixes = generate.class_prefixes()
    generated = {canonical for canonical, _, _ in entries("families_transformers.json")}
    curated = {w for canonical, entry, _ in entries("families.json") for w in [surface(canonical), *entry["aliases"]]}
    for model_type in prefixes:
        assert (model_type in generated) != (surface(model_type) in curated), model_type


@pytest.mark.graph
def test_parts_are_told_from_models():
    pytest.importorskip("transformers")
    _, prefixes = generate.class_prefixes()
    parts = part_types(prefixes)
    assert {"clip_text_model", "qwen2_5_vl_vision", "blip_2_qformer", "gemma3_text", "qwen2_audio_encoder"} <= parts
    assert not {"bert", "qwen2_audio", "encoder-decoder", "vision-encoder-decoder", "sam2_video", "glm_image"} & parts
