"""From the result of an audit to rows of the tables."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from clustering.text import escape
from corpora.package import Package
from corpora.sources.interface import SkippedPackage
from dara.batch.tables import PARTS
from dara.findings import Severity
from dara.report import AuditReport
from dara.reports.document import claim_document, clean, component_document, facts_document, fingerprint_document
from naming.records import ParsedName
from naming.serialize import claim_to_dict, component_to_dict

if TYPE_CHECKING:
    from clustering.clusters.sketch import Sketch

Row = dict[str, Any]

_INT64 = 1 << 63
_DOUBLE = 10**308
_ENCODER = json.JSONEncoder(sort_keys=True, ensure_ascii=False, separators=(",", ":"))


@dataclass(slots=True)
class Rows:
    """Rows by table."""

    tables: dict[str, list[Row]] = field(default_factory=lambda: {name: [] for name in PARTS})

    def add_report(self, entry: int, package: Package, report: AuditReport) -> None:
        """A package that was audited."""
        name = clean(package.name)
        severities = Counter(finding.severity for finding in report.findings)
        facts = report.facts
        family, parameters = facts.best("family"), facts.best("parameters")
        matches = report.identification.family if report.identification else ()
        row = self._package(entry, package, report.parsed)
        row.update(
            verdict=report.verdict.value,
            errors=severities[Severity.ERROR],
            warnings=severities[Severity.WARNING],
            notes=severities[Severity.NOTE],
            hidden=report.hidden,
            held=len(report.outcomes.held),
            codes=sorted({finding.code for finding in report.findings}),
            family=_text(family.value) if family else None,
            family_basis=family.basis if family else None,
            architecture_class=_text(_value(report, "architecture_class")),
            parameters=_number(parameters.value) if parameters else None,
            task=_text(_value(report, "task")),
            digest=report.fingerprint.digest if report.fingerprint else None,
            structure=report.fingerprint.structure if report.fingerprint else None,
            identified=_text(matches[0].model_type) if matches else None,
            score=round(matches[0].score, 4) if matches else None,
            facts=_json(facts_document(report)),
            fingerprint=_json(shown) if (shown := fingerprint_document(report)) is not None else None,
            remarks=[escape(note) for note in report.notes],
            damaged=[escape(line) for line in report.damaged],
        )
        self.tables["packages"].append(row)
        for finding in report.findings:
            self.tables["findings"].append(
                {
                    "entry": entry,
                    "name": name,
                    "code": finding.code,
                    "slug": finding.slug,
                    "severity": finding.severity.label,
                    "confidence": finding.confidence.label,
                    "message": escape(finding.message),
                    "claim_kind": finding.claim.kind if finding.claim else None,
                    "claim_text": _text(finding.claim.text) if finding.claim else None,
                    "fact_kind": finding.fact.kind if finding.fact else None,
                    "fact_basis": finding.fact.basis if finding.fact else None,
                    "suggestion": clean(finding.suggestion),
                    "evidence": _json(
                        [{"source": clean(e.source), "detail": clean(e.detail)} for e in finding.evidence]
                    ),
                }
            )
        for skip in report.outcomes.skipped:
            self._skip(entry, package.location, name, skip.check, skip.reason)

    def add_signature(self, report: AuditReport, found: Sketch | None) -> None:
        """The signature of the package's graph, where it has one that was not added already."""
        if found is None or report.fingerprint is None:
            return
        best = report.identification.family[0] if report.identification and report.identification.family else None
        row = {
            "digest": report.fingerprint.digest,
            "identified": _text(best.model_type) if best else None,
            "score": round(best.score, 4) if best else None,
            "twins": sorted(best.twins) if best else [],
            "shapes": found.shapes,
            "order": found.order,
            "names": found.names,
        }
        if row not in self.tables["signatures"]:  # a hundred packages at most, of which many share a graph
            self.tables["signatures"].append(row)

    def add_failure(self, entry: int, package: Package, parsed: ParsedName | None, reason: str) -> None:
        """A package that gave no report: nothing auditable, or it could not be read. Its name was read all the same."""
        row = self._package(entry, package, parsed)
        row.update(verdict="unverifiable", reason=escape(reason), codes=[], remarks=[], damaged=[])
        row.update(dict.fromkeys(("errors", "warnings", "notes", "hidden", "held"), 0))
        self.tables["packages"].append(row)
        self._skip(entry, package.location, row["name"], "audit", reason)

    def add_skipped(self, entry: int, item: SkippedPackage) -> None:
        """Something that could not be made a package."""
        self._skip(entry, item.place, None, "entry", item.reason)

    def _skip(self, entry: int, place: str, name: str | None, check: str, reason: str) -> None:
        self.tables["skipped"].append(
            {"entry": entry, "place": escape(place), "name": name, "check": escape(check), "reason": escape(reason)}
        )

    def _package(self, entry: int, package: Package, parsed: ParsedName | None) -> Row:
        """Columns that do not depend on the audit."""
        known = package.metadata
        return {
            "entry": entry,
            "place": escape(package.location),
            "name": clean(package.name),
            "owner": escape(package.owner or ""),
            "repo": escape(package.repo or ""),
            "revision": clean(package.revision),
            "source": package.source,
            "convention": parsed.convention.category if parsed else None,
            "pattern": parsed.convention.pattern if parsed else None,  # our own words and separators, none left out
            "claimed_family": _claimed_family(parsed),
            "pipeline_tag": clean(known.pipeline_tag),
            "library": clean(known.library_name),
            "license": clean(known.license),
            "base_models": [escape(name) for name in known.base_model],
            "downloads": _integer(known.downloads),
            "likes": _integer(known.likes),
            "created": clean(known.created_at),
            "modified": clean(known.last_modified),
            **_name_documents(parsed),
        }


def _name_documents(parsed: ParsedName | None) -> Row:
    """What the name says, as JSON."""
    if parsed is None:
        return {"components": None, "claims": None}
    if parsed.name.isascii() and parsed.name.isprintable():
        # Nothing to escape: texts are parts of the name, values come from the lexicons. This is the usual case, and
        # looking at each value again took a tenth of a run. A test holds that both ways give the same.
        components = [component_to_dict(item) for item in parsed.components]
        claims = [claim_to_dict(item) for item in parsed.claims]
    else:
        components = [component_document(item) for item in parsed.components]
        claims = [claim_document(item) for item in parsed.claims]
    return {"components": _json(components), "claims": _json(claims)}


def _claimed_family(parsed: ParsedName | None) -> str | None:
    claims = parsed.claims_of("family") if parsed else ()
    return next((_text(claim.value) for claim in claims if claim.role in {"", "main"}), None)


def _value(report: AuditReport, kind: str) -> Any:
    fact = report.facts.best(kind)
    return fact.value if fact else None


def _text(value: Any) -> str | None:
    """A text column; other values as JSON."""
    if value is None or isinstance(value, str):
        return None if value is None else escape(value)
    return _json(clean(value))


def _integer(value: int | None) -> int | None:
    """A count that fits its column; published metadata may hold any number."""
    return value if value is not None and value < _INT64 else None


def _number(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not -_DOUBLE < value < _DOUBLE:
        return None
    return float(value)


def _json(value: Mapping[str, Any] | list[Any]) -> str:
    return _ENCODER.encode(value)
