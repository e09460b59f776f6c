"""`dara study`: tables over the results of a whole snapshot."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from dara.cli.output import Color, color_for, known_errors, report_sink


def study(
    out: Annotated[Path, typer.Argument(metavar="OUT", help="Results of dara batch.")],
    studies: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[STUDY]...",
            help="elements, conventions, families, claimed, owners, months, downloads, defective, clusters, identical, "
            "licences; all when none is named.",
        ),
    ] = None,
    *,
    output_format: Annotated[
        Literal["text", "json", "markdown", "html"], typer.Option("--format", help="text, json, markdown or html.")
    ] = "text",
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="Write the report here.")
    ] = None,
    color: Annotated[Color, typer.Option(help="auto, always or never.")] = "auto",
) -> None:
    """Answer questions about a whole snapshot: how packages are named, which names are wrong, where and since when.

    Exit code: 0 done, 2 usage, 4 a table is damaged. A study whose columns the snapshot lacks says so.

    Example: dara study results families downloads
    """
    with known_errors():
        from dara.reports import batch_tables
        from dara.studies.registry import run_studies
        from dara.studies.snapshot import Snapshot

        snapshot = Snapshot(out)
        results = run_studies(snapshot, studies or ())
        with report_sink(output) as sink:
            if output_format == "json":
                batch_tables.write_json(snapshot, results, sink)
            elif output_format == "html":
                from dara.reports.batch_html import write_report

                write_report(snapshot, results, sink)
            elif output_format == "markdown":
                batch_tables.write_markdown(results, sink)
            else:
                batch_tables.write_text(results, sink, color=color_for(color, sink))
