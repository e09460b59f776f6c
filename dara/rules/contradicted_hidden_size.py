"""DAR204."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from clustering.facts import Fact, Facts
from dara.findings import Outcome, Severity
from dara.rules.common.exempt import is_adapter
from dara.rules.common.numbers import check_numbers, whole
from dara.rules.interface import Rule
from dara.subject import Subject

_KINDS: Final = (
    "hidden_size", "encoder_hidden_size", "decoder_hidden_size", "text_hidden_size", "vision_hidden_size",
    "projection_size", "embedding_size", "hidden_sizes", "head_width",
)  # fmt: skip


class ContradictedHiddenSize(Rule):
    """The hidden size in the name is not that of the model.

    ## Why it matters
    The width decides memory, speed, and the length of the vectors that an index has to store.

    ## How it is checked
    `H-768`, `d512`, `768d` are compared with the hidden size, and with the embedding and projection sizes, since
    names of embedding models state the length of the vector that comes out.

    ## Example
    `someone/chinese-bert_L-4_H-512` whose layers are 256 wide.

    ## Known limits
    A sentence-transformers head may change the length of the vectors outside the weights read here.
    """

    code = "DAR204"
    slug = "contradicted-hidden-size"
    severity = Severity.ERROR
    since = "0.1.0"

    def check(self, subject: Subject) -> Iterator[Outcome]:
        """Compares stated widths with every width of the model."""
        claims = subject.claims("hidden_size")
        if not claims:
            return
        if is_adapter(subject):
            yield self.skipped("an adapter is named after the model that it changes")
        elif any(path.startswith(("2_Dense/", "3_Dense/")) for path in subject.files):
            yield self.skipped("a dense layer beside the model changes the length of its vectors")
        else:
            yield from check_numbers(self, _with_head_size(subject), claims, _KINDS, "hidden size")


def _with_head_size(subject: Subject) -> Subject:
    """Beside a number of heads the width may be that of one head, as in `8h-64d`."""
    hidden, heads = subject.facts.best("hidden_size"), subject.facts.best("attention_heads")
    spelled = any(claim.text[-1:] in "dD" for claim in subject.claims("hidden_size"))
    if not spelled or not subject.claims("attention_heads") or hidden is None or heads is None:
        return subject
    width, count = whole(hidden.value), whole(heads.value)
    if not width or not count or width % count:
        return subject
    each = Fact("head_width", width // count, hidden.basis, f"{hidden.source} over {heads.source}")
    return replace(subject, facts=Facts((*subject.facts, each)))
