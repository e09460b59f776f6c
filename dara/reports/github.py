"""Annotations of GitHub Actions: one workflow command a line, shown beside the changed files.

Syntax: https://docs.github.com/actions/reference/workflow-commands-for-github-actions. GitHub shows ten annotations of
each kind per step; all of them stand in the log.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TextIO

from dara.findings import Finding, Severity
from dara.report import AuditReport, AuditResult, FailedAudit
from dara.reports.document import escape
from dara.reports.interface import ReportFormat
from dara.reports.places import place_of
from dara.rules.interface import DOCS_URL

_COMMAND = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.NOTE: "notice"}


class GithubReport(ReportFormat):
    """`--format github`."""

    name = "github"

    def write(self, results: Sequence[AuditResult], sink: TextIO) -> None:
        """One command for each finding, one for each package without a report, and a line of verdict for each."""
        for result in results:
            if isinstance(result, FailedAudit):
                sink.write(
                    f"::error title=not audited::{_data(f'{escape(result.target)}: {escape(result.message)}')}\n"
                )
                continue
            sink.writelines(_annotation(result, finding) + "\n" for finding in result.findings)
            # Lines that are no commands: a name must not begin one.
            name = _data(escape(result.package.name or result.package.location))
            sink.write(f"dara: {name}: {result.verdict.value}\n")
            reasons = (escape(f"{skip.check}: {skip.reason}") for skip in result.outcomes.skipped)
            sink.writelines(f"dara: {name}: skipped {_data(reason)}\n" for reason in reasons)


def _annotation(report: AuditReport, finding: Finding) -> str:
    properties = {}
    place = place_of(report, finding) if report.package.source == "folder" else None
    if place is not None:
        properties["file"] = escape(place.path)
        if place.line is not None:
            properties["line"] = str(place.line)
    properties["title"] = f"{finding.code} {finding.slug}"
    shown = ",".join(f"{key}={_property(value)}" for key, value in properties.items())
    return f"::{_COMMAND[finding.severity]} {shown}::{_data(_text(report, finding))}"


def _text(report: AuditReport, finding: Finding) -> str:
    name = escape(report.package.name or report.package.location)
    lines = [f"{name} is {report.verdict.value}: {escape(finding.message)} ({finding.confidence.label} confidence)"]
    lines += [f"- {escape(item.source)}: {escape(item.detail)}" for item in finding.evidence]
    if finding.suggestion:
        lines.append(f"To fix: {escape(finding.suggestion)}")
    lines.append(f"{DOCS_URL}/{finding.code}.md")
    return "\n".join(lines)


def _data(text: str) -> str:
    """A command's message: percent signs and line ends are the only characters with a meaning."""
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    """A command's property: a colon or a comma would end it."""
    return _data(text).replace(":", "%3A").replace(",", "%2C")
