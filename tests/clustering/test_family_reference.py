"""The packaged index: small, fast to load, and right about graphs that it never saw."""

from __future__ import annotations

import json
import random
import time
from pathlib import Path

import pytest

from clustering.tensors import Tensor, TensorListing
from corpora.reference import load_reference
from corpora.reference.index import INDEX_FILE

DEV = Path(__file__).resolve().parents[3] / "shared" / "data" / "hub_packages_dev.jsonl"


def test_index_is_small_and_loads_quickly() -> None:
    assert INDEX_FILE.stat().st_size < 10_000_000
    started = time.process_time()
    load_reference.__wrapped__()
    assert time.process_time() - started < 1.0, "0.2 s on an idle machine; the rest is slack for busy ones"


def test_twins_are_those_that_share_a_graph() -> None:
    scorer = load_reference()
    assert {"roberta", "camembert", "xlm-roberta", "ernie", "data2vec-text"} <= set(scorer.twins("bert"))
    assert "distilbert" not in scorer.twins("bert")
    assert {"hubert", "unispeech"} <= set(scorer.twins("wav2vec2"))
    assert "granite" in scorer.twins("llama")
    assert "clipseg" in scorer.twins("clip"), "they share a template"
    for family in ("bert", "llama", "bart"):
        for twin in scorer.twins(family):
            assert family in scorer.twins(twin), "the relation is mutual"


def test_unknown_families_are_not_known() -> None:
    scorer = load_reference()
    assert scorer.known("bert")
    assert not scorer.known("no-such-family")
    assert scorer.twins("no-such-family") == ()


@pytest.mark.graph
@pytest.mark.slow
@pytest.mark.shared
def test_real_configurations_without_names_are_recognised() -> None:
    """A sample of real packages, names replaced by numbers and order shuffled: family or a twin first."""
    if not DEV.exists():
        pytest.skip("development data not beside the checkout")
    pytest.importorskip("torch")
    from clustering.live.listing import listing_from_config

    rows = [json.loads(line) for line in DEV.read_text(encoding="utf-8").splitlines()]
    wanted = {"bert", "roberta", "llama", "qwen2", "qwen3", "gpt2", "t5", "whisper", "vit", "distilbert", "gpt_neox"}
    plain = [r["config"] for r in rows if not r["config"].get("quantization_config")]
    configs = [c for c in plain if c.get("model_type") in wanted and c.get("architectures")]
    scorer, right, rng = load_reference(), 0, random.Random(5)
    sample = rng.sample(configs, 12)
    for config in sample:
        tensors = list(listing_from_config(config).tensors)
        rng.shuffle(tensors)
        shown = tuple(Tensor(f"t{n}", t.shape, t.dtype, storage=t.storage) for n, t in enumerate(tensors))
        ranked = scorer.identify(TensorListing(shown, "x")).structure_only
        right += bool(ranked) and config["model_type"] in {ranked[0].model_type, *ranked[0].twins}
    assert right >= 11
