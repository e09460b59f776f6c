"""From a report to the corrections that follow from it, each tried on the same package before it is proposed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from clustering.text import escape
from corpora.card import CARD_PATH, parse_card
from corpora.errors import DamagedFileError, PackageError
from corpora.package import MAX_CARD, Package
from dara.engine import run
from dara.findings import Confidence, Finding, Outcomes, Severity
from dara.fixing.cards import card_edits
from dara.fixing.frontmatter import edited
from dara.fixing.names import rename
from dara.fixing.records import CardChange, CardEdit, Fix, Unresolved
from dara.report import AuditReport
from dara.rules.interface import Rule
from dara.subject import Subject
from naming.records import ParsedName

_OF_CARDS = frozenset({"DAR401", "DAR402", "DAR602"})
"""Rules whose claim is checked against the card: name or card may be the wrong one."""


def propose(package: Package, report: AuditReport, subject: Subject, rules: Sequence[Rule]) -> Fix:
    """Corrections of a package's name and of its card's metadata.

    Args:
        package: the package, for files that say what the card should.
        report: the report with all findings of the run, those included that the settings hide.
        subject: what the rules saw.
        rules: the rules of the run; a correction has to satisfy them.
    """

    def under(parsed: ParsedName) -> Outcomes:
        return run(rules, subject.under(parsed))

    wrong = [item for item in accusations(report.outcomes) if item.claim is not None and item.code not in _OF_CARDS]
    new_name, open_ = rename(report, wrong, under, accusations)
    change, refused = _card(package, report, subject, rules)
    return Fix(new_name, change, tuple(dict.fromkeys((*open_, *refused))))


def accusations(outcomes: Outcomes) -> tuple[Finding, ...]:
    """Findings that count: errors and warnings of at least medium confidence."""
    return tuple(
        item for item in outcomes.findings if item.severity >= Severity.WARNING and item.confidence >= Confidence.MEDIUM
    )


def _card(
    package: Package, report: AuditReport, subject: Subject, rules: Sequence[Rule]
) -> tuple[CardChange | None, tuple[Unresolved, ...]]:
    """The changed card; edits after which their finding would still stand are left out."""
    findings = [item for item in report.findings if item.confidence >= Confidence.MEDIUM]
    try:
        before = after = _text(package)
        wanted = [(item, edits) for item in findings if (edits := card_edits(package, report, item))]
    except PackageError as error:
        return None, (Unresolved(CARD_PATH, str(error)),)
    made: list[CardEdit] = []
    open_: list[Unresolved] = []
    for finding, edits in wanted:
        try:
            text = edited(after, edits, CARD_PATH)
        except PackageError as error:
            open_.append(Unresolved(finding.code, str(error)))
            continue
        if _count(finding.code, text, subject, rules) < _count(finding.code, after, subject, rules):
            made.extend(edits)
            after = text
        else:
            value = escape(str(edits[0].new))
            open_.append(Unresolved(finding.code, f"{edits[0].key} {value} would not agree with the package either"))
    return (CardChange(CARD_PATH, before, after, tuple(made)) if made else None), tuple(open_)


def _count(code: str, text: str, subject: Subject, rules: Sequence[Rule]) -> int:
    """How often a rule speaks about the package with another card."""
    chosen = [rule for rule in rules if rule.code == code]
    return len(run(chosen, replace(subject, card=parse_card(text))).findings)


def _text(package: Package) -> str:
    """The card as it stands, to the byte.

    Raises:
        PackageError: it cannot be read, is too long, or is no UTF-8.
    """
    if not package.has(CARD_PATH):
        return ""
    try:
        return package.read_bytes(CARD_PATH, MAX_CARD).decode("utf-8")
    except UnicodeDecodeError:
        raise DamagedFileError(f"{CARD_PATH}: is not UTF-8; mend it first") from None
