"""A Ray cluster: one that is there, or one that is started on this machine for the run.

Actors judge shards and send them to this process, which alone writes: the folder of results needs no shared disk. The
snapshot has to lie under the same path on every machine; each actor checks that it is the same one, and that it runs
the same code.
"""

from __future__ import annotations

import importlib.util
import logging
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, ClassVar, Final

from clustering.text import escape, one_line
from corpora.errors import DamagedFileError, PackageError
from dara.batch.engines.interface import Engine, Progress, in_runs, longest_run
from dara.batch.engines.local import processors
from dara.batch.plan import snapshot_identity, versions
from dara.batch.shard import Work, Worker, write_shard
from dara.errors import IncompleteAuditError, UsageError

MOST_WORKERS: Final = 4_096
_LONGEST: Final = 4
"""Shards of a task. Their rows travel together: some MB."""
_STORE: Final = 256 << 20
"""Bytes of shared memory of a cluster that is started here; a few shards are under way at a time."""
_MISSING: Final = "the engine ray needs an optional dependency: pip install 'dara[ray]'"


class RayEngine(Engine):
    """Actors of Ray Data."""

    name: ClassVar[str] = "ray"

    def __init__(self, workers: int | None = None) -> None:
        """`workers`: most actors; as many as the cluster has processors when None."""
        if workers is not None and not 1 <= workers <= MOST_WORKERS:
            raise UsageError(f"workers is a number from 1 to {MOST_WORKERS}, not {workers}")
        if importlib.util.find_spec("ray") is None:
            raise UsageError(_MISSING)
        self._workers = workers

    def run(self, work: Work, shards: Sequence[int], progress: Progress) -> None:
        """Judges the shards, each actor some that follow each other."""
        if not shards:
            return
        try:
            import ray
            import ray.data
            from ray.exceptions import RayError
        except ImportError as error:  # Ray without what Ray Data needs
            raise UsageError(f"{_MISSING} ({one_line(error, 80)})") from error

        with _cluster(self._workers):
            every = ray.cluster_resources()
            workers = min(self._workers or max(1, int(every.get("CPU", 1))), len(shards))
            runs = in_runs(shards, workers, longest_run(work, _LONGEST))
            here = ray.get_runtime_context().get_node_id()
            tasks = ray.data.from_items([{"shards": run} for run in runs], override_num_blocks=len(runs))
            judged = tasks.map_batches(
                _Actor,
                batch_size=1,
                batch_format="pyarrow",
                fn_constructor_args=(work, here, versions()),
                compute=ray.data.ActorPoolStrategy(min_size=1, max_size=workers, initial_size=workers),
                num_cpus=1,
            )
            try:
                for row in judged.iter_rows():
                    _take(row, work, progress)
            except RayError as error:
                msg = f"a Ray worker failed ({one_line(error, 120)}); run the same command again to go on"
                raise IncompleteAuditError(msg) from None


def _take(row: dict[str, Any], work: Work, progress: Progress) -> None:
    """Writes a shard that an actor has sent, or says why there is none."""
    if row["error"] is not None:
        raise DamagedFileError(row["error"])
    number = row.pop("number")
    write_shard(work.folder, number, {name: data for name, data in row.items() if name != "error"})
    first, stop = work.plan.span(number)
    progress(stop - first)


class _Actor:
    """Judges shards in a process of the cluster."""

    def __init__(self, work: Work, driver: str, wanted: dict[str, str]) -> None:
        import ray

        # the file of remembered graphs lies on the driver's disk, and its locks are for one machine
        near = ray.get_runtime_context().get_node_id() == driver
        self._refusal = None if near else _refusal(work, wanted)
        self._worker = Worker(work if near else replace(work, store=None))

    def __call__(self, batch: Any) -> Iterator[Any]:
        """The shards of each row of a batch, one table of one row each."""
        import pyarrow as pa

        from dara.batch.tables import PARTS

        schema = pa.schema(
            [("number", pa.int64()), ("error", pa.string()), *((name, pa.large_binary()) for name in PARTS)]
        )
        nothing: dict[str, Any] = dict.fromkeys(schema.names)
        for shards in batch.column("shards").to_pylist():
            try:
                if self._refusal is not None:
                    raise DamagedFileError(self._refusal)
                for number, content in self._worker.shards(shards):
                    yield pa.Table.from_pylist([{**nothing, "number": number, **content}], schema=schema)
            except PackageError as error:
                yield pa.Table.from_pylist([{**nothing, "error": str(error)}], schema=schema)
                return


def _refusal(work: Work, wanted: dict[str, str]) -> str | None:
    """Why a machine cannot judge: another program, or no such snapshot."""
    import platform

    node = escape(platform.node(), 80)
    if versions() != wanted:
        return f"the machine {node} has other versions of dara or its libraries; install the same ones everywhere"
    try:
        same = work.snapshot is not None and snapshot_identity(work.snapshot) == work.plan.identity
    except PackageError:
        same = False
    if not same:
        return f"{work.plan.snapshot}: is not the same on the machine {node}; put it on a disk that all of them share"
    return None


@contextmanager
def _cluster(workers: int | None) -> Iterator[None]:
    """A connection to a cluster: the one that this process uses, one that is there, or a new one on this machine."""
    import ray

    if ray.is_initialized():
        yield
        return
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing about a run is told to anybody
    quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.ERROR, "configure_logging": True}
    try:
        ray.init(address="auto", **quiet)
    except ConnectionError as error:
        if os.environ.get("RAY_ADDRESS"):
            raise IncompleteAuditError(f"no Ray cluster at RAY_ADDRESS ({one_line(error, 120)})") from error
        ray.init(
            address="local",
            num_cpus=workers or processors(),
            include_dashboard=False,
            object_store_memory=_STORE,
            **quiet,
        )
    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    try:
        yield
    finally:
        ray.shutdown()
