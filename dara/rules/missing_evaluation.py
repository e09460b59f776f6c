"""DAR806."""

from __future__ import annotations

from collections.abc import Iterator

from dara.findings import Confidence, Evidence, Outcome, Severity
from dara.rules.interface import Rule
from dara.subject import Subject


class MissingEvaluation(Rule):
    """The model card gives no evaluation.

    ## Why it matters
    Whoever chooses between models has nothing to go by but the name and the number of downloads.

    ## How it is checked
    A card without `model-index` and `metrics` whose text has no word of evaluation, accuracy, benchmarks or scores.

    ## Example
    A card with a licence and a usage example only.

    ## Known limits
    Whether the numbers are true is not checked.
    """

    code = "DAR806"
    slug = "missing-evaluation"
    severity = Severity.NOTE
    since = "0.1.0"

    def check(self, subject: Subject) -> Iterator[Outcome]:
        """Looks for results in the card."""
        card = subject.card
        if card is None or not card.present or card.model_index or card.metrics:
            return
        text = card.body.lower()
        if any(
            word in text
            for word in ("evaluat", "accuracy", "benchmark", "score", "f1", "bleu", "perplexity", "mmlu", "results")
        ):
            return
        yield self.finding(
            "the model card gives no evaluation",
            confidence=Confidence.MEDIUM,
            evidence=(Evidence("README.md", "no model-index, no metrics, no word of evaluation in the text"),),
        )
