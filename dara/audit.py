"""The audit: a target in, a report out. Library code; prints nothing."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import ClassVar

from clustering.text import escape
from corpora.errors import NotFoundError, PackageError
from corpora.package import Package
from corpora.sources.registry import open_package
from dara.baseline import BaselineKey, is_known
from dara.engine import run, selected, shown, verdict_of
from dara.errors import DEBUG_VARIABLE, DaraError, IncompleteAuditError, NothingAuditableError, internal_error
from dara.findings import Finding, Outcomes, Skipped
from dara.measurement import Computing, Measurement, measure
from dara.report import AuditReport, AuditResult, FailedAudit, PackageId
from dara.rules.interface import Rule
from dara.rules.registry import all_rules
from dara.settings import Settings
from dara.subject import Subject
from naming.records import ParsedName


def audit(
    target: str,
    *,
    name: str | None = None,
    revision: str | None = None,
    offline: bool = False,
    local_only: bool = False,
    build_graphs: bool = True,
    settings: Settings | None = None,
    baseline: frozenset[BaselineKey] = frozenset(),
    rules: Sequence[Rule] | None = None,
    fix: bool = False,
) -> AuditReport:
    """Audits one package.

    Args:
        target: `owner/repo` on the hub, a folder, or a weight file.
        name: the name to check against, when the target does not carry it or carries another.
        revision: branch, tag or commit on the hub.
        offline: never use the network.
        local_only: the target is a path; a hub name is refused.
        build_graphs: without weight headers, build the declared class on the meta device where torch is installed.
        settings: what is checked and shown; defaults when None.
        baseline: known findings, left out of the report and of the verdict.
        rules: the rules to run; every rule when None.
        fix: also derive corrections of the name and of the card's metadata (`AuditReport.fix`); nothing is written.

    Raises:
        NothingAuditableError: the target holds neither a configuration nor weights.
        PackageError: the target cannot be opened; its message is one line.
    """
    if local_only and not Path(target).exists():
        raise NotFoundError(f"{escape(target)}: no such folder")
    package = open_package(target, name=name, revision=revision, offline=offline or local_only)
    return audit_package(package, build_graphs=build_graphs, settings=settings, baseline=baseline, rules=rules, fix=fix)


def audit_package(
    package: Package,
    *,
    build_graphs: bool = True,
    settings: Settings | None = None,
    baseline: frozenset[BaselineKey] = frozenset(),
    rules: Sequence[Rule] | None = None,
    parse: Callable[[str], ParsedName] | None = None,
    computing: Computing | None = None,
    fix: bool = False,
) -> AuditReport:
    """Audits a package that is open already; arguments and errors as `audit`.

    Args:
        package: the package.
        build_graphs: as for `audit`.
        settings: as for `audit`.
        baseline: as for `audit`.
        rules: as for `audit`.
        parse: reads the package's name; `naming.parse_name` when None. A run over many packages parses in batches.
        computing: as for `dara.measurement.measure`.
        fix: as for `audit`.
    """
    settings = settings or Settings()
    known = measure(package, build_graphs=build_graphs, computing=computing)
    known.damaged.extend(str(error) for error in package.failures() if str(error) not in known.damaged)
    if not known.auditable:
        if known.damaged:
            raise IncompleteAuditError(f"{escape(package.location)}: {known.damaged[0]}")
        reason = (
            known.skipped[0].reason if known.skipped else "holds neither a config.json nor weights that can be read"
        )
        raise NothingAuditableError(f"{escape(package.location)}: {reason}")
    parsed = _parse(package, known, parse)
    ignored = known.card.ignore if known.card else ()
    chosen = selected(all_rules() if rules is None else rules, settings, ignored)
    subject = _subject(package, known, parsed)
    outcomes = run(chosen, subject)
    report = _report(package, known, parsed, outcomes, settings, baseline)
    if not fix:
        return report
    from dara.fixing.propose import propose

    fresh = replace(outcomes, findings=_fresh(report.package, outcomes, baseline))
    return replace(report, fix=propose(package, replace(report, outcomes=fresh), subject, chosen))


def audit_all(targets: Sequence[str], **options: object) -> list[AuditResult]:
    """Audits several targets, in the order given; a target that gives no report becomes a `FailedAudit`.

    Takes the options of `audit`.
    """
    results: list[AuditResult] = []
    for target in targets:
        try:
            results.append(audit(target, **options))  # type: ignore[arg-type]
        except PackageError as error:
            results.append(FailedAudit(target, str(error), error.exit_code_hint))
        except DaraError as error:
            results.append(FailedAudit(target, str(error), error.exit_code))
        except Exception as error:
            if os.environ.get(DEBUG_VARIABLE):
                raise
            results.append(FailedAudit(target, f"{escape(target)}: {internal_error(error)}", DaraError.exit_code))
    return results


def _parse(package: Package, known: Measurement, parse: Callable[[str], ParsedName] | None) -> ParsedName | None:
    from naming import NameRefused, parse_name

    if package.name is None:
        known.skip("name", "the package has no name; give one with --name owner/repo")
        return None
    try:
        return (parse or parse_name)(package.name)
    except NameRefused as error:
        known.skip("name", str(error))
        known.damaged.append(str(error))
        return None


def _is_complete(package: Package) -> bool:
    """Whether metadata and list of files are those of a hub; snapshots may lack the columns that hold them."""
    return package.source == "hub" or (package.source == "snapshot" and bool(package.listed))


def _subject(package: Package, known: Measurement, parsed: ParsedName | None) -> Subject:
    from corpora.reference import load_reference

    return Subject(
        facts=known.facts,
        parsed=parsed,
        config=known.config,
        card=known.card,
        listing=known.listing,
        graph=known.graph,
        fingerprint=known.fingerprint,
        identification=known.identification,
        parts=known.parts,
        kinship=load_reference(),
        files=package.paths,
        hub=package.metadata if _is_complete(package) else None,
    )


def _report(
    package: Package,
    known: Measurement,
    parsed: ParsedName | None,
    outcomes: Outcomes,
    settings: Settings,
    baseline: frozenset[BaselineKey],
) -> AuditReport:
    identity = PackageId(
        name=package.name,
        owner=package.owner or "",
        repo=package.repo or "",
        revision=package.revision,
        source=package.source,
        location=package.location,
    )
    steps = (*known.skipped, *(Skipped(path, reason) for path, reason in package.skipped))
    skipped = tuple(sorted({*outcomes.skipped, *steps}, key=lambda item: (item.check, item.reason)))
    fresh = _fresh(identity, outcomes, baseline)
    complete = replace(outcomes, findings=fresh, skipped=skipped)
    visible, hidden = shown(complete, settings)
    return AuditReport(
        package=identity,
        verdict=verdict_of(complete),
        outcomes=visible,
        facts=known.facts,
        parsed=parsed,
        fingerprint=known.fingerprint,
        identification=known.identification,
        parts=known.parts,
        hidden=hidden,
        notes=tuple(dict.fromkeys(known.notes)),
        damaged=tuple(known.damaged),
        bytes_read=known.bytes_read,
    )


def _fresh(identity: PackageId, outcomes: Outcomes, baseline: frozenset[BaselineKey]) -> tuple[Finding, ...]:
    return tuple(finding for finding in outcomes.findings if not is_known(identity, finding, baseline))


class _CallableModule(ModuleType):
    """Importing a sub-module sets it as an attribute of its package, over any function of that name.

    `dara.audit(target)` is the documented call, so the module passes a call on to its function, whatever was imported
    before: https://docs.python.org/3/reference/datamodel.html#customizing-module-attribute-access.
    """

    __call__: ClassVar[Callable[..., AuditReport]] = staticmethod(audit)


sys.modules[__name__].__class__ = _CallableModule
