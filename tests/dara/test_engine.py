"""Selection of rules, order of outcomes, and the verdict."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from clustering.facts import Fact, Facts
from dara.engine import run, selected, shown, verdict_of
from dara.findings import Confidence, Finding, Held, Outcome, Outcomes, Severity, Skipped, Verdict
from dara.rules.interface import Rule
from dara.settings import Settings
from dara.subject import Subject
from naming.records import Claim

CLAIM = Claim("family", "bert", "bert")
FACT = Fact("family", "bert", "measured", "model.safetensors")


class First(Rule):
    """One."""

    code, slug, severity, since = "DAR101", "first-defect", Severity.ERROR, "0.1.0"

    def check(self, subject: Subject) -> Iterator[Outcome]:
        yield self.finding("b", confidence=Confidence.LOW)
        yield self.finding("a", confidence=Confidence.LOW)
        yield self.finding("sure", confidence=Confidence.HIGH)
        yield self.skipped("why")
        yield self.skipped("why")


class Second(First):
    """Two."""

    code, slug, severity, preview = "DAR201", "second-defect", Severity.WARNING, True


def codes(settings: Settings, ignored: tuple[str, ...] = ()) -> list[str]:
    return [rule.code for rule in selected((First(), Second()), settings, ignored)]


@pytest.mark.parametrize(
    ("settings", "ignored", "expected"),
    [
        (Settings(), (), ["DAR101"]),
        (Settings(persona="all"), (), ["DAR101", "DAR201"]),
        (Settings(select=("DAR201",)), (), ["DAR201"]),
        (Settings(select=("second-defect",)), (), ["DAR201"]),
        (Settings(select=("DAR2",)), (), []),
        (Settings(select=("dar1",)), (), ["DAR101"]),
        (Settings(ignore=("DAR1",)), (), []),
        (Settings(select=("DAR101",), ignore=("first-defect",)), (), []),
        (Settings(), ("DAR101",), []),
    ],
)
def test_selection(settings: Settings, ignored: tuple[str, ...], expected: list[str]) -> None:
    assert codes(settings, ignored) == expected


def test_outcomes_are_ordered_and_unique() -> None:
    outcomes = run((Second(), First()), Subject(facts=Facts()))
    assert [(f.severity, f.confidence, f.message) for f in outcomes.findings[:3]] == [
        (Severity.ERROR, Confidence.HIGH, "sure"),
        (Severity.ERROR, Confidence.LOW, "a"),
        (Severity.ERROR, Confidence.LOW, "b"),
    ]
    assert outcomes.skipped == (Skipped("DAR101", "why"), Skipped("DAR201", "why"))


FINDING = Finding("DAR101", "x", Severity.WARNING, Confidence.MEDIUM, "m")


@pytest.mark.parametrize(
    ("outcomes", "verdict"),
    [
        (Outcomes(), Verdict.UNVERIFIABLE),
        (Outcomes(skipped=(Skipped("DAR101", "no weights"),)), Verdict.UNVERIFIABLE),
        (Outcomes(held=(Held("DAR101", CLAIM, FACT),)), Verdict.CONSISTENT),
        (Outcomes(held=(Held("DAR203", CLAIM, FACT),)), Verdict.CONSISTENT),
        (Outcomes(held=(Held("DAR203", CLAIM, FACT),), skipped=(Skipped("DAR101", "r"),)), Verdict.UNVERIFIABLE),
        (
            Outcomes(held=(Held("DAR101", CLAIM, FACT),), skipped=(Skipped("DAR501", "no weights"),)),
            Verdict.CONSISTENT,
        ),
        (Outcomes(findings=(FINDING,), held=(Held("DAR101", CLAIM, FACT),)), Verdict.DEFECTIVE),
        (Outcomes(findings=(replace(FINDING, confidence=Confidence.LOW),)), Verdict.UNVERIFIABLE),
        (Outcomes(findings=(replace(FINDING, severity=Severity.NOTE),)), Verdict.UNVERIFIABLE),
    ],
)
def test_missing_evidence_is_never_consistent(outcomes: Outcomes, verdict: Verdict) -> None:
    assert verdict_of(outcomes) is verdict


@pytest.mark.parametrize(
    ("settings", "count"),
    [
        (Settings(), 1),
        (Settings(min_confidence=Confidence.LOW), 3),
        (Settings(persona="all"), 3),
        (Settings(min_confidence=Confidence.HIGH), 1),
    ],
)
def test_hidden_findings_are_counted(settings: Settings, count: int) -> None:
    outcomes = run((First(),), Subject(facts=Facts()))
    visible, hidden = shown(outcomes, settings)
    assert len(visible.findings) == count
    assert hidden == 3 - count
