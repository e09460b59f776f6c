"""Baselines: known findings that a run leaves out."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

from clustering.text import escape
from dara.errors import IncompleteAuditError, UsageError
from dara.findings import Finding
from dara.report import AuditReport, AuditResult, PackageId

SCHEMA = "dara-baseline/1"
_FILE_LIMIT = 64 << 20

BaselineKey = tuple[str, str, str]
"""Package, rule code, words of the claim (without one, the kind of fact): stays the same when a message is reworded."""


def key_of(package: PackageId, finding: Finding) -> BaselineKey:
    """What identifies a finding from run to run."""
    words = finding.claim.text if finding.claim else finding.fact.kind if finding.fact else ""
    return (package.name or package.location, finding.code, words)


def is_known(package: PackageId, finding: Finding, baseline: frozenset[BaselineKey]) -> bool:
    """Whether a baseline lists a finding; those of version 0.1 leave the third part empty where there is no claim."""
    name, code, words = key_of(package, finding)
    return (name, code, words) in baseline or (finding.claim is None and (name, code, "") in baseline)


def read_baseline(path: Path) -> frozenset[BaselineKey]:
    """The findings that a baseline file lists.

    Raises:
        UsageError: when the file cannot be read as a baseline.
    """
    where = escape(str(path))
    try:
        with path.open("rb") as stream:
            document = json.loads(stream.read(_FILE_LIMIT))
    except (OSError, ValueError, RecursionError) as error:
        raise UsageError(f"{where}: cannot be read as a baseline: {escape(str(error))}") from None
    if not isinstance(document, dict) or document.get("schema") != SCHEMA:
        raise UsageError(f"{where}: is not a baseline of schema {SCHEMA}; write one with --write-baseline")
    try:
        return frozenset((str(row["package"]), str(row["code"]), str(row["claim"])) for row in document["findings"])
    except (KeyError, TypeError):
        raise UsageError(f"{where}: a finding lacks package, code or claim") from None


def write_baseline(path: Path, results: Iterable[AuditResult]) -> None:
    """Writes the shown findings of a run, sorted.

    Raises:
        IncompleteAuditError: when the file cannot be written.
    """
    keys = {
        key_of(result.package, finding)
        for result in results
        if isinstance(result, AuditReport)
        for finding in result.findings
    }
    rows = [{"package": package, "code": code, "claim": claim} for package, code, claim in sorted(keys)]
    try:
        path.write_text(json.dumps({"schema": SCHEMA, "findings": rows}, indent=2) + "\n", encoding="utf-8")
    except OSError as error:
        raise IncompleteAuditError(f"{escape(str(path))}: cannot be written: {error.strerror}") from None
