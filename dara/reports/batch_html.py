"""`report.html`: the results of a whole snapshot as one page that loads nothing.

The page is readable without scripts (totals and every table of the studies); its script adds the bars, the map of the
graphs and the list of packages. A content policy allows this one script, by its hash, and no address.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator, Sequence
from functools import cache
from html import escape as markup
from importlib.resources import files
from typing import Any, Final, TextIO

from clustering.text import escape
from dara.reports.batch_data import packed, report_data
from dara.reports.batch_tables import cell
from dara.studies.interface import StudyResult, Table
from dara.studies.snapshot import Snapshot

_VERDICTS: Final = ("consistent", "defective", "unverifiable")


@cache
def _asset(name: str) -> str:
    return files("dara.reports").joinpath("assets", name).read_text(encoding="utf-8")


def _safe(value: object) -> str:
    return markup(escape(str(value), None), quote=True)


def write_report(snapshot: Snapshot, results: Sequence[StudyResult], sink: TextIO) -> None:
    """Writes the page.

    Args:
        snapshot: the results of a run.
        results: every study of it.
        sink: where to write.

    Raises:
        DaraError: a table cannot be read.
    """
    script = f"\n{_asset('batch_map.js')}{_asset('batch.js')}"
    allowed = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    policy = (
        f"default-src 'none'; script-src 'sha256-{allowed}'; style-src 'unsafe-inline'; base-uri 'none'; "
        "form-action 'none'"
    )
    sink.write('<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n')
    sink.write('<meta name="viewport" content="width=device-width, initial-scale=1">\n')
    sink.write(f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n')
    sink.write(f"<title>DARA: {_safe(_title(snapshot))}</title>\n<style>\n{_asset('batch.css')}</style>\n</head>\n")
    sink.write("<body>\n<main>\n")
    for part in (_summary(snapshot), _bars(), _map(snapshot), _packages(), _studies(results)):
        sink.writelines(f"{line}\n" for line in part)
    sink.write("</main>\n")
    data = packed(report_data(snapshot, results))
    sink.write(f'<script type="application/octet-stream" id="data">{data}</script>\n')
    sink.write(f"<script>{script}</script>\n</body>\n</html>\n")


def _title(snapshot: Snapshot) -> str:
    inputs = snapshot.run.get("inputs")
    name = inputs.get("snapshot") if isinstance(inputs, dict) else None
    return str(name or "snapshot")


def _number(value: Any) -> str:
    return f"{value:,}" if isinstance(value, int) else "-"


def _summary(snapshot: Snapshot) -> Iterator[str]:
    totals = snapshot.summary
    packages = totals.get("packages") or 0
    verdicts = totals.get("verdicts") or {}
    yield f"<section>\n<h1>Are packages what their names say? {_safe(_title(snapshot))}</h1>"
    yield (
        f'<p class="dim">{_number(packages)} packages of {_number(totals.get("entries"))} entries; '
        f"{_number(totals.get('unread_entries'))} entries could not be read, "
        f"{_number(totals.get('unauditable_packages'))} packages hold nothing that a name can be compared with.</p>"
    )
    yield '<div class="whole" aria-hidden="true">'
    for word in _VERDICTS:
        share = 100 * (verdicts.get(word) or 0) / packages if packages else 0
        yield f'<span class="{word}" style="width: {share:.3f}%"></span>'
    yield '</div>\n<ul class="figures">'
    for word in _VERDICTS:
        own = verdicts.get(word) or 0
        part = f" ({own / packages:.1%})" if packages else ""
        yield f'<li><b class="{word}">{_number(own)}</b> {word}{part}</li>'
    clusters = totals.get("clusters") or {}
    if clusters.get("graphs"):
        graphs, number = _number(clusters.get("graphs")), _number(clusters.get("clusters"))
        yield f"<li><b>{graphs}</b> different graphs in {number} clusters</li>"
        yield f"<li><b>{_number(clusters.get('outliers'))}</b> names that do not fit their cluster</li>"
    yield "</ul>"
    versions = snapshot.run.get("versions") or {}
    made = f"dara {versions.get('dara', '?')}, fingerprint {versions.get('fingerprint', '?')}"
    yield f'<p class="dim">Made by {_safe(made)}. Unverifiable: there was nothing to compare the name with.</p>'
    yield "</section>"


def _bars() -> Iterator[str]:
    yield '<section>\n<h2>Where names are wrong</h2>\n<div class="controls">'
    yield '<label>Share of defective packages <select id="kind"></select></label></div>'
    yield '<div class="bars" id="bars"></div>\n<p class="dim" id="bar-note"></p>'
    yield "<noscript><p>The same figures stand in the tables below.</p></noscript>\n</section>"


def _map(snapshot: Snapshot) -> Iterator[str]:
    yield "<section>\n<h2>Map of the graphs</h2>"
    if not (snapshot.summary.get("clusters") or {}).get("graphs"):
        yield "<p>Not available: no package of this snapshot has weight headers that were read.</p>\n</section>"
        return
    yield (
        '<p class="dim" id="map-help">Each dot is one model graph, sized by its packages and coloured by its cluster; '
        "like graphs are near. Point at a dot, or use the arrow keys; Enter or a click lists its cluster.</p>"
    )
    yield (
        '<div class="controls"><button type="button" id="nearer">nearer</button>'
        '<button type="button" id="farther">farther</button><button type="button" id="reset">whole map</button></div>'
    )
    yield (
        '<div id="map"><canvas id="canvas" tabindex="0" role="application" aria-label="Map of the graphs" '
        'aria-describedby="map-help"></canvas><div id="tip" role="status" aria-live="polite" hidden></div></div>'
    )
    yield "</section>"


def _packages() -> Iterator[str]:
    yield '<section id="packages">\n<h2>Packages</h2>\n<div class="controls">'
    yield '<label>Name holds <input id="words" type="search" autocomplete="off" spellcheck="false"></label>'
    options = "".join(f'<option value="{word}">{word}</option>' for word in _VERDICTS)
    yield f'<label>Verdict <select id="verdict"><option value="">any</option>{options}</select></label>'
    yield '<label>Code <select id="code"><option value="">any</option></select></label>'
    yield '<label><input id="outlier" type="checkbox"> only names that do not fit their cluster</label>'
    yield '<button type="button" id="chip" hidden></button></div>'
    yield '<p class="dim" id="state" role="status" aria-live="polite">The list of packages needs scripts.</p>'
    yield '<div class="grid" id="grid" role="table" aria-label="Packages" aria-colcount="8">'
    yield '<div class="row head" id="head" role="row"></div>'
    yield '<div class="view" id="view" role="rowgroup" tabindex="0" aria-label="List of packages">'
    yield '<div class="space" id="space"></div></div></div>'
    yield '<div id="detail" hidden></div>\n</section>'


def _studies(results: Sequence[StudyResult]) -> Iterator[str]:
    yield "<section>\n<h2>Studies</h2>"
    for result in results:
        yield f'<details open id="study-{_safe(result.name)}"><summary>{_safe(result.title)}</summary>'
        if result.missing is not None:
            yield f"<p>{_safe(result.missing)}</p>"
        for table in result.tables:
            yield from _table(table)
        yield "</details>"
    yield "</section>"


def _table(table: Table) -> Iterator[str]:
    yield f"<h3>{_safe(table.title)}</h3>"
    if table.rows:
        yield '<div class="scroll"><table data-sortable>\n<thead><tr>'
        for column in table.columns:
            style = "" if column.kind == "text" else ' class="number"'
            yield f'<th scope="col"{style}>{_safe(column.name)}</th>'
        yield "</tr></thead>\n<tbody>"
        for row in table.rows:
            cells: list[str] = []
            for value, column in zip(row, table.columns, strict=True):
                exact = (
                    "" if column.kind == "text" else f' class="number" data-value="{"" if value is None else value}"'
                )
                cells.append(f"<td{exact}>{_safe(cell(value, column))}</td>")
            yield f"<tr>{''.join(cells)}</tr>"
        yield "</tbody></table></div>"
    else:
        yield "<p>none</p>"
    if table.left_out:
        yield f'<p class="dim">and {table.left_out:,} more</p>'
    if table.note:
        yield f'<p class="dim">{_safe(table.note)}</p>'
