"""DAR207."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from dara.findings import Confidence, Outcome, Severity
from dara.rules.common.exempt import is_adapter, is_toy
from dara.rules.common.numbers import check_numbers, numbers_in
from dara.rules.interface import Rule
from dara.subject import Subject

SHORTFALL: Final = 0.7
"""A package that can take at least this share of the stated length is not accused: names count thousands as 1000 or
1024, leave room for an answer, or round (130k for 131072, 200k for 204800)."""

_KINDS: Final = ("context", "context_scaled", "positions", "text_context", "decoder_context", "encoder_context")


class ContradictedContext(Rule):
    """The name states a longer context than the package is configured for.

    ## Why it matters
    A document that does not fit is cut off or makes the model fail, often quietly.

    ## How it is checked
    `128k`, `4096` are compared with the positions that the configuration or a learned position table allows, with
    scaling of rotary positions applied. Only a context that falls short is reported: more than was promised harms
    nobody.

    ## Example
    `someone/assistant-8b-128k` whose configuration allows 8,192 positions without scaling.

    ## Known limits
    Some packages tell the user to set the scaling by hand; those are reported, at medium confidence. Attention
    without positions (ALiBi, state space models) has no limit in the configuration and is skipped.
    """

    code = "DAR207"
    slug = "contradicted-context"
    severity = Severity.WARNING
    since = "0.1.0"

    def check(self, subject: Subject) -> Iterator[Outcome]:
        """Compares stated context lengths with the positions."""
        claims = subject.claims("context")
        if not claims:
            return
        if is_adapter(subject) or is_toy(subject):
            yield self.skipped("adapters and fixtures keep the number of their origin")
        elif unbounded(subject):
            yield self.skipped("positions are not limited by the configuration")
        else:
            yield from check_numbers(
                self, subject, claims, _KINDS, "context length", accept=_reaches, cap=Confidence.MEDIUM
            )


def _reaches(claimed: Any, observed: Any) -> bool:
    wanted, have = numbers_in(claimed), numbers_in(observed)
    return bool(wanted) and bool(have) and max(have) >= SHORTFALL * max(wanted)


def unbounded(subject: Subject) -> bool:
    """Whether positions are not limited by the configuration."""
    config = subject.config or {}
    inner = config.get("attn_config")
    alibi = config.get("alibi") is True or (isinstance(inner, dict) and inner.get("alibi") is True)
    return alibi or config.get("position_embedding_type") == "alibi" or "state_size" in subject.facts
