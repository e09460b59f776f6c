"""`dara parse`: what a name says, without looking at any package."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Annotated, Literal

import typer

from clustering.text import escape
from dara.cli.output import warn
from dara.errors import UsageError
from naming.records import ParsedName

_STEP = 1_000
"""Names between two looks at the clock."""


def parse(
    names: Annotated[list[str], typer.Argument(metavar="NAME... | -", help="Names, or - for one a line on stdin.")],
    output: Annotated[
        Literal["text", "json"], typer.Option("--format", help="text, or json for one object a line.")
    ] = "text",
) -> None:
    """Take names apart: components with offsets, conventions and claims.

    Example: dara parse facebook/maskformer-swin-base-ade
    """
    from naming import NameRefused, parse_names
    from naming.serialize import to_line

    refused = 0

    def refuse(_: str, error: NameRefused) -> None:
        nonlocal refused
        refused += 1
        warn(str(error))

    source = _lines(sys.stdin) if names == ["-"] else iter(names)
    with _progress(shown=names == ["-"]) as advance:
        for item in parse_names(source, on_refused=refuse):
            sys.stdout.write((to_line(item) if output == "json" else "\n".join(_text(item))) + "\n")
            advance()
    if refused:
        raise UsageError(f"{refused} {'name' if refused == 1 else 'names'} refused")


def _lines(stream: Iterable[str]) -> Iterator[str]:
    for line in stream:
        name = line.rstrip("\r\n")
        if name:
            yield name


@contextmanager
def _progress(*, shown: bool) -> Iterator[Callable[[], object]]:
    """Counts names on stderr when a person watches it and the names themselves go elsewhere."""
    if not shown or not sys.stderr.isatty() or sys.stdout.isatty():
        yield lambda: None
        return
    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    count = 0
    columns = (
        SpinnerColumn(),
        TextColumn("{task.completed:,.0f} names, {task.fields[rate]:,.0f} a second"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task("names", total=None, rate=0.0)

        def advance() -> None:
            nonlocal count
            count += 1
            if count % _STEP == 0:
                bar.update(task, completed=count, rate=bar.tasks[0].speed or 0.0)

        yield advance
        bar.update(task, completed=count)


def _text(parsed: ParsedName) -> Iterator[str]:
    yield escape(parsed.name)
    for component in parsed.components:
        role = f" ({component.role})" if component.role else ""
        value = "" if str(component.value) == component.text else f" = {escape(str(component.value))}"
        yield f"  {component.category:<13}{escape(component.text)}{value}{role}"
    yield f"  convention   {parsed.convention.category} ({escape(parsed.convention.pattern)})"
    if not parsed.claims:
        yield "  claims       nothing that can be checked"
    for claim in parsed.claims:
        firm = "" if claim.modality == "stated" else f" ({claim.modality})"
        yield f"  claims       {claim.kind} = {escape(str(claim.value))}{firm}"
