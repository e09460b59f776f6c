"""DAR705."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from dara.findings import Confidence, Evidence, Outcome, Severity
from dara.rules.interface import Rule
from dara.subject import Subject

LONGEST: Final = 64
"""Characters; of the 14,178 names of the published study (naming_elements_2023.json) 99.6 % have no more."""

MOST_PARTS: Final = 14


class HardToParse(Rule):
    """The name is so long or so mixed that readers and programs misread it.

    ## Why it matters
    Lists cut such names off, people mistype them, and their parts run into one another.

    ## How it is checked
    More than 64 characters, more than 14 parts, characters outside of letters, digits and the usual separators, or
    doubled separators.

    ## Example
    `someone/model__final--v2..really`

    ## Known limits
    Names in scripts other than Latin are not reported for their letters.
    """

    code = "DAR705"
    slug = "hard-to-parse"
    severity = Severity.NOTE
    since = "0.1.0"

    def check(self, subject: Subject) -> Iterator[Outcome]:
        """Reports the reasons, all in one finding."""
        if subject.parsed is None:
            return
        repo = subject.parsed.repo
        reasons = []
        if len(repo) > LONGEST:
            reasons.append(f"{len(repo)} characters")
        if len(subject.parsed.components) > MOST_PARTS:
            reasons.append(f"{len(subject.parsed.components)} parts")
        if any(double in repo for double in ("--", "__", "..", "-_", "_-")):
            reasons.append("doubled separators")
        if any(not letter.isalnum() and letter not in "-_. " for letter in repo[:1000]):
            reasons.append("unusual characters")
        if reasons:
            yield self.finding(
                f"the name is hard to read: {', '.join(reasons)}",
                confidence=Confidence.MEDIUM,
                evidence=(Evidence("name", ", ".join(reasons)),),
            )
