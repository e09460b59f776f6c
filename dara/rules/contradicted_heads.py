"""DAR205."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from dara.findings import Outcome, Severity
from dara.rules.common.exempt import is_adapter
from dara.rules.common.numbers import check_numbers
from dara.rules.interface import Rule
from dara.subject import Subject

_KINDS: Final = (
    "attention_heads", "key_value_heads", "encoder_attention_heads", "decoder_attention_heads",
    "text_attention_heads", "vision_attention_heads",
)  # fmt: skip


class ContradictedHeads(Rule):
    """The number of attention heads in the name is not that of the model.

    ## Why it matters
    Head counts are stated by models made to study or to save them, and conversions need them exactly.

    ## How it is checked
    `A-12` or `12heads` is compared with the attention and key/value heads of every stack.

    ## Example
    `someone/bert_uncased_L-2_H-128_A-2` whose configuration declares 4 heads.

    ## Known limits
    The weights of most families fix only the product of heads and head size, so this is usually checked against
    the configuration alone.
    """

    code = "DAR205"
    slug = "contradicted-heads"
    severity = Severity.ERROR
    since = "0.1.0"

    def check(self, subject: Subject) -> Iterator[Outcome]:
        """Compares stated heads with those of every stack."""
        claims = subject.claims("attention_heads")
        if claims and is_adapter(subject):
            yield self.skipped("an adapter is named after the model that it changes")
        elif claims:
            yield from check_numbers(self, subject, claims, _KINDS, "number of attention heads")
