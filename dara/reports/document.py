"""The frozen JSON layout `dara-audit/1`, built key by key so that records can grow without changing it."""

from __future__ import annotations

import math
from typing import Any

from clustering.facts import Fact
from clustering.identity import FamilyMatch, Fingerprint, Identification, Part
from clustering.text import escape as _escape
from dara.findings import Finding, Held, Skipped
from dara.fixing.records import Fix
from dara.report import AuditReport, AuditResult, FailedAudit, PackageId
from dara.rules.interface import DOCS_URL
from naming.records import Claim, Component
from naming.serialize import claim_to_dict, component_to_dict

SCHEMA = "dara-audit/1"
FINGERPRINT_SCHEMA = "dara-fingerprint/1"


def escape(text: str) -> str:
    """Foreign text made safe, at its full length: a program reads this."""
    return _escape(text, limit=None)


def clean(value: Any) -> Any:
    """A JSON value whose strings hold no control characters and whose numbers are finite."""
    if isinstance(value, str):
        return escape(value)
    if isinstance(value, float) and not math.isfinite(value):
        return None  # JSON has no NaN; published configurations do
    if isinstance(value, dict):
        return {clean(key): clean(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [clean(item) for item in value]
    return value


def audit_document(result: AuditResult) -> dict[str, Any]:
    """One result as the JSON object of the contract. A failed target has `error` and no facts."""
    if isinstance(result, FailedAudit):
        return {
            "schema": SCHEMA,
            "package": {"name": escape(result.target), "owner": "", "repo": "", "revision": None, "source": None},
            "components": [],
            "claims": [],
            "facts": {},
            "fingerprint": None,
            "findings": [],
            "held": [],
            "skipped": [{"check": "package", "reason": escape(result.message)}],
            "notes": [],
            "error": {"exit_code": result.exit_code, "message": escape(result.message)},
            "verdict": "unverifiable",
        }
    return {
        "schema": SCHEMA,
        "package": _package(result.package),
        "components": [component_document(item) for item in (result.parsed.components if result.parsed else ())],
        "claims": [claim_document(item) for item in (result.parsed.claims if result.parsed else ())],
        "facts": facts_document(result),
        "fingerprint": fingerprint_document(result),
        "findings": [_finding(item) for item in result.findings],
        "held": [_held(item) for item in result.outcomes.held],
        "skipped": [_skipped(item) for item in result.outcomes.skipped],
        "notes": [escape(note) for note in result.notes],
        "verdict": result.verdict.value,
        **({"fix": fix_document(result.fix)} if result.fix is not None else {}),
    }


def fix_document(fix: Fix) -> dict[str, Any]:
    """Proposed corrections; the key `fix` is there only when they were asked for."""
    name, card = fix.rename, fix.card
    return {
        "rename": None
        if name is None
        else {
            "from": escape(name.old),
            "to": escape(name.new),
            "corrections": [
                {"code": item.code, "from": escape(item.old), "to": escape(item.new), "reason": escape(item.reason)}
                for item in name.corrections
            ],
        },
        "card": None
        if card is None
        else {
            "path": escape(card.path),
            "edits": [
                {
                    "code": item.code,
                    "key": escape(item.key),
                    "from": clean(item.old),
                    "to": clean(item.new),
                    "reason": escape(item.reason),
                }
                for item in card.edits
            ],
            "diff": diff_text(card.diff),
        },
        "unresolved": [{"code": item.code, "reason": escape(item.reason)} for item in fix.unresolved],
    }


def diff_text(diff: str) -> str:
    """A diff whose lines are safe to show."""
    return "".join(f"{escape(line)}\n" for line in diff.split("\n")[:-1])


def facts_document(report: AuditReport) -> dict[str, Any]:
    """The fact to believe of each kind."""
    best = ((kind, report.facts.best(kind)) for kind in report.facts.kinds())
    return {escape(kind): fact_document(fact) for kind, fact in best if fact is not None}


def fact_document(fact: Fact) -> dict[str, Any]:
    """One fact without its kind, which is the key it stands under."""
    return {"value": clean(fact.value), "basis": fact.basis, "source": escape(fact.source)}


def fingerprint_document(report: AuditReport) -> dict[str, Any] | None:
    """The fingerprint with the ranked families and the parts; None when no graph could be made."""
    if report.fingerprint is None:
        return None
    fingerprint: Fingerprint = report.fingerprint
    identity: Identification | None = report.identification
    return {
        "version": fingerprint.version,
        "digest": fingerprint.digest,
        "structure": fingerprint.structure,
        "vocabulary": fingerprint.vocabulary,
        "family": [_match(item) for item in (identity.family if identity else ())],
        "structure_only": [_match(item) for item in (identity.structure_only if identity else ())],
        "channel": identity.channel if identity else "none",
        "reason": escape(identity.reason) if identity else "",
        "parts": [_part(item) for item in report.parts],
    }


def claim_document(claim: Claim) -> dict[str, Any]:
    """One claim, as `dara parse` writes it."""
    document: dict[str, Any] = clean(claim_to_dict(claim))
    return document


def _package(package: PackageId) -> dict[str, Any]:
    return {
        "name": clean(package.name),
        "owner": escape(package.owner),
        "repo": escape(package.repo),
        "revision": clean(package.revision),
        "source": package.source,
    }


def component_document(component: Component) -> dict[str, Any]:
    """One component, as `dara parse` writes it."""
    document: dict[str, Any] = clean(component_to_dict(component))
    return document


def _match(match: FamilyMatch) -> dict[str, Any]:
    return {"model_type": escape(match.model_type), "score": round(match.score, 4), "twins": clean(match.twins)}


def _part(part: Part) -> dict[str, Any]:
    return {
        "role": escape(part.role),
        "family": escape(part.family),
        "variant": clean(part.variant),
        "detail": clean(dict(part.detail)),
    }


def _finding(finding: Finding) -> dict[str, Any]:
    return {
        "code": finding.code,
        "slug": finding.slug,
        "severity": finding.severity.label,
        "confidence": finding.confidence.label,
        "message": escape(finding.message),
        "claim": claim_document(finding.claim) if finding.claim else None,
        "fact": {"kind": finding.fact.kind, **fact_document(finding.fact)} if finding.fact else None,
        "evidence": [{"source": escape(item.source), "detail": escape(item.detail)} for item in finding.evidence],
        "suggestion": clean(finding.suggestion),
        "url": f"{DOCS_URL}/{finding.code}.md",
    }


def _held(held: Held) -> dict[str, Any]:
    return {
        "check": held.check,
        "claim": claim_document(held.claim),
        "fact": {"kind": held.fact.kind, **fact_document(held.fact)},
    }


def _skipped(skipped: Skipped) -> dict[str, Any]:
    return {"check": escape(skipped.check), "reason": escape(skipped.reason)}


def fingerprint_only(result: AuditResult) -> dict[str, Any]:
    """The facts and the fingerprint of a package, apart from its name (`dara fingerprint`)."""
    document = audit_document(result)
    keys = ("package", "facts", "fingerprint", "error")
    return {"schema": FINGERPRINT_SCHEMA, **{key: document[key] for key in keys if key in document}}
