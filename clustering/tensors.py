"""The tensor listing: what a weight file holds, without its weights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import prod
from typing import Any


@dataclass(frozen=True, slots=True)
class Tensor:
    """One named tensor of a weight file, in logical (unpacked) form."""

    name: str
    shape: tuple[int, ...]
    """Logical shape: what the layer computes with, after undoing packed quantization."""
    dtype: str
    """safetensors spelling: F32, F16, BF16, F8_E4M3, I8, U8, BOOL ...; GGUF types keep their own name (Q4_K)."""
    nbytes: int | None = None
    """Bytes on disk, where the header tells."""
    file: str = ""
    """Path of the file inside the package."""
    storage: str | None = None
    """Identity of the underlying storage; two tensors with the same one are shared (tied)."""

    @property
    def elements(self) -> int:
        """Number of logical elements."""
        return prod(self.shape)


@dataclass(frozen=True, slots=True)
class Quantization:
    """How the weights are packed."""

    method: str
    """gptq, awq, bitsandbytes, compressed-tensors, fp8, mxfp4, nvfp4, mlx, gguf, hqq, aqlm ..."""
    bits: float | None
    """Bits per quantized weight; None where it cannot be told."""
    source: str
    """What told: a tensor suffix, a config key, a GGUF type."""


@dataclass(frozen=True, slots=True)
class TensorListing:
    """All tensors of a package's main model, in definition order."""

    tensors: Sequence[Tensor]
    """A tuple, or `clustering.columns.Columns`, which makes a tensor when it is asked for."""
    format: str
    """safetensors, pytorch, gguf, onnx, hdf5, tensorflow, flax, numpy, index (names without shapes) or module."""
    files: tuple[str, ...] = ()
    metadata: Mapping[str, Any] = field(default_factory=dict)
    """Key-values of the file's header (GGUF keys, safetensors `__metadata__`)."""
    quantization: Quantization | None = None
    names_only: bool = False
    """True when only an index was there: names are real, shapes are empty and nothing may be counted."""
    incomplete: tuple[str, ...] = ()
    """Shards that the index names and the package lacks; counts are then lower bounds."""
    adapter: str | None = None
    """lora, ia3 ... when the file holds an adapter rather than a model."""
    bytes_read: int = 0
