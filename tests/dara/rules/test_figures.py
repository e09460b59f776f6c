"""Every rule has a measured figure, and no rule that speaks by default is worse than its floor."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from dara.findings import Severity
from dara.rules.registry import all_rules

FIGURES = json.loads(
    Path(__file__).resolve().parents[3].joinpath("benchmarks", "figures", "rules.json").read_text("utf-8")
)


def test_every_rule_has_a_figure():
    missing = {rule.code for rule in all_rules()} - set(FIGURES["rules"])
    assert not missing, "run `python -m benchmarks.verdicts --packages DIR --write benchmarks/figures/rules.json`"


@pytest.mark.parametrize(
    "rule", [rule for rule in all_rules() if rule.severity is Severity.ERROR], ids=lambda rule: rule.code
)
def test_error_severity_is_earned(rule):
    """At most two errors on a thousand truthful packages, whatever the confidence they are reported with."""
    figure = FIGURES["rules"][rule.code]
    assert figure["truthful"] >= 300
    assert figure["accused_truthful"] <= 0.002 * figure["truthful"]


def test_changes_are_found():
    for code, figure in FIGURES["rules"].items():
        if figure["changes"] >= 100:
            assert figure["found"] >= 0.85, code
