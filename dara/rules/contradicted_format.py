"""DAR503."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from clustering.facts import Fact
from dara.findings import Confidence, Evidence, Outcome, Severity
from dara.rules.common.wording import listed, quoted
from dara.rules.interface import Rule
from dara.subject import Subject

_SUFFIXES: Final[Mapping[str, tuple[str, ...]]] = {
    "gguf": (".gguf",),
    "ggml": (".bin", ".gguf", ".ggml"),
    "onnx": (".onnx", ".onnx_data", ".ort"),
    "openvino": (".xml",),
    "safetensors": (".safetensors",),
    "tflite": (".tflite",),
    "coreml": (".mlmodel", ".mlpackage", ".mlmodelc", ".bin", ".espresso.net", "Manifest.json"),
    "mlx": (".safetensors", ".npz"),
    "tensorrt": (".engine", ".plan", ".trt"),
}
"""Files that a format needs; formats not listed are not checked."""

_WEIGHTS: Final = (
    ".safetensors",
    ".bin",
    ".pt",
    ".pth",
    ".ckpt",
    ".gguf",
    ".onnx",
    ".h5",
    ".msgpack",
    ".npz",
    ".tflite",
    ".xml",
    ".keras",
    ".nemo",
)


class ContradictedFormat(Rule):
    """The name states a file format, and no file of that format is in the package.

    ## Why it matters
    The runtime that the reader uses (llama.cpp, ONNX Runtime, OpenVINO) cannot open what is there.

    ## How it is checked
    The file list is searched for the endings that the stated format uses. A complete list, as the hub gives, is
    worth medium confidence; a local folder may be a part of the package and gives low.

    ## Example
    `someone/assistant-8b-GGUF` that holds only safetensors.

    ## Known limits
    Repositories of links or of documentation are reported like empty ones only when they hold other weights.
    """

    code = "DAR503"
    slug = "contradicted-format"
    severity = Severity.WARNING
    since = "0.1.0"

    def check(self, subject: Subject) -> Iterator[Outcome]:
        """Looks for a file of each stated format."""
        for claim in (*subject.claims("format"), *subject.claims("quantization")):
            wanted = _format_of(claim.value, claim.kind)
            if wanted is None:
                continue
            found = next(
                (path for path in subject.files if path.endswith(_SUFFIXES[wanted]) or _folder(path, wanted)), None
            )
            weights = [path for path in subject.files if path.endswith(_WEIGHTS)]
            if found is not None:
                yield self.held(claim, Fact("format", wanted, "measured", found))
            elif not weights:
                yield self.skipped(f"{quoted(claim.text)}: the package holds no weights")
            else:
                complete = subject.hub is not None
                yield self.finding(
                    f"name says {quoted(claim.text)}, the package holds no {wanted} file",
                    confidence=Confidence.MEDIUM if complete and claim.modality == "stated" else Confidence.LOW,
                    claim=claim,
                    fact=Fact("format", sorted({path.rsplit(".", 1)[-1] for path in weights}), "measured", "file list"),
                    evidence=(Evidence("file list", f"weights: {listed(weights, 'and')}"),),
                )


def _format_of(value: object, kind: str) -> str | None:
    raw = value.get("method") if isinstance(value, Mapping) else value
    word = str(raw or "").lower()
    if kind == "quantization":
        return (
            "gguf"
            if word in ("gguf", "ggml") or word.startswith(("q2_", "q3_", "q4_", "q5_", "q6_", "q8_", "iq"))
            else None
        )
    return word if word in _SUFFIXES else None


def _folder(path: str, wanted: str) -> bool:
    return wanted in ("coreml", "tensorrt") and f".{wanted}" in path.lower()
