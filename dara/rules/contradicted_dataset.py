"""DAR402."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from clustering.facts import Fact
from dara.findings import Confidence, Evidence, Outcome, Severity
from dara.rules.common.tables import table
from dara.rules.common.wording import listed, quoted
from dara.rules.interface import Rule
from dara.subject import Subject

_ODD: Final = re.compile(r"[^a-z0-9]+")


class ContradictedDataset(Rule):
    """The name states a data set that the model card does not list among others.

    ## Why it matters
    Of all wrong parts of a name a wrong data set is among those that people notice least, and it decides what the model
    has seen.

    ## How it is checked
    Data sets in the name are compared with the `datasets` field of the card, without owner, case and separators; a
    name inside a longer one counts as the same, and so does the collection that it is a part of (`mnli` for a card that
    lists `glue`). Cards are often incomplete, so this is a note.

    ## Example
    `someone/roberta-base-squad2` whose card says `datasets: [imdb]`.

    ## Known limits
    A card that lists no data set contradicts nothing. Private copies of a data set under another name are reported.
    """

    code = "DAR402"
    slug = "contradicted-dataset"
    severity = Severity.NOTE
    since = "0.1.0"

    def check(self, subject: Subject) -> Iterator[Outcome]:
        """Compares the data sets of the name with those of the card."""
        claims = subject.claims("dataset")
        if not claims:
            return
        stated = subject.card.datasets if subject.card is not None else ()
        if not stated:
            yield self.skipped("the model card lists no data set")
            return
        have = [_ODD.sub("", name.rpartition("/")[2].lower()) for name in stated]
        fact = Fact("dataset", list(stated), "declared", "README.md: datasets")
        met = [
            claim
            for claim in claims
            if any(_same(word, other) for word in _words(claim.value, claim.text) for other in have)
        ]
        for claim in claims:
            if claim in met:
                yield self.held(claim, fact)
            elif not met:
                yield self.finding(
                    f"name says {quoted(claim.text)}, the model card lists {listed(stated, 'and')}",
                    confidence=Confidence.MEDIUM if len(stated) == 1 and len(claims) == 1 else Confidence.LOW,
                    claim=claim,
                    fact=fact,
                    evidence=(Evidence("README.md", f"datasets: {listed(stated, 'and')}"),),
                )


def _words(value: object, text: str) -> tuple[str, ...]:
    return tuple(_ODD.sub("", str(word).lower()) for word in (value, text))


def _same(first: str, second: str) -> bool:
    """Whether the card's name (second) is that of the data that the package's name (first) states."""
    if not first or not second:
        return False
    if first in second or second in first or first[:6] == second[:6]:
        return True
    data = table("datasets")
    return first in data["collections"].get(second, ()) or second in data["same"].get(first, ())
