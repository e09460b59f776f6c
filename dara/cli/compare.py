"""`dara compare`: what two models share and where they part."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Literal

import typer

from dara.cli.output import known_errors, report_sink, warn


def compare(
    left: Annotated[str, typer.Argument(metavar="A", help="owner/repo on the hub, a folder, or a weight file.")],
    right: Annotated[str, typer.Argument(metavar="B", help="The same; what is held against A.")],
    *,
    offline: Annotated[bool, typer.Option("--offline", help="Never use the network.")] = False,
    output_format: Annotated[Literal["text", "json"], typer.Option("--format", help="text or json.")] = "text",
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="Write the report here.")
    ] = None,
    full: Annotated[bool, typer.Option("--full", help="Show every pair and every tensor that stands alone.")] = False,
) -> None:
    """Explain what two models share and where they part, part by part and tensor by tensor.

    Layout is set aside: transposed kernels, split or fused projections and other names are no difference.

    Exit code: 0 the graphs are the same, 1 they differ, 2 usage, 3 nothing to compare, 4 a side was not read whole.

    Example: dara compare ./original ./conversion.gguf
    """
    with known_errors():
        from dara.compare import compare as run

        comparison = run(left, right, offline=offline)
    from dara.reports.comparison import comparison_document, comparison_text

    with report_sink(output) as sink:
        if output_format == "json":
            json.dump(comparison_document(comparison), sink, indent=2, sort_keys=True, ensure_ascii=False)
            sink.write("\n")
        else:
            sink.writelines(f"{line}\n" for line in comparison_text(comparison, full=full))
    for side in (comparison.left, comparison.right):
        for problem in side.problems:
            warn(problem)
    if not comparison.complete:
        raise typer.Exit(4)
    raise typer.Exit(0 if comparison.same else 1)
