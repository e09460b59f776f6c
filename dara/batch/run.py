"""A whole run: plan, shards, tables. Prints nothing; progress goes to whoever listens."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from clustering.text import escape, one_line
from corpora.errors import PackageError
from corpora.sources.interface import SnapshotSource
from corpora.sources.snapshots import open_snapshot
from dara.batch.engines import Engine
from dara.batch.merge import merge
from dara.batch.plan import SHARD, SHARD_OF_FILES, Plan, count, snapshot_identity
from dara.batch.shard import Work, finished
from dara.batch.workspace import Workspace
from dara.errors import DaraError, IncompleteAuditError, UsageError
from dara.settings import Settings


class Listener(Protocol):
    """Hears how a run goes on."""

    def begin(self, total: int, done: int) -> None:
        """The run has `total` entries, of which `done` were judged by an earlier attempt."""

    def advance(self, entries: int) -> None:
        """So many more entries were judged."""


class Silence:
    """Hears nothing."""

    def begin(self, total: int, done: int) -> None:
        """Nothing."""

    def advance(self, entries: int) -> None:
        """Nothing."""


@dataclass(frozen=True, slots=True)
class BatchResult:
    """What a run gave."""

    summary: dict[str, Any]
    """The content of `summary.json`."""
    resumed: int
    """Entries that an earlier attempt had judged."""


def run_batch(
    snapshot: Path,
    out: Path,
    *,
    engine: Engine,
    settings: Settings | None = None,
    shard: int | None = None,
    restart: bool = False,
    listener: Listener | None = None,
) -> BatchResult:
    """Audits every package of a snapshot and writes the tables.

    Args:
        snapshot: a mirror folder, the hub's cache, or a file of hub metadata; see `open_snapshot`.
        out: folder of the results; made when it is not there.
        engine: who judges the shards.
        settings: what is checked and shown.
        shard: entries of a shard; as many as take about a second when None.
        restart: replace what `out` holds of an earlier run.
        listener: hears of the progress.

    Raises:
        UsageError: `out` holds something else, or lies inside the snapshot.
        PackageError: the snapshot cannot be read.
        IncompleteAuditError: the disk is full, the snapshot changed, a process died; what is done is kept.
    """
    if shard is not None and shard < 1:
        raise UsageError(f"a shard has at least one entry, not {shard}")
    _check_places(snapshot, out)
    source = open_snapshot(snapshot)
    identity = snapshot_identity(snapshot)
    shard = shard or (SHARD_OF_FILES if source.holds_files else SHARD)
    plan = Plan(escape(str(snapshot), None), source.kind, identity, count(source), shard, settings or Settings())
    workspace = Workspace(out)
    with _explained(out), workspace.locked():
        summary = workspace.prepare(plan, restart=restart)
        if summary is not None:
            return BatchResult(summary, plan.total)
        done = finished(workspace.shards, plan.shards)
        before = sum(stop - start for start, stop in map(plan.span, done))
        hears = listener or Silence()
        hears.begin(plan.total, before)
        _judge(source, plan, workspace, engine, sorted(set(range(plan.shards)) - done), hears, snapshot)
        summary = merge(plan, workspace.shards, out)
        workspace.finish()
    return BatchResult(summary, before)


def _judge(
    source: SnapshotSource,
    plan: Plan,
    workspace: Workspace,
    engine: Engine,
    shards: list[int],
    listener: Listener,
    snapshot: Path,
) -> None:
    """Brings all shards into the folder, of a snapshot that stayed as it was."""
    try:
        work = Work(source, plan, workspace.shards, workspace.store, snapshot)
        engine.run(work, shards, listener.advance)
    except PackageError as error:
        _check_unchanged(plan, snapshot)
        raise IncompleteAuditError(str(error)) from error
    _check_unchanged(plan, snapshot)


def _check_unchanged(plan: Plan, snapshot: Path) -> None:
    try:
        same = snapshot_identity(snapshot) == plan.identity
    except PackageError:
        same = False
    if not same:
        msg = f"{escape(str(snapshot))}: changed while it was read; no table was written: run again with --restart"
        raise IncompleteAuditError(msg)


def _check_places(snapshot: Path, out: Path) -> None:
    try:
        inside = out.resolve().is_relative_to(snapshot.resolve())
        taken = out.exists() and not out.is_dir()
    except (OSError, ValueError, RuntimeError) as error:
        raise UsageError(f"{escape(str(out))}: no usable path ({one_line(error)})") from error
    if inside:
        raise UsageError(f"{escape(str(out))}: lies inside the snapshot; give a folder outside")
    if taken:
        raise UsageError(f"{escape(str(out))}: is a file; give a folder for the results")


@contextmanager
def _explained(out: Path) -> Iterator[None]:
    """Turns failures of the disk into one line."""
    import pyarrow as pa

    try:
        yield
    except (PackageError, DaraError):
        raise
    except OSError as error:
        full = error.errno in {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
        what = "no space is left" if full else f"cannot be written: {one_line(error, 120)}"
        then = "free some and run the same command again; what is done is kept" if full else "check path and rights"
        raise IncompleteAuditError(f"{escape(str(out))}: {what}; {then}") from error
    except pa.ArrowException as error:
        msg = f"{escape(str(out))}: an unfinished run there is damaged ({one_line(error, 80)}); run with --restart"
        raise IncompleteAuditError(msg) from error
