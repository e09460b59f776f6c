"""DAR703."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from clustering.facts import Fact
from dara.findings import Confidence, Evidence, Outcome, Severity
from dara.rules.common.wording import listed, quoted
from dara.rules.interface import Rule
from dara.subject import Subject
from naming.records import Claim

_SINGLE: Final = {
    "layers": "numbers of layers",
    "hidden_size": "hidden sizes",
    "patch_size": "patch sizes",
    "casing": "casings",
    "size": "size words",
    "dtype": "number formats",
}
"""Kinds of which a model has one."""


class ContradictoryName(Rule):
    """The name states two values of something that a model has once.

    ## Why it matters
    At most one of them is true, and a reader cannot know which.

    ## How it is checked
    Layers, hidden size, patch size, casing, size word and number format that are stated more than once with different
    values. Several data sets, languages and tasks are normal; so are two families in a composite, and two parameter
    counts where one is a teacher's or a data set's.

    ## Example
    `someone/bert-base-large-uncased`

    ## Known limits
    A size word of a part (`maskformer-swin-large`) belongs to that part and is not compared.
    """

    code = "DAR703"
    slug = "contradictory-name"
    severity = Severity.NOTE
    since = "0.1.0"

    def check(self, subject: Subject) -> Iterator[Outcome]:
        """Looks for kinds that are stated twice with different values."""
        for kind, plural in _SINGLE.items():
            by_role: dict[str, list[Claim]] = {}
            for claim in subject.claims(kind):
                if claim.modality == "stated":
                    by_role.setdefault(claim.role, []).append(claim)
            for claims in by_role.values():
                values = {str(claim.value) for claim in claims}
                if len(values) > 1:
                    words = listed([quoted(claim.text) for claim in claims], "and")
                    yield self.finding(
                        f"the name states {len(values)} {plural}: {words}",
                        confidence=Confidence.MEDIUM,
                        claim=claims[0],
                        fact=Fact(kind, sorted(values), "declared", "name"),
                        evidence=(Evidence("name", words),),
                    )
