"""DAR206."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from dara.findings import Confidence, Evidence, Outcome, Severity
from dara.rules.common.exempt import is_adapter, is_partial
from dara.rules.common.numbers import check_numbers, numbers_in, whole
from dara.rules.common.wording import quoted
from dara.rules.interface import Rule
from dara.subject import Subject
from naming.records import Claim

_KINDS: Final = ("experts", "text_experts", "decoder_experts")
_DENSE_WORDS: Final = frozenset({"dense", "0", "none"})


class ContradictedExperts(Rule):
    """The number of experts in the name is not that of the model.

    ## Why it matters
    A mixture of experts needs the memory of all experts and the time of a few; a dense model does not.

    ## How it is checked
    `8x7B`, `128E` are compared with the experts that the tensors or the configuration hold; a shared expert may be
    counted or not. A name that only says "MoE" needs more than one expert.

    ## Example
    `someone/merge-8x7B` whose tensors hold a single feed-forward block in each layer.

    ## Known limits
    `8x` in front of a size may also speak of a merge of eight models; such a package is dense and is reported with
    medium confidence.
    """

    code = "DAR206"
    slug = "contradicted-experts"
    severity = Severity.ERROR
    since = "0.1.0"

    def check(self, subject: Subject) -> Iterator[Outcome]:
        """Compares stated experts with those of the model."""
        claims = subject.claims("experts")
        if not claims:
            return
        if is_adapter(subject) or is_partial(subject):
            yield self.skipped("adapters and parts keep the number of the model they belong to")
            return
        known = any(subject.facts.best(kind) is not None for kind in _KINDS)
        counted = [claim for claim in claims if whole(claim.value) is not None]
        for claim in claims:
            if claim not in counted:
                yield from self._word(subject, claim, known=known)
        if counted and known:
            shared = sum(
                numbers_in(fact.value)[0] for fact in subject.facts.all("experts_shared")[:1] if numbers_in(fact.value)
            )
            yield from check_numbers(
                self,
                subject,
                counted,
                _KINDS,
                "number of experts",
                accept=lambda claimed, seen: _matches(claimed, seen, shared),
            )
        else:
            for claim in counted:
                yield from self._dense(subject, claim)

    def _dense(self, subject: Subject, claim: Claim) -> Iterator[Outcome]:
        """A mixture is named and no experts are seen: only weights that were read prove that there are none."""
        fact = subject.facts.measured("layers")
        if fact is None or subject.listing is None:
            yield self.skipped(f"{quoted(claim.text)}: the package does not tell its number of experts")
            return
        if any("expert" in tensor.name or "router" in tensor.name for tensor in subject.listing.tensors):
            yield self.skipped(f"{quoted(claim.text)}: the weights hold experts that could not be counted")
            return
        yield self.finding(
            f"name says {claim.value} experts ({quoted(claim.text)}), the weights hold a dense model",
            confidence=Confidence.MEDIUM if claim.modality == "stated" else Confidence.LOW,
            severity=Severity.WARNING,
            claim=claim,
            fact=fact,
            evidence=(Evidence(fact.source, "no tensor of an expert or a router"),),
        )

    def _word(self, subject: Subject, claim: Claim, *, known: bool) -> Iterator[Outcome]:
        value: Any = str(claim.value).lower()
        fact = next((found for kind in _KINDS if (found := subject.facts.best(kind)) is not None), None)
        if not known or fact is None or value in _DENSE_WORDS or max(numbers_in(fact.value), default=0) < 1:
            yield self.skipped(f"{quoted(claim.text)}: the package does not tell its number of experts")
        else:
            yield self.held(claim, fact)


def _matches(claimed: Any, observed: Any, shared: int) -> bool:
    wanted = whole(claimed)
    return wanted is not None and any(wanted in (count, count + shared, count + 1) for count in numbers_in(observed))
