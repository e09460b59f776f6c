"""`dara snapshot pull`: a snapshot of a live hub, for `dara batch`."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from clustering.text import escape
from dara.cli.output import known_errors, warn
from dara.errors import UsageError

if TYPE_CHECKING:
    from corpora.sources.hub_query import Query

app = typer.Typer(no_args_is_help=True, help="Snapshots of hubs.", rich_markup_mode=None)

_WORDS: Final = ("author", "search", "filter", "sort")
_SORTS: Final = ("downloads", "likes", "lastModified", "createdAt", "trendingScore")


@app.callback()
def root() -> None:
    """Snapshots of hubs."""


def query_of(
    words: list[str], author: str | None = None, filters: list[str] | None = None, sort: str | None = None
) -> Query:
    """The query that words like `author:google filter:text-classification bert` and options stand for.

    Raises:
        UsageError: a word says what another one has said, or sorts by something unknown.
    """
    from corpora.sources.hub_query import Query

    found: dict[str, list[str]] = {word: [] for word in _WORDS}
    for part in words:
        for word in part.split():
            key, colon, value = word.partition(":")
            if colon and key in _WORDS and value:
                found[key].append(value)
            else:
                found["search"].append(word)
    found["author"] += [author] if author else []
    found["sort"] += [sort] if sort else []
    for key in ("author", "sort"):
        if len(set(found[key])) > 1:
            raise UsageError(f"one {key} at a time, not {escape(', '.join(found[key]), 100)}")
    if found["sort"] and found["sort"][0] not in _SORTS:
        raise UsageError(f"sort is one of {', '.join(_SORTS)}, not {escape(found['sort'][0], 40)}")
    return Query(
        author=found["author"][0] if found["author"] else "",
        search=" ".join(found["search"]),
        filter=(*found["filter"], *(filters or ())),
        sort=found["sort"][0] if found["sort"] else "",
    )


@app.command()
def pull(
    query: Annotated[
        list[str] | None,
        typer.Argument(metavar="[QUERY]", help="Words to search for; author:NAME, filter:TAG and sort:KEY restrict."),
    ] = None,
    *,
    output: Annotated[Path, typer.Option("--output", "-o", metavar="FILE", help="The snapshot, JSON Lines.")],
    author: Annotated[str | None, typer.Option(metavar="NAME", help="Models of a user or an organisation.")] = None,
    filters: Annotated[
        list[str] | None,
        typer.Option("--filter", metavar="TAG", help="A tag: a library, a task, license:mit; may be repeated."),
    ] = None,
    sort: Annotated[str | None, typer.Option(metavar="KEY", help=f"Largest first: {', '.join(_SORTS)}.")] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Most models.")] = None,
    metadata_only: Annotated[
        bool, typer.Option("--metadata-only", help="Only what the hub's list says: 500 models a request, no headers.")
    ] = False,
    jobs: Annotated[int, typer.Option(min=1, max=16, help="Packages that are read at a time.")] = 4,
    restart: Annotated[bool, typer.Option("--restart", help="Replace FILE and forget an unfinished pull.")] = False,
) -> None:
    """Make a snapshot of a hub: metadata, configs and weight headers, no weights.

    The hub's rate limits are obeyed. A pull that was stopped goes on where it was when the same command is given again.
    Packages that are gated, private or gone become lines with the reason; `dara batch` lists them in skipped.parquet.
    Exit code: 0 complete, 2 usage, 3 the hub lists nothing, 4 could not complete.

    Example: dara snapshot pull author:facebook deit -o facebook.jsonl
    """
    from corpora.errors import InvalidTargetError, OfflineError
    from corpora.sources.hub import endpoint_of, offline_by_environment
    from corpora.sources.hub_http import HubClient
    from corpora.sources.hub_pace import Pace
    from corpora.sources.interface import OpenOptions
    from corpora.sources.pull import PATIENCE, PullOptions
    from corpora.sources.pull import pull as run
    from dara.cli.batch import Progress

    wanted = PullOptions(query_of(query or [], author, filters, sort), limit, metadata_only, jobs)
    everything = not (wanted.query.author or wanted.query.search or wanted.query.filter)
    if everything and limit is None and not metadata_only:
        raise UsageError("this would ask for every model of the hub one by one; restrict it, or give --limit")
    with known_errors(), Progress() as progress:
        if offline_by_environment():
            raise OfflineError("a pull needs the network; unset HF_HUB_OFFLINE")
        client = HubClient(endpoint_of(OpenOptions()), None, replace(PATIENCE), None, Pace())
        try:
            result = run(wanted, output, client, restart=restart, listener=progress)
        except InvalidTargetError as error:
            raise UsageError(str(error)) from None
    if result.resumed:
        warn(f"{result.resumed:,} packages were read by an earlier run")
    left_out = sum(result.skipped.values())
    lines = [f"{result.lines - left_out:,} packages, {left_out:,} left out"]
    lines += [f"  {number:>8,}  {escape(reason, 200)}" for reason, number in sorted(result.skipped.items())[:20]]
    lines.append(f"snapshot: {escape(str(output), None)}; next: dara batch {escape(str(output), None)} -o OUT")
    sys.stdout.write("\n".join(lines) + "\n")
