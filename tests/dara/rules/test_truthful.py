"""Names that publishers give truthfully and that a simple check would call wrong: none may be accused.

Merges with more layers, pruned and widened models, longer vocabularies and contexts, embedders and reward models with
a language model's graph, drafts, distilled models that name their teacher, mixtures named by active, total or the
parameters of each expert, models of pictures named after their language model. Configurations are written from the
models' papers and documentation; the graph of each is built on the meta device in the slow test.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from clustering.declared.config import declared_facts
from clustering.facts import Facts
from corpora.reference import load_reference
from dara.engine import run
from dara.findings import Confidence, Severity
from dara.rules.registry import all_rules
from dara.subject import Subject
from naming import parse_name

PACKAGES = [json.loads(line) for line in Path(__file__).with_name("truthful.jsonl").read_text("utf-8").splitlines()]


def accusations(name: str, subject_of: Mapping[str, Any]) -> list[str]:
    subject = Subject(parsed=parse_name(name), kinship=load_reference(), files=("config.json",), **subject_of)
    return [
        f"{item.code} {item.message}"
        for item in run(all_rules(), subject).findings
        if item.severity >= Severity.WARNING and item.confidence >= Confidence.MEDIUM
    ]


@pytest.mark.parametrize("package", PACKAGES, ids=lambda package: package["name"].partition("/")[2])
def test_a_truthful_name_over_its_configuration(package):
    config = package["config"]
    assert accusations(package["name"], {"facts": Facts(declared_facts(config)), "config": config}) == []


@pytest.mark.slow
@pytest.mark.graph
def test_truthful_names_over_their_weights():
    from clustering.live.listing import LiveModelError, listing_from_config
    from clustering.measured.listing import measured_facts
    from dara.measurement import family_facts

    reference, wrong, built = load_reference(), [], 0
    for package in PACKAGES:
        config = package["config"]
        try:
            listing = listing_from_config(config)
        except LiveModelError:
            continue
        built += 1
        seen = reference.identify(listing)
        facts = Facts([*declared_facts(config), *measured_facts(listing, config), *family_facts(seen, config)])
        known = {"facts": facts, "config": config, "listing": listing, "graph": listing, "identification": seen}
        wrong += [f"{package['name']}: {text}" for text in accusations(package["name"], known)]
    assert built > 0.9 * len(PACKAGES)
    assert wrong == []
