"""All weight readers, in order of preference: the first whose files are there describes the package."""

from __future__ import annotations

from clustering.readers.flax import FlaxReader
from clustering.readers.gguf import GgufReader
from clustering.readers.hdf5 import Hdf5Reader
from clustering.readers.interface import WeightReader
from clustering.readers.numpy_files import NumpyReader
from clustering.readers.onnx import OnnxReader
from clustering.readers.pytorch import PytorchReader
from clustering.readers.safetensors import SafetensorsReader
from clustering.readers.tf_checkpoint import TensorflowReader

READERS: tuple[WeightReader, ...] = (
    SafetensorsReader(),
    PytorchReader(),
    GgufReader(),
    Hdf5Reader(),
    FlaxReader(),
    TensorflowReader(),
    OnnxReader(),
    NumpyReader(),
)
"""An explicit list; the formats that say most about a model come first."""


def reader_for(path: str) -> WeightReader | None:
    """The reader for a file's name, or None for a file that holds no weights."""
    return next((reader for reader in READERS if reader.matches(path)), None)
