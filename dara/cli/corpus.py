"""`dara corpus`: the reference corpus that graphs are compared with."""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(help="The reference corpus that graphs are compared with.", no_args_is_help=True)


@app.command()
def info() -> None:
    """Say what the installed reference corpus holds and which versions built it.

    Example: dara corpus info
    """
    from corpora.reference.index import INDEX_FILE, load_reference

    index = load_reference().index
    document = {
        "families": len(index.families),
        "classes": len(index.classes),
        "templates": len(index.templates),
        "twins": {family: list(twins) for family, twins in index.meta.get("twins", {}).items() if twins},
        "versions": index.meta.get("versions", {}),
        "bytes": INDEX_FILE.stat().st_size,
    }
    sys.stdout.write(json.dumps(document, indent=2, sort_keys=True) + "\n")


@app.command()
def build(
    out: Annotated[Path, typer.Argument(metavar="OUT", help="The index to write (.npz).")],
    raw: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Keep the raw corpus here, or reuse one that is there.")
    ] = None,
    workers: Annotated[int, typer.Option(min=1, help="Processes that build models.")] = 2,
) -> None:
    """Build the reference corpus anew from the installed transformers (needs the `graph` extra, takes half an hour).

    Example: dara corpus build reference.npz --raw raw.jsonl.gz
    """
    from corpora.reference.build import main as build_index

    with tempfile.TemporaryDirectory(prefix="dara-corpus-") as scratch:
        source = raw or Path(scratch) / "raw.jsonl.gz"
        if not source.exists():
            _build_raw(source, workers)
        code = build_index([str(source), str(out)])
    raise typer.Exit(code)


def _build_raw(path: Path, workers: int) -> None:
    """Enumerate and build the models, with a bar on a terminal and lines elsewhere."""
    from corpora.reference.raw import build_raw, prepare, report_progress

    prepare()
    if not sys.stderr.isatty():
        models, failures = build_raw(path, workers=workers, observe=report_progress)
    else:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
        from rich.progress import Progress as Bar

        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        with Bar(*columns, console=Console(stderr=True)) as bar:
            task = bar.add_task("building models", total=None)

            def observe(number: int, total: int, text: str) -> None:
                bar.update(task, completed=number, total=total, description=text)

            models, failures = build_raw(path, workers=workers, observe=observe)
    sys.stderr.write(f"{models} records, {failures} classes or sizes failed\n")
