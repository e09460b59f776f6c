"""DAR803."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from clustering.facts import Fact
from dara.findings import Confidence, Evidence, Outcome, Severity
from dara.rules.common.wording import listed
from dara.rules.interface import Rule
from dara.subject import Subject

_PICKLES: Final = (".bin", ".pt", ".pth", ".ckpt", ".pkl", ".pickle", ".joblib", ".dill")
_SAFE: Final = (".safetensors", ".gguf", ".onnx", ".msgpack", ".npz", ".tflite", ".h5", ".keras")
_NO_WEIGHTS: Final = ("training_args.bin", "optimizer", "scheduler", "rng_state", "tokenizer", "random_states")


class UnsafeFormat(Rule):
    """The weights are only there as pickles, which can run code when they are loaded.

    ## Why it matters
    Loading a pickle runs whatever its author put into it; safetensors and GGUF cannot.

    ## How it is checked
    The file list holds pickled weights (`.bin`, `.pt`, `.ckpt`, `.pkl`) and no weights in a format without code.

    ## Example
    A package with `pytorch_model.bin` and no `model.safetensors`.

    ## Known limits
    Whether a pickle really holds code is the reader's business; see the skipped list for files that were refused.
    """

    code = "DAR803"
    slug = "unsafe-format"
    severity = Severity.NOTE
    since = "0.1.0"

    def check(self, subject: Subject) -> Iterator[Outcome]:
        """Looks for weights in formats with and without code."""
        names = [path.rsplit("/", 1)[-1] for path in subject.files]
        pickles = [name for name in names if name.endswith(_PICKLES) and not name.startswith(_NO_WEIGHTS)]
        if not pickles or any(name.endswith(_SAFE) for name in names):
            return
        yield self.finding(
            f"the weights are only in pickles: {listed(pickles, 'and')}",
            confidence=Confidence.HIGH,
            fact=Fact("format", "pickle", "measured", "file list"),
            evidence=(Evidence("file list", listed(pickles, "and")),),
            suggestion="add the weights as safetensors",
        )
