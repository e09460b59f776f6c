"""All weight readers, in order of preference: the first whose files are there describes the package."""

from __future__ import annotations

from clustering.readers.interface import WeightReader
from clustering.readers.pytorch import PytorchReader
from clustering.readers.safetensors import SafetensorsReader

READERS: tuple[WeightReader, ...] = (
    SafetensorsReader(),
    PytorchReader(),
)
"""An explicit list; the formats that say most about a model come first."""


def reader_for(path: str) -> WeightReader | None:
    """The reader for a file's name, or None for a file that holds no weights."""
    return next((reader for reader in READERS if reader.matches(path)), None)
