"""DAR802."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from dara.findings import Confidence, Evidence, Outcome, Severity
from dara.rules.common.exempt import is_adapter
from dara.rules.common.wording import quoted
from dara.rules.interface import Rule
from dara.subject import Subject

_DERIVED: Final = frozenset({"adaptation", "quantization"})


class MissingBaseModel(Rule):
    """The package is made from another model and does not say from which.

    ## Why it matters
    Licence, limits and security fixes come from the base model; without the field nobody finds the derived ones.

    ## How it is checked
    Adapters, quantized packages and names that speak of fine-tuning, merging or distillation should have
    `base_model` in the model card.

    ## Example
    `someone/llama-lora-support` whose card has no `base_model`.

    ## Known limits
    Models trained from scratch under such a name are reported as well.
    """

    code = "DAR802"
    slug = "missing-base-model"
    severity = Severity.NOTE
    since = "0.1.0"

    def check(self, subject: Subject) -> Iterator[Outcome]:
        """Looks for the field where the package is derived."""
        stated = bool(subject.card and subject.card.base_model) or bool(subject.hub and subject.hub.base_model)
        if stated:
            return
        parts = subject.parsed.components if subject.parsed else ()
        why = next((f"{quoted(part.text)} in the name" for part in parts if part.category in _DERIVED), "")
        if is_adapter(subject):
            why = "adapter weights"
        carded = subject.card is not None and subject.card.present
        if why:
            yield self.finding(
                f"the package is derived from a model ({why}), which its card does not name"
                if carded
                else f"the package is derived from a model ({why}), and has no card that names it",
                confidence=Confidence.HIGH if is_adapter(subject) else Confidence.MEDIUM,
                evidence=(Evidence("README.md", "no base_model field" if carded else "not there"),),
                suggestion="add `base_model:` to the model card",
            )
