"""Whether a folder may be published under a name: the audit, and the comparison with what the repository holds."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from clustering.text import escape
from corpora.sources.names import is_repo_id
from dara.errors import DaraError, UsageError
from dara.publish.target import Comparison, compare_with_target
from dara.report import AuditReport
from dara.settings import Settings

OnError = Literal["raise", "warn"]
"""What a refusal becomes: an exception before anything is sent, or a line in the log and the upload goes on."""


@dataclass(frozen=True, slots=True)
class PublishCheck:
    """What is known before anything is sent."""

    repo_id: str
    report: AuditReport
    comparison: Comparison
    reasons: tuple[str, ...]
    """Why the package is not to be published under this name, one line each; empty when it may be."""

    @property
    def refused(self) -> bool:
        """True when there is a reason not to publish."""
        return bool(self.reasons)

    @property
    def message(self) -> str:
        """All reasons, for an exception or a log."""
        lines = "".join(f"\n- {reason}" for reason in self.reasons)
        return f"{escape(self.repo_id)} is not published:{lines}"


class PublishRefusedError(DaraError):
    """The name and the package disagree, or the repository holds another model. Nothing was sent."""

    exit_code = 1

    def __init__(self, check: PublishCheck) -> None:
        super().__init__(check.message)
        self.check = check


def check_folder(
    folder: str | Path,
    repo_id: str,
    *,
    settings: Settings | None = None,
    compare: bool = True,
    allow_other_architecture: bool = False,
    revision: str | None = None,
    token: str | bool | None = None,
) -> PublishCheck:
    """Checks a folder against the name that it is to be published under. Sends nothing.

    Args:
        folder: what is to be uploaded.
        repo_id: `owner/name`, or only `name`; then the repository cannot be compared.
        settings: what is checked and what refuses (`fail_on`); defaults when None.
        compare: look at what the repository already holds.
        allow_other_architecture: another architecture in the repository is no reason to refuse.
        revision: the branch that is published to.
        token: access token of the hub; None: the saved one, False: none.

    Raises:
        UsageError: `repo_id` is no name that the hub takes.
        NothingAuditableError: the folder holds neither a configuration nor weights.
        PackageError: the folder cannot be read.
    """
    if not is_repo_id(repo_id):
        raise UsageError(f"'{escape(repo_id)}' is no repository's name: write owner/name")
    from dara.audit import audit

    settings = settings or Settings()
    report = audit(str(folder), name=repo_id, offline=True, local_only=True, build_graphs=False, settings=settings)
    comparison = Comparison()
    if compare and "/" in repo_id:
        comparison = compare_with_target(report.facts, repo_id, revision=revision, token=token)
    return PublishCheck(
        repo_id, report, comparison, tuple(_reasons(report, comparison, settings, allow_other_architecture))
    )


def _reasons(report: AuditReport, comparison: Comparison, settings: Settings, allowed: bool) -> list[str]:
    reasons = [
        f"{finding.code} {finding.slug}: {escape(finding.message)}"
        + (f"; instead: {escape(finding.suggestion)}" if finding.suggestion else "")
        for finding in report.failing(settings.fail_severity, settings.min_confidence)
    ]
    reasons += [f"a file cannot be read as what it claims to be: {escape(line)}" for line in report.damaged]
    if not allowed:
        reasons += [conflict.message for conflict in comparison.conflicts]
    return reasons
