"""A name for a folder: from its own name where it has one, else from what it holds alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from corpora.package import Package
from corpora.sources.registry import open_package
from dara.audit import audit
from dara.report import AuditReport
from dara.suggest import Suggestion, suggest

_FILLER: Final = "model"
"""A word that claims nothing."""


@dataclass(frozen=True, slots=True)
class Proposal:
    """A name for a package, and the report that it comes from."""

    report: AuditReport
    suggestion: Suggestion | None


def name_of(folder: str, intended: str | None) -> tuple[Proposal, Package]:
    """A conventional name for a folder: from its own name where it has one, else from what it holds alone.

    Raises:
        NothingAuditableError: the folder holds neither a configuration nor weights.
        PackageError: the folder cannot be read.
    """
    package = open_package(folder, name=intended, offline=True)
    report = audit(folder, name=intended, offline=True, local_only=True, build_graphs=False)
    if report.parsed is None:
        # Start from a word without meaning, and leave it out again: the rest is what was measured.
        report = audit(folder, name=_FILLER, offline=True, local_only=True, build_graphs=False)
        return Proposal(report, _without_filler(suggest(report))), package
    return Proposal(report, suggest(report)), package


def _without_filler(suggestion: Suggestion | None) -> Suggestion | None:
    if suggestion is None or suggestion.name == _FILLER:
        return None
    parts = tuple(part for part in suggestion.parts if part.text != _FILLER)
    return Suggestion("", suggestion.name.removesuffix(f"-{_FILLER}"), parts)
