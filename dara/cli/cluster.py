"""`dara cluster`: which packages have graphs that are alike."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, Literal

import typer

from dara.cli.output import known_errors, report_sink


def cluster(
    targets: Annotated[
        list[str], typer.Argument(metavar="TARGET...", help="Packages, folders of packages, or snapshot files.")
    ],
    *,
    offline: Annotated[bool, typer.Option("--offline", help="Never use the network.")] = False,
    output_format: Annotated[Literal["text", "json"], typer.Option("--format", help="text or json.")] = "text",
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="Write the report here.")
    ] = None,
    picture: Annotated[Path | None, typer.Option("--map", metavar="FILE", help="Draw the map here (SVG).")] = None,
    min_size: Annotated[int, typer.Option(min=2, help="Smallest number of different graphs in a cluster.")] = 2,
    build: Annotated[
        bool, typer.Option("--build/--no-build", help="Build the declared class of packages without weights.")
    ] = True,
    full: Annotated[bool, typer.Option("--full", help="Name every package.")] = False,
) -> None:
    """Group packages by their graphs: clusters with their families, outliers, identical graphs, a map.

    Exit code: 0 done, 2 usage, 3 no package has a graph, 4 a target could not be read.

    Example: dara cluster ./snapshot --map map.svg
    """
    with known_errors():
        from dara.cluster import cluster as run

        shown = sys.stderr.isatty() and output_format == "text"
        found = run(
            targets, offline=offline, build_graphs=build, min_cluster_size=min_size, progress=_tell if shown else None
        )
        if shown:
            sys.stderr.write("\r\x1b[K")
    from dara.reports.clusters import clusters_document, clusters_svg, clusters_text

    if not found.graphs:
        from dara.errors import NothingAuditableError

        reason = found.skipped[0].reason if found.skipped else "the targets hold no packages"
        raise NothingAuditableError(f"no package has a graph: {reason}")
    with report_sink(output) as sink:
        if output_format == "json":
            json.dump(clusters_document(found), sink, indent=2, sort_keys=True, ensure_ascii=False)
            sink.write("\n")
        else:
            sink.writelines(f"{line}\n" for line in clusters_text(found, full=full))
    if picture is not None:
        with report_sink(picture) as sink:
            sink.writelines(f"{line}\n" for line in clusters_svg(found))
    if found.skipped:
        sys.stderr.write(f"{len(found.skipped)} packages without a graph; their reasons are in the JSON report\n")


def _tell(count: int) -> None:
    sys.stderr.write(f"\r{count:,} packages read")
    sys.stderr.flush()
