"""DAR403."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from dara.findings import Confidence, Evidence, Outcome, Severity
from dara.rules.common.numbers import whole
from dara.rules.common.wording import quoted
from dara.rules.interface import Rule
from dara.subject import Subject

_VOCABULARIES: Final[Mapping[int, str]] = {30522: "uncased", 28996: "cased", 105879: "uncased", 119547: "cased"}
"""Rows of BERT's published vocabularies: English uncased and cased, multilingual uncased and cased
(google-research/bert). A model trained from one of them keeps its number."""


class ContradictedCasing(Rule):
    """The name says cased or uncased, the vocabulary is that of the other.

    ## Why it matters
    With the wrong casing a tokenizer turns names and sentence starts into unknown pieces, and results fall without an
    error.

    ## How it is checked
    The rows of the token table are compared with those of BERT's four published vocabularies, and
    `do_lower_case` with the word where the configuration states it. Other vocabularies say nothing.

    ## Example
    `someone/bert-base-cased-ner` with 30,522 rows, the uncased English vocabulary.

    ## Known limits
    30,522 is also what a tokenizer gets that is trained anew with the usual settings. So a name is accused only where
    it states BERT or a family beside it plainly, and no language of its own: Czert and other brands made their
    vocabulary.
    """

    code = "DAR403"
    slug = "contradicted-casing"
    severity = Severity.WARNING
    since = "0.1.0"

    def check(self, subject: Subject) -> Iterator[Outcome]:
        """Compares the casing word with the vocabulary."""
        claims = subject.claims("casing")
        family = subject.facts.declared("family") or subject.facts.best("family")
        if not claims or family is None or str(family.value) not in ("bert", "distilbert", "mobilebert", "squeezebert"):
            return
        fact = subject.facts.best("vocabulary")
        rows = whole(fact.value) if fact is not None else None
        own = _VOCABULARIES.get(rows) if rows is not None else None
        for claim in claims:
            if own is None or fact is None:
                yield self.skipped(f"{quoted(claim.text)}: the vocabulary is none of the published ones")
            elif str(claim.value) == own:
                yield self.held(claim, fact)
            elif _may_have_its_own(subject):
                yield self.skipped(f"{quoted(claim.text)}: a vocabulary of one's own may have {rows} rows too")
            else:
                agree = {item.basis for item in subject.facts.all("vocabulary")} == {"measured", "declared"}
                yield self.finding(
                    f"name says {quoted(claim.text)}, the vocabulary of {rows} is the published {own} one",
                    confidence=Confidence.HIGH if agree and len(claims) == 1 else Confidence.MEDIUM,
                    claim=claim,
                    fact=fact,
                    evidence=(Evidence(fact.source, f"{rows} rows"),),
                )


def _may_have_its_own(subject: Subject) -> bool:
    """Whether the name speaks of a model that was trained from scratch: a brand, or one of another language."""
    languages = {str(claim.value) for claim in subject.claims("language")}
    plain = any(claim.modality == "stated" for claim in subject.claims("family"))
    return not plain or bool(languages - {"en", "multilingual"})
