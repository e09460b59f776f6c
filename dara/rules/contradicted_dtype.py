"""DAR502."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from dara.findings import Confidence, Evidence, Outcome, Severity
from dara.rules.common.exempt import is_adapter
from dara.rules.common.wording import quoted
from dara.rules.interface import Rule
from dara.subject import Subject

_CANONICAL: Final = {
    "float32": "fp32", "f32": "fp32", "fp32": "fp32", "float": "fp32", "float16": "fp16", "f16": "fp16", "fp16": "fp16",
    "half": "fp16", "bfloat16": "bf16", "bf16": "bf16", "float64": "fp64", "f64": "fp64", "fp64": "fp64",
    "f8_e4m3": "fp8", "f8_e5m2": "fp8", "fp8": "fp8", "float8": "fp8", "float8_e4m3fn": "fp8",
    "i8": "int8", "int8": "int8",
}  # fmt: skip


class ContradictedDtype(Rule):
    """The name states a number format that the weights are not stored in.

    ## Why it matters
    FP32 weights under a BF16 name take twice the download and the memory that the reader expects.

    ## How it is checked
    The type that most bytes of the weights have is compared with `fp16`, `bf16`, `fp32`. Without weights
    the declared type is compared, which is only a wish for loading and gives low confidence.

    ## Example
    `someone/llama-13b-bf16` whose tensors are F32.

    ## Known limits
    FP8 and INT8 are quantizations (DAR501). Mixed packages are judged by the dominant type. Where the configuration
    states no type and the weights are F32, the statement stays open: that is also what a library writes when nobody
    chose.
    """

    code = "DAR502"
    slug = "contradicted-dtype"
    severity = Severity.WARNING
    since = "0.1.0"

    def check(self, subject: Subject) -> Iterator[Outcome]:
        """Compares the stated type with the dominant one."""
        claims = [claim for claim in subject.claims("dtype") if canonical(claim.value) not in ("fp8", "int8")]
        if not claims or is_adapter(subject):
            return
        if "quantization" in subject.facts or subject.claims("quantization"):
            yield self.skipped("beside a quantization the type speaks of activations or scales")
            return
        facts = [fact for fact in subject.facts.all("dtype") if canonical(fact.value)]
        if not facts:
            yield self.skipped("the package does not tell the type of its weights")
            return
        for claim in claims:
            wanted = canonical(claim.value) or canonical(claim.text)
            fact = facts[0]
            if wanted is None:
                continue
            if canonical(fact.value) == wanted:
                yield self.held(claim, fact)
                continue
            several = len(claims) > 1 and any(canonical(other.value) == canonical(fact.value) for other in claims)
            declared = subject.facts.declared("dtype")
            if several or (declared is not None and fact.basis == "measured" and canonical(declared.value) == wanted):
                yield self.skipped(f"{quoted(claim.text)}: holds for what the configuration asks for, not for the file")
                continue
            open_question = fact.basis == "declared" or (declared is None and canonical(fact.value) == "fp32")
            confidence = Confidence.LOW if open_question or claim.modality != "stated" else Confidence.MEDIUM
            if declared is not None and fact.basis == "measured" and claim.modality == "stated":
                confidence = Confidence.HIGH
            yield self.finding(
                f"name says {quoted(claim.text)}, the weights are {canonical(fact.value)}",
                confidence=confidence,
                claim=claim,
                fact=fact,
                evidence=tuple(Evidence(item.source, f"dtype = {item.value}") for item in facts[:2]),
            )


def canonical(value: Any) -> str | None:
    """A number format in the spelling of names; None when it is not one."""
    return _CANONICAL.get(str(value).lower().removeprefix("torch.")) if isinstance(value, str) else None
