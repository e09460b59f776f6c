"""HTML: one self-contained page, readable without network or scripts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape as html_escape
from typing import TextIO

from clustering.identity import Part
from dara.findings import Finding, Verdict
from dara.fixing.records import Fix
from dara.report import AuditReport, AuditResult, FailedAudit
from dara.reports.document import diff_text, escape
from dara.reports.interface import ReportFormat
from dara.reports.values import HEADLINE_KINDS, fact_text, named_fact, value_text
from dara.rules.interface import DOCS_URL

_STYLE = """
:root { --ink: #1d2430; --dim: #5d6778; --line: #d9dee7; --page: #f6f7f9; --card: #ffffff; --bad: #b3261e;
  --warn: #8a5a00; --good: #1b6e3c; --box: #e8edf6; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6e9ef; --dim: #a2acbc; --line: #363d4a; --page: #161a20;
  --card: #1f242c; --bad: #ff8a80; --warn: #f0b849; --good: #7bd49a; --box: #2c3442; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--ink); font: 16px/1.5 system-ui, sans-serif; }
main { max-width: 60rem; margin: 0 auto; padding: 1.5rem 1rem 3rem; }
section { background: var(--card); border: 1px solid var(--line); border-radius: 8px; padding: 1rem 1.25rem;
  margin-bottom: 1.25rem; overflow-wrap: break-word; }
h1 { font-size: 1.15rem; margin: 0 0 1rem; color: var(--dim); font-weight: 600; }
h2 { font-size: 1.25rem; margin: 0; }
h3 { font-size: 1rem; margin: 1.25rem 0 .4rem; }
.verdict { font-weight: 700; } .consistent { color: var(--good); } .defective, .error { color: var(--bad); }
.unverifiable, .warning { color: var(--warn); } .note, .dim { color: var(--dim); }
.scroll { overflow-x: auto; } table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; vertical-align: top; padding: .3rem .75rem .3rem 0; border-bottom: 1px solid var(--line); }
th { color: var(--dim); font-weight: 600; } ul { margin: .25rem 0; padding-left: 1.25rem; }
td code { display: inline-block; min-width: 7rem; } td + td + td code { min-width: 14rem; }
code { font-family: ui-monospace, monospace; font-size: .92em; } p { margin: .4rem 0; }
a { color: inherit; } svg { display: block; }
svg text { fill: var(--ink); font: 13px system-ui, sans-serif; }
svg rect { fill: var(--box); stroke: var(--line); } svg path { stroke: var(--dim); fill: none; }
"""

_POLICY = "default-src 'none'; style-src 'unsafe-inline'"
"""The page may load nothing and run nothing, whatever a name or a message holds."""

_BOX_WIDTH, _BOX_HEIGHT, _GAP = 168, 64, 28
_PER_ROW = 4


class HtmlReport(ReportFormat):
    """`--format html`."""

    name = "html"

    def write(self, results: Sequence[AuditResult], sink: TextIO) -> None:
        """One page with a section per package."""
        sink.write('<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n')
        sink.write('<meta name="viewport" content="width=device-width, initial-scale=1">\n')
        sink.write(f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n')
        sink.write(f"<title>DARA audit</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n<main>\n")
        sink.write("<h1>DARA: is the package what its name says?</h1>\n")
        sink.writelines("<section>\n" + "\n".join(_section(result)) + "\n</section>\n" for result in results)
        sink.write("</main>\n</body>\n</html>\n")


_FRAGMENT_STYLE = """
.dara-report { font: 14px/1.5 system-ui, sans-serif; overflow-wrap: break-word; }
.dara-report h2 { font-size: 1.15em; margin: 0; } .dara-report h3 { font-size: 1em; margin: .8em 0 .3em; }
.dara-report table { border-collapse: collapse; } .dara-report td, .dara-report th { text-align: left; }
.dara-report .verdict { font-weight: 700; } .dara-report .dim { opacity: .7; }
.dara-report svg { color: inherit; } .dara-report svg text { fill: currentColor; font-size: 13px; }
.dara-report svg rect, .dara-report svg path { fill: none; stroke: currentColor; }
"""
"""Only what is inside the report is styled, in the colours of the page around it."""


def fragment(result: AuditResult) -> str:
    """One result as a piece of HTML for a page of somebody else's, such as a notebook."""
    body = "\n".join(_section(result))
    return f'<style>{_FRAGMENT_STYLE}</style>\n<div class="dara-report">\n{body}\n</div>'


def _safe(text: str) -> str:
    return html_escape(escape(text), quote=True)


def _section(result: AuditResult) -> Iterator[str]:
    if isinstance(result, FailedAudit):
        yield f"<h2>{_safe(result.target)}</h2>"
        yield f'<p><span class="verdict unverifiable">not audited</span>: {_safe(result.message)}</p>'
        return
    yield f"<h2>{_safe(result.package.name or result.package.location)}</h2>"
    yield f'<p class="verdict {result.verdict.value}">{result.verdict.value}</p>'
    for finding in result.findings:
        yield from _finding(finding)
    yield from _fix(result.fix)
    yield from _claims(result)
    yield from _parts(result.parts)
    yield from _facts(result)
    if result.outcomes.skipped:
        yield "<h3>Not checked</h3><ul>"
        for skip in result.outcomes.skipped:
            yield f"<li><code>{_safe(skip.check)}</code> {_safe(skip.reason)}</li>"
        yield "</ul>"


def _finding(finding: Finding) -> Iterator[str]:
    severity = finding.severity.label
    yield (
        f'<h3><span class="{severity}">{severity}</span> <a href="{DOCS_URL}/{finding.code}.md">{finding.code}</a> '
        f'{finding.slug} <span class="dim">({finding.confidence.label} confidence)</span></h3>'
    )
    yield f"<p>{_safe(finding.message)}</p>"
    if finding.evidence:
        items = "".join(f"<li><code>{_safe(e.source)}</code>: {_safe(e.detail)}</li>" for e in finding.evidence)
        yield f"<ul>{items}</ul>"
    if finding.suggestion:
        yield f"<p>Instead: {_safe(finding.suggestion)}</p>"


def _fix(fix: Fix | None) -> Iterator[str]:
    if fix is None:
        return
    yield "<h3>Corrections</h3>"
    if fix.empty:
        words = "Nothing can be corrected without guessing." if fix.unresolved else "Nothing to correct."
        yield f'<p class="dim">{words}</p>'
    for diff in (item.diff for item in (fix.rename, fix.card) if item is not None):
        yield f'<pre class="scroll">{html_escape(diff_text(diff), quote=True)}</pre>'


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
    yield '<h3>Claim beside fact</h3><div class="scroll"><table>'
    yield "<tr><th>the name says</th><th>kind</th><th>the package holds</th><th></th></tr>"
    for claim in report.parsed.claims:
        key = (claim.kind, claim.text)
        if key in wrong:
            fact, word, style = wrong[key], "contradicted", Verdict.DEFECTIVE.value
        elif key in held:
            fact, word, style = held[key], "holds", Verdict.CONSISTENT.value
        else:
            fact, word, style = "", "not checked", "dim"
        yield (
            f"<tr><td><code>{_safe(claim.text)}</code></td><td>{_safe(claim.kind.replace('_', ' '))}</td>"
            f'<td>{_safe(fact)}</td><td class="{style}" style="white-space: nowrap">{word}</td></tr>'
        )
    yield "</table></div>"


def _parts(parts: Sequence[Part]) -> Iterator[str]:
    """The parts of a composite model as a picture: boxes in the order of the data's way through them."""
    if not parts:
        return
    rows = -(-len(parts) // _PER_ROW)
    columns = min(len(parts), _PER_ROW)
    width = columns * _BOX_WIDTH + (columns - 1) * _GAP + 2
    height = rows * _BOX_HEIGHT + (rows - 1) * _GAP + 2
    yield "<h3>Parts</h3>"
    size = f'viewBox="0 0 {width} {height}" width="{width}" height="{height}"'
    yield f'<div class="scroll"><svg {size} role="img" aria-label="parts of the model">'
    for number, part in enumerate(parts):
        x = 1 + (number % _PER_ROW) * (_BOX_WIDTH + _GAP)
        y = 1 + (number // _PER_ROW) * (_BOX_HEIGHT + _GAP)
        if number % _PER_ROW:
            middle = y + _BOX_HEIGHT // 2
            yield f'<path d="M{x - _GAP} {middle} H{x - 5} m-6 -4 l6 4 l-6 4"/>'
        name = part.family + (f"-{part.variant}" if part.variant else "")
        detail = ", ".join(f"{key} {value_text(key, value)}" for key, value in sorted(part.detail.items()))
        yield f"<g><title>{_safe(detail)}</title>"
        yield f'<rect x="{x}" y="{y}" width="{_BOX_WIDTH}" height="{_BOX_HEIGHT}" rx="6"/>'
        yield f'<text x="{x + 10}" y="{y + 26}">{_safe(_short(part.role.replace("_", " ")))}</text>'
        yield f'<text x="{x + 10}" y="{y + 48}" font-weight="700">{_safe(_short(name))}</text></g>'
    yield "</svg></div>"


def _short(text: str) -> str:
    return text if len(text) <= 22 else text[:20] + "…"


def _facts(report: AuditReport) -> Iterator[str]:
    rows = [(kind, fact) for kind in HEADLINE_KINDS if (fact := report.facts.best(kind)) is not None]
    if not rows:
        return
    yield '<h3>Facts</h3><div class="scroll"><table><tr><th>fact</th><th>value</th><th>read from</th></tr>'
    for kind, fact in rows:
        yield (
            f"<tr><td>{_safe(kind.replace('_', ' '))}</td><td>{_safe(fact_text(fact))}</td>"
            f"<td><code>{_safe(fact.source)}</code></td></tr>"
        )
    yield "</table></div>"
