"""DAR504."""

from __future__ import annotations

from collections.abc import Iterator

from clustering.facts import Fact
from dara.findings import Confidence, Evidence, Outcome, Severity
from dara.rules.common.exempt import is_adapter
from dara.rules.common.wording import quoted
from dara.rules.interface import Rule
from dara.subject import Subject

_WORDS = ("lora", "adapter", "peft", "ia3")
"""Words that say it wherever they stand, in a brand too (`turbo-LoRA`)."""


class AdapterAsModel(Rule):
    """The package holds an adapter where the name speaks of a model, or the other way round.

    ## Why it matters
    An adapter does nothing without its base model, which the reader has to find, license and load as well.

    ## How it is checked
    Adapter files (`adapter_config.json`, LoRA tensors) are compared with words such as `lora`, `adapter`, `qlora`. A
    model called "lora" that holds all weights may be a merge, so that this direction is a note of low confidence.

    ## Example
    `someone/llama-2-7b-chat-medical` that holds a rank-16 LoRA and nothing else.

    ## Known limits
    Full weights beside an adapter are taken as a model.
    """

    code = "DAR504"
    slug = "adapter-as-model"
    severity = Severity.NOTE
    since = "0.1.0"

    def check(self, subject: Subject) -> Iterator[Outcome]:
        """Compares adapter words with the kind of weights."""
        claims = subject.claims("adapter")
        listing = subject.listing
        if is_adapter(subject):
            method = (listing.adapter if listing is not None else None) or "adapter"
            fact = Fact("adapter", method, "measured", "adapter files")
            for claim in claims:
                yield self.held(claim, fact)
            said = subject.parsed is not None and any(word in subject.parsed.repo.lower() for word in _WORDS)
            if not claims and not said and subject.parsed is not None:
                yield self.finding(
                    f"the package holds only an adapter ({method}), which its name does not say",
                    confidence=Confidence.HIGH,
                    fact=fact,
                    evidence=(Evidence("weights", f"{method} tensors only"),),
                )
        elif claims and listing is not None and not listing.names_only and listing.tensors:
            merged = subject.parsed is not None and "merge" in subject.parsed.repo.lower()
            for claim in () if merged else claims:
                yield self.finding(
                    f"name says {quoted(claim.text)}, the package holds a whole model",
                    confidence=Confidence.LOW,
                    claim=claim,
                    fact=Fact("format", listing.format, "measured", "weights"),
                )
