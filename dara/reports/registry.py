"""The explicit list of report formats."""

from __future__ import annotations

from dara.reports.interface import ReportFormat


def format_names() -> tuple[str, ...]:
    """Names of the formats, as `--format` takes them."""
    return ("text", "json", "jsonl", "sarif", "markdown", "html", "github")


def format_of(name: str) -> ReportFormat:
    """The format with a name.

    Raises:
        KeyError: when there is none.
    """
    from dara.reports.github import GithubReport
    from dara.reports.html import HtmlReport
    from dara.reports.json_v1 import JsonLinesReport, JsonReport
    from dara.reports.markdown import MarkdownReport
    from dara.reports.sarif import SarifReport
    from dara.reports.text import TextReport

    formats: tuple[ReportFormat, ...] = (
        TextReport(),
        JsonReport(),
        JsonLinesReport(),
        SarifReport(),
        MarkdownReport(),
        HtmlReport(),
        GithubReport(),
    )
    return {item.name: item for item in formats}[name]
