"""The changes between two runs as text, as Markdown and as JSON (`dara-diff/1`)."""

from __future__ import annotations

import heapq
import json
from collections.abc import Iterable, Iterator
from typing import Any, Final, TextIO

from dara.diff import KINDS, NEW_DEFECTS, Change, Diff, Kind
from dara.reports.document import clean
from dara.studies.interface import SHOWN, Column, StudyResult, Table

SCHEMA: Final = "dara-diff/1"
_COLUMNS: Final = (
    Column("package"),
    Column("before"),
    Column("now"),
    Column("codes"),
    Column("because of"),
    Column("downloads", "count"),
)
_PLAIN: Final = (Column("package"), Column("verdict"), Column("downloads", "count"))


def diff_tables(diff: Diff) -> StudyResult:
    """The counts and the most downloaded packages of each kind of change; reads all changes."""
    most: dict[Kind, list[tuple[int, int, Change]]] = {kind: [] for kind in KINDS}
    for number, change in enumerate(diff.changes()):
        item = (change.downloads if change.downloads is not None else -1, -number, change)
        heap = most[change.kind]
        if len(heap) < SHOWN:
            heapq.heappush(heap, item)
        else:
            heapq.heappushpop(heap, item)
    messages = _messages(diff, (change for kind in NEW_DEFECTS for _, _, change in most[kind]))
    tables = [_totals(diff)]
    for kind, title in KINDS.items():
        if most[kind]:
            ranked = [change for _, _, change in sorted(most[kind], key=lambda item: item[:2], reverse=True)]
            tables.append(_table(kind, title, ranked, messages, diff.counts[kind] - len(ranked)))
    return StudyResult("diff", f"From {diff.old.name} to {diff.new.name}", tuple(tables))


def _totals(diff: Diff) -> Table:
    remarks = [f"{diff.compared:,} packages are in both runs."]
    if diff.versions:
        remarks.append(f"Other versions: {_listed(diff.versions)}. Some changes come from them.")
    if diff.settings:
        remarks.append(f"Other settings: {_listed(diff.settings)}. Some changes come from them.")
    if diff.judged_alike:
        remarks.append("Both were judged by the same versions with the same settings.")
    if diff.unnamed:
        remarks.append(f"{diff.unnamed:,} rows without a name were not compared.")
    if diff.repeated:
        remarks.append(f"{diff.repeated:,} rows repeat a name; the first row of a name counts.")
    rows = tuple((title, diff.counts[kind]) for kind, title in KINDS.items())
    return Table("changes", "Changes", (Column("packages that"), Column("number", "count")), rows, " ".join(remarks))


def _listed(changed: dict[str, tuple[str | None, str | None]]) -> str:
    return ", ".join(f"{key} {old or 'none'} to {new or 'none'}" for key, (old, new) in changed.items())


def _table(kind: Kind, title: str, changes: list[Change], messages: dict[int, str], left_out: int) -> Table:
    heading = f"Packages: {title}"
    if kind in {"appeared", "vanished"}:
        rows = tuple((c.name, c.after or c.before, c.downloads) for c in changes)
        return Table(kind, heading, _PLAIN, rows, left_out=left_out)
    found = kind in NEW_DEFECTS
    columns = (*_COLUMNS, Column("finding")) if found else _COLUMNS
    lines = tuple(
        (
            c.name,
            c.before,
            c.after,
            _codes(c),
            c.cause,
            c.downloads,
            *((messages.get(c.entry, ""),) if found else ()),
        )
        for c in changes
    )
    return Table(kind, heading, columns, lines, left_out=left_out)


def _codes(change: Change) -> str:
    if change.before == change.after:
        return f"{', '.join(change.codes_before)} to {', '.join(change.codes_after)}"
    return ", ".join(change.codes_after or change.codes_before)


def _messages(diff: Diff, changes: Iterable[Change]) -> dict[int, str]:
    """The worst finding of some packages of the later run by their position."""
    import pyarrow as pa
    import pyarrow.compute as pc

    wanted = pa.array([change.entry for change in changes], pa.int64())
    found: dict[int, str] = {}
    if len(wanted):
        for batch in diff.new.scan(("entry", "message"), "findings"):
            for row in batch.filter(pc.is_in(batch.column("entry"), value_set=wanted)).to_pylist():
                found.setdefault(row["entry"], row["message"])
    return found


def write_json(diff: Diff, sink: TextIO) -> None:
    """One object; the changes are written as they are found, keys sorted, a change a line."""
    sink.write('{\n  "changes": [')
    for number, change in enumerate(diff.changes()):
        sink.write(",\n    " if number else "\n    ")
        sink.write(_text(_change_document(change)))
    sink.write("\n  ],\n" if diff.counts else "],\n")
    rest = {
        "compared": diff.compared,
        "counts": {kind: diff.counts[kind] for kind in KINDS},
        "new": _side(diff.new.run),
        "new_defects": diff.new_defects,
        "old": _side(diff.old.run),
        "repeated_names": diff.repeated,
        "schema": SCHEMA,
        "settings_changed": _pairs(diff.settings),
        "unnamed": diff.unnamed,
        "versions_changed": _pairs(diff.versions),
    }
    sink.writelines(_lines(rest))
    sink.write("}\n")


def _lines(document: dict[str, Any]) -> Iterator[str]:
    last = len(document) - 1
    for number, (key, value) in enumerate(document.items()):
        yield f'  "{key}": {_text(value)}{"," if number < last else ""}\n'


def _text(value: Any) -> str:
    return json.dumps(value, sort_keys=True, ensure_ascii=False)


def _side(run: dict[str, Any]) -> dict[str, Any]:
    return {"inputs": run.get("inputs"), "versions": run.get("versions")}


def _pairs(changed: dict[str, tuple[str | None, str | None]]) -> dict[str, Any]:
    return {key: {"old": old, "new": new} for key, (old, new) in changed.items()}


def _change_document(change: Change) -> dict[str, Any]:
    return {
        "kind": change.kind,
        "name": clean(change.name),
        "before": change.before,
        "after": change.after,
        "codes_before": list(change.codes_before),
        "codes_after": list(change.codes_after),
        "cause": change.cause,
        "downloads": change.downloads,
    }
