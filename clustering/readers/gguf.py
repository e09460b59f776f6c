"""GGUF versions 2 and 3: key-values and tensor descriptions at the head of the file, little or big endian.

Format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md. Token lists of a few megabytes lie before the tensor
descriptions and cannot be jumped over; they are walked without being kept.
"""

from __future__ import annotations

import struct
from collections import Counter
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from clustering.bytesource import ByteSource
from clustering.readers.cursor import Cursor
from clustering.readers.gguf_types import GGML_TYPES, nominal_bits
from clustering.readers.limits import Limits
from clustering.readers.messages import no_weights, printable, refusal
from clustering.readers.shapes import checked_name, checked_shape, too_many
from clustering.tensors import Quantization, Tensor, TensorListing

LONGEST_KEPT_ARRAY = 256
"""Elements; longer arrays (tokens, scores, merges) are represented by their length."""
LONGEST_KEPT_TEXT = 20_000
"""Characters; chat templates are the longest texts worth keeping."""
_BLOCK = 262_144
_PER_VALUE = 32
"""Bytes of memory that one value of a list takes."""
_SCALARS: Mapping[int, str] = MappingProxyType(
    {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
)
_TEXT, _ARRAY = 8, 9


class GgufReader:
    """Reads `*.gguf`."""

    format = "gguf"

    def matches(self, path: str) -> bool:
        """By suffix."""
        return path.lower().endswith(".gguf")

    def read(self, source: ByteSource, limits: Limits) -> TensorListing:
        """The tensors in file order with shapes as PyTorch writes them (GGUF stores the innermost size first).

        `metadata` has the key-values; an array of more than 256 elements is `{"type": ..., "length": ...}`.
        """
        return _File(source, limits).listing()


class _File:
    def __init__(self, source: ByteSource, limits: Limits) -> None:
        self._source = source
        self._limits = limits
        self._cursor = Cursor(source, limit=limits.scan_bytes, chunk=65_536)
        magic = self._cursor.take(4)
        if magic != b"GGUF":
            raise refusal(source.label, "not a GGUF file")
        version = self._cursor.take(4)
        self._order = ">" if version[:2] == b"\0\0" else "<"
        self.version = struct.unpack(f"{self._order}I", version)[0]
        if self.version not in {2, 3}:
            raise refusal(source.label, f"GGUF version {self.version} is not supported (2 and 3 are)")
        self._layouts = {kind: struct.Struct(self._order + code) for kind, code in _SCALARS.items()}
        self._kept = 0
        self._long = self._layouts[10]
        self._int = self._layouts[4]

    def listing(self) -> TensorListing:
        label, limits = self._source.label, self._limits
        count, pairs = self._number(self._long), self._number(self._long)
        if count > limits.tensors:
            raise too_many(label, limits)
        if pairs > limits.entries:
            raise refusal(label, f"{pairs} key-values are over the limit of {limits.entries}")
        metadata: dict[str, Any] = {}
        for _ in range(pairs):
            key = self._text()
            if key in metadata:
                raise refusal(label, f"key {printable(key, 80)} occurs twice")
            metadata[key] = self._value(self._number(self._int), 0)
        rows = [self._row() for _ in range(count)]
        tensors = self._placed(rows, metadata)
        if not tensors and not metadata.get("split.count"):  # the first of several files may hold key-values alone
            raise no_weights(label, "holds no tensors")
        return TensorListing(
            tensors, GgufReader.format, (label,), metadata, _quantization(tensors), bytes_read=self._cursor.fetched
        )

    def _row(self) -> tuple[str, tuple[int, ...], int, int]:
        name = checked_name(self._text(), self._source.label, self._limits)
        rank = self._number(self._int)
        if rank > self._limits.rank:
            raise refusal(self._source.label, f"tensor {printable(name, 80)} has {rank} dimensions")
        sizes = [self._number(self._long) for _ in range(rank)]
        shape = checked_shape(reversed(sizes), name, self._source.label, self._limits)
        kind, offset = self._number(self._int), self._number(self._long)
        return name, shape, kind, offset

    def _placed(
        self, rows: list[tuple[str, tuple[int, ...], int, int]], metadata: Mapping[str, Any]
    ) -> tuple[Tensor, ...]:
        """Tensors with their bytes; refuses types that are unknown and data beyond the end of the file."""
        label = self._source.label
        alignment = metadata.get("general.alignment", 32)
        if type(alignment) is not int or not 0 < alignment <= 1 << 20:
            raise refusal(label, f"alignment of {printable(alignment, 20)}")
        start = -(-self._cursor.position // alignment) * alignment
        tensors: dict[str, Tensor] = {}
        for name, shape, kind, offset in rows:
            shown = printable(name, 80)
            known = GGML_TYPES.get(kind)
            if known is None:
                raise refusal(label, f"tensor {shown} has the unknown type {kind}")
            inner = shape[-1] if shape else 1
            if inner % known.block:
                raise refusal(label, f"tensor {shown} has rows of {inner}, which {known.name} cannot hold")
            total = 1
            for size in shape:
                total *= size
            length = total // known.block * known.size
            if name in tensors:
                raise refusal(label, f"tensor {shown} occurs twice")
            if self._source.size is not None and start + offset + length > self._source.size:
                raise refusal(label, f"tensor {shown} goes beyond the end of the file")
            tensors[name] = Tensor(name, shape, known.name, length, label, f"{label}#{offset}:{length}")
        return tuple(tensors.values())

    def _number(self, layout: struct.Struct) -> int:
        return int(layout.unpack(self._cursor.take(layout.size))[0])

    def _text(self) -> str:
        length = self._number(self._long)
        if length > LONGEST_KEPT_TEXT:
            self._cursor.skip(length)
            return f"({length} bytes)"
        self._keep(length)
        return self._cursor.take(length).decode("utf-8", "replace")

    def _keep(self, size: int) -> None:
        """Charges for what stays in memory."""
        self._kept += size
        if self._kept > self._limits.header_bytes:
            raise self._cursor.fail(f"more than {self._limits.header_bytes} bytes of key-values")

    def _value(self, kind: int, depth: int) -> Any:
        layout = self._layouts.get(kind)
        if layout is not None:
            return self._cursor.unpack(layout)[0]
        if kind == _TEXT:
            return self._text()
        if kind != _ARRAY or depth > 4:
            raise self._cursor.fail(f"a value of the unknown type {kind}")
        inner, count = self._number(self._int), self._number(self._long)
        if count <= LONGEST_KEPT_ARRAY:
            self._keep(_PER_VALUE * (count + 2))
            return [self._value(inner, depth + 1) for _ in range(count)]
        layout = self._layouts.get(inner)
        if layout is not None:
            self._cursor.skip(layout.size * count)
        elif inner == _TEXT:
            self._skip_texts(count)
        else:
            raise self._cursor.fail(f"an array of {count} values of type {inner}")
        return {"type": "text" if inner == _TEXT else _SCALARS[inner], "length": count}

    def _skip_texts(self, count: int) -> None:
        """Walks a list of texts by their lengths, block by block (a vocabulary has some 100,000)."""
        unpack = self._long.unpack_from
        while count:
            block = self._cursor.peek(_BLOCK)
            at, end = 0, len(block) - 8
            while count and at <= end:
                at += 8 + unpack(block, at)[0]
                count -= 1
            if at == 0:
                raise self._cursor.fail("ends inside a list of texts")
            self._cursor.skip(at)


def _quantization(tensors: tuple[Tensor, ...]) -> Quantization | None:
    """Method and width by the type that holds most weights; none when no tensor is quantized."""
    weights: Counter[str] = Counter()
    for tensor in tensors:
        weights[tensor.dtype] += tensor.elements
    kinds = [kind for kind, _ in weights.most_common()]
    quantized = [kind for kind in kinds if nominal_bits(kind) is not None]
    if not quantized:
        return None
    counted = Counter(tensor.dtype for tensor in tensors)
    source = "GGUF types " + ", ".join(f"{kind} ({counted[kind]})" for kind in kinds[:5])
    return Quantization("gguf", nominal_bits(quantized[0]), source)
