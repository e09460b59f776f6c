"""Invariants of the name parser that hold for any text."""

from __future__ import annotations

import json
import string

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from naming import NameRefused, parse_name, parse_names
from naming.lexicon import default_lexicon
from naming.serialize import to_dict, to_line
from naming.text import MAX_CHARACTERS, fold, is_word_character

WORDS = st.sampled_from(
    [
        "bert", "base", "large", "uncased", "llama", "2", "3.1", "7b", "8x7B", "chat", "instruct", "vit", "patch16",
        "224", "swin", "tiny", "maskformer", "GPTQ", "int4", "Q4_K_M", "gguf", "finetuned", "squad2", "en", "fr",
        "it", "zh", "v1.5", "v0.1", "L-12", "H-768", "A-12", "distil", "roberta", "gpt2", "t5", "whisper", "small",
        "my-model", "cat", "2507", "PubMedBERT", "KoELECTRA", "Qwen2.5VL", "albert", "sam", "opt", "bart", "in1k",
        "clip", "22kto1k", "A3B", "E4B", "x4", "16k", "30B", "lora", "hf",
    ]
)  # fmt: skip
SEPARATORS = st.sampled_from(["-", "_", ".", "", " ", "/", "--", "+"])
NAMES = st.lists(st.tuples(WORDS, SEPARATORS), min_size=1, max_size=9).map(
    lambda pairs: "".join(word + separator for word, separator in pairs)
)
TEXT = st.text(alphabet=st.characters(exclude_categories=("Cs",)), min_size=1, max_size=120)
ANY = st.one_of(NAMES, TEXT, st.text(alphabet=string.printable, min_size=1, max_size=80))
BOUNDED = settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow])


@BOUNDED
@given(ANY)
def test_components_reproduce_the_text_in_order_and_cover_every_letter_and_digit(name):
    parsed = parse_name(name)
    end = 0
    covered = set()
    for component in parsed.components:
        assert component.start >= end
        assert component.end > component.start
        assert parsed.repo[component.start : component.end] == component.text
        covered.update(range(component.start, component.end))
        end = component.end
    for place, character in enumerate(parsed.repo):
        if character.isalnum():
            assert place in covered, (place, character)


@BOUNDED
@given(ANY)
def test_owner_and_repo_are_the_name(name):
    parsed = parse_name(name)
    assert (f"{parsed.owner}/{parsed.repo}" if "/" in name else parsed.repo) == name


@BOUNDED
@given(st.lists(ANY, min_size=1, max_size=12), st.integers(1, 5))
def test_parsing_does_not_depend_on_the_batch(names, batch_size):
    alone = [parse_name(name) for name in names]
    assert list(parse_names(names, batch_size=batch_size)) == alone
    assert list(parse_names(names)) == alone


@BOUNDED
@given(NAMES, st.sampled_from(["google", "someone", "TheBloke", "a-b_c"]))
def test_another_owner_changes_no_category(repo, owner):
    repo = repo.replace("/", "-")
    mine, other = parse_name(f"{owner}/{repo}"), parse_name(f"unrelated/{repo}")
    assert [c.category for c in mine.components] == [c.category for c in other.components]


@BOUNDED
@given(ANY)
def test_json_is_plain_and_free_of_raw_control_characters(name):
    parsed = parse_name(name)
    line = to_line(parsed)
    assert not any(ord(character) < 32 or 127 <= ord(character) < 160 for character in line)
    assert json.loads(line) == json.loads(json.dumps(to_dict(parsed)))


@BOUNDED
@given(ANY)
def test_claims_quote_the_name(name):
    parsed = parse_name(name)
    for claim in parsed.claims:
        assert claim.text in parsed.repo
        assert claim.modality in ("stated", "implied", "ambiguous")
        if claim.kind == "family":
            assert claim.value in claim.accepts


@given(TEXT)
def test_folding_keeps_every_offset(text):
    folded = fold(text)
    assert len(folded) == len(text)
    for before, after in zip(text, folded, strict=True):
        assert is_word_character(before) == is_word_character(after) or not before.isascii()


@pytest.mark.parametrize(
    "name",
    [
        "a" * MAX_CHARACTERS,
        "1." * (MAX_CHARACTERS // 2),
        "v1_" * (MAX_CHARACTERS // 3),
        "aA" * (MAX_CHARACTERS // 2),
        "bert" * (MAX_CHARACTERS // 4),
        "bert-" * (MAX_CHARACTERS // 5),
        "\uff17b-" * (MAX_CHARACTERS // 3),
        "-" * MAX_CHARACTERS,
        "न्" * (MAX_CHARACTERS // 2),
        "9" * MAX_CHARACTERS,
        "512-" * (MAX_CHARACTERS // 4),
        "x2-" * (MAX_CHARACTERS // 3),
        "owner/" + "llama-2-" * 1000,
    ],
)
def test_the_longest_names_are_read_in_bounded_time(name):
    import time

    began = time.process_time()
    parse_name(name)
    assert time.process_time() - began < 3.0


@pytest.mark.parametrize("name", ["", "a" * (MAX_CHARACTERS + 1), "bad\ud800name", None, 7, b"bytes"])
def test_what_is_no_name_is_refused_by_one_exception(name):
    with pytest.raises(NameRefused):
        parse_name(name)


def test_a_stream_reports_refused_names_and_goes_on():
    refused = []
    parsed = list(
        parse_names(["bert", "", "t5-small"], on_refused=lambda name, error: refused.append((name, str(error))))
    )
    assert [item.name for item in parsed] == ["bert", "t5-small"]
    assert refused == [("", "the name is empty")]


def test_a_stream_without_a_handler_raises():
    with pytest.raises(NameRefused):
        list(parse_names(["bert", ""]))


def test_every_code_beside_values_of_every_form():
    """Short words are read in light of their neighbours, whose values are texts, numbers or tables."""
    beside = ("8x7b", "30B-A3B", "4bit", "q4_k_m", "512x512", "128k", "v1.5", "patch16", "imagenet")
    codes = [code for code in default_lexicon().index if len(code) <= 3 and code.isalpha()]
    assert len(codes) > 300
    names = [f"bert-{value}-{code}" for value in beside for code in codes]
    refused: list[str] = []
    parsed = list(parse_names(names, on_refused=lambda name, error: refused.append(name)))
    assert len(parsed) == len(names)
    assert not refused
