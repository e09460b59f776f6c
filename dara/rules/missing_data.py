"""DAR805."""

from __future__ import annotations

from collections.abc import Iterator

from dara.findings import Confidence, Evidence, Outcome, Severity
from dara.rules.interface import Rule
from dara.subject import Subject


class MissingData(Rule):
    """The model card does not say what the model was trained on.

    ## Why it matters
    Bias, legal risk and fitness for a purpose follow from the data.

    ## How it is checked
    A card without `datasets` whose text does not speak of data sets or training data either.

    ## Example
    A card that holds a licence and nothing else.

    ## Known limits
    A text that mentions data in passing counts as saying it.
    """

    code = "DAR805"
    slug = "missing-data"
    severity = Severity.NOTE
    since = "0.1.0"

    def check(self, subject: Subject) -> Iterator[Outcome]:
        """Looks for data sets in the card."""
        card = subject.card
        if card is None or not card.present or card.datasets:
            return
        text = card.body.lower()
        if any(
            word in text for word in ("dataset", "data set", "training data", "trained on", "corpus", "fine-tuned on")
        ):
            return
        yield self.finding(
            "the model card does not name any training data",
            confidence=Confidence.MEDIUM,
            evidence=(Evidence("README.md", "no datasets field, no word of data in the text"),),
            suggestion="add `datasets:` to the model card",
        )
