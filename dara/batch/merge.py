"""Shards to tables and totals, one shard in memory at a time, in the order of the snapshot."""

from __future__ import annotations

import io
import json
import os
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from itertools import islice
from pathlib import Path
from typing import IO, Any, Final

from dara.batch.clusters import cluster_shards
from dara.batch.plan import Plan
from dara.batch.shard import read_shard, sync_folder
from dara.batch.tables import TABLES, schema_of
from dara.findings import Confidence

ROW_GROUP: Final = 20_000
"""Rows of a row group: some MB, the most that is in memory at a time."""
SHOWN: Final = 100
"""Reasons and families that the totals list; the tables have all."""
DISTINCT: Final = 100_000
"""Different texts that are counted one by one; strangers wrote them, so there is no end to them."""
OTHERS: Final = "(others)"


class Totals:
    """Counts over the tables of a run."""

    def __init__(self) -> None:
        self.packages = 0
        self.unread = 0
        self.unauditable = 0
        self.findings = 0
        self.verdicts: Counter[str] = Counter()
        self.conventions: Counter[str] = Counter()
        self.severities: Counter[str] = Counter()
        self._levels: Counter[tuple[str, str]] = Counter()
        self._codes: dict[str, Counter[str]] = defaultdict(Counter)
        self._reasons: dict[str, Counter[str]] = defaultdict(Counter)
        self._families: dict[str, Counter[str]] = defaultdict(Counter)

    def add(self, name: str, table: Any) -> None:
        """Counts one shard of a table."""
        getattr(self, f"_add_{name}")(table)

    def _add_packages(self, table: Any) -> None:
        self.packages += len(table)
        self.unauditable += len(table) - table.column("reason").null_count
        self.conventions.update(word for word in _column(table, "convention") if word)
        pairs = Counter(zip(_column(table, "family"), _column(table, "verdict"), strict=True))
        for (family, verdict), number in pairs.items():
            self.verdicts[verdict] += number
            if family is not None:
                key = family if family in self._families or len(self._families) < DISTINCT else OTHERS
                self._families[key][verdict] += number

    def _add_findings(self, table: Any) -> None:
        self.findings += len(table)
        self.severities.update(_column(table, "severity"))
        self._levels.update(zip(_column(table, "severity"), _column(table, "confidence"), strict=True))
        for code, severity in zip(_column(table, "code"), _column(table, "severity"), strict=True):
            self._codes[code][severity] += 1

    def _add_skipped(self, table: Any) -> None:
        pairs = Counter(zip(_column(table, "check"), _column(table, "reason"), strict=True))
        for (check, reason), number in pairs.items():
            known = self._reasons[check]
            known[reason if reason in known or len(known) < DISTINCT else OTHERS] += number
            self.unread += number if check == "entry" else 0

    def _sure(self, confidence: Confidence) -> dict[str, int]:
        """Findings by severity that are at least so sure: those that may fail a run, whatever else the tables show."""
        sure = {level.label for level in Confidence if level >= confidence}
        return {
            word: sum(
                number for (severity, level), number in self._levels.items() if severity == word and level in sure
            )
            for word in ("error", "warning", "note")
        }

    def document(self, plan: Plan) -> dict[str, Any]:
        """The totals as plain JSON."""
        families = sorted(self._families.items(), key=lambda item: (-item[1].total(), item[0]))[:SHOWN]
        return {
            "schema": "dara-batch-summary/1",
            "entries": plan.total,
            "packages": self.packages,
            "unread_entries": self.unread,
            "unauditable_packages": self.unauditable,
            "verdicts": {word: self.verdicts[word] for word in ("consistent", "defective", "unverifiable")},
            "findings": {
                "total": self.findings,
                "by_severity": {word: self.severities[word] for word in ("error", "warning", "note")},
                "sure_by_severity": self._sure(plan.settings.min_confidence),
                "by_code": {code: dict(sorted(counts.items())) for code, counts in sorted(self._codes.items())},
            },
            "conventions": dict(sorted(self.conventions.items())),
            "families": {family: dict(sorted(counts.items())) for family, counts in families},
            "skipped": {check: _most(counts) for check, counts in sorted(self._reasons.items())},
        }


def _column(table: Any, name: str) -> Iterable[Any]:
    values: list[Any] = table.column(name).to_pylist()
    return values


def _most(counts: Counter[str]) -> dict[str, Any]:
    """The total and the most frequent reasons."""
    first = sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:SHOWN]
    return {"total": counts.total(), "reasons": [{"reason": reason, "count": number} for reason, number in first]}


def merge(plan: Plan, folder: Path, out: Path, progress: Callable[[int], object] = lambda _: None) -> dict[str, Any]:
    """Writes the tables and the totals, and last `run.json`, which says that everything is there.

    Returns:
        the totals.

    Raises:
        OSError: something cannot be written; no table is half there.
        pyarrow.ArrowException: a shard is damaged.
    """
    totals = Totals()
    clusters = cluster_shards(plan, folder)
    for name in TABLES:
        groups = _groups(name, plan, folder, totals)
        _write(out, name, map(clusters.mark, groups) if name == "packages" else groups)
        progress(1)
    _write(out, "graphs", _tables("graphs", clusters.graph_rows()))
    _write(out, "clusters", _tables("clusters", clusters.cluster_rows()))
    summary = {**totals.document(plan), "clusters": clusters.document()}
    write_json(out / "summary.json", summary)
    _report(plan, out)
    write_json(out / "run.json", plan.document())
    return summary


def _report(plan: Plan, out: Path) -> None:
    """The page for people, from the tables."""
    from dara.reports.batch_html import write_report
    from dara.studies.registry import run_studies
    from dara.studies.snapshot import Snapshot

    snapshot = Snapshot(out, plan.document())
    results = run_studies(snapshot)
    with replaced(out / "report.html") as stream:
        text = io.TextIOWrapper(stream, encoding="utf-8", errors="backslashreplace", newline="\n")
        write_report(snapshot, results, text)
        text.flush()
        text.detach()


def _write(out: Path, name: str, groups: Iterable[Any]) -> None:
    import pyarrow.parquet as pq

    with (
        replaced(out / f"{name}.parquet") as stream,
        pq.ParquetWriter(stream, schema_of(name), compression="zstd") as writer,
    ):
        for group in groups:
            writer.write_table(group, row_group_size=max(1, len(group)))


def _tables(name: str, rows: Iterator[dict[str, Any]]) -> Iterator[Any]:
    """Rows as tables of a row group."""
    import pyarrow as pa

    while some := list(islice(rows, ROW_GROUP)):
        yield pa.Table.from_pylist(some, schema=schema_of(name))


def _groups(name: str, plan: Plan, folder: Path, totals: Totals) -> Iterator[Any]:
    """Tables of at least a row group (the last one may be smaller)."""
    import pyarrow as pa

    waiting: list[Any] = []
    for number in range(plan.shards):
        table = read_shard(folder, number, name)
        totals.add(name, table)
        waiting.append(table)
        if sum(map(len, waiting)) >= ROW_GROUP:
            yield pa.concat_tables(waiting)
            waiting = []
    if waiting:
        yield pa.concat_tables(waiting)


@contextmanager
def replaced(path: Path) -> Iterator[IO[bytes]]:
    """A file that takes its name when it is complete and durable.

    Raises:
        OSError: it cannot be written; nothing is left behind.
    """
    temporary = path.with_name(f".{path.name}.part")
    try:
        with temporary.open("wb") as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(path)
        sync_folder(path.parent)
    finally:
        with suppress(OSError):
            temporary.unlink()


def write_json(path: Path, document: Mapping[str, Any]) -> None:
    """Writes an indented, sorted document, whole or not at all.

    Raises:
        OSError: it cannot be written.
    """
    text = json.dumps(document, indent=2, sort_keys=True, ensure_ascii=False) + "\n"
    with replaced(path) as stream:
        stream.write(text.encode("utf-8", "backslashreplace"))
