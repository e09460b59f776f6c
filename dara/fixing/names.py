"""A corrected name: the wrong words replaced, everything else kept, and the result audited before it is proposed."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from corpora.sources.names import is_repo_id
from dara.findings import Finding, Outcomes
from dara.fixing.records import Correction, Rename, Unresolved
from dara.fixing.words import true_words
from dara.report import AuditReport
from naming.records import ParsedName

_SEPARATORS = "-_. "


def rename(
    report: AuditReport,
    wrong: Sequence[Finding],
    judge: Callable[[ParsedName], Outcomes],
    accused: Callable[[Outcomes], Sequence[Finding]],
) -> tuple[Rename | None, tuple[Unresolved, ...]]:
    """The name that says what the package holds, as far as that can be derived.

    Args:
        report: the report on the package under its present name.
        wrong: accusations that speak of words of the name.
        judge: runs the rules on the same package under another name.
        accused: the findings of outcomes that count.

    Returns:
        A rename, where there is a correction after which nothing new is found; and the accusations that stay.
    """
    parsed = report.parsed
    if parsed is None:
        return None, ()
    made: list[Correction] = []
    open_: list[Unresolved] = []
    known = {(item.code, item.claim.text) for item in wrong if item.claim}
    for finding in wrong:
        correction = _correction(finding, report, parsed)
        if correction is None:
            open_.append(Unresolved(finding.code, "no word for the name follows from what the package holds"))
            continue
        found = judge(_parse(_applied(parsed, [*made, correction])))
        left = {(item.code, item.claim.text if item.claim else "") for item in accused(found)}
        done = {(item.code, item.old) for item in [*made, correction]}
        if left & done or left - known:
            open_.append(Unresolved(finding.code, "the name would still not be true with the measured value in it"))
        else:
            made.append(correction)
    if not made:
        return None, tuple(open_)
    return Rename(parsed.name, _applied(parsed, made), tuple(made)), tuple(open_)


def _correction(finding: Finding, report: AuditReport, parsed: ParsedName) -> Correction | None:
    claim, fact = finding.claim, finding.fact
    if claim is None or fact is None or _place(parsed.repo, claim.text) is None:
        return None
    words = true_words(claim, fact, report.facts)
    if words is None or words == claim.text:
        return None
    correction = Correction(finding.code, claim.text, words, finding.message)
    repo = _applied(parsed, [correction]).rpartition("/")[2]
    return correction if is_repo_id(repo) and any(char.isalnum() for char in repo) else None


def _applied(parsed: ParsedName, corrections: Sequence[Correction]) -> str:
    """The name with words exchanged, from the last to the first so that places stay what they are."""
    places = [(place, item.new) for item in corrections if (place := _place(parsed.repo, item.old)) is not None]
    repo = parsed.repo
    for (start, end), new in sorted(places, reverse=True):
        before, after = repo[:start], repo[end:]
        if not new:  # the word goes with the separator before it, or the one behind it at the start
            before, after = (before.rstrip(_SEPARATORS), after) if before else ("", after.lstrip(_SEPARATORS))
        repo = before + new + after
    return f"{parsed.owner}/{repo}" if parsed.owner else repo


def _place(repo: str, words: str) -> tuple[int, int] | None:
    """Where words stand by themselves in a name; None unless that is one place."""
    start = repo.find(words)
    if not words or start < 0 or repo.count(words) != 1:
        return None
    end = start + len(words)
    if (start and repo[start - 1].isalnum()) or (end < len(repo) and repo[end].isalnum()):
        return None
    return start, end


def _parse(name: str) -> ParsedName:
    from naming import parse_name

    return parse_name(name)
