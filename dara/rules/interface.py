"""The interface of a rule."""

from __future__ import annotations

import inspect
from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import ClassVar

from clustering.facts import Fact
from dara.findings import Confidence, Evidence, Finding, Held, Outcome, Severity, Skipped
from dara.subject import Subject
from naming.records import Claim

DOCS_URL = "https://dara-project.github.io/dara/rules"
"""Where the generated rule pages are published; a finding links to its page."""

HEADINGS = ("Why it matters", "How it is checked", "Example", "Known limits")
"""Headings that every rule's docstring has, in this order."""


class Rule(ABC):
    """One check of a name against facts. The docstring of a rule is its documentation page."""

    code: ClassVar[str]
    """Stable identifier, DAR101 ..."""
    slug: ClassVar[str]
    """Names the defect, so that "ignore contradicted-size" reads right."""
    severity: ClassVar[Severity]
    """The severity of a plain case; a rule may report a milder one."""
    since: ClassVar[str]
    preview: ClassVar[bool] = False
    """Preview rules run only when they are selected by code."""

    @abstractmethod
    def check(self, subject: Subject) -> Iterator[Outcome]:
        """Yields a finding, a held claim or a skip for each claim the rule is about.

        A rule that the name gives nothing to check yields nothing at all.
        """

    @property
    def url(self) -> str:
        """The rule's page."""
        return f"{DOCS_URL}/{self.code}.md"

    @property
    def summary(self) -> str:
        """First line of the documentation."""
        return self.documentation.partition("\n")[0]

    @property
    def documentation(self) -> str:
        """The docstring, dedented."""
        return inspect.cleandoc(type(self).__doc__ or "")

    def finding(
        self,
        message: str,
        *,
        confidence: Confidence,
        claim: Claim | None = None,
        fact: Fact | None = None,
        evidence: tuple[Evidence, ...] = (),
        suggestion: str | None = None,
        severity: Severity | None = None,
    ) -> Finding:
        """A finding of this rule."""
        return Finding(
            code=self.code,
            slug=self.slug,
            severity=self.severity if severity is None else severity,
            confidence=confidence,
            message=message,
            claim=claim,
            fact=fact,
            evidence=evidence,
            suggestion=suggestion,
        )

    def held(self, claim: Claim, fact: Fact) -> Held:
        """A claim that this rule checked and found true."""
        return Held(self.code, claim, fact)

    def skipped(self, reason: str) -> Skipped:
        """A check that this rule could not make."""
        return Skipped(self.code, reason)
