"""`dara audit`, `dara lint` and `dara fingerprint`: one engine, three ways to ask."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

import typer

from clustering.text import escape
from dara.cli.fixing import Changes, apply_fixes
from dara.cli.fixing import check as _check_fixing
from dara.cli.output import Color, color_for, report_sink, short_run, warn
from dara.errors import NothingAuditableError, UsageError
from dara.report import AuditReport, AuditResult, FailedAudit
from dara.settings import ConfidenceWord, FailOn, Persona, Settings

OutputFormat = Literal["text", "json", "jsonl", "sarif", "markdown", "html", "github"]

Name = Annotated[
    str | None, typer.Option("--name", metavar="OWNER/REPO", help="The name to check the package against.")
]
Output = Annotated[Path | None, typer.Option("--output", "-o", metavar="FILE", help="Write the report here.")]
Format = Annotated[OutputFormat, typer.Option("--format", help="Form of the report.")]
Select = Annotated[
    list[str] | None, typer.Option("--select", metavar="CODES", help="Only these rules (codes, prefixes, slugs).")
]
Ignore = Annotated[list[str] | None, typer.Option("--ignore", metavar="CODES", help="Never these rules.")]
MinConfidence = Annotated[ConfidenceWord | None, typer.Option(help="Hide findings that are less sure. [medium]")]
FailOnOption = Annotated[FailOn | None, typer.Option(help="Severity from which the exit code is 1. [warning]")]
PersonaOption = Annotated[Persona | None, typer.Option(help="How much is shown. [default]")]
Baseline = Annotated[Path | None, typer.Option(metavar="FILE", help="Leave out the findings listed in this file.")]
WriteBaseline = Annotated[
    Path | None, typer.Option(metavar="FILE", help="Write the findings of this run as a baseline and exit 0.")
]
Also = Annotated[
    list[str] | None,
    typer.Option("--also", metavar="FORMAT=FILE", help="Write the report in this form here too; may be repeated."),
]
FixOption = Annotated[
    bool, typer.Option("--fix", help="Propose corrections of name and model card that follow from the files, as diffs.")
]
ApplyOption = Annotated[
    bool, typer.Option("--apply", help="With --fix: write the model card's corrections into the local folders.")
]
RenameFolder = Annotated[
    bool, typer.Option("--rename-folder", help="With --fix --apply: rename a folder that carries the wrong name.")
]
ColorOption = Annotated[Color, typer.Option("--color", help="Colour in the terminal report.")]


def audit(
    targets: Annotated[
        list[str], typer.Argument(metavar="TARGET...", help="owner/repo on the hub, a folder, or a weight file.")
    ],
    *,
    name: Name = None,
    revision: Annotated[str | None, typer.Option(help="Branch, tag or commit on the hub.")] = None,
    offline: Annotated[bool, typer.Option("--offline", help="Never use the network; the hub's cache is read.")] = False,
    output_format: Format = "text",
    output: Output = None,
    also: Also = None,
    select: Select = None,
    ignore: Ignore = None,
    min_confidence: MinConfidence = None,
    fail_on: FailOnOption = None,
    persona: PersonaOption = None,
    baseline: Baseline = None,
    write_baseline: WriteBaseline = None,
    fix: FixOption = False,
    apply: ApplyOption = False,
    rename_folder: RenameFolder = False,
    color: ColorOption = "auto",
) -> None:
    """Tell whether packages are what their names say.

    Exit code: 0 nothing found, 1 findings, 2 usage, 3 nothing auditable, 4 the audit could not complete.

    Example: dara audit facebook/deit-small-patch16-224
    """
    settings = settings_of(select, ignore, min_confidence, fail_on, persona)
    forms = _forms(also)
    if name is not None and len(targets) > 1:
        raise UsageError("--name names one package, but there are several targets")
    _check_fixing(targets, fix=fix, apply=apply, rename_folder=rename_folder)
    from dara.audit import audit_all

    results = audit_all(
        targets,
        name=name,
        revision=revision,
        offline=offline,
        settings=settings,
        baseline=_read_baseline(baseline),
        fix=fix,
    )
    changes = Changes(tuple(zip(map(Path, targets), results, strict=True)), rename_folder) if apply else None
    _finish(results, settings, output_format, output, write_baseline, color, forms, changes)


def lint(
    targets: Annotated[
        list[Path],
        typer.Argument(metavar="DIR|FILE...", help="Folders that are to be published, or files of them as a hook has."),
    ],
    *,
    name: Name = None,
    output_format: Format = "text",
    output: Output = None,
    also: Also = None,
    select: Select = None,
    ignore: Ignore = None,
    min_confidence: MinConfidence = None,
    fail_on: FailOnOption = None,
    persona: PersonaOption = None,
    baseline: Baseline = None,
    write_baseline: WriteBaseline = None,
    fix: FixOption = False,
    apply: ApplyOption = False,
    rename_folder: RenameFolder = False,
    color: ColorOption = "auto",
) -> None:
    """Check a folder before it is published: offline, light, no deep-learning library.

    For a file the package that holds it is checked; files of no package, and packages that hold nothing to check yet,
    do not fail a commit.

    Example: dara lint ./my-model --name acme/roberta-base-sentiment
    """
    settings = settings_of(select, ignore, min_confidence, fail_on, persona)
    forms = _forms(also)
    from dara.audit import audit_all
    from dara.lint_targets import packages_of

    folders, strays = packages_of(targets, Path.cwd())
    if name is not None and len(folders) > 1:
        raise UsageError(f"--name names one package, but there are {len(folders)}; call the folders OWNER--REPO")
    if not folders:
        warn(f"{len(strays)} files belong to no package; nothing to check")
        raise typer.Exit(0)
    _check_fixing([str(folder) for folder in folders], fix=fix, apply=apply, rename_folder=rename_folder)
    with short_run():
        results = audit_all(
            [str(folder) for folder in folders],
            name=name,
            offline=True,
            local_only=True,
            build_graphs=False,
            settings=settings,
            baseline=_read_baseline(baseline),
            fix=fix,
        )
    changes = Changes(tuple(zip(folders, results, strict=True)), rename_folder) if apply else None
    if any(target.is_file() for target in targets):
        results = _without_empty(results)
    _finish(results, settings, output_format, output, write_baseline, color, forms, changes)


def fingerprint(
    targets: Annotated[list[str], typer.Argument(metavar="TARGET...", help="As for `dara audit`.")],
    *,
    revision: Annotated[str | None, typer.Option(help="Branch, tag or commit on the hub.")] = None,
    offline: Annotated[bool, typer.Option("--offline", help="Never use the network.")] = False,
    output_format: Annotated[
        Literal["json", "jsonl"], typer.Option("--format", help="One document, or one object a line.")
    ] = "json",
    output: Output = None,
) -> None:
    """Print the facts and the fingerprint of packages, whatever their names say.

    Example: dara fingerprint ./my-model --format jsonl
    """
    from dara.audit import audit_all
    from dara.reports.document import fingerprint_only

    results = audit_all(targets, revision=revision, offline=offline, settings=Settings(), rules=())
    documents = [fingerprint_only(result) for result in results if not _failed_alone(result, results)]
    with report_sink(output if documents else None) as sink:
        for document in documents:
            indent = 2 if output_format == "json" and len(documents) == 1 else None
            sink.write(json.dumps(document, sort_keys=True, ensure_ascii=False, indent=indent) + "\n")
    raise typer.Exit(_report_problems(results))


def settings_of(
    select: Sequence[str] | None = None,
    ignore: Sequence[str] | None = None,
    min_confidence: ConfidenceWord | None = None,
    fail_on: FailOn | None = None,
    persona: Persona | None = None,
) -> Settings:
    """Options of the command line over the settings of the working directory.

    Raises:
        UsageError: for an unknown rule or value, or a settings file that cannot be read.
    """
    from dara.settings import check_selectors, confidence_of, load_settings

    return load_settings(Path.cwd()).with_options(
        select=check_selectors(_words(select)) if select else None,
        ignore=check_selectors(_words(ignore)) if ignore else None,
        min_confidence=confidence_of(min_confidence) if min_confidence else None,
        fail_on=fail_on,
        persona=persona,
    )


def _forms(options: Sequence[str] | None) -> list[tuple[str, Path]]:
    """Pairs of format and file of `--also`.

    Raises:
        UsageError: for another form, or for a format that does not exist.
    """
    from dara.reports.registry import format_names

    pairs = []
    for option in options or ():
        form, _, file = option.partition("=")
        if form not in format_names() or not file:
            known = ", ".join(format_names())
            raise UsageError(f"--also is FORMAT=FILE with one of {known}, not '{escape(option)}'")
        pairs.append((form, Path(file)))
    return pairs


def _without_empty(results: Sequence[AuditResult]) -> list[AuditResult]:
    """Results without the packages that hold nothing to check; each is told."""
    kept = []
    for result in results:
        if isinstance(result, FailedAudit) and result.exit_code == NothingAuditableError.exit_code:
            warn(f"{result.message}; not checked")
        else:
            kept.append(result)
    return kept


def _words(options: Sequence[str]) -> list[str]:
    return [word for option in options for word in option.split(",")]


def _read_baseline(path: Path | None) -> frozenset[tuple[str, str, str]]:
    from dara.baseline import read_baseline

    return read_baseline(path) if path else frozenset()


def _finish(
    results: Sequence[AuditResult],
    settings: Settings,
    output_format: OutputFormat,
    output: Path | None,
    write_baseline: Path | None,
    color: Color,
    also: Sequence[tuple[str, Path]] = (),
    changes: Changes | None = None,
) -> None:
    from dara.reports.registry import format_of
    from dara.reports.text import TextReport

    lone_failure = len(results) == 1 and isinstance(results[0], FailedAudit)
    if not lone_failure:  # a single target that cannot be audited is one line on stderr and an empty report
        with report_sink(output) as sink:
            if output_format == "text":
                TextReport(color=color_for(color, sink)).write(results, sink)
            else:
                format_of(output_format).write(results, sink)
        for form, path in also:
            with report_sink(path) as sink:
                format_of(form).write(results, sink)
    problem = _report_problems(results)
    if changes is not None:
        problem = max(problem, apply_fixes(changes))
    if write_baseline is not None:
        from dara.baseline import write_baseline as write

        write(write_baseline, results)
        raise typer.Exit(problem)
    failed = any(
        isinstance(item, AuditReport) and item.fails(settings.fail_severity, settings.min_confidence)
        for item in results
    )
    if problem == 4 or not failed:
        raise typer.Exit(problem)
    raise typer.Exit(1)


def _failed_alone(result: AuditResult, results: Sequence[AuditResult]) -> bool:
    return isinstance(result, FailedAudit) and len(results) == 1


def _report_problems(results: Sequence[AuditResult]) -> int:
    """Prints one line for each problem and the totals of several targets; returns 0, 3 or 4."""
    code = 0
    for result in results:
        if isinstance(result, FailedAudit):
            warn(result.message)
            code = max(code, result.exit_code)
        else:
            for line in result.damaged:
                warn(line)
                code = 4
    if len(results) > 1:
        reports = [item for item in results if isinstance(item, AuditReport)]
        counts = {
            verdict: sum(item.verdict == verdict for item in reports)
            for verdict in dict.fromkeys(item.verdict for item in reports)
        }
        words = [f"{count} {verdict.value}" for verdict, count in sorted(counts.items())]
        if len(reports) < len(results):
            words.append(f"{len(results) - len(reports)} not audited")
        sys.stderr.write(f"{len(results)} packages: {', '.join(words)}\n")
    return code
