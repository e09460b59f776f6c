"""`dara batch`: a whole snapshot, judged."""

from __future__ import annotations

import sys
from pathlib import Path
from types import TracebackType
from typing import Annotated, Any, Literal, Self

import typer

from clustering.text import escape
from dara.cli.audit import Ignore, MinConfidence, PersonaOption, Select
from dara.cli.output import known_errors, warn
from dara.errors import NothingAuditableError
from dara.settings import FailOn


def batch(
    snapshot: Annotated[
        Path, typer.Argument(metavar="SNAPSHOT", help="A folder of packages, the hub's cache, or a file of metadata.")
    ],
    *,
    output: Annotated[Path, typer.Option("--output", "-o", metavar="OUT", help="Folder for the tables.")],
    workers: Annotated[int | None, typer.Option(min=1, help="Processes. [as many as processors]")] = None,
    engine: Annotated[
        Literal["local", "ray"],
        typer.Option(help="Processes here, or a Ray cluster: the one that is there, or a new one."),
    ] = "local",
    restart: Annotated[bool, typer.Option("--restart", help="Replace what OUT holds of an earlier run.")] = False,
    select: Select = None,
    ignore: Ignore = None,
    min_confidence: MinConfidence = None,
    persona: PersonaOption = None,
    fail_on: Annotated[FailOn, typer.Option(help="Severity from which the exit code is 1.")] = "never",
) -> None:
    """Judge every package of a snapshot and write tables, clusters of like graphs, and a report for people.

    A run that was stopped goes on where it was when the same command is given again. Exit code: 0 complete, 1 findings
    at or above --fail-on, 2 usage, 3 nothing auditable, 4 could not complete.

    Example: dara batch models.parquet -o audit
    """
    from dara.batch.engines import ENGINES
    from dara.batch.run import run_batch
    from dara.cli.audit import settings_of

    settings = settings_of(select, ignore, min_confidence, fail_on, persona)
    with known_errors(), Progress() as progress:
        result = run_batch(
            snapshot,
            output,
            engine=ENGINES[engine](workers),
            settings=settings,
            restart=restart,
            listener=progress,
        )
    if result.resumed:
        warn(f"{result.resumed:,} entries were judged by an earlier run")
    sys.stdout.write(summary_text(result.summary, output))
    found = result.summary["findings"]["sure_by_severity"]
    if result.summary["packages"] == result.summary["unauditable_packages"]:
        raise NothingAuditableError(
            f"{escape(str(snapshot))}: no package holds anything auditable; see skipped.parquet"
        )
    limit = settings.fail_severity
    if limit is not None and any(found[word] for word in ("note", "warning", "error")[limit - 1 :]):
        raise typer.Exit(1)


def summary_text(summary: dict[str, Any], out: Path) -> str:
    """The totals in a few lines."""
    packages, verdicts = summary["packages"], summary["verdicts"]
    lines = [
        f"{packages:,} packages of {summary['entries']:,} entries; {summary['unread_entries']:,} could not be read"
    ]
    for word in ("consistent", "defective", "unverifiable"):
        share = f"{verdicts[word] / packages:6.1%}" if packages else ""
        lines.append(f"  {word:<13}{verdicts[word]:>12,}  {share}".rstrip())
    codes = summary["findings"]["by_code"]
    for code, counts in sorted(codes.items(), key=lambda item: (-sum(item[1].values()), item[0]))[:10]:
        lines.append(f"  {code:<13}{sum(counts.values()):>12,}  {', '.join(f'{n:,} {s}' for s, n in counts.items())}")
    clusters = summary.get("clusters") or {}
    if clusters.get("graphs"):
        graphs, number, alone = (clusters[key] for key in ("graphs", "clusters", "graphs_alone"))
        lines.append(f"{graphs:,} different graphs in {number:,} clusters, {alone:,} alone")
        lines.append(f"{clusters['outliers']:,} names do not fit their cluster")
    lines.append(f"tables and report.html: {escape(str(out), None)}")
    return "\n".join(lines) + "\n"


class Progress:
    """A bar with rate and time left on stderr, when that is a terminal."""

    def __init__(self) -> None:
        self._bar: Any = None
        self._task: Any = None

    def __enter__(self) -> Self:
        return self

    def begin(self, total: int, done: int) -> None:
        """Shows the bar."""
        if not sys.stderr.isatty():
            return
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
        from rich.progress import Progress as Bar

        rate = TextColumn("{task.fields[rate]}")
        columns = (BarColumn(), MofNCompleteColumn(), rate, TimeRemainingColumn())
        self._bar = Bar(*columns, console=Console(stderr=True), transient=True)
        self._task = self._bar.add_task("audit", total=total, completed=done, rate="")
        self._bar.start()

    def advance(self, entries: int) -> None:
        """Moves it."""
        if self._bar is None:
            return
        self._bar.advance(self._task, entries)
        speed = self._bar.tasks[0].speed
        self._bar.update(self._task, rate=f"{speed:,.0f}/s" if speed else "")

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()
