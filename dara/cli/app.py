"""The `dara` command: its sub-commands, and what becomes of errors."""

from __future__ import annotations

import os
import sys
import traceback
from typing import Annotated, NoReturn

import typer

from dara import __version__
from dara.cli import (
    audit,
    batch,
    cluster,
    compare,
    corpus,
    demo,
    diff,
    name,
    parse,
    publish,
    rules,
    snapshot,
    studies,
    suggest,
)
from dara.errors import DEBUG_VARIABLE, DaraError, internal_error

app = typer.Typer(
    name="dara",
    help="Tells whether a pre-trained model package is what its name says.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command(name="audit")(audit.audit)
app.command(name="lint")(audit.lint)
app.command(name="fingerprint")(audit.fingerprint)
app.command(name="batch")(batch.batch)
app.command(name="study")(studies.study)
app.command(name="diff")(diff.diff)
app.command(name="parse")(parse.parse)
app.command(name="suggest")(suggest.suggest)
app.command(name="name")(name.name)
app.command(name="publish")(publish.publish)
app.command(name="compare")(compare.compare)
app.command(name="cluster")(cluster.cluster)
app.command(name="rules")(rules.rules)
app.command(name="explain")(rules.explain)
app.command(name="demo")(demo.demo)
app.add_typer(snapshot.app, name="snapshot")
app.add_typer(corpus.app, name="corpus")


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"dara {__version__}")
        raise typer.Exit


@app.callback()
def root(
    *,
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and stop.")
    ] = False,
    debug: Annotated[
        bool, typer.Option("--debug", envvar=DEBUG_VARIABLE, help="Show the traceback of an error.")
    ] = False,
) -> None:
    """Tells whether a pre-trained model package is what its name says."""
    del version
    if debug:
        os.environ[DEBUG_VARIABLE] = "1"


def main() -> NoReturn:
    """Entry point of the console script; ends the process with the exit code of the contract."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # a terminal that cannot show a character gets its escape, not a crash
            stream.reconfigure(errors="backslashreplace")
    try:
        app()
    except DaraError as error:
        if os.environ.get(DEBUG_VARIABLE):
            traceback.print_exc()
        sys.stderr.write(f"dara: {error}\n")
        sys.exit(error.exit_code)
    except BrokenPipeError:
        # The reader of a pipe has gone; point stdout elsewhere so that the interpreter's last flush is quiet.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    except Exception as error:
        if os.environ.get(DEBUG_VARIABLE):
            raise
        sys.stderr.write(f"dara: {internal_error(error)}\n")
        sys.exit(DaraError.exit_code)
    except KeyboardInterrupt:
        sys.stderr.write("dara: interrupted\n")
        sys.exit(130)
    sys.exit(0)
