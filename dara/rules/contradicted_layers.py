"""DAR203."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Final

from clustering.facts import Fact, Facts
from dara.findings import Confidence, Outcome, Severity
from dara.rules.common.exempt import is_adapter, is_partial, is_toy, resized_on_purpose
from dara.rules.common.numbers import check_numbers, numbers_in, same, whole
from dara.rules.interface import Rule
from dara.subject import Subject
from naming.records import Claim

_KINDS: Final = ("layers", "encoder_layers", "decoder_layers", "layers_total", "conv_layers")


FEWEST_LAYERS: Final = 2
"""One layer is no model: `1-layer` is said of a head (`dinov2-small-imagenet1k-1-layer`)."""

MOST_LAYERS: Final = 48
"""Deepest published model whose name gives its layers as a letter: larger numbers behind an L are sizes, and those
before one languages (`afro-xlmr-large-76L`)."""


class ContradictedLayers(Rule):
    """The number of layers in the name is not that of the model.

    ## Why it matters
    Distilled and pruned models are told apart by nothing but this number.

    ## How it is checked
    `L-12`, `6layers` and the like are compared with the repeated blocks of the main stack, of the encoder and of
    the decoder, and with their sum; `12-3` behind a distilled encoder-decoder counts the two one by one. The number
    in a residual network's name counts convolutions, so it is compared with three (bottleneck) or two for each
    block, and two more.

    ## Example
    `someone/chinese-bert_L-6_H-768` with 12 blocks in `bert.encoder.layer`.

    ## Known limits
    Pruned and depth-extended models whose name says so are skipped; so are networks whose depth is a list of stages
    other than residual ones.
    """

    code = "DAR203"
    slug = "contradicted-layers"
    severity = Severity.ERROR
    since = "0.1.0"

    def check(self, subject: Subject) -> Iterator[Outcome]:
        """Compares stated layers with every stack of the model."""
        claims = subject.claims("layers")
        if not claims:
            return
        if is_adapter(subject) or is_partial(subject) or is_toy(subject) or resized_on_purpose(subject):
            yield self.skipped("adapters, parts, fixtures and pruned models keep the number of their origin")
            return
        depths = subject.facts.best("depths")
        extra = (*_sums(subject.facts), *_convolutions(subject, depths))
        if depths is not None and not extra:
            yield self.skipped("the depth of the model is a list of stages")
            return
        widened = _with(subject, extra)
        kinds = ("conv_layers",) if depths is not None else _KINDS
        cap = Confidence.HIGH if all(_plainly_layers(claim, subject) for claim in claims) else Confidence.LOW
        paired = _paired(subject, claims)
        if paired:
            for claim, kind in paired:
                yield from check_numbers(self, subject, (claim,), (kind,), "number of layers", cap=cap)
            return
        yield from check_numbers(self, widened, claims, kinds, "number of layers", accept=same, cap=cap)


def _paired(subject: Subject, claims: tuple[Claim, ...]) -> tuple[tuple[Claim, str], ...]:
    """`distilbart-xsum-12-3`: each of two neighbouring numbers with the stack it counts; empty for any other name.

    Without the pair one number that holds would excuse the other.
    """
    if len(claims) != 2 or subject.parsed is None or not all(claim.text.isdigit() for claim in claims):
        return ()
    encoder, decoder = subject.facts.best("encoder_layers"), subject.facts.best("decoder_layers")
    if encoder is None or decoder is None or f"{claims[0].text}-{claims[1].text}" not in subject.parsed.repo:
        return ()
    if (claims[0].value, claims[1].value) == (decoder.value, encoder.value):
        return (claims[0], "decoder_layers"), (claims[1], "encoder_layers")
    return (claims[0], "encoder_layers"), (claims[1], "decoder_layers")


def _plainly_layers(claim: Claim, subject: Subject) -> bool:
    """Whether the words can mean nothing but layers.

    A lone `l1` may be a norm, and `L-70` of a language model its size; beside a width (`L-6_H-256`) they are layers.
    """
    number = whole(claim.value)
    if number is not None and number < FEWEST_LAYERS:
        return False
    if subject.claims("hidden_size") or "ayer" in claim.text:
        return True
    if claim.text[-1:] in "lL" or claim.text[:1].isalpha():
        return number is not None and number <= MOST_LAYERS and claim.text[0] != "l"
    return True


def _with(subject: Subject, extra: tuple[Fact, ...]) -> Subject:
    return replace(subject, facts=Facts((*subject.facts, *extra))) if extra else subject


def _sums(facts: Facts) -> Iterator[Fact]:
    """Encoder plus decoder, for names that count both."""
    encoder, decoder = facts.best("encoder_layers"), facts.best("decoder_layers")
    if encoder is not None and decoder is not None:
        first, second = whole(encoder.value), whole(decoder.value)
        if first is not None and second is not None:
            source = f"{encoder.source}; {decoder.source}"
            yield Fact("layers_total", first + second, encoder.basis, source)


def _convolutions(subject: Subject, depths: Fact | None) -> Iterator[Fact]:
    """Layers as residual networks count them: He et al. 2015, table 1 (50 = 3 x 16 + 2, 18 = 2 x 8 + 2)."""
    if depths is None:
        return
    family = subject.facts.declared("family") or subject.facts.best("family")
    name = str(family.value) if family is not None else ""
    if not any(word in name for word in ("resnet", "regnet", "resnext", "timm")):
        return
    blocks = sum(numbers_in(depths.value))
    kind: Any = (subject.config or {}).get("layer_type")
    for each in (3, 2):
        if kind is None or (kind == "bottleneck") == (each == 3):
            yield Fact(
                "conv_layers",
                each * blocks + 2,
                depths.basis,
                f"{depths.source} ({each} for each of {blocks} blocks, and 2)",
            )
