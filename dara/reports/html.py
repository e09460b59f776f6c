"""HTML: one self-contained page, readable without network or scripts."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import cache
from html import escape as html_escape
from importlib.resources import files
from typing import Final, TextIO

from clustering.identity import Part
from dara.findings import Finding, Severity, Verdict
from dara.fixing.records import Fix
from dara.report import AuditReport, AuditResult, FailedAudit
from dara.reports.document import diff_text, escape
from dara.reports.interface import ReportFormat
from dara.reports.values import HEADLINE_KINDS, fact_text, named_fact, value_text
from dara.rules.interface import DOCS_URL

_POLICY = "default-src 'none'; style-src 'unsafe-inline'"
"""The page may load nothing and run nothing, whatever a name or a message holds."""

_BOX_WIDTH, _BOX_HEIGHT, _GAP = 190, 64, 28
_NARROW = frozenset("fijlrtI1.,:;'|!()[]/ -")
_MEDIUM = frozenset("abcdeghknopqsuvxyz023456789_")
"""Letters by the width of 13 px bold sans-serif type, rounded up; all others count as wide as an em."""


class HtmlReport(ReportFormat):
    """`--format html`."""

    name = "html"

    def write(self, results: Sequence[AuditResult], sink: TextIO) -> None:
        """One page with a section per package."""
        sink.write('<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n')
        sink.write('<meta name="viewport" content="width=device-width, initial-scale=1">\n')
        sink.write(f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n')
        sink.write(f"<title>DARA audit</title>\n<style>{_style()}</style>\n</head>\n<body>\n<main>\n")
        sink.write("<h1>DARA: is the package what its name says?</h1>\n")
        if len(results) > 1:
            sink.write("\n".join(_contents(results)) + "\n")
        for number, result in enumerate(results, 1):
            body = "\n".join(_section(result))
            sink.write(f'<section id="p{number}" class="{_verdict(result)}">\n{body}\n</section>\n')
        sink.write("</main>\n</body>\n</html>\n")


_CODE: Final = re.compile(r"`([^`]+)`")
"""What suggestions set as code; looked for in text that is safe already."""

_FRAGMENT_STYLE = """
.dara-report { font: 14px/1.5 system-ui, sans-serif; overflow-wrap: break-word; }
.dara-report h2 { font-size: 1.15em; margin: 0; } .dara-report h3 { font-size: 1em; margin: .8em 0 .3em; }
.dara-report table { border-collapse: collapse; } .dara-report td, .dara-report th { text-align: left; }
.dara-report .verdict { font-weight: 700; } .dara-report .dim { opacity: .7; }
.dara-report .parts { display: flex; flex-wrap: wrap; gap: .6em 0; } .dara-report .finding { margin: .8em 0; }
.dara-report .message { font-weight: 600; } .dara-report svg { color: inherit; }
.dara-report svg text { fill: currentColor; font-size: 13px; }
.dara-report svg rect, .dara-report svg path { fill: none; stroke: currentColor; }
.dara-report svg rect.wrong { stroke-width: 3; }
"""
"""Only what is inside the report is styled, in the colours of the page around it."""


def fragment(result: AuditResult) -> str:
    """One result as a piece of HTML for a page of somebody else's, such as a notebook."""
    body = "\n".join(_section(result))
    return f'<style>{_FRAGMENT_STYLE}</style>\n<div class="dara-report">\n{body}\n</div>'


@cache
def _style() -> str:
    return files("dara.reports").joinpath("report.css").read_text(encoding="utf-8")


def _verdict(result: AuditResult) -> str:
    return Verdict.UNVERIFIABLE.value if isinstance(result, FailedAudit) else result.verdict.value


def _contents(results: Sequence[AuditResult]) -> Iterator[str]:
    """The packages with their verdicts, for a page of several."""
    yield "<nav><table><tr><th>package</th><th></th></tr>"
    for number, result in enumerate(results, 1):
        failed = isinstance(result, FailedAudit)
        name = result.target if isinstance(result, FailedAudit) else result.package.name or result.package.location
        word = "not audited" if failed else _verdict(result)
        yield (
            f'<tr><td data-label="package"><a href="#p{number}">{_safe(name)}</a></td>'
            f'<td data-label="verdict" class="word {_verdict(result)}">{word}</td></tr>'
        )
    yield "</table></nav>"


def _safe(text: str) -> str:
    return html_escape(escape(text), quote=True)


def _section(result: AuditResult) -> Iterator[str]:
    if isinstance(result, FailedAudit):
        yield f'<h2><span>{_safe(result.target)}</span> <span class="verdict unverifiable">not audited</span></h2>'
        yield f"<p>{_safe(result.message)}</p>"
        return
    name = _safe(result.package.name or result.package.location)
    yield f'<h2><span>{name}</span> <span class="verdict {result.verdict.value}">{result.verdict.value}</span></h2>'
    for finding in result.findings:
        yield from _finding(finding)
    yield from _fix(result.fix)
    yield from _claims(result)
    yield from _parts(result.parts, _wrong_roles(result))
    yield from _facts(result)
    if result.outcomes.skipped:
        yield "<h3>Not checked</h3><ul>"
        for skip in result.outcomes.skipped:
            yield f"<li><code>{_safe(skip.check)}</code> {_safe(skip.reason)}</li>"
        yield "</ul>"


def _finding(finding: Finding) -> Iterator[str]:
    severity = finding.severity.label
    yield (
        f'<div class="finding {severity}"><p><b class="{severity}">{severity}</b> '
        f'<a href="{DOCS_URL}/{finding.code}.md">{finding.code}</a> {finding.slug} '
        f'<span class="dim">({finding.confidence.label} confidence)</span></p>'
    )
    yield f'<p class="message">{_safe(finding.message)}</p>'
    if finding.evidence:
        items = "".join(f"<li><code>{_safe(e.source)}</code>: {_safe(e.detail)}</li>" for e in finding.evidence)
        yield f"<ul>{items}</ul>"
    if finding.suggestion:
        told = _CODE.sub(r"<code>\1</code>", _safe(finding.suggestion))
        yield f"<p>To fix: {told}</p>"
    yield "</div>"


def _fix(fix: Fix | None) -> Iterator[str]:
    if fix is None:
        return
    yield "<h3>Corrections</h3>"
    if fix.empty:
        words = "Nothing can be corrected without guessing." if fix.unresolved else "Nothing to correct."
        yield f'<p class="dim">{words}</p>'
    for diff in (item.diff for item in (fix.rename, fix.card) if item is not None):
        lines = (_diff_line(line) for line in diff_text(diff).splitlines())
        yield f"<pre>{chr(10).join(lines)}</pre>"


def _diff_line(line: str) -> str:
    head = line.startswith(("---", "+++", "@@"))
    style = "head" if head else {"+": "add", "-": "del"}.get(line[:1], "")
    text = html_escape(line, quote=True)
    return f'<span class="{style}">{text}</span>' if style else text


def _claims(report: AuditReport) -> Iterator[str]:
    """Claim beside fact, for every claim of the name."""
    if report.parsed is None or not report.parsed.claims:
        yield '<p class="dim">The name claims nothing that can be checked.</p>'
        return
    held = {(item.claim.kind, item.claim.text): named_fact(item.claim, item.fact) for item in report.outcomes.held}
    wrong = {
        (item.claim.kind, item.claim.text): named_fact(item.claim, item.fact)
        for item in report.findings
        if item.claim is not None and item.fact is not None
    }
    yield '<h3>Claim beside fact</h3><table class="claims">'
    yield "<tr><th>the name says</th><th>kind</th><th>the package holds</th><th></th></tr>"
    for claim in report.parsed.claims:
        key = (claim.kind, claim.text)
        if key in wrong:
            fact, word, style = wrong[key], "contradicted", Verdict.DEFECTIVE.value
        elif key in held:
            fact, word, style = held[key], "holds", Verdict.CONSISTENT.value
        else:
            around = next((text for _, text in (*wrong, *held) if claim.text in text and claim.text != text), None)
            fact, word, style = "", "not checked" if around is None else f"see {_safe(around)}", "dim"
        yield (
            f'<tr><td data-label="name says"><code>{_safe(claim.text)}</code></td>'
            f'<td data-label="kind">{_safe(claim.kind.replace("_", " "))}</td>'
            f'<td data-label="package holds">{_safe(fact)}</td>'
            f'<td data-label="result" class="word {style}">{word}</td></tr>'
        )
    yield "</table>"


def _wrong_roles(report: AuditReport) -> frozenset[str]:
    """Roles of parts of which a finding speaks; one about the family speaks of the whole."""
    kinds = {item.fact.kind for item in report.findings if item.fact is not None and item.severity > Severity.NOTE}
    return frozenset(kinds | ({"model"} if "family" in kinds else set()))


def _parts(parts: Sequence[Part], wrong: frozenset[str]) -> Iterator[str]:
    """The parts of a composite model as a picture: boxes in the order of the data's way, in rows.

    Boxes of parts that a finding speaks of stand out.
    """
    if not parts:
        return
    yield '<h3>Parts</h3><div class="parts" role="img" aria-label="parts of the model">'
    middle = _BOX_HEIGHT // 2
    for number, part in enumerate(parts):
        width = _GAP + _BOX_WIDTH + 2
        name = part.family + (f"-{part.variant}" if part.variant else "")
        detail = ", ".join(f"{key} {value_text(key, value)}" for key, value in sorted(part.detail.items()))
        size = f'viewBox="0 0 {width} {_BOX_HEIGHT}" width="{width}" height="{_BOX_HEIGHT}"'
        yield f"<svg {size}><title>{_safe(detail)}</title>"
        if number:
            yield f'<path d="M2 {middle} H{_GAP - 5} m-6 -4 l6 4 l-6 4"/>'
        mark = ' class="wrong"' if part.role in wrong else ""
        yield f'<rect{mark} x="{_GAP + 1}" y="1" width="{_BOX_WIDTH}" height="{_BOX_HEIGHT - 2}" rx="6"/>'
        yield f'<text class="role" x="{_GAP + 12}" y="26">{html_escape(_short(part.role.replace("_", " ")))}</text>'
        yield f'<text x="{_GAP + 12}" y="47" font-weight="700">{html_escape(_short(name))}</text></svg>'
    yield "</div>"


def _short(text: str) -> str:
    """As much of a text as surely fits into a box, whatever its letters and the reader's font."""
    shown, room = escape(text), _BOX_WIDTH - 24.0
    for place, letter in enumerate(shown):
        room -= 5.5 if letter in _NARROW else 8.5 if letter in _MEDIUM else 14.0
        if room < 0:
            return shown[: max(1, place - 2)] + "…"
    return shown


def _facts(report: AuditReport) -> Iterator[str]:
    rows = [(kind, fact) for kind in HEADLINE_KINDS if (fact := report.facts.best(kind)) is not None]
    if not rows:
        return
    yield '<h3>Facts</h3><table class="facts"><tr><th>fact</th><th>value</th><th>read from</th></tr>'
    for kind, fact in rows:
        yield (
            f'<tr><td data-label="fact">{_safe(kind.replace("_", " "))}</td>'
            f'<td data-label="value">{_safe(fact_text(fact))}</td>'
            f'<td data-label="read from"><code>{_safe(fact.source)}</code></td></tr>'
        )
    yield "</table>"
