"""Studies of a snapshot as text, as Markdown and as JSON (`dara-study/1`)."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final, TextIO

from dara.reports.markdown import literal

if TYPE_CHECKING:
    from dara.studies.interface import Column, StudyResult, Table, Value
    from dara.studies.snapshot import Snapshot

SCHEMA: Final = "dara-study/1"
_WIDEST: Final = 60
"""Characters of a cell in a terminal."""
_EMPTY: Final = "-"


def cell(value: Value, column: Column) -> str:
    """A value as a person reads it; `-` for none."""
    if value is None:
        return _EMPTY
    match column.kind:
        case "count":
            return f"{int(value):,}"
        case "share":
            return f"{float(value):.1%}"
        case "number":
            return f"{float(value):,.4g}"
        case _:
            return str(value)


def write_text(results: Sequence[StudyResult], sink: TextIO, *, color: bool | None = False) -> None:
    """Tables for a terminal.

    Args:
        results: the studies.
        sink: where to write.
        color: True, False, or None for what the sink can show.
    """
    from rich.console import Console

    # the width of a terminal; a file or a pipe has none, and long lines there are better than broken ones
    console = Console(
        file=sink,
        force_terminal=True if color else None,
        no_color=color is False,
        highlight=False,
        emoji=False,
        width=None if sink.isatty() else 160,
    )
    for number, result in enumerate(results):
        if number:
            console.print()
        console.print(result.title, style="bold", markup=False)
        if result.missing is not None:
            console.print(f"  {result.missing}", markup=False)
        for table in result.tables:
            console.print()
            _print_table(table, console)


def _print_table(table: Table, console: Any) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table as Grid
    from rich.text import Text

    grid = Grid(title=Text(table.title), title_justify="left", box=SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for column in table.columns:
        right = column.kind != "text"
        grid.add_column(Text(column.name), justify="right" if right else "left", overflow="fold", max_width=_WIDEST)
    for row in table.rows:
        grid.add_row(*(Text(cell(value, column)) for value, column in zip(row, table.columns, strict=True)))
    console.print(grid)
    for line in _remarks(table):
        console.print(line, markup=False, style="dim")


def _remarks(table: Table) -> Iterator[str]:
    if not table.rows:
        yield "none"
    if table.left_out:
        yield f"and {table.left_out:,} more"
    if table.note:
        yield table.note


def write_markdown(results: Sequence[StudyResult], sink: TextIO) -> None:
    """A section per study."""
    for number, result in enumerate(results):
        sink.write("\n" if number else "")
        sink.write(f"## {literal(result.title)}\n")
        if result.missing is not None:
            sink.write(f"\n{literal(result.missing)}\n")
        for table in result.tables:
            sink.write(f"\n### {literal(table.title)}\n\n")
            if table.rows:
                sink.write(f"| {' | '.join(literal(column.name) for column in table.columns)} |\n")
                marks = ("---" if column.kind == "text" else "---:" for column in table.columns)
                sink.write(f"|{'|'.join(marks)}|\n")
            for row in table.rows:
                cells = (literal(cell(value, column)) for value, column in zip(row, table.columns, strict=True))
                sink.write(f"| {' | '.join(cells)} |\n")
            sink.writelines(f"\n{literal(line)}\n" for line in _remarks(table))


def study_document(snapshot: Snapshot, results: Sequence[StudyResult]) -> dict[str, Any]:
    """The JSON object of some studies."""
    return {
        "schema": SCHEMA,
        "inputs": snapshot.run.get("inputs"),
        "versions": snapshot.run.get("versions"),
        "packages": snapshot.packages,
        "studies": [
            {
                "name": result.name,
                "title": result.title,
                "missing": result.missing,
                "tables": [_table_document(table) for table in result.tables],
            }
            for result in results
        ],
    }


def _table_document(table: Table) -> dict[str, Any]:
    return {
        "key": table.key,
        "title": table.title,
        "note": table.note,
        "columns": [{"name": column.name, "kind": column.kind} for column in table.columns],
        "rows": [[round(value, 6) if isinstance(value, float) else value for value in row] for row in table.rows],
        "left_out": table.left_out,
    }


def write_json(snapshot: Snapshot, results: Sequence[StudyResult], sink: TextIO) -> None:
    """One object, sorted."""
    json.dump(study_document(snapshot, results), sink, indent=2, sort_keys=True, ensure_ascii=False)
    sink.write("\n")
