"""Checks that every reader makes on what it found, and the widths of element types."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType

from clustering.errors import ReaderError
from clustering.readers.limits import Limits
from clustering.readers.messages import printable, refusal

BITS: Mapping[str, int] = MappingProxyType(
    {
        # The element types of the safetensors format, version 0.8.
        "BOOL": 8, "F4": 4, "F6_E2M3": 6, "F6_E3M2": 6, "U8": 8, "I8": 8, "F8_E5M2": 8, "F8_E4M3": 8,
        "F8_E8M0": 8, "F8_E4M3FNUZ": 8, "F8_E5M2FNUZ": 8, "I16": 16, "U16": 16, "F16": 16, "BF16": 16, "I32": 32,
        "U32": 32, "F32": 32, "C64": 64, "F64": 64, "I64": 64, "U64": 64, "C128": 128,
    }
)  # fmt: skip
"""Bits per element by type, in safetensors spelling (C128 only occurs in pickles and NumPy files)."""


def bytes_of(shape: tuple[int, ...], dtype: str) -> int | None:
    """Bytes that a dense tensor takes, or None for a type without a fixed width."""
    bits = BITS.get(dtype)
    if bits is None:
        return None
    total = bits
    for size in shape:
        total *= size
    return (total + 7) // 8


def checked_name(name: object, label: str, limits: Limits) -> str:
    """`name` if it can be one.

    Raises:
        ReaderError: when it is no text, or too long.
    """
    if not isinstance(name, str):
        raise refusal(label, f"a tensor name is no text: {printable(name, 40)}")
    if len(name) > limits.name_length:
        raise refusal(label, f"a tensor name has {len(name)} characters: {printable(name, 40)}")
    return name


def checked_shape(sizes: Iterable[object], name: str, label: str, limits: Limits) -> tuple[int, ...]:
    """`sizes` as a shape.

    Raises:
        ReaderError: when a size is no whole number or negative, or the tensor is beyond the limits.
    """
    shape: list[int] = []
    total = 1
    for size in sizes:
        if type(size) is not int or size < 0:
            raise refusal(label, f"tensor {printable(name, 80)} has the size {printable(size, 40)}")
        shape.append(size)
        total *= max(size, 1)
        if len(shape) > limits.rank or total > limits.elements:
            raise refusal(label, f"tensor {printable(name, 80)} is larger than any model")
    return tuple(shape)


def too_many(label: str, limits: Limits) -> ReaderError:
    """The error for a file with more tensors than allowed."""
    return refusal(label, f"more than {limits.tensors} tensors")
