"""Corrections of the model card's metadata: each answers a finding and comes from a file of the package."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from clustering.text import escape
from corpora.package import Package
from dara.findings import Finding
from dara.fixing.records import CardEdit
from dara.metadata import base_model_of
from dara.report import AuditReport
from dara.rules.contradicted_metadata import library_shown

_LICENCE: Final = re.compile(r"[a-z0-9][a-z0-9.+-]{1,60}")
"""Identifiers as the hub lists them: `apache-2.0`, `cc-by-nc-4.0`. A sentence or a URL is no such entry."""


def card_edits(package: Package, report: AuditReport, finding: Finding) -> tuple[CardEdit, ...]:
    """Entries that follow from files and answer a finding; none where nothing follows.

    A data set is never added: that it is in the name is what a reader would want to have checked.

    Raises:
        PackageError: a file of the package cannot be read.
    """
    return tuple(_edits(package, report, finding))


def _edits(package: Package, report: AuditReport, finding: Finding) -> Iterator[CardEdit]:
    card = package.card()
    match finding.code:
        case "DAR801":
            fact = report.facts.declared("license")
            word = str(fact.value).strip().lower() if fact is not None else ""
            if fact is not None and _LICENCE.fullmatch(word):
                yield CardEdit(finding.code, "license", None, word, escape(fact.source))
        case "DAR802":
            for item in base_model_of(package):
                if not card.data.get(item.key):
                    yield CardEdit(finding.code, item.key, None, item.value, item.reason)
        case "DAR602" if len(card.base_model) == 1:
            for item in base_model_of(package):
                if item.key == "base_model" and item.value != card.base_model[0]:
                    yield CardEdit(finding.code, item.key, card.base_model[0], item.value, item.reason)
        case "DAR807" if finding.fact is not None:
            yield from _metadata(package, finding)


def _metadata(package: Package, finding: Finding) -> Iterator[CardEdit]:
    card, fact = package.card(), finding.fact
    if fact is None:
        return
    if fact.kind == "library":
        shown = library_shown(package.paths)
        if shown is not None and card.library_name:
            yield CardEdit(finding.code, "library_name", card.library_name, shown[0], f"{shown[1]} is there")
    elif isinstance(fact.value, str) and card.pipeline_tag:
        yield CardEdit(finding.code, "pipeline_tag", card.pipeline_tag, fact.value, escape(fact.source))
