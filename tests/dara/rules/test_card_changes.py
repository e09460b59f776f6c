"""The changes of cards say what they claim to say, and the cache of measured packages never serves another state."""

from __future__ import annotations

import random

import pytest

from benchmarks import card_changes as cards
from benchmarks import verdict_cache as cache
from clustering.declared.config import declared_facts
from clustering.facts import Facts
from clustering.tensors import Tensor, TensorListing
from dara.engine import run
from dara.findings import Confidence
from dara.rules.registry import all_rules
from dara.subject import Subject
from naming import parse_name

CONFIG = {
    "architectures": ["BertForTokenClassification"],
    "model_type": "bert",
    "hidden_size": 768,
    "num_hidden_layers": 12,
    "num_attention_heads": 12,
}


@pytest.fixture
def case():
    tensors = tuple(Tensor(f"bert.encoder.layer.{n}.output.dense.weight", (768, 3072), "F32") for n in range(12))
    subject = Subject(facts=Facts(declared_facts(CONFIG)), config=CONFIG, listing=TensorListing(tensors, "safetensors"))
    bases = cards.Bases({"bert": ("google-bert/bert-base-uncased",), "mistral": ("mistralai/Mistral-7B-v0.1",)})
    draw = random.Random(3)
    return cards.complete("acme/bert-base-ner", subject, "token-classification", bases, "bert", draw), bases


def said(case):
    subject = case.package().under(parse_name(case.name))
    return {item.code for item in run(all_rules(), subject).findings if item.confidence >= Confidence.MEDIUM}


def test_a_complete_card_lacks_nothing(case):
    assert said(case[0]) == set()


def test_every_change_is_found_and_every_rewriting_kept(case):
    full, bases = case
    seen = set()
    for harmless, change in cards.changes(full, bases, "bert", random.Random(5)):
        codes = said(change.case)
        seen.add((change.code, harmless))
        if change.code == "DAR602":
            continue  # the small corpus of this test knows no families
        if harmless:
            assert change.code not in codes, change
        elif change.code != "DAR105":  # never more than low confidence
            assert change.code in codes, change
    assert {code for code, harmless in seen if not harmless} >= {f"DAR80{number}" for number in range(1, 9)}


def test_a_change_changes_nothing_else(case):
    full, bases = case
    for _, change in cards.changes(full, bases, "bert", random.Random(5)):
        assert change.case.origin == full.origin
        assert full.front["license"] == "apache-2.0", "a change works on a copy"


def test_the_cache_serves_what_was_measured(case, tmp_path):
    made = []

    def measure():
        made.append(1)
        return case[0].subject

    kept = cache.SubjectCache(tmp_path)
    first, again = (kept.get("acme/x", "one", measure) for _ in range(2))
    assert len(made) == 1
    assert list(first.facts) == list(again.facts)
    assert again.listing == first.listing
    kept.get("acme/x", "two", measure)
    kept.get("acme/y", "one", measure)
    assert len(made) == 3, "another content or another name is another package"
    cache.SubjectCache(None).get("acme/x", "one", measure)
    assert len(made) == 4


def test_files_tell_their_state(tmp_path):
    path = tmp_path / "config.json"
    path.write_text("{}")
    before = cache.state_of(tmp_path)
    path.write_text("{ }")
    assert cache.state_of(tmp_path) != before
