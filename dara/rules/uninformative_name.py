"""DAR701."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from dara.findings import Confidence, Evidence, Outcome, Severity
from dara.rules.interface import Rule
from dara.subject import Subject

_TELLING: Final = frozenset(
    {"architecture", "product", "size", "parameters", "dataset", "language", "task", "organization"}
)
"""Categories that help a reader to choose; versions, formats and counters alone do not."""


class UninformativeName(Rule):
    """The name tells a reader nothing about the model.

    ## Why it matters
    Nobody can find or choose such a package without opening it. In a survey of practitioners architecture, size and
    task are what most want to see in a name.

    ## How it is checked
    None of the parts of the name is an architecture, product, size, task, data set or language.

    ## Example
    `someone/test-model-3`

    ## Known limits
    A brand that DARA does not know counts as a product, so that only generic words are reported.
    """

    code = "DAR701"
    slug = "uninformative-name"
    severity = Severity.NOTE
    since = "0.1.0"

    def check(self, subject: Subject) -> Iterator[Outcome]:
        """Reports names without any telling part."""
        parsed = subject.parsed
        if parsed is None or any(part.category in _TELLING for part in parsed.components):
            return
        words = ", ".join(sorted({part.category for part in parsed.components})) or "nothing"
        yield self.finding(
            "the name tells neither architecture, size, task, data nor language",
            confidence=Confidence.MEDIUM,
            evidence=(Evidence("name", f"holds {words} only"),),
        )
