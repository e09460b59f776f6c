"""The spaCy pipeline, the lexicon builder, and what importing them costs."""

from __future__ import annotations

import subprocess
import sys

import pytest

from naming import parse_name, pipeline
from naming.errors import LexiconError
from naming.language import build as build_pipeline
from naming.lexicon import build


def lexicon(*entries, category="architecture"):
    return build({"families.json": {"category": category, "blocks": [{"source": "test", "entries": dict(entries)}]}})


def test_documents_carry_the_components_as_a_span_group():
    doc = pipeline()("maskformer-swin-base")
    assert [(span.text, span.label_, span._.value, span._.role) for span in doc.spans["components"]] == [
        ("maskformer", "architecture", "maskformer", "main"),
        ("swin", "architecture", "swin", "backbone"),
        ("base", "size", "base", ""),
    ]


def test_the_text_of_a_document_is_the_name():
    for name in ("a--b__c", "x/y z", "vits8-in", "-", "résumé-bert"):
        assert pipeline()(name).text == name


def test_one_item_is_one_token():
    words = {token.text for token in pipeline()("xlm-roberta-8x7B-v1.5-opus-mt-q4_K_M")}
    assert {"xlm-roberta", "8x7B", "v1.5", "opus-mt", "q4_K_M"} <= words


def test_a_pipeline_can_have_its_own_lexicon():
    nlp = build_pipeline(lexicon(("zorgnet", {"accepts": ["zorgnet"]})))
    doc = nlp("zorgnet")
    (span,) = doc.spans["components"]
    assert (span.label_, span._.value) == ("architecture", "zorgnet")


def test_a_written_separator_must_be_allowed():
    words = lexicon(("xlm-roberta", {}), ("gpt2", {}))
    nlp = build_pipeline(words)
    for name in ("xlm_roberta", "gpt-2", "xlmroberta"):
        doc = nlp(name)
        assert [span.text for span in doc.spans["components"]] == [name]
    doc = nlp("xl-mroberta")
    assert "architecture" not in [span.label_ for span in doc.spans["components"]]


def test_towers_are_never_what_a_name_means():
    assert lexicon(("swin-part", {"part": True})).index == {}


def test_releases_become_generations():
    words = lexicon(
        ("llm", {"accepts": ["llm"], "generations": {"1": {"family": "llm", "accepts": ["llm"]}}}),
        ("llm2", {"accepts": ["llm_two"]}),
    )
    (entry,) = words.entries("llm")
    assert set(entry.get("generations")) == {"1", "2"}
    assert words.entries("llm2") == ()


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"category": "architecture"},
        {"category": "nonsense", "blocks": [{"entries": {"a": {}}}]},
        {"category": "size", "blocks": [3]},
    ],
)
def test_a_broken_lexicon_is_one_clear_error(document):
    with pytest.raises(LexiconError, match=r"broken\.json"):
        build({"broken.json": document})


def test_parsing_a_name_imports_neither_torch_nor_transformers():
    code = (
        "import sys; from naming import parse_name; parse_name('bert-base');"
        "assert not {'torch', 'transformers', 'sklearn'} & {m for m in sys.modules if sys.modules[m] is not None}"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)


def test_torch_can_be_imported_after_the_parser():
    code = "from naming import parse_name; parse_name('bert'); import sys; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)


def test_importing_the_package_does_not_import_spacy():
    code = "import sys, naming, naming.records, naming.serialize; assert 'spacy' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)


def test_the_same_name_gives_the_same_record_whatever_was_read_before():
    alone = parse_name("a/OpusMT-en-fr-7b")
    for name in ("a/opusmt-en", "a/OPUSMT", "a/opus-mt-7b-en"):
        parse_name(name)
    assert parse_name("a/OpusMT-en-fr-7b") == alone
