"""DAR601."""

from __future__ import annotations

from collections.abc import Iterator

from dara.findings import Confidence, Outcome, Severity
from dara.rules.common.rulings import Ruling, family_evidence, observed_family, rulings
from dara.rules.common.wording import listed, quoted
from dara.rules.interface import Rule
from dara.subject import Subject


class ContradictedGeneration(Rule):
    """The name states one generation of a series, the package holds another.

    ## Why it matters
    Generations differ in licence, vocabulary, context and quality; a reader picks the newest number.

    ## How it is checked
    Where the library has a family for each generation (`qwen2`, `qwen3`; `gemma`, `gemma2`), the declared and
    measured family is compared with those that the name's generation can have. Derivatives that say only where they
    come from are skipped.

    ## Example
    `someone/gemma-2-9b-chat` whose config.json declares `gemma`, the first generation.

    ## Known limits
    Generations that share one family (Qwen2 and Qwen2.5, Llama 2 and Llama 3) are told apart by vocabulary and
    position settings where those are known, else not at all.
    """

    code = "DAR601"
    slug = "contradicted-generation"
    severity = Severity.WARNING
    since = "0.1.0"

    def check(self, subject: Subject) -> Iterator[Outcome]:
        """Reports family claims that another generation of the series contradicts."""
        evidence, ruled = rulings(subject)
        for item in ruled:
            if item.ruling is Ruling.GENERATION:
                yield self.finding(
                    f"name says {listed([item.claim.value])} ({quoted(item.claim.text)}), "
                    f"the package is {observed_family(evidence)}",
                    confidence=Confidence.MEDIUM if item.claim.modality == "stated" else Confidence.LOW,
                    claim=item.claim,
                    fact=item.fact,
                    evidence=tuple(family_evidence(evidence)),
                )
