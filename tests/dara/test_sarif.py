"""SARIF: what the standard's schema allows, what consumers accept, and fingerprints that stay."""

from __future__ import annotations

import io
import json
import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from clustering.facts import Fact
from dara.baseline import is_known, key_of
from dara.findings import Confidence, Finding, Severity
from dara.report import AuditReport, FailedAudit
from dara.reports.registry import format_of
from dara.reports.sarif import MAX_MESSAGE, MAX_RESULTS

SCHEMA = json.loads(Path(__file__).with_name("sarif-2.1.0-part.json").read_text("utf-8"))
VALIDATOR = Draft202012Validator(SCHEMA, format_checker=Draft202012Validator.FORMAT_CHECKER)
REFUSED, DESCRIPTION, NAME, MEGABYTES = 25_000, 1_024, 255, 10
"""Limits of GitHub's code scanning: results of a run, characters of descriptions and of rule names, gzipped file."""


def log_of(*results: AuditReport | FailedAudit) -> dict[str, Any]:
    sink = io.StringIO()
    format_of("sarif").write(results, sink)
    document: dict[str, Any] = json.loads(sink.getvalue())
    return document


def with_findings(report: AuditReport, *findings: Finding) -> AuditReport:
    return replace(report, outcomes=replace(report.outcomes, findings=findings))


def marks(document: dict[str, Any]) -> list[tuple[str, str]]:
    return [
        (item["partialFingerprints"]["daraFinding/v1"], item["partialFingerprints"]["primaryLocationLineHash"])
        for item in document["runs"][0]["results"]
    ]


def test_the_schema_is_one() -> None:
    Draft202012Validator.check_schema(SCHEMA)
    assert not VALIDATOR.is_valid({"version": "2.1.0", "runs": [{"results": []}]}), "a run needs a tool"
    assert not VALIDATOR.is_valid({"version": "2.0.0", "runs": []})


def test_a_log_is_valid(report: AuditReport, hostile_report: AuditReport) -> None:
    VALIDATOR.validate(log_of(report, hostile_report, FailedAudit("x", "x: no such folder", 3)))
    VALIDATOR.validate(log_of())
    bare = replace(report.findings[0], claim=None, fact=None, evidence=(), suggestion=None, code="DAR999")
    VALIDATOR.validate(log_of(with_findings(report, bare)))


def test_rules_fit_the_consumers() -> None:
    for rule in log_of()["runs"][0]["tool"]["driver"]["rules"]:
        assert 0 < len(rule["shortDescription"]["text"]) <= DESCRIPTION
        assert 0 < len(rule["fullDescription"]["text"]) <= DESCRIPTION
        assert len(rule["name"]) <= NAME
        assert rule["name"].isalnum()


def test_messages_are_bounded(report: AuditReport) -> None:
    long = replace(report.findings[0], message="name says " + "\u202e" * 50_000)
    text = log_of(with_findings(report, long))["runs"][0]["results"][0]["message"]["text"]
    assert len(text) == MAX_MESSAGE
    assert text.endswith("…")
    assert text.isprintable()


def test_the_worst_are_kept(report: AuditReport, finding: Finding) -> None:
    many = [
        replace(
            finding, severity=severity, confidence=confidence, claim=None, fact=Fact(f"k{number}", 1, "measured", "x")
        )
        for number in range(900)
        for severity in Severity
        for confidence in Confidence
    ]
    random.Random(4).shuffle(many)
    document = log_of(with_findings(report, *many))
    run = document["runs"][0]
    assert len(run["results"]) == MAX_RESULTS < REFUSED
    assert "3100 results are left out" in run["invocations"][0]["toolExecutionNotifications"][-1]["message"]["text"]
    kept = [(item["level"], item["properties"]["confidence"]) for item in run["results"]]
    assert kept.count(("error", "high")) == kept.count(("error", "low")) == 900
    assert kept.count(("note", "low")) == 0
    assert kept[0] == ("error", "high")


def test_a_full_log_can_be_uploaded(report: AuditReport, finding: Finding) -> None:
    import gzip

    draw = random.Random(7)
    many = [
        replace(finding, message=f"{draw.getrandbits(400):x}", claim=None, fact=Fact(f"k{number}", 1, "measured", "x"))
        for number in range(MAX_RESULTS)
    ]
    packed = gzip.compress(json.dumps(log_of(with_findings(report, *many))).encode())
    assert len(packed) < MEGABYTES << 20


def test_fingerprints_do_not_depend_on_order(report: AuditReport, finding: Finding) -> None:
    findings = [replace(finding, code=code, claim=None, fact=Fact(kind, 1, "measured", "x"))
                for code in ("DAR104", "DAR201") for kind in ("layers", "hidden_size", "vocabulary")]  # fmt: skip
    other = replace(report, package=replace(report.package, name="acme/other", repo="other"))
    first = marks(log_of(with_findings(report, *findings), with_findings(other, *findings)))
    again = marks(log_of(with_findings(other, *reversed(findings)), with_findings(report, *reversed(findings))))
    assert sorted(first) == sorted(again)
    assert len(set(first)) == len(first) == 12, "two findings of one rule on one package are two results"
    assert len({short for _, short in first}) == 12


@pytest.mark.parametrize("changed", ["message", "severity", "confidence", "evidence", "fact"])
def test_fingerprints_survive_what_a_new_version_rewords(report: AuditReport, finding: Finding, changed: str) -> None:
    new: dict[str, Any] = {
        "message": "other words",
        "severity": Severity.NOTE,
        "confidence": Confidence.LOW,
        "evidence": (),
        "fact": Fact("family", "bert", "declared", "config.json: model_type"),
    }
    reworded = replace(finding, **{changed: new[changed]})
    assert marks(log_of(report)) == marks(log_of(with_findings(report, reworded)))


def test_a_baseline_tells_findings_without_a_claim_apart(report: AuditReport, finding: Finding) -> None:
    layers, labels = (
        replace(finding, code="DAR104", claim=None, fact=Fact(kind, 1, "measured", "x"))
        for kind in ("layers", "num_labels")
    )
    known = frozenset({key_of(report.package, labels)})
    assert is_known(report.package, labels, known)
    assert not is_known(report.package, layers, known)
    older = frozenset({("acme/roberta-base", "DAR104", "")})
    assert is_known(report.package, layers, older)
    assert not is_known(report.package, finding, frozenset({("acme/roberta-base", "DAR101", "")}))
