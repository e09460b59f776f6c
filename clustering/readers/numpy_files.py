"""NumPy arrays: `.npy` and archives of them (`.npz`), headers only.

Format: numpy.lib.format. The header is a Python literal; it is parsed as data with `ast.literal_eval`, after its length
is checked.
"""

from __future__ import annotations

import ast

from clustering.bytesource import ByteSource
from clustering.readers.archive import Archive
from clustering.readers.limits import Limits
from clustering.readers.messages import no_weights, printable, refusal
from clustering.readers.pickles.dtypes import numpy_dtype
from clustering.readers.shapes import bytes_of, checked_name, checked_shape, too_many
from clustering.tensors import Tensor, TensorListing

_MAGIC = b"\x93NUMPY"
_HEAD = 512
"""Nearly every header fits in its first 128 bytes."""
LONGEST_HEADER = 10_000
"""numpy.lib.format refuses to parse longer ones as well."""


class NumpyReader:
    """Reads `*.npz` and `*.npy`."""

    format = "numpy"

    def matches(self, path: str) -> bool:
        """By suffix."""
        return path.lower().endswith((".npz", ".npy"))

    def read(self, source: ByteSource, limits: Limits) -> TensorListing:
        """The arrays of numbers in archive order; texts and objects are left out."""
        label = source.label
        if source.read(0, 6) == _MAGIC:
            name = label.rpartition("/")[2].removesuffix(".npy")
            tensor = _array(source.read(0, LONGEST_HEADER + 12), name, label, limits)
            found = [] if tensor is None else [tensor]
        else:
            found = _archive(source, limits)
        if not found:
            raise no_weights(label, "holds no arrays of numbers")
        return TensorListing(tuple(found), self.format, (label,))


def _archive(source: ByteSource, limits: Limits) -> list[Tensor]:
    archive = Archive(source, limits)
    found: list[Tensor] = []
    for path, member in archive.members.items():
        if not path.endswith(".npy"):
            continue
        if len(found) >= limits.tensors:
            raise too_many(source.label, limits)
        head = archive.head(member, _HEAD)
        if int.from_bytes(head[8:10], "little") + 10 > len(head):
            head = archive.head(member, LONGEST_HEADER + 12)
        tensor = _array(head, path[:-4], source.label, limits)
        if tensor is not None:
            found.append(tensor)
    return found


def _array(head: bytes, name: str, label: str, limits: Limits) -> Tensor | None:
    """One array, or None when its elements are no numbers."""
    shown = printable(name, 80)
    if len(head) < 12 or head[:6] != _MAGIC or head[6] not in {1, 2, 3}:
        raise refusal(label, f"array {shown} has no NumPy header")
    width = 2 if head[6] == 1 else 4
    length = int.from_bytes(head[8 : 8 + width], "little")
    if length > LONGEST_HEADER:
        raise refusal(label, f"array {shown} has a header of {length} bytes")
    start = 8 + width
    raw = head[start : start + length]
    if len(raw) < length:
        raise refusal(label, f"array {shown} ends inside its header")
    try:
        header = ast.literal_eval(raw.decode("latin1").strip())
    except (ValueError, SyntaxError, RecursionError, MemoryError, TypeError):
        raise refusal(label, f"array {shown} has a damaged header") from None
    shape = header.get("shape") if isinstance(header, dict) else None
    kind = header.get("descr") if isinstance(header, dict) else None
    if not isinstance(shape, tuple):
        raise refusal(label, f"array {shown} has no shape")
    dtype = numpy_dtype(kind) if isinstance(kind, str) else None
    if dtype is None:
        return None
    sizes = checked_shape(shape, checked_name(name, label, limits), label, limits)
    return Tensor(name, sizes, dtype, bytes_of(sizes, dtype), label)
