"""`dara corpus`: the reference corpus that graphs are compared with."""

from __future__ import annotations

import json
import sys

import typer

app = typer.Typer(help="The reference corpus that graphs are compared with.", no_args_is_help=True)


@app.command()
def info() -> None:
    """Say what the installed reference corpus holds and which versions built it.

    Example: dara corpus info
    """
    from corpora.reference import load_reference

    sys.stdout.write(json.dumps(load_reference().info(), indent=2, sort_keys=True) + "\n")
