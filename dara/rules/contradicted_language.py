"""DAR401."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from clustering.facts import Fact
from dara.findings import Confidence, Evidence, Outcome, Severity
from dara.rules.common.languages import code_of
from dara.rules.common.wording import listed, quoted
from dara.rules.interface import Rule
from dara.subject import Subject

_ANY: Final = frozenset({"multilingual", "mul", "multi", "code"})

MANY: Final = 4
"""A card that lists this many languages may well have left one out."""


class ContradictedLanguage(Rule):
    """The name states a language that the model card does not list.

    ## Why it matters
    A model for another language gives fluent nonsense; people filter by the language in the card and read it in the
    name.

    ## How it is checked
    Languages in the name are compared with the `language` field of the card, whatever its spelling. A card
    that says multilingual, or lists many languages, contradicts nothing.

    ## Example
    `someone/bert-base-german-ner` whose card says `language: en`.

    ## Known limits
    Both statements are declared; which of them is wrong cannot be told from the weights.
    """

    code = "DAR401"
    slug = "contradicted-language"
    severity = Severity.WARNING
    since = "0.1.0"

    def check(self, subject: Subject) -> Iterator[Outcome]:
        """Compares the languages of the name with those of the card."""
        claims = subject.claims("language")
        if not claims:
            return
        stated = subject.card.language if subject.card is not None else ()
        listed_codes = {code_of(word) for word in stated} - {""}
        if not listed_codes:
            yield self.skipped("the model card lists no language")
            return
        fact = Fact("language", sorted(listed_codes), "declared", "README.md: language")
        wanted = {claim: _codes(claim.value) for claim in claims}
        unmet = [
            claim for claim, codes in wanted.items() if not codes & (listed_codes | _ANY) and not listed_codes & _ANY
        ]
        for claim in claims:
            if claim not in unmet:
                yield self.held(claim, fact)
            elif len(unmet) < len(claims) or len(listed_codes) >= MANY:
                yield self.skipped(f"{quoted(claim.text)}: the card lists other languages of the name")
            else:
                yield self.finding(
                    f"name says {quoted(claim.text)}, the model card lists {listed(sorted(listed_codes), 'and')}",
                    confidence=Confidence.MEDIUM if claim.modality == "stated" else Confidence.LOW,
                    claim=claim,
                    fact=fact,
                    evidence=(Evidence("README.md", f"language: {listed(stated, 'and')}"),),
                )


def _codes(value: object) -> frozenset[str]:
    words = value if isinstance(value, list | tuple) else [value]
    return frozenset(code for word in words if isinstance(word, str) and (code := code_of(word)))
