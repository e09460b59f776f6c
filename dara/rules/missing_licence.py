"""DAR801."""

from __future__ import annotations

from collections.abc import Iterator

from dara.findings import Confidence, Evidence, Outcome, Severity
from dara.rules.interface import Rule
from dara.subject import Subject


class MissingLicence(Rule):
    """The package states no licence.

    ## Why it matters
    Without one nobody may use, change or pass on the weights; it is the first thing that reuse in a company asks for.

    ## How it is checked
    The `license` field of the model card, the hub's metadata, and licence files are looked at.

    ## Example
    A model card without `license:` and no LICENSE file beside it.

    ## Known limits
    A licence that is only mentioned in the card's text is not found.
    """

    code = "DAR801"
    slug = "missing-licence"
    severity = Severity.NOTE
    since = "0.1.0"

    def check(self, subject: Subject) -> Iterator[Outcome]:
        """Looks for a licence."""
        stated = (subject.card.license if subject.card else None) or (subject.hub.license if subject.hub else None)
        names = (path.rsplit("/", 1)[-1].lower() for path in subject.files)
        if stated or any(name.startswith(("license", "licence", "copying")) for name in names):
            return
        yield self.finding(
            "no licence is stated",
            confidence=Confidence.HIGH if subject.hub is not None else Confidence.MEDIUM,
            evidence=(Evidence("README.md", "no license field, and no licence file in the package"),),
            suggestion="add `license:` to the model card",
        )
