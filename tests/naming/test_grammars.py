"""GGUF file names, timm names, the study's letters, and the records made quickly."""

from __future__ import annotations

import dataclasses

import pytest

from naming import NameRefused, parse_name
from naming._fast import claim, component
from naming.gguf_names import parse_gguf
from naming.letters import LETTER_OF, LETTERS, letters, shares
from naming.records import Claim, Component
from naming.timm_names import split_timm


def test_a_conventional_gguf_name_is_taken_apart():
    parsed = parse_gguf("Mixtral-8x7B-Instruct-v0.1-Q4_K_M-00001-of-00003.gguf")
    assert (parsed.base_name, parsed.size_label, parsed.fine_tune) == ("Mixtral", "8x7B", "Instruct")
    assert (parsed.version, parsed.encoding, parsed.shard) == ("v0.1", "Q4_K_M", (1, 3))
    assert parsed.conventional


@pytest.mark.parametrize(
    ("name", "size", "encoding"),
    [
        ("llama-2-7b-chat.Q4_K_M.gguf", "7b", "Q4_K_M"),
        ("Qwen3-30B-A3B-Instruct-2507-UD-Q4_K_XL.gguf", "30B-A3B", "UD-Q4_K_XL"),
        ("phi-2-IQ3_XXS.gguf", "", "IQ3_XXS"),
        ("model-BF16.gguf", "", "BF16"),
        ("tiny.gguf", "", ""),
    ],
)
def test_unconventional_gguf_names_are_read_and_marked(name, size, encoding):
    parsed = parse_gguf(name)
    assert (parsed.size_label, parsed.encoding, parsed.conventional) == (size, encoding, False)


def test_adapters_and_vocabularies_have_their_type():
    assert parse_gguf("Hermes-7B-v1.0-Q4_0-LoRA.gguf").type == "LoRA"


@pytest.mark.parametrize("name", ["model.safetensors", "gguf", "a" * 2000 + ".gguf", ""])
def test_other_names_are_no_gguf_names(name):
    with pytest.raises(NameRefused):
        parse_gguf(name)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("vit_base_patch16_224.augreg_in21k", ("vit_base_patch16_224", "augreg_in21k")),
        ("resnet50.a1_in1k", ("resnet50", "a1_in1k")),
        ("resnet50", None),
        ("qwen2.5", None),
        ("model.safetensors", None),
        ("Resnet50.a1", None),
        ("fullstop.ai", None),
    ],
)
def test_timm_names(name, expected):
    assert split_timm(name) == expected


def test_what_is_in_timms_tag_is_training_not_architecture():
    parsed = parse_name("timm/convnext_large_mlp.clip_laion2b_soup_ft_in12k_384")
    assert [c.category for c in parsed.components if c.text in ("clip", "mlp")] == ["other", "training"]


def test_the_first_word_of_timms_tag_is_its_publisher():
    parsed = parse_name("timm/convformer_s36.sail_in1k")
    assert [c.category for c in parsed.components] == ["architecture", "size", "organization", "dataset"]


def test_every_category_has_a_letter():
    assert set(LETTER_OF.values()) <= set(LETTERS)
    assert len(LETTERS) == 13


def test_letters_of_a_name():
    assert letters(parse_name("google/bert_uncased_L-10_H-768_A-12")) == "ACNH"


def test_shares_count_a_letter_once_a_name():
    table = shares([["A", "A", "S"], ["A"], []])
    assert (table["A"], table["S"], table["T"]) == (2 / 3, 1 / 3, 0.0)
    assert shares([])["A"] == 0.0


def test_records_made_quickly_are_the_records():
    assert component("bert", 0, 4, "architecture", "bert", "main") == Component(
        "bert", 0, 4, "architecture", "bert", "main"
    )
    made = claim("family", "bert", "bert", "stated", "main", ("bert",))
    assert made == Claim("family", "bert", "bert", "stated", "main", ("bert",))
    assert type(made) is Claim
    assert hash(made) == hash(Claim("family", "bert", "bert", "stated", "main", ("bert",)))
    with pytest.raises(dataclasses.FrozenInstanceError):
        made.kind = "size"
