"""What a check can say: a finding, a claim that held, or a check that could not be made."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum, StrEnum

from clustering.facts import Fact
from naming.records import Claim


class Severity(IntEnum):
    """How bad a defect is for the reader of the name; orders from harmless to wrong."""

    NOTE = 1
    WARNING = 2
    ERROR = 3

    @property
    def label(self) -> str:
        """Spelling in reports and options."""
        return self.name.lower()


class Confidence(IntEnum):
    """How sure the evidence is, apart from how bad the defect would be."""

    LOW = 1
    MEDIUM = 2
    HIGH = 3

    @property
    def label(self) -> str:
        """Spelling in reports and options."""
        return self.name.lower()


class Verdict(StrEnum):
    """The answer about a package."""

    CONSISTENT = "consistent"
    DEFECTIVE = "defective"
    UNVERIFIABLE = "unverifiable"


@dataclass(frozen=True, slots=True)
class Evidence:
    """One observation that a reader can repeat."""

    source: str
    """File, key or tensor that shows it: `config.json`, `model.safetensors`, `name`."""
    detail: str
    """What stands there, in the field's words."""


@dataclass(frozen=True, slots=True)
class Finding:
    """A rule's statement that the name and the package disagree."""

    code: str
    slug: str
    severity: Severity
    confidence: Confidence
    message: str
    """One line with the observed and the expected value; never speaks of intent."""
    claim: Claim | None = None
    fact: Fact | None = None
    evidence: tuple[Evidence, ...] = ()
    suggestion: str | None = None
    """Only when it can be derived without guessing."""


@dataclass(frozen=True, slots=True)
class Held:
    """A claim that was checked against a fact and is true."""

    check: str
    """Code of the rule that checked."""
    claim: Claim
    fact: Fact


@dataclass(frozen=True, slots=True)
class Skipped:
    """A check that could not be made, with the reason."""

    check: str
    """Code of the rule, or the name of the step (`weights`, `config.json`, `name`)."""
    reason: str


Outcome = Finding | Held | Skipped


@dataclass(frozen=True, slots=True)
class Outcomes:
    """All outcomes of one package, in a stable order."""

    findings: tuple[Finding, ...] = ()
    held: tuple[Held, ...] = ()
    skipped: tuple[Skipped, ...] = field(default=())
