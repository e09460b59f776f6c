"""DAR501."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, Final

from clustering.facts import Fact
from clustering.tensors import TensorListing
from clustering.text import escape
from dara.findings import Confidence, Evidence, Finding, Outcome, Severity
from dara.rules.common.exempt import is_adapter, repo_words
from dara.rules.common.tables import words
from dara.rules.common.wording import quoted
from dara.rules.interface import Rule
from dara.subject import Subject
from naming.records import Claim

_LONGEST_NAME: Final = 120

_GENERATIVE_SIDE: Final = frozenset({"gptq", "awq"})
_FIRST_MARKED: Final = (4, 35)
"""transformers release that first wrote GPTQ and AWQ settings into config.json (AWQ 4.35, GPTQ 4.32). Packages made
before kept them beside it."""

_GGUF: Final = re.compile(r"(?i)^(?:gguf|ggml|i?q\d|tq\d)")
LEAST_TOLD: Final = 4.0
BITS_APART: Final = 2.0
"""GGUF files of fewer than four bits keep many tensors in larger types, and every type stands beside a neighbour."""
_ALIASES: Final = {
    **dict.fromkeys(("bnb", "nf4", "fp4", "llm-int8", "qlora"), "bitsandbytes"),
    **dict.fromkeys(("int8", "int4", "4bit", "8bit", "w4a16", "w8a8", "w8a16"), ""),
    "ggml": "gguf",
}


class ContradictedQuantization(Rule):
    """The name states a quantization that the package does not have, or another one.

    ## Why it matters
    Packages are chosen by it to fit a memory: a "4bit" that is not needs four times what the reader planned for.

    ## How it is checked
    Method and bits in the name are compared with packed tensors in the weights (GPTQ's `qweight`, AWQ, NF4 states,
    FP8 scales, GGUF types) and with `quantization_config`. "None" is observed only when the weights were read and hold
    plain floating-point tensors.

    ## Example
    `someone/llama-7b-gptq-4bit` whose tensors are all plain F16 matrices.

    ## Known limits
    Without weights an unmarked configuration proves nothing: several quantizers keep their settings in other files.
    Of GGUF repositories those with one file are compared, from four bits on; DAR503 checks that there is one.
    """

    code = "DAR501"
    slug = "contradicted-quantization"
    severity = Severity.WARNING
    since = "0.1.0"

    def check(self, subject: Subject) -> Iterator[Outcome]:
        """Compares stated methods and bits with packed tensors and settings."""
        claims = [claim for claim in subject.claims("quantization") if not _GGUF.match(method_of(claim) or claim.text)]
        if is_adapter(subject):
            return
        yield from self._of_gguf(subject)
        facts = tuple(
            fact for fact in subject.facts.all("quantization") if isinstance(fact.value, Mapping) and fact.value
        )
        for claim in claims:
            if facts:
                yield self._against(claim, facts)
            else:
                yield self._against_plain(subject, claim)

    def _of_gguf(self, subject: Subject) -> Iterator[Outcome]:
        """`Q8_0` of a repository with one GGUF file, against the type that most of its bytes have."""
        files = [path for path in subject.files if path.endswith(".gguf") and "mmproj" not in path.lower()]
        fact = subject.facts.measured("quantization")
        have = _bits(fact.value) if fact is not None and isinstance(fact.value, Mapping) else None
        if len(files) != 1 or fact is None or have is None or _method_fits("gguf", fact.value) is not True:
            return
        for claim in subject.claims("quantization"):
            wanted = _bits(claim.value)
            if method_of(claim) != "gguf" or wanted is None:
                continue
            if abs(wanted - have) < 1.0:
                yield self.held(claim, fact)
            elif wanted >= LEAST_TOLD and abs(wanted - have) >= BITS_APART and not _mixes_types(subject):
                observed = f"most bytes of {quoted(files[0])} have {have:g} bits"
                yield self._finding(claim, observed, Confidence.MEDIUM, (fact,))

    def _against(self, claim: Claim, facts: tuple[Fact, ...]) -> Outcome:
        wanted, bits = method_of(claim), _bits(claim.value)
        verdicts = [(_method_fits(wanted, fact.value), _bits_fit(bits, fact.value)) for fact in facts]
        good = next((fact for fact, fits in zip(facts, verdicts, strict=True) if fits == (True, True)), None)
        if good is not None:
            return self.held(claim, good)
        if any(None in fits and False not in fits for fits in verdicts):
            return self.skipped(f"{quoted(claim.text)}: the package does not tell the method or its bits")
        fact = facts[0]
        confidence = Confidence.HIGH if len({item.basis for item in facts}) == 2 else Confidence.MEDIUM
        return self._finding(claim, f"the package is quantized with {_spelled(fact.value)}", confidence, (fact,))

    def _against_plain(self, subject: Subject, claim: Claim) -> Outcome:
        listing = subject.listing
        if listing is None or listing.names_only or not listing.tensors:
            return self.skipped(f"{quoted(claim.text)}: no weights were read, and config.json need not say it")
        beside = next((path for path in subject.files if path.rsplit("/", 1)[-1] in words("quantization_files")), None)
        if beside is not None:
            return self.skipped(f"{quoted(claim.text)}: settings in {beside} were not read")
        if any(path.rsplit(".", 1)[-1] in ("gguf", "onnx", "xml", "mlmodel", "tflite") for path in subject.files):
            return self.skipped(f"{quoted(claim.text)}: may speak of the files of another format in the package")
        plain = _plain_dtype(listing)
        if plain is None:
            return self.skipped(f"{quoted(claim.text)}: the weights hold tensors of a type that may be packed")
        fact = subject.facts.measured("dtype") or Fact("dtype", plain, "measured", f"{listing.format} tensors")
        confidence = _confidence_of_plain(subject, claim)
        finding = self._finding(claim, f"the weights are plain {plain} tensors", confidence, (fact,))
        largest = max(listing.tensors, key=lambda tensor: tensor.elements)
        told = f"largest tensor {escape(largest.name[:_LONGEST_NAME])}: {largest.dtype}"
        seen = Evidence(escape(largest.file or "weights"), told)
        unsaid = subject.config is not None and "quantization_config" not in subject.config
        settings = (Evidence("config.json", "no quantization_config"),) if unsaid else ()
        return replace(finding, evidence=(*finding.evidence, seen, *settings))

    def _finding(self, claim: Claim, observed: str, confidence: Confidence, facts: tuple[Fact, ...]) -> Finding:
        return self.finding(
            f"name says {quoted(claim.text)}, {observed}",
            confidence=Confidence.LOW if claim.modality != "stated" else confidence,
            claim=claim,
            fact=facts[0],
            evidence=tuple(Evidence(fact.source, f"{fact.kind} = {_spelled(fact.value)}") for fact in facts),
        )


def _mixes_types(subject: Subject) -> bool:
    """Whether the name says that the types of the tensors differ on purpose."""
    return bool(repo_words(subject) & {"ud", "dynamic", "imatrix", "mixed", "apex"})


def method_of(claim: Claim) -> str:
    """The method a claim states, in the spelling of configurations; empty when it states only bits."""
    value = claim.value
    raw = value.get("method") if isinstance(value, Mapping) else value
    word = str(raw or "").lower().replace("_", "-")
    return _ALIASES.get(word, word)


def _bits(value: Any) -> float | None:
    found = value.get("bits") if isinstance(value, Mapping) else None
    return float(found) if isinstance(found, int | float) and not isinstance(found, bool) else None


def _method_fits(wanted: str, seen: Mapping[str, Any]) -> bool | None:
    have = str(seen.get("method") or "").lower()
    detail = str(seen.get("format") or "").lower()
    if not wanted:
        return True
    if not have:
        return None
    if wanted in have or have in wanted or wanted in detail:
        return True
    if {have, wanted} & words("quantization_carriers") or {wanted, have} <= {"fp8", "nvfp4", "mxfp4", "mxfp8"}:
        return None
    return False


def _bits_fit(wanted: float | None, seen: Mapping[str, Any]) -> bool | None:
    have = _bits(seen)
    if wanted is None:
        return True
    return None if have is None else abs(wanted - have) < 1.0


def _plain_dtype(listing: TensorListing) -> str | None:
    """The dominant floating-point type when no tensor can hold packed values; None otherwise."""
    totals: dict[str, int] = {}
    for tensor in listing.tensors:
        totals[tensor.dtype] = totals.get(tensor.dtype, 0) + tensor.elements
    every = sum(totals.values())
    dominant = max(totals, key=lambda name: totals[name], default="")
    if dominant not in ("F32", "F16", "BF16", "F64") or totals[dominant] < 0.9 * every:
        return None
    packed = sum(count for name, count in totals.items() if name in ("U8", "I8", "I32", "U32", "F8_E4M3", "F8_E5M2"))
    return dominant if packed <= 0.01 * every else None


def _confidence_of_plain(subject: Subject, claim: Claim) -> Confidence:
    """How much plain tensors prove: less for methods, and for years, whose settings stand beside config.json."""
    method = method_of(claim)
    if subject.claims("dtype"):
        return Confidence.LOW  # `bitnet-b1.58-2B-bf16`: what the weights were trained for, and what they are stored in
    if {method, claim.text.lower().replace("_", "-")} & words("quantization_apart"):
        return Confidence.LOW
    settings = subject.config or {}
    if method in _GENERATIVE_SIDE and _bits(claim.value) is None and _release(settings) < _FIRST_MARKED:
        classes = settings.get("architectures")
        generative = isinstance(classes, list) and any("CausalLM" in str(name) for name in classes)
        if generative:
            return Confidence.LOW
    return Confidence.MEDIUM


def _release(config: Mapping[str, Any]) -> tuple[int, int]:
    found = re.match(r"(\d{1,3})\.(\d{1,3})", str(config.get("transformers_version", "")))
    return (int(found[1]), int(found[2])) if found else (99, 0)


def _spelled(value: Any) -> str:
    if isinstance(value, Mapping):
        bits = _bits(value)
        method = str(value.get("method") or "an unnamed method")
        return f"{method} ({bits:g} bits)" if bits is not None else method
    return str(value)
