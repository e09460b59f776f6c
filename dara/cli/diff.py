"""`dara diff`: what changed between two runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from dara.cli.output import Color, color_for, known_errors, report_sink


def diff(
    old: Annotated[Path, typer.Argument(metavar="OUT_OLD", help="Results of an earlier dara batch.")],
    new: Annotated[Path, typer.Argument(metavar="OUT_NEW", help="Results of a later one.")],
    *,
    output_format: Annotated[
        Literal["text", "json", "markdown"], typer.Option("--format", help="text, json or markdown.")
    ] = "text",
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="Write the report here.")
    ] = None,
    color: Annotated[Color, typer.Option(help="auto, always or never.")] = "auto",
) -> None:
    """Say what became defective, was repaired, appeared or vanished between two runs.

    Packages are the same when their names are. Exit code: 0 no new defects, 1 new defects, 2 usage, 4 a table is
    damaged.

    Example: dara diff results-may results-june
    """
    with known_errors():
        from dara.diff import Diff
        from dara.reports.batch_diff import diff_tables, write_json
        from dara.reports.batch_tables import write_markdown, write_text
        from dara.studies.snapshot import Snapshot

        found = Diff(Snapshot(old), Snapshot(new))
        with report_sink(output) as sink:
            if output_format == "json":
                write_json(found, sink)
            elif output_format == "markdown":
                write_markdown((diff_tables(found),), sink)
            else:
                write_text((diff_tables(found),), sink, color=color_for(color, sink))
    if found.new_defects:
        raise typer.Exit(1)
