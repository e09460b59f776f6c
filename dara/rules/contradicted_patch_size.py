"""DAR208."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from dara.findings import Outcome, Severity
from dara.rules.common.exempt import is_toy
from dara.rules.common.numbers import check_numbers
from dara.rules.interface import Rule
from dara.subject import Subject

_KINDS: Final = ("patch_size", "vision_patch_size", "encoder_patch_size", "audio_patch_size", "backbone_patch_size")


class ContradictedPatchSize(Rule):
    """The patch size in the name is not that of the vision model.

    ## Why it matters
    Patches of 32 instead of 16 pixels mean a quarter of the tokens: much faster, and blind to small things.

    ## How it is checked
    `patch16`, `b-32`, `l14` are compared with the stride of the first convolution and with the configuration.

    ## Example
    `someone/vit-base-patch16-224` whose patch embedding has a 32 x 32 kernel.

    ## Known limits
    Hierarchical models that merge patches later have more than one patch size; the first counts.
    """

    code = "DAR208"
    slug = "contradicted-patch-size"
    severity = Severity.ERROR
    since = "0.1.0"

    def check(self, subject: Subject) -> Iterator[Outcome]:
        """Compares stated patch sizes with the stem."""
        claims = subject.claims("patch_size")
        if claims and is_toy(subject):
            yield self.skipped("a fixture with arbitrary dimensions")
        elif claims:
            yield from check_numbers(self, subject, claims, _KINDS, "patch size")
