"""TensorFlow checkpoints: the `.index` file alone, an SSTable of names and shapes.

Formats: LevelDB's table format (doc/table_format.md) and tensorflow/core/protobuf/tensor_bundle.proto. The data shards
need not exist. A SavedModel keeps the same file at variables/variables.index.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from clustering.bytesource import ByteSource
from clustering.readers.cursor import Cursor
from clustering.readers.limits import Limits
from clustering.readers.local import Buffer
from clustering.readers.messages import no_weights, printable, refusal
from clustering.readers.protobuf import fields, signed
from clustering.readers.shapes import checked_name, checked_shape, too_many
from clustering.tensors import Tensor, TensorListing

FOOTER = 48
MAGIC = 0xDB4775248B80FB57
_TRAILER = 5
_NAME = re.compile(r"(ckpt|checkpoint|variables|model|weights|cp-)[^/]*\.index$")
_VALUE = "/.ATTRIBUTES/VARIABLE_VALUE"
_SLOTS = (".OPTIMIZER_SLOT", "optimizer/", "save_counter", "_optimizer")
_TF1_SLOTS = (
    "/Adam", "/Adam_1", "/adam_m", "/adam_v", "/Momentum", "/RMSProp", "/RMSProp_1", "/Adagrad",
    "/ExponentialMovingAverage", "/LAMB", "/LAMB_1", "/vr", "/vc", "_slot_v", "_slot_vc", "_slot_vr", "_slot_m",
)  # fmt: skip
_NO_WEIGHT = frozenset({"global_step", "beta1_power", "beta2_power", "learning_rate", "loss_scale", "good_steps"})
DTYPES = {
    1: "F32", 2: "F64", 3: "I32", 4: "U8", 5: "I16", 6: "I8", 8: "C64", 9: "I64", 10: "BOOL", 11: "I8", 12: "U8",
    13: "I32", 14: "BF16", 15: "I16", 16: "U16", 17: "U16", 18: "C128", 19: "F16", 22: "U32", 23: "U64",
    24: "F8_E5M2", 25: "F8_E4M3",
}  # fmt: skip
"""tensorflow/core/framework/types.proto; 7 is text, 20 a resource, 21 a variant: no weights."""


class TensorflowReader:
    """Reads `*.index` of TensorFlow checkpoints and SavedModels."""

    format = "tensorflow"

    def matches(self, path: str) -> bool:
        """By suffix and a name that TensorFlow's tools give; other programs have `.index` files, too."""
        return _NAME.search(path.lower()) is not None

    def read(self, source: ByteSource, limits: Limits) -> TensorListing:
        """The variables in the order of the table; optimizer slots, counters and texts are left out.

        Names keep their slashes; the `/.ATTRIBUTES/VARIABLE_VALUE` of object-based checkpoints is cut off.
        """
        label = source.label
        tensors: list[Tensor] = []
        seen: set[str] = set()
        for key, value in _entries(source, limits):
            if not key:
                continue
            name = checked_name(key.decode("utf-8", "replace"), label, limits)
            tensor = _tensor(name, value, label, limits)
            if tensor is None:
                continue
            if tensor.name in seen:
                raise refusal(label, f"variable {printable(name, 80)} occurs twice")
            seen.add(tensor.name)
            tensors.append(tensor)
            if len(tensors) > limits.tensors:
                raise too_many(label, limits)
        if not tensors:
            raise no_weights(label, "holds no variables")
        return TensorListing(tuple(tensors), self.format, (label,))


def _tensor(name: str, entry: bytes, label: str, limits: Limits) -> Tensor | None:
    """A BundleEntryProto: type 1, shape 2, shard 3, offset 4, size 5."""
    found: dict[int, Any] = {}
    for number, value in fields(entry, label, limits):
        found.setdefault(number, value)
    dtype = DTYPES.get(found.get(1, 0))
    short = name.removesuffix(_VALUE)
    if dtype is None or _no_weight(name, short):
        return None
    raw = found.get(2, b"")
    sizes = [] if not isinstance(raw, bytes) else _shape(raw, label, limits)
    size = found.get(5)
    return Tensor(short, checked_shape(sizes, name, label, limits), dtype, size if type(size) is int else None, label)


def _shape(raw: bytes, label: str, limits: Limits) -> list[int]:
    """A TensorShapeProto: dimensions 2, each with a size 1."""
    sizes: list[int] = []
    for number, value in fields(raw, label, limits):
        if number == 2 and isinstance(value, bytes):
            size = next((inner for key, inner in fields(value, label, limits) if key == 1), 0)
            sizes.append(signed(size) if isinstance(size, int) else 0)
    return sizes


def _no_weight(name: str, short: str) -> bool:
    if any(slot in name for slot in _SLOTS) or short.endswith(_TF1_SLOTS):
        return True
    return short.rpartition("/")[2] in _NO_WEIGHT or "/.ATTRIBUTES/" in short


def _entries(source: ByteSource, limits: Limits) -> Iterator[tuple[bytes, bytes]]:
    size = source.size
    if size is None:
        raise refusal(source.label, "length of the file is unknown, a table is read from its end")
    if size < FOOTER:
        raise refusal(source.label, "too short for a TensorFlow checkpoint index")
    if size > limits.scan_bytes:
        raise refusal(source.label, f"an index of {size} bytes is over the limit of {limits.scan_bytes}")
    footer = source.read(size - FOOTER, FOOTER)
    if int.from_bytes(footer[-8:], "little") != MAGIC:
        raise refusal(source.label, "not a TensorFlow checkpoint index")
    cursor = Cursor(Buffer(footer, source.label), limit=FOOTER)
    cursor.varint(), cursor.varint()  # the meta-index holds nothing for checkpoints
    offset, length = cursor.varint(), cursor.varint()
    steps = 0
    for _, handle in _block(source, offset, length, limits):
        at = Cursor(Buffer(handle, source.label), limit=32)
        for entry in _block(source, at.varint(), at.varint(), limits):
            steps += 1
            if steps > limits.operations:
                raise too_many(source.label, limits)
            yield entry


def _block(source: ByteSource, offset: int, length: int, limits: Limits) -> Iterator[tuple[bytes, bytes]]:
    """Keys and values of one block; keys share their beginning with the key before."""
    size = source.size or 0
    if offset + length + _TRAILER > size or length > limits.header_bytes:
        raise refusal(source.label, f"a block of {length} bytes at {offset} in a file of {size}")
    raw = source.read(offset, length + _TRAILER)
    if len(raw) < length + _TRAILER:
        raise refusal(source.label, "ends inside a block")
    if raw[length] != 0:
        raise refusal(source.label, "a compressed block; TensorFlow does not write them")
    restarts = int.from_bytes(raw[length - 4 : length], "little") if length >= 4 else 0
    end = length - 4 - 4 * restarts
    if end < 0:
        raise refusal(source.label, "a damaged block")
    cursor = Cursor(Buffer(raw, source.label), end=end, limit=length + 1, chunk=max(end, 1))
    key = b""
    while cursor.position < end:
        shared, fresh, value = cursor.varint(), cursor.varint(), cursor.varint()
        if shared > len(key) or shared + fresh > 2 * limits.name_length:
            raise refusal(source.label, "a damaged key")
        key = key[:shared] + cursor.take(fresh)
        yield key, cursor.take(value)
