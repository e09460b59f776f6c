"""The result of an audit, as a value: everything a report format needs, nothing printed."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from clustering.facts import Facts
from clustering.identity import Fingerprint, Identification, Part
from dara.findings import Confidence, Finding, Outcomes, Severity, Verdict
from naming.records import ParsedName

if TYPE_CHECKING:
    from dara.fixing.records import Fix


@dataclass(frozen=True, slots=True)
class PackageId:
    """Which package was audited."""

    name: str | None
    """`owner/repo`, or None for a file or folder whose name is not known."""
    owner: str
    repo: str
    revision: str | None
    source: str
    """folder, file, hub-cache or hub."""
    location: str
    """Where it was read, for people."""


@dataclass(frozen=True, slots=True)
class AuditReport:
    """What an audit found out about one package."""

    package: PackageId
    verdict: Verdict
    outcomes: Outcomes
    facts: Facts
    parsed: ParsedName | None = None
    fingerprint: Fingerprint | None = None
    identification: Identification | None = None
    parts: tuple[Part, ...] = ()
    hidden: int = 0
    """Findings that the settings do not show."""
    notes: tuple[str, ...] = ()
    """What was odd without hindering the audit: renamed on the hub, duplicate keys, values of a wrong type."""
    damaged: tuple[str, ...] = field(default=())
    """One line for each file that could not be read as what it claims to be; the audit is then incomplete."""
    bytes_read: int = 0
    """Bytes of the package that were read; not part of any report format, since it depends on caches."""

    fix: Fix | None = None
    """Corrections that follow from the package; None when none were asked for."""

    @property
    def findings(self) -> tuple[Finding, ...]:
        """The findings that the settings show, worst first."""
        return self.outcomes.findings

    def fails(self, severity: Severity | None, confidence: Confidence = Confidence.MEDIUM) -> bool:
        """True when a shown finding is at or above `severity` and as sure as `confidence`; never for None."""
        return bool(self.failing(severity, confidence))

    def failing(self, severity: Severity | None, confidence: Confidence = Confidence.MEDIUM) -> tuple[Finding, ...]:
        """The shown findings at or above `severity` that are as sure as `confidence`; none for None."""
        if severity is None:
            return ()
        return tuple(item for item in self.findings if item.severity >= severity and item.confidence >= confidence)

    def _repr_html_(self) -> str:
        """The report as a notebook shows it; loads and runs nothing."""
        from dara.reports.html import fragment

        return fragment(self)


@dataclass(frozen=True, slots=True)
class FailedAudit:
    """A target that gave no report: nothing auditable, unreachable, refused."""

    target: str
    message: str
    """One line, free of control characters."""
    exit_code: int
    """3 nothing auditable, 4 could not complete."""


AuditResult = AuditReport | FailedAudit
