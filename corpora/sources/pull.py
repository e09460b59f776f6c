"""Makes a snapshot of a live hub: metadata, configs and weight headers, one line a package.

First the list of models, page by page; then package after package, several at a time, at the pace that the hub allows.
Every step is durable: a pull that was killed goes on where it was, and gives the same bytes as one that was not, as
long as the hub's packages stay the same. What is in memory does not grow with the number of packages.
"""

from __future__ import annotations

import math
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, Protocol

from clustering.text import escape
from corpora.errors import (
    DamagedFileError,
    InvalidTargetError,
    NotFoundError,
    OfflineError,
    PackageError,
    UnavailableError,
)
from corpora.sources.hub_http import HubClient
from corpora.sources.hub_pace import LONGEST
from corpora.sources.hub_patience import Patience
from corpora.sources.hub_query import EXPAND, HubQuery, Query
from corpora.sources.names import is_repo_id
from corpora.sources.pull_state import PullState
from corpora.sources.pulled import VERSION, metadata_row, pull_row, skipped_row

PATIENCE: Final = Patience(timeout=20, attempts=8, first_wait=1, longest_wait=LONGEST, total_wait=math.inf)
"""A pull takes hours and waits as long as it is told to; an audit gives up after two minutes."""
MOST_JOBS: Final = 16
ROUNDS: Final = 3
"""Times that a package is tried before it is left out with its reason."""
_IN_A_ROW: Final = 12
"""Packages that fail one after another before the hub counts as failing, and the pull stops."""


@dataclass(frozen=True, slots=True)
class PullOptions:
    """What to pull."""

    query: Query
    limit: int | None = None
    """Most models; all that the hub lists when None."""
    metadata_only: bool = False
    """Only what the hub's list says: 500 models a request instead of several requests a model."""
    jobs: int = 4
    """Packages that are read at a time. Does not change what is written."""

    def document(self, endpoint: str) -> dict[str, Any]:
        """What the lines depend on."""
        query = {**asdict(self.query), "filter": list(self.query.filter)}
        return {
            "version": VERSION,
            "endpoint": endpoint,
            "query": query,
            "limit": self.limit,
            "metadata_only": self.metadata_only,
        }


class Listener(Protocol):
    """Hears how a pull goes on."""

    def begin(self, total: int, done: int) -> None:
        """So many packages are listed, of which `done` were read by an earlier attempt."""

    def advance(self, entries: int) -> None:
        """So many more were read."""


@dataclass(frozen=True, slots=True)
class PullResult:
    """What a pull gave."""

    lines: int
    """Lines of the file."""
    skipped: dict[str, int]
    """Lines that hold no package, by reason."""
    resumed: int
    """Lines that an earlier attempt had read."""


def pull(
    options: PullOptions, target: Path, client: HubClient, *, restart: bool = False, listener: Listener | None = None
) -> PullResult:
    """Pulls a snapshot into a file, or goes on with a pull that was stopped.

    Args:
        options: what to pull.
        target: the file; it appears when everything is there.
        client: talks to the hub; give it a `Pace`, which obeys the hub's limits.
        restart: forget an unfinished pull, and replace the file.
        listener: hears of the progress.

    Raises:
        InvalidTargetError: the file is there already, or another unfinished pull.
        NotFoundError: the hub lists nothing.
        UnavailableError: the hub does not answer any more; what is done is kept.
    """
    shown = escape(str(target))
    if not 1 <= options.jobs <= MOST_JOBS:
        raise InvalidTargetError(f"jobs is a number from 1 to {MOST_JOBS}, not {options.jobs}")
    if not target.parent.is_dir() or target.is_dir():
        raise InvalidTargetError(f"{shown}: cannot be written; give a file in a folder that is there")
    state = _state(target, restart=restart)
    try:
        return _pull(options, state, client, listener)
    finally:
        client.stop()  # a thread that waits for the hub's leave would keep the process alive
        state.close()


def _state(target: Path, *, restart: bool) -> PullState:
    """The unfinished pull of a target, or a new one."""
    begun = PullState.folder_of(target).exists()
    if not restart:
        if target.exists() and not begun:  # else it was written by a pull that was killed at its very end
            raise InvalidTargetError(
                f"{escape(str(target))}: is there already; give another file, or --restart to replace it"
            )
        return PullState(target)
    if begun:
        with suppress(DamagedFileError):
            PullState(target).remove()
        shutil.rmtree(PullState.folder_of(target), ignore_errors=True)
    target.unlink(missing_ok=True)
    return PullState(target)


def _pull(options: PullOptions, state: PullState, client: HubClient, listener: Listener | None) -> PullResult:
    state.begin(options.document(client.endpoint))
    total = _list(options, state, client)
    if not total:
        state.remove()
        raise NotFoundError(
            f"{escape(client.endpoint)}: lists no model for this query; check author, search and filter"
        )
    resumed = 0 if options.metadata_only else state.done
    if listener is not None:
        listener.begin(total, state.done)
    for round_ in range(ROUNDS):
        _read(options, state, client, listener, round_)
    for number, name in state.missing(ROUNDS):
        reason = "the hub could not give it in several attempts"
        state.put(number, skipped_row(name, reason), reason)
    skipped = dict(state.reasons())
    lines = state.write()
    state.remove()
    return PullResult(lines, skipped, resumed)


def _list(options: PullOptions, state: PullState, client: HubClient) -> int:
    """Brings the list of models into the state."""
    expand = EXPAND if options.metadata_only else ("sha",)
    if not state.is_listed():
        query = HubQuery(options.query, client=client, cursor=state.cursor, expand=expand)
        for page in query.pages():
            first = state.total
            models = [_listed(row, first + place, options.metadata_only) for place, row in enumerate(page)]
            state.add_page(models, query.behind, options.limit)
            if state.is_listed():
                break
    return state.total


def _listed(row: Any, place: int, metadata_only: bool) -> tuple[str, str | None]:
    """Name and, where nothing else has to be asked for, line of an entry of the list."""
    name = row.get("id") if isinstance(row, dict) else None
    if isinstance(name, str) and is_repo_id(name):
        return name, metadata_row(row) if metadata_only else None
    # a damaged entry is a line too: whoever reads the snapshot counts it
    line = skipped_row(name, "not a package name") if isinstance(name, str) else metadata_row(row)
    return f"?{place}", line


def _read(options: PullOptions, state: PullState, client: HubClient, listener: Listener | None, round_: int) -> None:
    """Reads the packages that were tried so many times. An outage of the hub counts for none of them."""
    failed: list[int] = []
    with ThreadPoolExecutor(options.jobs) as pool:
        for number, name, outcome in _answers(pool, client, state.missing(round_), options.jobs):
            if isinstance(outcome, UnavailableError):
                failed.append(number)
                if len(failed) >= _IN_A_ROW:
                    msg = f"{outcome}; {len(failed)} packages failed in a row: run the same command later to go on"
                    raise UnavailableError(msg)
                continue
            state.failed(failed)
            failed.clear()
            if isinstance(outcome, PackageError):
                reason = str(outcome).removeprefix(f"{escape(name)}: ")
                state.put(number, skipped_row(name, reason), reason)
            else:
                state.put(number, *outcome)
            if listener is not None:
                listener.advance(1)
    state.failed(failed)


Outcome = tuple[str, str | None] | PackageError


def _answers(
    pool: ThreadPoolExecutor, client: HubClient, models: Iterator[tuple[int, str]], jobs: int
) -> Iterator[tuple[int, str, Outcome]]:
    """Outcomes as they come; as many packages are under way as there are jobs."""
    running: dict[Future[Outcome], tuple[int, str]] = {}
    ask: Callable[[str], Outcome] = lambda name: _one(client, name)  # noqa: E731
    try:
        for number, name in models:
            running[pool.submit(ask, name)] = (number, name)
            if len(running) >= jobs:
                yield from _finished(running)
        while running:
            yield from _finished(running)
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
        if running:
            client.stop()


def _finished(running: dict[Future[Outcome], tuple[int, str]]) -> Iterator[tuple[int, str, Outcome]]:
    done, _ = wait(running, return_when=FIRST_COMPLETED)
    for future in done:
        yield (*running.pop(future), future.result())


def _one(client: HubClient, name: str) -> Outcome:
    try:
        return pull_row(client, name)
    except OfflineError:
        raise
    except PackageError as error:
        return error
