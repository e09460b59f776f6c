"""One shard: entries of a snapshot judged, and their rows written to a folder that appears whole or not at all."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Any, Final

from clustering.text import escape
from corpora.errors import PackageError
from corpora.package import Package
from corpora.sources.interface import SkippedPackage, SnapshotSource
from dara.audit import audit_package
from dara.batch.plan import Plan
from dara.batch.remember import Remembering, Store
from dara.batch.rows import Row, Rows
from dara.batch.signatures import Signing
from dara.batch.tables import PARTS, column_names, schema_of
from dara.errors import DaraError, internal_error
from dara.measurement import Computing
from dara.rules.interface import Rule
from dara.rules.registry import all_rules
from dara.settings import Settings
from naming.records import ParsedName

TOGETHER: Final = 100
"""Packages in memory at a time; names are parsed in batches of that size."""
HEAVY: Final = 8 << 20
"""Bytes of long rows in memory at a time; parsed they take ten times as much."""


class Judge:
    """Judges packages one after another. Knows nothing of shards, processes or files."""

    def __init__(self, settings: Settings, computing: Computing | None = None) -> None:
        self._settings = settings
        self._computing = Signing(computing or Computing())

    @cached_property
    def _rules_without_card(self) -> tuple[Rule, ...]:
        """Rules for rows of snapshots that hold no cards: what is absent there need not be absent on the hub."""
        return tuple(rule for rule in all_rules() if not rule.slug.startswith("missing-"))

    def judge(self, first: int, items: Sequence[Package | SkippedPackage]) -> Rows:
        """Rows of entries that follow each other, `first` being the position of the first one."""
        rows = Rows()
        parsed = _parse(item.name for item in items if isinstance(item, Package) and item.name is not None)
        for entry, item in enumerate(items, start=first):
            if isinstance(item, SkippedPackage):
                rows.add_skipped(entry, item)
            else:
                self._package(entry, item, parsed, rows)
        return rows

    def _package(self, entry: int, package: Package, parsed: Mapping[str, ParsedName], rows: Rows) -> None:
        cardless = package.source == "snapshot" and package.known_card is None
        self._computing.take()  # of a package that failed after its graph was read
        try:
            report = audit_package(
                package,
                build_graphs=False,
                settings=self._settings,
                rules=self._rules_without_card if cardless else None,
                parse=lambda name: parsed[name] if name in parsed else _parse_one(name),
                computing=self._computing,
            )
            rows.add_report(entry, package, report)
            rows.add_signature(report, self._computing.take())
        except (PackageError, DaraError) as error:
            reason = str(error).removeprefix(f"{escape(package.location)}: ")
            rows.add_failure(entry, package, parsed.get(package.name or ""), reason)
        except Exception as error:  # noqa: BLE001 - one package in a million must not end the run; it is counted
            rows.add_failure(entry, package, parsed.get(package.name or ""), internal_error(error))


def _some(entries: Iterator[Package | SkippedPackage], most: int) -> list[Package | SkippedPackage]:
    """The next entries; fewer when they are long."""
    items: list[Package | SkippedPackage] = []
    weight = 0
    for item in islice(entries, most):
        items.append(item)
        weight += item.weight if isinstance(item, Package) else 0
        if weight > HEAVY:
            break
    return items


def _parse(names: Iterator[str]) -> dict[str, ParsedName]:
    from naming import parse_names

    wanted = list(dict.fromkeys(names))
    refused: set[str] = set()
    records = list(parse_names(wanted, TOGETHER, lambda name, _: refused.add(name)))
    return dict(zip((name for name in wanted if name not in refused), records, strict=True))


def _parse_one(name: str) -> ParsedName:
    """Refuses a name that the batch has refused, with the reason."""
    from naming import parse_name

    return parse_name(name)


@dataclass(frozen=True, slots=True)
class Work:
    """What a process needs to judge shards of a run. Goes to other processes."""

    source: SnapshotSource
    plan: Plan
    folder: Path
    """Where finished shards are kept."""
    store: Path | None = None
    """The file of remembered graph readings."""
    snapshot: Path | None = None
    """Where the snapshot lies, for engines whose workers may be on machines that have another one there."""


class Worker:
    """Judges shards; one per process, so that what is remembered serves all of them."""

    def __init__(self, work: Work) -> None:
        self._work = work
        self._store = Store(work.store) if work.store else None
        version = repr(sorted(work.plan.document()["versions"].items()))
        self._judge = Judge(work.plan.settings, Remembering(version, self._store))

    def run(self, shards: Sequence[int], done: Callable[[int], object] = lambda _: None) -> None:
        """Judges shards that follow each other, and calls `done` with the number of entries after each.

        Raises:
            OSError: a shard cannot be written.
            PackageError: the snapshot cannot be read.
        """
        for number, content in self.shards(shards):
            write_shard(self._work.folder, number, content)
            first, stop = self._work.plan.span(number)
            done(stop - first)

    def shards(self, shards: Sequence[int]) -> Iterator[tuple[int, dict[str, bytes]]]:
        """Numbers and contents of shards that follow each other.

        Raises:
            PackageError: the snapshot cannot be read.
        """
        plan = self._work.plan
        start, stop = plan.span(shards[0])[0], plan.span(shards[-1])[1]
        entries = self._work.source.packages(start, stop)
        for number in shards:
            first, last = plan.span(number)
            rows: dict[str, list[Row]] = {name: [] for name in PARTS}
            at = first
            while items := _some(entries, min(TOGETHER, last - at)):
                for name, found in self._judge.judge(at, items).tables.items():
                    rows[name] += found
                at += len(items)
            if at != last:
                raise ShortSnapshotError(f"entry {at + 1:,} of {plan.total:,} is not there any more")
            yield number, {name: _encoded(name, rows[name]) for name in PARTS}

    def close(self) -> None:
        """Closes the store."""
        if self._store is not None:
            self._store.close()


class ShortSnapshotError(PackageError):
    """The snapshot has fewer entries than it had when the run began."""

    exit_code_hint = 4


def shard_folder(folder: Path, number: int) -> Path:
    """Where a finished shard lies."""
    return folder / f"{number:07d}"


def finished(folder: Path, shards: int) -> frozenset[int]:
    """Numbers of the shards that are there."""
    names = {entry.name for entry in folder.iterdir()} if folder.is_dir() else set()
    return frozenset(number for number in range(shards) if f"{number:07d}" in names)


def write_shard(folder: Path, number: int, content: Mapping[str, bytes]) -> None:
    """Writes the files of a shard under another name, makes them durable, and gives them their name.

    Raises:
        OSError: it cannot be written; nothing is left behind.
    """
    final = shard_folder(folder, number)
    temporary = folder / f".{final.name}.{os.getpid()}"
    try:
        temporary.mkdir()
        for name, data in content.items():
            with (temporary / f"{name}.arrow").open("xb") as stream:
                stream.write(data)
                stream.flush()
                os.fsync(stream.fileno())
        sync_folder(temporary)
        if not final.is_dir():  # else a process of a killed run, still at work, was first; its rows are the same
            temporary.rename(final)
            sync_folder(folder)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _encoded(name: str, rows: Sequence[Row]) -> bytes:
    """Rows of a table as an Arrow stream."""
    import pyarrow as pa

    table = pa.Table.from_pylist(rows, schema=schema_of(name))
    sink = pa.BufferOutputStream()
    options = pa.ipc.IpcWriteOptions(compression="lz4")
    with pa.ipc.new_stream(sink, table.schema, options=options) as writer:
        writer.write_table(table)
    return bytes(sink.getvalue())


def read_shard(folder: Path, number: int, table: str) -> Any:
    """One table of a finished shard.

    Raises:
        OSError: it cannot be read.
        pyarrow.ArrowException: it is not what was written.
    """
    import pyarrow as pa

    with (shard_folder(folder, number) / f"{table}.arrow").open("rb") as stream, pa.ipc.open_stream(stream) as reader:
        return reader.read_all()


def sync_folder(folder: Path) -> None:
    """Makes the names in a folder durable, where the system can."""
    try:
        handle = os.open(folder, os.O_RDONLY)
    except OSError:
        return  # Windows does not open folders
    try:
        os.fsync(handle)
    except OSError:
        return  # nor do some network file systems synchronise them
    finally:
        os.close(handle)


__all__ = [
    "Judge", "ShortSnapshotError", "Work", "Worker", "column_names", "finished", "read_shard", "shard_folder",
    "sync_folder", "write_shard",
]  # fmt: skip
