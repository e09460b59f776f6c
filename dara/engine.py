"""Runs rules over a subject and draws the verdict."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from dara.findings import Confidence, Finding, Held, Outcomes, Severity, Skipped, Verdict
from dara.rules.interface import Rule
from dara.settings import Settings, matches
from dara.subject import Subject


def selected(rules: Iterable[Rule], settings: Settings, ignored: Sequence[str] = ()) -> tuple[Rule, ...]:
    """The rules that a run makes use of.

    `ignored` are the package's own ignores; like `settings.ignore` they win over `select`. A preview rule runs
    only when it is selected by its whole code or slug, or when the persona is `all`.
    """
    chosen = []
    for rule in rules:
        if any(matches(word, rule.code, rule.slug) for word in (*settings.ignore, *ignored)):
            continue
        if settings.select and not any(matches(word, rule.code, rule.slug) for word in settings.select):
            continue
        named = any(word.lower() in (rule.code.lower(), rule.slug) for word in settings.select)
        if rule.preview and not named and settings.persona != "all":
            continue
        chosen.append(rule)
    return tuple(chosen)


def run(rules: Iterable[Rule], subject: Subject) -> Outcomes:
    """Every outcome of the rules on one subject, in a stable order without repetitions.

    Findings are ordered from bad and sure to mild and unsure, then by code and message.
    """
    findings: list[Finding] = []
    held: list[Held] = []
    skipped: list[Skipped] = []
    for rule in rules:
        for outcome in rule.check(subject):
            match outcome:
                case Finding():
                    findings.append(outcome)
                case Held():
                    held.append(outcome)
                case Skipped():
                    skipped.append(outcome)
    findings.sort(key=lambda f: (-f.severity, -f.confidence, f.code, f.message))
    held.sort(key=lambda h: (h.check, h.claim.kind, h.claim.text))
    unique_skips = sorted(set(skipped), key=lambda s: (s.check, s.reason))
    return Outcomes(tuple(findings), tuple(held), tuple(unique_skips))


def verdict_of(outcomes: Outcomes) -> Verdict:
    """The verdict that the outcomes carry.

    `defective` needs an error or a warning of at least medium confidence. `consistent` needs a claim that was
    checked and held, and no claim about the architecture left unchecked: missing evidence is never "consistent".
    """
    if any(f.severity >= Severity.WARNING and f.confidence >= Confidence.MEDIUM for f in outcomes.findings):
        return Verdict.DEFECTIVE
    architecture_unchecked = any(skip.check.startswith("DAR10") for skip in outcomes.skipped)
    architecture_held = any(item.check.startswith("DAR10") for item in outcomes.held)
    if outcomes.held and (architecture_held or not architecture_unchecked):
        return Verdict.CONSISTENT
    return Verdict.UNVERIFIABLE


def shown(outcomes: Outcomes, settings: Settings) -> tuple[Outcomes, int]:
    """The outcomes that the settings show, and how many findings they hide."""
    visible = tuple(
        finding
        for finding in outcomes.findings
        if finding.severity >= settings.shown_severity and finding.confidence >= settings.shown_confidence
    )
    return replace(outcomes, findings=visible), len(outcomes.findings) - len(visible)
