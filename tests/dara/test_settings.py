"""Settings files and baselines: what they mean, and one clear error for what they cannot mean."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from dara.baseline import read_baseline, write_baseline
from dara.engine import shown, verdict_of
from dara.errors import UsageError
from dara.findings import Confidence, Finding, Severity, Verdict
from dara.report import AuditReport
from dara.settings import Persona, Settings, load_settings


def test_defaults_without_a_file(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "x"\n')
    inner = tmp_path / "a"
    inner.mkdir()
    (tmp_path / "dara.toml").write_text('fail-on = "error"\n')
    assert load_settings(inner).fail_on == "error"
    (tmp_path / "dara.toml").unlink()
    (tmp_path / "pyproject.toml").write_text('[tool.dara]\nmin-confidence = "high"\npersona = "pedantic"\n')
    found = load_settings(inner)
    assert (found.min_confidence, found.persona) == (Confidence.HIGH, "pedantic")


@pytest.mark.parametrize(
    "text",
    [
        "select = 3",
        'select = ["DAR999"]',
        'ignore = ["no-such-rule"]',
        'colour = "red"',
        'fail-on = "sometimes"',
        'persona = "angry"',
        'min-confidence = "total"',
        "= broken",
    ],
)
def test_unknown_settings_are_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "dara.toml").write_text(text)
    with pytest.raises(UsageError) as caught:
        load_settings(tmp_path)
    assert "\n" not in str(caught.value)


def test_a_run_never_fails_on_what_it_does_not_show() -> None:
    for settings in (Settings(), Settings(fail_on="note"), Settings(fail_on="error"), Settings(persona="pedantic")):
        assert settings.fail_severity is not None
        assert settings.fail_severity >= settings.shown_severity


@pytest.mark.parametrize("persona", ["default", "pedantic", "all"])
@pytest.mark.parametrize("severity", list(Severity))
def test_a_finding_of_low_confidence_fails_a_run_only_on_request(
    report: AuditReport, finding: Finding, persona: Persona, severity: Severity
) -> None:
    doubtful = replace(finding, confidence=Confidence.LOW, severity=severity)
    for wanted in (None, Confidence.LOW):
        settings = Settings(persona=persona, fail_on="note").with_options(min_confidence=wanted)
        visible, _ = shown(replace(report.outcomes, findings=(doubtful,)), settings)
        seen = replace(report, outcomes=visible)
        assert seen.fails(settings.fail_severity, settings.min_confidence) == (wanted is Confidence.LOW)
        assert verdict_of(visible) is not Verdict.DEFECTIVE


def test_baseline_round_trip(tmp_path: Path, report: AuditReport) -> None:
    path = tmp_path / "baseline.json"
    write_baseline(path, [report])
    assert read_baseline(path) == {("acme/roberta-base", "DAR101", "roberta")}


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"schema": "dara-baseline/1", "findings": [{}]}', "[" * 100_000])
def test_a_damaged_baseline_is_one_clear_error(tmp_path: Path, text: str) -> None:
    path = tmp_path / "baseline.json"
    path.write_text(text)
    with pytest.raises(UsageError) as caught:
        read_baseline(path)
    assert "\n" not in str(caught.value)
