"""The stream: records without documents, lines of JSON, nothing that grows."""

from __future__ import annotations

import json
from itertools import islice

import pytest
from hypothesis import given
from hypothesis import strategies as st

from naming import parse_name, parse_names, pipeline
from naming.language import COMPONENTS
from naming.segmenter import CHUNK_CACHE, PART_CACHE
from naming.serialize import to_dict, to_line
from naming.text import escape_json

NAMES = [
    "facebook/maskformer-swin-base-ade", "Qwen/Qwen3-30B-A3B-GGUF", "a/xlm-roberta-large-finetuned-conll03-english",
    "timm/vit_base_patch16_clip_224.laion2b_ft_in1k", "google/gemma-3-4b-it", "x/日本語-bert",
    "x/\uff22\uff25\uff32\uff34", "___",
    'x/"quoted"\\back', "x/a\u202eb\x7f-7b", "x/Llama-2-7b.Q4_K_M.gguf",
]  # fmt: skip


def plain(parsed):
    return escape_json(json.dumps(to_dict(parsed), ensure_ascii=False, separators=(",", ":")))


@pytest.mark.parametrize("name", NAMES)
def test_lines_are_what_the_general_encoder_writes(name):
    parsed = parse_name(name)
    assert to_line(parsed) == plain(parsed)


@given(st.text(min_size=1, max_size=60).filter(lambda text: not any("\ud800" <= sign <= "\udfff" for sign in text)))
def test_lines_of_any_text_are_what_the_general_encoder_writes(name):
    parsed = parse_name(name)
    assert to_line(parsed) == plain(parsed)


@pytest.mark.parametrize("name", NAMES)
def test_records_and_documents_agree(name):
    parsed = parse_name(name)
    doc = pipeline()(parsed.repo)
    assert doc.text == parsed.repo
    assert [(span.text, span.label_, span._.value, span._.role) for span in doc.spans[COMPONENTS]] == [
        (part.text, part.category, part.value, part.role) for part in parsed.components
    ]


def test_documents_of_the_pipeline_have_tokens():
    (doc,) = pipeline().pipe(["maskformer-swin-base"])
    assert [token.text for token in doc] == ["maskformer", "-", "swin", "-", "base"]


def test_the_stream_reads_no_further_than_it_is_asked():
    taken = 0

    def source():
        nonlocal taken
        for number in range(1_000):
            taken += 1
            yield f"x/bert-{number}"

    assert len(list(islice(parse_names(source()), 3))) == 3
    assert taken < 10


def test_the_vocabulary_does_not_grow():
    nlp = pipeline()
    before = len(nlp.vocab.strings), len(nlp.vocab)
    for _ in parse_names(f"owner{number}/wxyz{number}-bert-{number}b" for number in range(2_000)):
        pass
    assert (len(nlp.vocab.strings), len(nlp.vocab)) == before


def test_what_is_remembered_is_bounded(monkeypatch):
    import naming.segmenter as module

    monkeypatch.setattr(module, "CHUNK_CACHE", 50)
    monkeypatch.setattr(module, "PART_CACHE", 20)
    segmenter = pipeline().tokenizer.segmenter
    names = [f"x/model{number}x-gpt-{number}-v{number}.{number}" for number in range(300)]
    monkeypatch.setattr(segmenter, "_chunks", {})
    monkeypatch.setattr(segmenter, "_templates", {})
    parsed = list(parse_names(names))
    assert len(segmenter._chunks) <= 50
    assert len(segmenter._templates) <= 20
    monkeypatch.setattr(module, "CHUNK_CACHE", CHUNK_CACHE)
    monkeypatch.setattr(module, "PART_CACHE", PART_CACHE)
    assert list(parse_names(names)) == parsed


@pytest.mark.parametrize("name", NAMES)
def test_what_is_remembered_changes_no_result(name, monkeypatch):
    known = parse_name(name)
    segmenter = pipeline().tokenizer.segmenter
    monkeypatch.setattr(segmenter, "_chunks", {})
    monkeypatch.setattr(segmenter, "_templates", {})
    monkeypatch.setattr(segmenter._search.atoms, "_cache", {})
    assert parse_name(name) == known


def test_parts_are_cut_as_the_whole_name_would_be(monkeypatch):
    """Chunks are searched together where a surface reaches across; searching everything together changes nothing."""
    names = [
        "x/gpt-2-spanish", "x/vit-base-patch16-224-in21k", "x/llama-2-7b-4bit", "x/model.q3_m", "x/max_seq_length_512",
        "x/multi-qa-mpnet-base-dot-v1", "x/deberta-v3-base-sst-2", "x/gpt-1b", "x/2023-04-05-run", "x/bert-8-epochs",
    ]  # fmt: skip
    apart = [parse_name(name) for name in names]
    import naming.segmenter as module

    segmenter = pipeline().tokenizer.segmenter
    monkeypatch.setattr(segmenter, "_chunks", {})
    monkeypatch.setattr(segmenter, "_templates", {})
    monkeypatch.setattr(module, "_continues", lambda *_: True)
    monkeypatch.setattr(module, "_TO_NOTHING", object())
    assert [parse_name(name) for name in names] == apart
