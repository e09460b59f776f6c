"""Every rule has a measured figure and a line in the changelog, and none that speaks by default is below its floor."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from dara.findings import Severity
from dara.rules.registry import all_rules

ROOT = Path(__file__).resolve().parents[3]
FIGURES = json.loads(ROOT.joinpath("benchmarks", "figures", "rules.json").read_text("utf-8"))
CARDS = json.loads(ROOT.joinpath("benchmarks", "figures", "cards.json").read_text("utf-8"))["rules"]
KEYS = {
    "changes", "found", "found_interval", "accused", "precision", "precision_interval", "truthful", "truthful_owners",
    "accused_truthful", "false_rate_interval", "on_truthful",
}  # fmt: skip


def test_every_rule_has_a_figure():
    missing = {rule.code for rule in all_rules()} - set(FIGURES["rules"])
    assert not missing, "run `python -m benchmarks.verdicts --packages DIR --write benchmarks/figures/rules.json`"
    assert all(set(figure) == KEYS for figure in FIGURES["rules"].values())


@pytest.mark.parametrize("rule", all_rules(), ids=lambda rule: rule.code)
def test_every_rule_was_asked_to_find_something(rule):
    """Changed names and weights in one run, changed cards and files in the other."""
    changes = FIGURES["rules"][rule.code]["changes"] + CARDS.get(rule.code, {"changes": 0})["changes"]
    assert changes >= 10, f"let a change of benchmarks/mutations.py or benchmarks/card_changes.py be about {rule.code}"


def test_changed_cards_are_found_and_rewritten_ones_are_not_accused():
    assert set(CARDS) <= {rule.code for rule in all_rules()}
    for code, figure in CARDS.items():
        spoken = figure["found"] * figure["changes"] + figure["found_with_low_confidence"]
        assert spoken >= 0.85 * figure["changes"], code
        assert figure["kept"] >= 100, code
        assert figure["kept_accused"] <= 0.002 * figure["kept"], code


def test_confidence_means_something():
    """On labelled packages, on changes, on kept meanings: sure findings are right, unsure ones may be wrong."""
    levels = FIGURES["confidence"]
    share = {
        level: sum(row["right"] for row in rows.values()) / sum(row["of"] for row in rows.values())
        for level, rows in levels.items()
    }
    assert share["high"] >= 0.95
    assert share["medium"] >= 0.95
    assert share["low"] < share["medium"], "what is right that often need not be hidden"
    for level in ("high", "medium"):
        assert levels[level].get("kept", {"of": 0})["of"] == 0
        assert levels[level].get("look wrong", {"of": 0})["of"] == 0


def test_no_figure_without_rule():
    assert set(FIGURES["rules"]) == {rule.code for rule in all_rules()}


@pytest.mark.parametrize("rule", all_rules(), ids=lambda rule: rule.code)
def test_every_rule_has_a_line_in_the_changelog(rule):
    text = ROOT.joinpath("CHANGELOG.md").read_text("utf-8")
    assert any(rule.code in line and rule.slug in line for line in text.splitlines()), (
        f"add `- {rule.code} {rule.slug}: {rule.summary}` to CHANGELOG.md"
    )


@pytest.mark.parametrize(
    "rule", [rule for rule in all_rules() if rule.severity is Severity.ERROR], ids=lambda rule: rule.code
)
def test_error_severity_is_earned(rule):
    """At most two errors on a thousand truthful packages, whatever the confidence they are reported with."""
    figure = FIGURES["rules"][rule.code]
    assert figure["truthful"] >= 300
    assert figure["accused_truthful"] <= 0.002 * figure["truthful"]


def test_accusations_on_labelled_packages_are_right():
    for code, figure in FIGURES["rules"].items():
        if figure["accused"] >= 10:
            assert figure["precision"] >= 0.95, code


def test_changes_are_found():
    for code, figure in FIGURES["rules"].items():
        if figure["changes"] >= 100:
            assert figure["found"] >= 0.95, code


def test_intervals_hold_their_figures():
    for figure in FIGURES["rules"].values():
        for share, bounds in (("found", "found_interval"), ("precision", "precision_interval")):
            if figure[bounds] is not None:
                low, high = figure[bounds]
                assert 0 <= low <= figure[share] <= high <= 1
