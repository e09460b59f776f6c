"""`dara name`: what a folder would conventionally be called, and what its model card could say of it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from clustering.text import escape
from dara.cli.output import known_errors, report_sink, warn


def name(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The folder of a package.")],
    *,
    intended: Annotated[
        str | None, typer.Option("--name", metavar="OWNER/REPO", help="The name to start from, where there is one.")
    ] = None,
    write: Annotated[bool, typer.Option("--write", help="Complete the model card on disk.")] = False,
) -> None:
    """Propose a name, and complete the model card with what can be derived from the package.

    Prints the name with a reason for each part, then the card's additions as a diff; nothing that the card says is
    changed. The files are only touched with --write.

    Example: dara name ./my-model --name acme/bert-sentiment
    """
    from dara.cardtext import complete
    from dara.metadata import derive
    from dara.proposal import name_of

    with known_errors():
        proposal, package = name_of(str(folder), intended)
        derived = derive(package, proposal.report)
        changed = complete(folder / "README.md", derived)
    if proposal.suggestion is None:
        warn(f"{escape(str(folder))}: nothing measured gives a name; start from one with --name owner/repo")
    else:
        sys.stdout.write(f"{escape(proposal.suggestion.name)}\n")
        width = max((len(escape(part.text)) for part in proposal.suggestion.parts), default=0)
        for part in proposal.suggestion.parts:
            sys.stdout.write(f"  {escape(part.text):<{width}}  {part.change:<8}  {escape(part.reason)}\n")
    for item in derived:
        sys.stderr.write(f"{item.key}: {escape(item.reason)}\n")
    if not changed.differs:
        warn("the model card already says what can be derived")
        return
    sys.stdout.write(escape_lines(changed.diff))
    if write:
        with report_sink(folder / "README.md") as sink:
            sink.write(changed.after)
        warn(f"{len(derived)} entries added to {escape(str(folder / 'README.md'))}")


def escape_lines(text: str) -> str:
    """A text of several lines, each made safe to show."""
    return "".join(f"{escape(line, None)}\n" for line in text.split("\n")[:-1])
