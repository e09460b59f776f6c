"""The terminal report: readable in 80 columns, with and without colour."""

from __future__ import annotations

import io
import re
import shutil
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, TextIO

from clustering.facts import Fact
from clustering.text import escape
from dara.findings import Finding, Verdict
from dara.fixing.records import Fix
from dara.report import AuditReport, AuditResult, FailedAudit
from dara.reports.document import diff_text
from dara.reports.interface import ReportFormat
from dara.reports.values import HEADLINE_KINDS, fact_text
from dara.rules.interface import DOCS_URL

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

_VERDICT_STYLE = {
    Verdict.CONSISTENT: "bold green",
    Verdict.DEFECTIVE: "bold red",
    Verdict.UNVERIFIABLE: "bold yellow",
}
_DIFF_STYLE = {"+": "green", "-": "red", "@": "cyan"}
_SEVERITY_STYLE = {"error": "bold red", "warning": "bold yellow", "note": "bold cyan"}


_TRAILING = re.compile(r" +(?=(?:\x1b\[0m)?$)", re.MULTILINE)
"""Blanks that Rich pads lines with; they only get in the way when a report is copied."""


class TextReport(ReportFormat):
    """`--format text`, written through a Rich console that the command line configures."""

    name = "text"

    def __init__(self, *, color: bool | None = None, width: int | None = None) -> None:
        self._color = color
        self._width = width

    def write(self, results: Sequence[AuditResult], sink: TextIO) -> None:
        """One block per package, with an empty line between two."""
        from rich.console import Console

        color = sink.isatty() if self._color is None else self._color
        page = io.StringIO()
        console = Console(
            file=page,
            width=self._width or shutil.get_terminal_size().columns,
            force_terminal=color,
            no_color=not color,
            highlight=False,
            emoji=False,
            markup=False,
        )
        for number, result in enumerate(results):
            if number:
                console.print()
            self._one(console, result)
        sink.write(_TRAILING.sub("", page.getvalue()))

    def _one(self, console: Console, result: AuditResult) -> None:
        from rich.text import Text

        if isinstance(result, FailedAudit):
            console.print(Text.assemble((escape(result.target), "bold"), "  ", ("not audited", "bold yellow")))
            console.print(Text(f"  {escape(result.message)}"))
            return
        title = result.package.name or result.package.location
        console.print(
            Text.assemble((escape(title), "bold"), "  ", (result.verdict.value.upper(), _VERDICT_STYLE[result.verdict]))
        )
        for line in _summary(result):
            console.print(line)
        for finding in result.findings:
            console.print()
            for part in _finding(finding):
                console.print(part)
        for line in _footer(result):
            console.print(line)
        if result.fix is not None:
            for line in _fix(result.fix):
                console.print(line, soft_wrap=True)  # a diff is copied; broken lines would not apply


def _summary(report: AuditReport) -> Iterator[RenderableType]:
    from rich.padding import Padding
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    says = (
        ", ".join(dict.fromkeys(f"{escape(c.text)} ({c.kind})" for c in report.parsed.claims)) if report.parsed else ""
    )
    table.add_row("name says", Text(says or "nothing that can be checked"))
    held = [f"{f.kind.replace('_', ' ')} {escape(fact_text(f))}" for f in _headline(report)]
    table.add_row("it holds", Text(", ".join(held) or "nothing that could be read"))
    yield Padding(table, (0, 0, 0, 2))


def _headline(report: AuditReport) -> Iterator[Fact]:
    for kind in HEADLINE_KINDS:
        fact = report.facts.best(kind)
        if fact is not None:
            yield fact


def _finding(finding: Finding) -> Iterator[RenderableType]:
    from rich.padding import Padding
    from rich.text import Text

    severity = finding.severity.label
    yield Padding(
        Text.assemble(
            (severity, _SEVERITY_STYLE[severity]),
            f" {finding.code} {finding.slug} ",
            (f"({finding.confidence.label} confidence)", "dim"),
        ),
        (0, 0, 0, 2),
    )
    yield Padding(Text(escape(finding.message)), (0, 0, 0, 4))
    for item in finding.evidence:
        yield Padding(Text.assemble("- ", (escape(item.source), "cyan"), ": ", escape(item.detail)), (0, 0, 0, 4))
    if finding.suggestion:
        yield Padding(Text.assemble(("to fix: ", "bold"), escape(finding.suggestion)), (0, 0, 0, 4))
    yield Padding(Text(f"{DOCS_URL}/{finding.code}.md", style="dim"), (0, 0, 0, 4))


def _fix(fix: Fix) -> Iterator[RenderableType]:
    from rich.text import Text

    if fix.empty:
        words = "nothing can be corrected without guessing" if fix.unresolved else "nothing to correct"
        yield Text(f"  {words}", style="dim")
    for item in fix.unresolved:
        yield Text(f"  not corrected {item.code}: {escape(item.reason)}", style="dim")
    for diff in (item.diff for item in (fix.rename, fix.card) if item is not None):
        yield Text()
        for line in diff_text(diff).splitlines():
            yield Text(line, style=_DIFF_STYLE.get(line[:1], "") if line[:3] not in ("---", "+++") else "bold")


def _footer(report: AuditReport) -> Iterator[RenderableType]:
    from rich.padding import Padding
    from rich.text import Text

    held = report.outcomes.held
    if held:
        words = ", ".join(dict.fromkeys(f"{escape(h.claim.text)} ({h.claim.kind})" for h in held))
        yield Padding(Text.assemble(("holds: ", "green"), words), (0, 0, 0, 2))
    for skip in report.outcomes.skipped:
        yield Padding(Text.assemble((f"skipped {escape(skip.check)}: ", "yellow"), escape(skip.reason)), (0, 0, 0, 2))
    for note in report.notes:
        yield Padding(Text.assemble(("note: ", "dim"), escape(note)), (0, 0, 0, 2))
    if report.hidden:
        what = "note or unsure finding" if report.hidden == 1 else "notes or unsure findings"
        yield Padding(Text(f"{report.hidden} {what} with --persona all", style="dim"), (0, 0, 0, 2))
