"""DAR102."""

from __future__ import annotations

from collections.abc import Iterator

from dara.findings import Confidence, Outcome, Severity
from dara.rules.common.evidence import family_evidence, instead
from dara.rules.common.rulings import Ruling, observed_family, rulings, spelled_twin
from dara.rules.common.wording import claimed, quoted
from dara.rules.interface import Rule
from dara.subject import Subject


class SiblingFamily(Rule):
    """The name states a family whose graph is the same, but the package declares its twin.

    ## Why it matters
    Twins (BERT and RoBERTa, RoBERTa and XLM-RoBERTa) have the same layers, so nothing fails on loading, yet the
    tokenizer, the special tokens and the positions are others: code written for the family in the name
    gives wrong results quietly.

    ## How it is checked
    The declared family is not one that makes the words of the name true, and one of its twins is. Twins
    are computed from the reference corpus by comparing graphs at equal sizes. Never an error.

    ## Example
    `someone/chinese-roberta-large` whose config.json declares `bert`, with token types and 512 positions.

    ## Known limits
    A recipe is sometimes named instead of a family: RoBERTa-style training of a BERT. The finding stands, since the
    classes a reader would load by the name do not fit, but it is a warning.
    """

    code = "DAR102"
    slug = "sibling-family"
    severity = Severity.WARNING
    since = "0.1.0"

    def check(self, subject: Subject) -> Iterator[Outcome]:
        """Reports claims that hold only through a twin."""
        evidence, ruled = rulings(subject)
        for item in ruled:
            if item.ruling is Ruling.SIBLING:
                spelled = spelled_twin(item.claim, evidence)
                meant = (
                    f"{spelled} ({quoted(item.claim.text)})" if spelled else claimed(item.claim.value, item.claim.text)
                )
                yield self.finding(
                    f"name says {meant}, the package is {observed_family(evidence)}; "
                    "the graphs are alike, code and tokenizer are not",
                    confidence=Confidence.MEDIUM if item.claim.modality == "stated" else Confidence.LOW,
                    claim=item.claim,
                    fact=item.fact,
                    suggestion=instead(item.claim, evidence),
                    evidence=tuple(family_evidence(evidence, item.claim, subject)),
                )
