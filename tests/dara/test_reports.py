"""Every report format: what it says, that it is deterministic, and that a stranger's text cannot act."""

from __future__ import annotations

import io
import json
import re
from pathlib import Path

import jsonschema
import pytest
from sarif_pydantic import Sarif

from dara.findings import Finding, Severity
from dara.report import AuditReport, FailedAudit
from dara.reports.registry import format_names, format_of
from dara.reports.text import TextReport


def render(name: str, *results: AuditReport | FailedAudit) -> str:
    sink = io.StringIO()
    format_of(name).write(results, sink)
    return sink.getvalue()


def test_registry_is_pinned() -> None:
    assert format_names() == ("text", "json", "jsonl", "sarif", "markdown", "html", "github")
    assert [format_of(name).name for name in format_names()] == list(format_names())


@pytest.mark.parametrize("name", format_names())
def test_says_observed_expected_evidence_and_next_step(name: str, report: AuditReport) -> None:
    shown = " ".join(render(name, report).split())
    for words in ("acme/roberta-base", "DAR101", "name says roberta, the weights hold a bert"):
        assert words in shown
    if name != "sarif":  # SARIF carries results; the verdict, the evidence and the skips stand in the others
        details = ("rules/DAR101.md", "defective", "model_type = bert", "acme/bert-base-sentiment", "no head")
        for words in details:
            assert words.lower() in shown.replace("\\", "").lower()


@pytest.mark.parametrize("name", format_names())
def test_two_runs_give_the_same_bytes(name: str, report: AuditReport, hostile_report: AuditReport) -> None:
    assert render(name, report, hostile_report) == render(name, report, hostile_report)


@pytest.mark.parametrize("name", format_names())
def test_strangers_text_cannot_act(name: str, hostile_report: AuditReport) -> None:
    failed = FailedAudit(hostile_report.package.location, hostile_report.package.location, 3)
    shown = render(name, hostile_report, failed)
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", shown)
    assert "\\x1b[31m" in shown.replace("\\\\", "\\").replace("\\[", "[")
    if name in {"html", "markdown"}:
        assert "<script" not in shown


def test_html_loads_and_runs_nothing(hostile_report: AuditReport, report: AuditReport) -> None:
    page = render("html", report, hostile_report)
    assert "default-src 'none'" in page
    assert not re.search(r"<(script|link|img|iframe|object|embed)\b|\bon\w+=", page)


def test_html_draws_a_box_for_each_part(report: AuditReport) -> None:
    page = render("html", report)
    assert page.count("<rect ") == len(report.parts)
    assert "swin-tiny" in page


@pytest.mark.parametrize("width", [40, 80, 200])
@pytest.mark.parametrize("color", [True, False])
def test_terminal_report_keeps_to_its_width(width: int, color: bool, report: AuditReport) -> None:
    sink = io.StringIO()
    TextReport(color=color, width=width).write([report], sink)
    plain = re.sub(r"\x1b\[[0-9;]*m", "", sink.getvalue())
    assert max(len(line) for line in plain.splitlines()) <= width
    assert ("\x1b[" in sink.getvalue()) is color


def test_one_target_is_a_document_and_several_are_lines(report: AuditReport) -> None:
    assert json.loads(render("json", report))["schema"] == "dara-audit/1"
    failed = FailedAudit("nowhere", "nowhere: no such folder", 3)
    lines = [json.loads(line) for line in render("json", report, failed, report).splitlines()]
    assert [line["package"]["name"] for line in lines] == ["acme/roberta-base", "nowhere", "acme/roberta-base"]
    assert lines[1]["error"]["exit_code"] == 3
    assert lines[1]["verdict"] == "unverifiable"


def test_json_has_the_keys_of_the_contract(report: AuditReport) -> None:
    document = json.loads(render("json", report))
    assert {
        "schema",
        "package",
        "components",
        "claims",
        "facts",
        "fingerprint",
        "findings",
        "skipped",
        "verdict",
    } <= set(document)
    assert set(document["package"]) == {"name", "owner", "repo", "revision", "source"}
    assert {"kind", "value", "text"} <= set(document["claims"][0])
    assert set(document["facts"]["layers"]) == {"value", "basis", "source"}
    assert {"version", "digest", "structure", "family", "structure_only", "parts"} <= set(document["fingerprint"])
    assert document["fingerprint"]["family"] == [{"model_type": "bert", "score": 0.9877, "twins": ["roberta"]}]
    assert {"role", "family", "variant"} <= set(document["fingerprint"]["parts"][0])
    finding = document["findings"][0]
    assert {
        "code",
        "slug",
        "severity",
        "confidence",
        "message",
        "claim",
        "fact",
        "evidence",
        "suggestion",
        "url",
    } <= set(finding)
    assert document["skipped"] == [{"check": "DAR301", "reason": "no head"}]


def test_json_keeps_to_the_published_schema(report: AuditReport, hostile_report: AuditReport) -> None:
    schema = json.loads((Path(__file__).parents[2] / "docs/schema/dara-audit-1.schema.json").read_text("utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    for line in render("jsonl", report, hostile_report, FailedAudit("x", "x: no such folder", 3)).splitlines():
        validator.validate(json.loads(line))


def test_json_has_no_nan(report: AuditReport) -> None:
    from dataclasses import replace

    from clustering.facts import Fact, Facts

    odd = replace(report, facts=Facts([Fact("rope_theta", float("nan"), "declared", "config.json")]))
    assert json.loads(render("json", odd), parse_constant=pytest.fail)["facts"]["rope_theta"]["value"] is None


def test_sarif_is_that_of_the_standard(report: AuditReport, hostile_report: AuditReport) -> None:
    log = json.loads(render("sarif", report, hostile_report, FailedAudit("x", "x: no such folder", 3)))
    run = Sarif.model_validate(log).runs[0]
    assert [result.rule_id for result in run.results or ()] == ["DAR101", "DAR101"]
    assert not log["runs"][0]["invocations"][0]["executionSuccessful"]


def test_sarif_fingerprints_survive_rewording(report: AuditReport) -> None:
    from dataclasses import replace

    def fingerprint(item: AuditReport) -> str:
        result = json.loads(render("sarif", item))["runs"][0]["results"][0]
        return str(result["partialFingerprints"]["daraFinding/v1"])

    finding = report.outcomes.findings[0]
    reworded = replace(report, outcomes=replace(report.outcomes, findings=(replace(finding, message="other words"),)))
    other = replace(report, outcomes=replace(report.outcomes, findings=(replace(finding, code="DAR102"),)))
    assert fingerprint(report) == fingerprint(reworded)
    assert fingerprint(report) != fingerprint(other)


def test_sarif_says_what_it_left_out(report: AuditReport, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dara.reports.sarif.MAX_RESULTS", 2)
    run = json.loads(render("sarif", report, report, report))["runs"][0]
    assert len(run["results"]) == 2
    assert "1 results are left out" in run["invocations"][0]["toolExecutionNotifications"][0]["message"]["text"]


def on_disk(report: AuditReport, folder: Path) -> AuditReport:
    """The report as if the package were in a folder that has a config.json."""
    from dataclasses import replace

    from clustering.facts import Fact

    folder.mkdir(parents=True)
    (folder / "config.json").write_text('{\n  "hidden_size": 768,\n  "model_type": "bert"\n}\n')
    source = Fact("family", "bert", "declared", "config.json: model_type")
    findings = (replace(report.findings[0], fact=source),)
    return replace(
        report,
        package=replace(report.package, location=str(folder)),
        outcomes=replace(report.outcomes, findings=findings),
    )


def test_annotations_have_file_and_line(report: AuditReport, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    placed = on_disk(report, tmp_path / "models, all" / "acme--roberta-base")
    first, *others = render("github", placed).splitlines()
    file = "models%2C all/acme--roberta-base/config.json"
    assert first.startswith(f"::error file={file},line=3,title=DAR101 contradicted-family::acme/roberta-base is defec")
    assert "%0A- config.json: model_type = bert" in first
    assert all(not line.startswith("::") for line in others)
    result = json.loads(render("sarif", placed))["runs"][0]["results"][0]
    assert result["locations"][0]["physicalLocation"] == {
        "artifactLocation": {"uri": "models%2C%20all/acme--roberta-base/config.json"},
        "region": {"startLine": 3},
    }


def test_annotations_without_a_place_have_no_line(report: AuditReport) -> None:
    from dataclasses import replace

    hub = replace(report, package=replace(report.package, source="hub"))
    assert render("github", hub).startswith("::error title=DAR101 contradicted-family::")
    bare = replace(report, package=replace(report.package, location="does-not-exist"))
    first = render("github", bare).splitlines()[0]
    assert first.startswith("::error file=does-not-exist/model.safetensors,title=") or ",line=" not in first


def test_a_name_cannot_begin_a_workflow_command(report: AuditReport) -> None:
    from dataclasses import replace

    name = "x\n::set-env name=PATH::/tmp\r\n::error::%0A"
    evil = replace(report, package=replace(report.package, name=name, source="hub"))
    failed = FailedAudit(name, name, 3)
    lines = render("github", evil, failed).splitlines()
    assert len(lines) == 4
    assert all(line.startswith(("::error title=", "dara: ")) for line in lines)
    assert all("\n" not in line and "%0A%0A" not in line for line in lines)


def test_html_marks_the_part_that_is_wrong(report: AuditReport, finding: Finding) -> None:
    from dataclasses import replace

    from clustering.facts import Fact

    def about(kind: str, severity: Severity) -> str:
        wrong = replace(finding, severity=severity, fact=Fact(kind, "swin", "measured", "tensor shapes"))
        return render("html", replace(report, outcomes=replace(report.outcomes, findings=(wrong,))))

    assert about("backbone", Severity.ERROR).count('<rect class="wrong"') == 1
    assert '<rect class="wrong"' not in about("backbone", Severity.NOTE)
    assert '<rect class="wrong"' not in about("layers", Severity.ERROR)


def test_suggestions_show_code_as_code(report: AuditReport, finding: Finding) -> None:
    from dataclasses import replace

    told = replace(finding, suggestion="add `datasets:` <b>now</b> to the `card")
    page = render("html", replace(report, outcomes=replace(report.outcomes, findings=(told,))))
    assert "To fix: add <code>datasets:</code> &lt;b&gt;now&lt;/b&gt; to the `card" in page
