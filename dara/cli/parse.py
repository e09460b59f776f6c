"""`dara parse`: what a name says, without looking at any package."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator
from typing import Annotated, Literal

import typer

from clustering.text import escape
from dara.cli.output import warn
from dara.errors import UsageError
from naming.records import ParsedName


def parse(
    names: Annotated[list[str], typer.Argument(metavar="NAME... | -", help="Names, or - for one a line on stdin.")],
    output: Annotated[
        Literal["text", "json"], typer.Option("--format", help="text, or json for one object a line.")
    ] = ("text"),
) -> None:
    """Take names apart: components with offsets, conventions and claims.

    Example: dara parse facebook/maskformer-swin-base-ade
    """
    from naming import NameRefused, parse_name, parse_names
    from naming.serialize import to_dict

    refused = 0

    def parsed() -> Iterator[ParsedName]:
        nonlocal refused
        if names == ["-"]:
            yield from parse_names(_lines(sys.stdin))
            return
        for name in names:
            try:
                yield parse_name(name)
            except NameRefused as error:
                refused += 1
                warn(str(error))

    for item in parsed():
        if output == "json":
            sys.stdout.write(json.dumps(to_dict(item), sort_keys=True, ensure_ascii=False) + "\n")
        else:
            sys.stdout.write("\n".join(_text(item)) + "\n")
    if refused:
        raise UsageError(f"{refused} of {len(names)} names refused")


def _lines(stream: Iterable[str]) -> Iterator[str]:
    for line in stream:
        name = line.rstrip("\r\n")
        if name:
            yield name


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
