"""SARIF 2.1.0, for code-scanning services.

Layout after the OASIS standard (https://docs.oasis-open.org/sarif/sarif/v2.1.0/). The largest consumer refuses runs of
more than 25,000 results and shows the worst 5,000; what is left out is said in an invocation's notification. It matches
results from run to run by `primaryLocationLineHash`, others by any fingerprint.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from typing import Any, TextIO
from urllib.parse import quote

from dara import __version__
from dara.baseline import key_of
from dara.findings import Confidence, Finding, Severity
from dara.report import AuditReport, AuditResult, FailedAudit
from dara.reports.document import claim_document, escape, fact_document
from dara.reports.interface import ReportFormat
from dara.reports.places import place_of
from dara.rules.interface import DOCS_URL
from dara.rules.registry import all_rules

MAX_RESULTS = 5_000
"""Results that code-scanning services show of one run."""

MAX_MESSAGE = 1_000
"""Characters of a message; names and values in it are foreign text."""

SCHEMA_URI = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
_LEVEL = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.NOTE: "note"}


class SarifReport(ReportFormat):
    """`--format sarif`."""

    name = "sarif"

    def write(self, results: Sequence[AuditResult], sink: TextIO) -> None:
        """One SARIF log with one run over all packages."""
        rules = all_rules()
        index = {rule.code: number for number, rule in enumerate(rules)}
        found = [item for result in results if isinstance(result, AuditReport) for item in _results(result, index)]
        notifications = [_notification(result) for result in results if isinstance(result, FailedAudit)]
        if len(found) > MAX_RESULTS:
            text = f"{len(found) - MAX_RESULTS} results are left out; use the JSON report for all of them"
            notifications.append({"level": "warning", "message": {"text": text}})
            found.sort(key=_badness)  # stable: as bad and as sure as another one, the earlier package comes first
        run = {
            "tool": {
                "driver": {
                    "name": "dara",
                    "semanticVersion": __version__,
                    "informationUri": DOCS_URL,
                    "rules": [
                        {
                            "id": rule.code,
                            "name": "".join(word.capitalize() for word in rule.slug.split("-")),
                            "shortDescription": {"text": rule.summary},
                            "fullDescription": {"text": rule.summary},
                            "help": {"text": rule.documentation, "markdown": rule.documentation},
                            "helpUri": rule.url,
                            "defaultConfiguration": {"level": _LEVEL[rule.severity]},
                        }
                        for rule in rules
                    ],
                }
            },
            "invocations": [
                {
                    "executionSuccessful": not notifications,
                    "toolExecutionNotifications": notifications,
                }
            ],
            "results": found[:MAX_RESULTS],
            "columnKind": "unicodeCodePoints",
        }
        document = {"$schema": SCHEMA_URI, "version": "2.1.0", "runs": [run]}
        json.dump(document, sink, indent=2, sort_keys=True, ensure_ascii=False)
        sink.write("\n")


def _results(report: AuditReport, index: dict[str, int]) -> Iterator[dict[str, Any]]:
    for finding in report.findings:
        mark = _fingerprint(report, finding)
        result: dict[str, Any] = {
            "ruleId": finding.code,
            "level": _LEVEL[finding.severity],
            "message": {"text": _shortened(escape(finding.message))},
            "locations": [_location(report, finding)],
            "partialFingerprints": {"daraFinding/v1": mark, "primaryLocationLineHash": f"{mark[:16]}:1"},
            "properties": {
                "confidence": finding.confidence.label,
                "slug": finding.slug,
                "claim": claim_document(finding.claim) if finding.claim else None,
                "fact": {"kind": finding.fact.kind, **fact_document(finding.fact)} if finding.fact else None,
            },
        }
        if finding.code in index:
            result["ruleIndex"] = index[finding.code]
        yield result


def _badness(result: dict[str, Any]) -> tuple[int, int]:
    """Errors before warnings before notes, sure before unsure."""
    levels = ("error", "warning", "note")
    return levels.index(result["level"]), -Confidence[result["properties"]["confidence"].upper()]


def _shortened(text: str) -> str:
    return text if len(text) <= MAX_MESSAGE else f"{text[: MAX_MESSAGE - 1]}…"


def _location(report: AuditReport, finding: Finding) -> dict[str, Any]:
    """The file that shows the defect; a finding without one points at config.json, which every package page shows."""
    place = place_of(report, finding)
    uri = quote(escape(place.path), safe="/") if place else "config.json"
    return {
        "physicalLocation": {
            "artifactLocation": {"uri": uri},
            "region": {"startLine": (place.line if place else None) or 1},
        },
        "logicalLocations": [
            {"fullyQualifiedName": escape(report.package.name or report.package.location), "kind": "module"}
        ],
    }


def _fingerprint(report: AuditReport, finding: Finding) -> str:
    """Stays the same from run to run while the package, the rule and the words of the claim do."""
    return hashlib.sha256("\0".join(key_of(report.package, finding)).encode("utf-8", "backslashreplace")).hexdigest()


def _notification(failed: FailedAudit) -> dict[str, Any]:
    return {"level": "error", "message": {"text": _shortened(escape(failed.message))}}
