"""The front matter of model cards."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpora.card import parse_card

CARD = """---
language:
- en
- no
license: apache-2.0
base_model: google-bert/bert-base-uncased
base_model_relation: finetune
datasets: [glue, sst2]
pipeline_tag: text-classification
library_name: transformers
tags:
- text-classification
- 4-bit
metrics:
- accuracy
model-index:
- name: x
  results: []
dara:
  ignore: [DAR201, contradicted-size]
  name: acme/bert-sst2
---

# A card

--- not a fence
"""


def test_fields():
    card = parse_card(CARD)
    assert card.present
    assert card.language == ("en", "no")
    assert card.license == "apache-2.0"
    assert card.base_model == ("google-bert/bert-base-uncased",)
    assert card.base_model_relation == "finetune"
    assert card.datasets == ("glue", "sst2")
    assert card.pipeline_tag == "text-classification"
    assert card.library_name == "transformers"
    assert card.tags == ("text-classification", "4-bit")
    assert card.metrics == ("accuracy",)
    assert card.model_index == ({"name": "x", "results": []},)
    assert card.ignore == ("DAR201", "contradicted-size")
    assert card.name == "acme/bert-sst2"
    assert card.body.startswith("# A card")
    assert card.notes == ()


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize("start", ["", "\ufeff", "\n\n"])
def test_line_ends_and_beginnings(newline, start):
    text = start + CARD.replace("\n", newline)
    assert parse_card(text).license == "apache-2.0"


@pytest.mark.parametrize(
    ("written", "language"),
    [("no", ("no",)), ("[no, on, yes, y, n]", ("no", "on", "yes", "y", "n")), ("true", ()), ("", ()), ("null", ())],
)
def test_norwegian_is_not_false(written, language):
    """YAML 1.1 reads `no` as false; the hub reads YAML 1.2."""
    assert parse_card(f"---\nlanguage: {written}\n---\n").language == language


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("2020-01-01", "2020-01-01"),
        ("12:30", "12:30"),
        ("010", 10),
        ("0x10", "0x10"),
        ("1_000", "1_000"),
        ("1e-5", 1e-5),
        (".5", 0.5),
        ("-3", -3),
        ("1.", 1.0),
        ("TRUE", True),
        ("~", None),
        ("'12'", "12"),
    ],
)
def test_scalars_of_the_core_schema(written, value):
    assert parse_card(f"---\nx: {written}\n---\n").data == {"x": value}


@pytest.mark.parametrize(
    "text", ["", "# Only text", "---", "--- \nx", "text\n---\nlicense: mit\n---\n", "----\nlicense: mit\n----\n"]
)
def test_cards_without_front_matter(text):
    card = parse_card(text)
    assert card.present
    assert card.license is None
    assert dict(card.data) == {}


def test_front_matter_without_end_is_noted():
    assert "no closing line" in parse_card("---\nlicense: mit\n").notes[0]


@pytest.mark.parametrize(
    ("text", "note"),
    [
        ("license: [a, b]", "license is not a text"),
        ("license: {a: b}", "license is not a text"),
        ("license: true", "license is not a text"),
        ("tags: {a: b}", "tags holds values that are not texts"),
        ("tags: [a, [b], null]", "tags holds values that are not texts"),
        ("model-index: x", "model-index is not a list of mappings"),
        ("model-index: [x, {}]", "model-index is not a list of mappings"),
        ("dara: x", "dara is not a mapping"),
        ("dara: {ignore: {a: b}}", "ignore holds values that are not texts"),
        ("1: a\n[b]: c", "not YAML"),
        ("[b]: c", "a key is not a text at line 1, column 1"),
        ("a: !!set {x, y}", "not YAML: could not determine a constructor"),
        ("a: !!binary aGk=", "not YAML: could not determine a constructor"),
        ("a: !!int x", "not YAML"),
        ("- a", "not a mapping"),
        ("just text", "not a mapping"),
        ("a: 'unclosed", "not YAML"),
        ("a: b: c", "not YAML: .* at line 1, column 5"),
        ("a: !!python/object/apply:os.system ['touch owned']", "not YAML: could not determine a constructor"),
        ("a: !!python/name:os.system", "not YAML"),
        ("a: &x [*x]", "an alias refers to the value that contains it"),
        ("a: *missing", "not YAML: found undefined alias"),
        ("a: " + "[" * 50_000, "nested more than 32 levels deep"),
        ("a: " + "{x: " * 40 + "1" + "}" * 40, "nested more than 32 levels deep"),
        ("a: [" + "x," * 250_000 + "]", "more than 200,000 values"),
        ("a: \x01", "not YAML"),
        ("a: " + "9" * 90_000, ""),
    ],
)
def test_odd_front_matter_is_noted_and_never_fatal(text, note, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    card = parse_card(f"---\n{text}\n---\nthe text")
    assert card.present
    assert card.body == "the text"
    if note:
        assert len(card.notes) == 1
        import re

        assert re.search(note, card.notes[0])
        assert len(card.notes[0].splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


def test_alias_bomb_is_refused_at_once():
    lines = ["a: &a [x,x,x,x,x,x,x,x,x,x]"]
    lines += [f"{chr(98 + i)}: &{chr(98 + i)} [{','.join(['*' + chr(97 + i)] * 10)}]" for i in range(9)]
    started = time.monotonic()
    card = parse_card("---\n" + "\n".join(lines) + "\n---\n")
    assert "more than 200,000 values once aliases are expanded" in card.notes[0]
    assert time.monotonic() - started < 1


def test_keys_that_collide_are_read_at_once():
    """All multiples of 2**61 - 1 have the same hash as numbers, and different ones as texts."""
    keys = "\n".join(f"{n * (2**61 - 1)}: 1" for n in range(1, 25_000))
    started = time.monotonic()
    card = parse_card(f"---\n{keys}\n---\n")
    assert len(card.data) == 24_999
    assert time.monotonic() - started < 5


def test_honest_aliases_work():
    card = parse_card("---\nbase: &b [x, y]\ntags: *b\ndatasets: *b\n---\n")
    assert card.tags == card.datasets == ("x", "y")


def test_merge_keys_are_plain_keys():
    card = parse_card("---\nbase: &b {license: mit}\nmore:\n  <<: *b\n---\n")
    assert card.data["more"] == {"<<": {"license": "mit"}}


def test_codes_may_be_one_text():
    assert parse_card("---\ndara: {ignore: 'DAR201, DAR101 x'}\n---\n").ignore == ("DAR201", "DAR101", "x")


def test_lists_and_texts_are_bounded():
    card = parse_card(
        f"---\ntags: [{','.join(f't{i}' for i in range(5_000))}]\nlicense: {'x' * 9_000}\n---\n{'y' * 900_000}"
    )
    assert (len(card.tags), len(card.license or ""), len(card.body)) == (1_000, 1_000, 64 << 10)


def test_long_results_are_read_quickly():
    entry = "  - task: {type: Classification}\n    metrics:\n    - type: accuracy\n      value: 91.5\n"
    started = time.monotonic()
    card = parse_card(f"---\nmodel-index:\n- name: x\n  results:\n{entry * 4_000}---\n")
    assert len(card.model_index[0]["results"]) == 4_000
    assert time.monotonic() - started < 5


@given(st.text(max_size=300))
def test_any_front_matter_gives_a_card(text):
    card = parse_card(f"---\n{text}\n---\n")
    assert card.present
    assert all(len(note.splitlines()) == 1 for note in card.notes)
