"""Builds subjects from the TOML fixtures of the rules."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import pytest

from clustering.facts import Fact, Facts
from clustering.identity import FamilyMatch, Identification, Part
from clustering.tensors import Quantization, Tensor, TensorListing
from corpora.card import ModelCard
from corpora.package import HubMetadata
from dara.subject import Subject
from naming.records import Claim, Component, Convention, ParsedName

_TWINS = [
    {"bert", "roberta", "xlm-roberta", "camembert", "ernie", "electra"},
    {"wav2vec2", "hubert", "unispeech"},
    {"llama", "granite"},
    {"t5", "mt5"},
]
_SINGLE = {
    "distilbert", "deberta-v2", "gpt2", "pegasus", "bigbird_pegasus", "vit", "deit", "swin", "resnet", "qwen2", "qwen3",
    "gemma", "gemma2", "mixtral", "maskformer", "mask2former", "longformer", "bart", "clip", "whisper", "detr",
    "mistral",
}  # fmt: skip


class Corpus:
    """A small reference corpus: a few families and which of them are twins."""

    def known(self, model_type: str) -> bool:
        return model_type in _SINGLE or any(model_type in group for group in _TWINS)

    def twins(self, model_type: str) -> tuple[str, ...]:
        group = next((group for group in _TWINS if model_type in group), {model_type})
        return tuple(sorted(group - {model_type}))


def build_subject(case: Mapping[str, Any]) -> Subject:
    """A subject as a fixture describes it; unknown keys are a mistake in the fixture."""
    known = {
        "name", "claims", "parts_of_name", "declared", "measured", "config", "files", "tensors", "format", "quantized",
        "adapter", "family", "structure", "score", "twins", "parts", "card", "hub", "expect", "why", "kinship",
        "names_only", "abstains",
    }  # fmt: skip
    assert set(case) <= known, f"unknown keys in fixture: {set(case) - known}"
    name = case["name"]
    owner, _, repo = name.rpartition("/")
    claims = tuple(_claim(item, repo) for item in case.get("claims", ()))
    components = tuple(_component(item, repo) for item in case.get("parts_of_name", ()))
    facts = [Fact(kind, value, "declared", f"config.json: {kind}") for kind, value in case.get("declared", {}).items()]
    facts += [Fact(kind, value, "measured", "model.safetensors") for kind, value in case.get("measured", {}).items()]
    identification = None
    if "family" in case:
        match = FamilyMatch(
            case["family"], case.get("score", 0.97), tuple(case.get("twins", Corpus().twins(case["family"])))
        )
        other = FamilyMatch(case["structure"], case.get("score", 0.97), ()) if "structure" in case else match
        identification = Identification((match,), (other,), "both")
    elif "abstains" in case:
        identification = Identification((), (), "none", reason=case["abstains"])
    hub = HubMetadata(**case["hub"]) if "hub" in case else None
    card = case.get("card")
    return Subject(
        facts=Facts(facts),
        parsed=ParsedName(name, owner, repo, components, Convention("other", ""), claims),
        config=case.get("config", {}),
        card=ModelCard(present=True, **{key: tuple(v) if isinstance(v, list) else v for key, v in card.items()})
        if card is not None
        else None,
        listing=_listing(case),
        identification=identification,
        parts=tuple(Part(item["role"], item["family"], item.get("variant")) for item in case.get("parts", ())),
        kinship=Corpus() if case.get("kinship", True) else None,
        files=tuple(case.get("files", ("config.json", "model.safetensors"))),
        hub=hub,
    )


def _claim(item: Mapping[str, Any], repo: str) -> Claim:
    assert item["text"] in repo, f"{item['text']} is not in {repo}"
    return Claim(
        kind=item["kind"],
        value=item["value"],
        text=item["text"],
        modality=item.get("modality", "stated"),
        role=item.get("role", "main" if item["kind"] == "family" else ""),
        accepts=tuple(item.get("accepts", ())),
    )


def _component(item: Mapping[str, Any], repo: str) -> Component:
    found = re.search(re.escape(item["text"]), repo)
    assert found, f"{item['text']} is not in {repo}"
    return Component(
        item["text"],
        found.start(),
        found.end(),
        item["category"],
        item.get("value", item["text"]),
        item.get("role", ""),
    )


def _listing(case: Mapping[str, Any]) -> TensorListing | None:
    if "tensors" not in case and "family" not in case and "abstains" not in case:
        return None
    rows = case.get("tensors", [["encoder.layer.0.weight", [64, 64], "F32"]])
    tensors = tuple(Tensor(name, tuple(shape), dtype) for name, shape, dtype in rows)
    packed = (
        Quantization(case["quantized"]["method"], case["quantized"].get("bits"), "tensors")
        if "quantized" in case
        else None
    )
    return TensorListing(
        tensors,
        case.get("format", "safetensors"),
        quantization=packed,
        adapter=case.get("adapter"),
        names_only=case.get("names_only", False),
    )


@pytest.fixture
def build():
    return build_subject
