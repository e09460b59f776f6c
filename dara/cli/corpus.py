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
) -> None:
    """Build the reference corpus anew from the installed transformers (needs the `graph` extra, takes minutes).

    Example: dara corpus build reference.npz --raw raw.jsonl.gz
    """
    from corpora.reference.build import main as build_index
    from corpora.reference.raw import main as build_raw

    with tempfile.TemporaryDirectory(prefix="dara-corpus-") as scratch:
        source = raw or Path(scratch) / "raw.jsonl.gz"
        code = 0 if source.exists() else build_raw([str(source)])
        if not code:
            code = build_index([str(source), str(out)])
    raise typer.Exit(code)
