"""Processes on this machine."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from typing import Any, Final

from dara.batch.engines.interface import Engine, Progress, in_runs, longest_run
from dara.batch.shard import Work, Worker
from dara.errors import IncompleteAuditError, UsageError

MOST_WORKERS: Final = 64
"""Beyond, the pipe to the processes would be the bottleneck: use several machines."""
_LONGEST: Final = 16
"""Shards that a process judges in one go; a source that can be entered anywhere loses nothing by short runs."""


class LocalEngine(Engine):
    """Processes on this machine; one worker needs no process beside this one."""

    name = "local"

    def __init__(self, workers: int | None = None) -> None:
        workers = min(processors(), MOST_WORKERS) if workers is None else workers
        if not 1 <= workers <= MOST_WORKERS:
            raise UsageError(f"workers is a number from 1 to {MOST_WORKERS}, not {workers}")
        self._workers = workers

    def run(self, work: Work, shards: Sequence[int], progress: Progress) -> None:
        """Judges the shards, each process some that follow each other."""
        runs = in_runs(shards, self._workers, longest_run(work, _LONGEST))
        if self._workers == 1 or len(runs) == 1:
            worker = Worker(work)
            try:
                for run in runs:
                    worker.run(run, progress)
            finally:
                worker.close()
        elif runs:
            self._in_processes(work, runs, progress)

    def _in_processes(self, work: Work, runs: Sequence[Sequence[int]], progress: Progress) -> None:
        # spawn: threads of Arrow and numpy do not survive a fork, and workers start without what this process holds
        context = multiprocessing.get_context("spawn")
        counter, stop = context.Value("q", 0), context.Event()
        with ProcessPoolExecutor(min(self._workers, len(runs)), context, _begin, (work, counter, stop)) as pool:
            pending: set[Future[None]] = {pool.submit(_judge, run) for run in runs}
            seen = 0
            try:
                while pending:
                    done, pending = wait(pending, timeout=0.5, return_when=FIRST_COMPLETED)
                    now = int(counter.value)
                    if now > seen:
                        progress(now - seen)
                        seen = now
                    for future in done:
                        future.result()
            except BrokenProcessPool:
                msg = (
                    "a worker process died (out of memory?); run the same command again to go on, with fewer --workers"
                )
                raise IncompleteAuditError(msg) from None
            finally:
                stop.set()  # after a failure the others end with the shard that they are at
                pool.shutdown(wait=True, cancel_futures=True)


def processors() -> int:
    """Processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


_worker: Worker | None = None
_counter: Any = None
_stop: Any = None


def _begin(work: Work, counter: Any, stop: Any) -> None:
    """Makes this process a worker."""
    global _worker, _counter, _stop
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, which then tells the workers to stop
    threading.Thread(target=_end_with_parent, daemon=True).start()
    _worker, _counter, _stop = Worker(work), counter, stop


def _end_with_parent() -> None:
    """Ends this process when its parent was killed: nobody would collect its work, or tell it to stop."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _judge(shards: Sequence[int]) -> None:
    assert _worker is not None  # noqa: S101 - `_begin` ran before
    _worker.run(shards, _count)


def _count(entries: int) -> None:
    with _counter.get_lock():
        _counter.value += entries
    if _stop.is_set():
        raise IncompleteAuditError("stopped")  # nobody hears it: the failure that stopped the run is told
