"""DAR209."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from dara.findings import Confidence, Outcome, Severity
from dara.rules.common.exempt import is_toy
from dara.rules.common.numbers import check_numbers
from dara.rules.common.tables import words
from dara.rules.interface import Rule
from dara.subject import Subject

_KINDS: Final = ("image_size", "vision_image_size", "encoder_image_size", "backbone_image_size", "sample_pixels")


class ContradictedResolution(Rule):
    """The image size in the name is not that of the vision model.

    ## Why it matters
    The size decides what the model can see, and images prepared for another size give worse results without any error.

    ## How it is checked
    `224`, `384`, `512x512` in vision names are compared with the image size of the configuration and with that of
    the position table. An error needs both.

    ## Example
    `someone/vit-base-patch16-384` whose position table covers 224 x 224 pixels.

    ## Known limits
    Convolutional and windowed models take any size and often keep the configuration of their origin; those are notes.
    """

    code = "DAR209"
    slug = "contradicted-resolution"
    severity = Severity.WARNING
    since = "0.1.0"

    def check(self, subject: Subject) -> Iterator[Outcome]:
        """Compares stated resolutions with the image size."""
        claims = subject.claims("image_size")
        if not claims:
            return
        family = subject.facts.declared("family") or subject.facts.best("family")
        free = family is not None and str(family.value).replace("_", "") in words("any_resolution")
        if is_toy(subject):
            yield self.skipped("a fixture with arbitrary dimensions")
        else:
            measured = subject.facts.measured("image_size") is not None
            yield from check_numbers(
                self,
                subject,
                claims,
                _KINDS,
                "image size",
                severity=Severity.NOTE if free else Severity.ERROR if measured else None,
                cap=Confidence.LOW if free else Confidence.HIGH,
            )
