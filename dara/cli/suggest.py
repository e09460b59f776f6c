"""`dara suggest`: what a package would have to be called."""

from __future__ import annotations

import json
import sys
from typing import Annotated, Literal

import typer

from clustering.text import escape


def suggest(
    target: Annotated[str, typer.Argument(metavar="TARGET", help="As for `dara audit`.")],
    *,
    name: Annotated[str | None, typer.Option("--name", metavar="OWNER/REPO", help="The name to start from.")] = None,
    revision: Annotated[str | None, typer.Option(help="Branch, tag or commit on the hub.")] = None,
    offline: Annotated[bool, typer.Option("--offline", help="Never use the network.")] = False,
    output: Annotated[Literal["text", "json"], typer.Option("--format", help="text or json.")] = "text",
) -> None:
    """Build a conventional name from the claims that hold and the measured facts, with the reason for each part.

    Example: dara suggest ./acme--bert-base-chinese-ner
    """
    from dara.audit import audit
    from dara.cli.output import known_errors
    from dara.errors import NothingAuditableError
    from dara.suggest import suggest as build

    with known_errors():
        report = audit(target, name=name, revision=revision, offline=offline)
    suggestion = build(report)
    if suggestion is None:
        raise NothingAuditableError(f"{escape(target)}: has no name to start from; give one with --name owner/repo")
    if output == "json":
        document = {
            "schema": "dara-suggestion/1",
            "current": escape(suggestion.current, None),
            "name": escape(suggestion.name, None),
            "parts": [
                {"text": escape(part.text, None), "change": part.change, "reason": escape(part.reason, None)}
                for part in suggestion.parts
            ],
        }
        sys.stdout.write(json.dumps(document, indent=2, sort_keys=True, ensure_ascii=False) + "\n")
        return
    sys.stdout.write(f"{escape(suggestion.name)}\n")
    width = max((len(escape(part.text)) for part in suggestion.parts), default=0)
    for part in suggestion.parts:
        sys.stdout.write(f"  {escape(part.text):<{width}}  {part.change:<8}  {escape(part.reason)}\n")
