"""Markdown for a pull request or a discussion on a model card."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import TextIO

from dara.findings import Finding, Verdict
from dara.fixing.records import Fix
from dara.report import AuditResult, FailedAudit
from dara.reports.document import diff_text, escape
from dara.reports.interface import ReportFormat
from dara.reports.values import named_fact
from dara.rules.interface import DOCS_URL

_SPECIAL = re.compile(r"([\\`*_{}\[\]#+!|~@$])")
_ENTITIES = (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ("://", ":&#47;&#47;"), ("www.", "www&#46;"))
_SENTENCE = {
    Verdict.CONSISTENT: "The package is what its name says, as far as it could be checked.",
    Verdict.DEFECTIVE: "The name and the package disagree.",
    Verdict.UNVERIFIABLE: "The name could not be checked.",
}


def literal(text: str) -> str:
    """Foreign text that Markdown shows as it is: no links, no HTML, no mentions, no table breaks."""
    shown = _SPECIAL.sub(r"\\\1", escape(text))
    for raw, entity in _ENTITIES:
        shown = shown.replace(raw, entity)
    return shown


class MarkdownReport(ReportFormat):
    """`--format markdown`."""

    name = "markdown"

    def write(self, results: Sequence[AuditResult], sink: TextIO) -> None:
        """One section per package."""
        for number, result in enumerate(results):
            if number:
                sink.write("\n")
            sink.write("\n".join(_section(result)) + "\n")


def _section(result: AuditResult) -> Iterator[str]:
    if isinstance(result, FailedAudit):
        yield f"## {literal(result.target)}: not audited"
        yield ""
        yield literal(result.message)
        return
    yield f"## {literal(result.package.name or result.package.location)}: {result.verdict.value}"
    yield ""
    yield _SENTENCE[result.verdict]
    if result.findings:
        yield ""
        yield "| | rule | the name says | the package holds |"
        yield "|---|---|---|---|"
        for finding in result.findings:
            yield _row(finding)
        for finding in result.findings:
            yield ""
            yield from _details(finding)
    held = list(dict.fromkeys(f"{literal(h.claim.text)} ({literal(h.claim.kind)})" for h in result.outcomes.held))
    if held:
        yield ""
        yield f"Claims that hold: {', '.join(held)}."
    if result.fix is not None:
        yield from _fix(result.fix)
    if result.outcomes.skipped:
        yield ""
        yield "<details><summary>Not checked</summary>"
        yield ""
        for skip in result.outcomes.skipped:
            yield f"- {literal(skip.check)}: {literal(skip.reason)}"
        yield ""
        yield "</details>"


def _fix(fix: Fix) -> Iterator[str]:
    for diff in (item.diff for item in (fix.rename, fix.card) if item is not None):
        text = diff_text(diff)
        fence = "`" * max(3, 1 + max((len(run) for run in re.findall("`+", text)), default=0))
        yield ""
        yield f"{fence}diff"
        yield text.rstrip("\n")
        yield fence
    if fix.empty:
        yield ""
        yield "Nothing can be corrected without guessing." if fix.unresolved else "Nothing to correct."


def _row(finding: Finding) -> str:
    claim = literal(finding.claim.text) if finding.claim else ""
    fact = literal(named_fact(finding.claim, finding.fact)) if finding.fact else ""
    rule = f"[{finding.code}]({DOCS_URL}/{finding.code}.md) {finding.slug}"
    return f"| {finding.severity.label} | {rule} | {claim} | {fact} |"


def _details(finding: Finding) -> Iterator[str]:
    yield f"**{finding.code}** ({finding.confidence.label} confidence): {literal(finding.message)}"
    if finding.evidence:
        yield ""
    for item in finding.evidence:
        yield f"- {literal(item.source)}: {literal(item.detail)}"
    if finding.suggestion:
        yield ""
        yield f"To fix: {literal(finding.suggestion)}"
