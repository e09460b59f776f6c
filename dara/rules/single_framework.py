"""DAR808."""

from __future__ import annotations

from collections.abc import Iterator
from types import MappingProxyType
from typing import Final

from clustering.facts import Fact
from dara.findings import Confidence, Evidence, Outcome, Severity
from dara.rules.common.wording import listed
from dara.rules.interface import Rule
from dara.subject import Subject

_PORTABLE: Final = (".safetensors", ".onnx", ".gguf", ".keras", ".npz", ".bin", ".pt", ".pth", ".ckpt", ".pkl")
"""Formats that several frameworks read, and pickles, of which DAR803 speaks."""
_ONE: Final = MappingProxyType(
    {
        ".msgpack": "Flax",
        ".h5": "TensorFlow",
        ".ckpt.index": "TensorFlow",
        "saved_model.pb": "TensorFlow",
        ".tflite": "LiteRT",
        ".pdparams": "PaddlePaddle",
        ".nemo": "NeMo",
        ".mlmodel": "Core ML",
        ".params": "MXNet",
        ".ot": "libtorch",
    }
)
_SHOWN: Final = 3


class SingleFramework(Rule):
    """The weights are only in a format that one framework reads.

    ## Why it matters
    Who works with another framework has to convert the weights first, and a conversion may change the model. How far
    a model can be carried is one of the attributes by which people choose what to build on.

    ## How it is checked
    Every weight file in the file list has a suffix that one framework writes and reads (TensorFlow checkpoints and
    HDF5, Flax, PaddlePaddle, NeMo, Core ML, LiteRT), all of them the same one, and none is safetensors, ONNX, GGUF,
    Keras' own archive or a NumPy archive.

    ## Example
    A package with `flax_model.msgpack` and nothing else. The same weights as `model.safetensors` are read by PyTorch,
    TensorFlow, JAX, MLX and PaddlePaddle.

    ## Known limits
    Suffixes are looked at, not contents. Pickles are read by PyTorch alone as well; that is DAR803's to say.
    """

    code = "DAR808"
    slug = "single-framework"
    severity = Severity.NOTE
    since = "0.1.0"

    def check(self, subject: Subject) -> Iterator[Outcome]:
        """Looks for weights of one framework and none that others read."""
        names = [path.rsplit("/", 1)[-1] for path in subject.files]
        if any(name.endswith(_PORTABLE) for name in names):
            return
        found = {name: framework for name in names for suffix, framework in _ONE.items() if name.endswith(suffix)}
        if len(set(found.values())) != 1:
            return
        framework = next(iter(found.values()))
        files = sorted(found)
        shown = listed([*files[:_SHOWN], *([f"{len(files) - _SHOWN} more"] if len(files) > _SHOWN else [])], "and")
        yield self.finding(
            f"the weights are only in a format of {framework}: {shown}",
            confidence=Confidence.HIGH,
            fact=Fact("format", framework, "measured", "file list"),
            evidence=(Evidence("file list", shown),),
            suggestion="add the weights as safetensors",
        )
