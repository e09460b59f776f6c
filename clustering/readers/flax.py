"""Flax: nested dictionaries in MessagePack, arrays as extension values whose data is skipped.

Formats: https://github.com/msgpack/msgpack/blob/master/spec.md and flax/serialization.py (extension 1 holds
(shape, type name, bytes); arrays above 1 GiB are dictionaries with `__msgpack_chunked_array__`).
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from typing import Any

from clustering.bytesource import ByteSource
from clustering.readers.cursor import Cursor
from clustering.readers.limits import Limits
from clustering.readers.messages import no_weights, printable, refusal
from clustering.readers.pickles.dtypes import numpy_dtype
from clustering.readers.shapes import bytes_of, checked_name, checked_shape, too_many
from clustering.tensors import Tensor, TensorListing

_CHUNKED = "__msgpack_chunked_array__"
_ARRAY_EXTENSION = 1
_LONGEST_TEXT = 4_096
_FIXED = {
    0xCA: struct.Struct(">f"), 0xCB: struct.Struct(">d"), 0xCC: struct.Struct(">B"), 0xCD: struct.Struct(">H"),
    0xCE: struct.Struct(">I"), 0xCF: struct.Struct(">Q"), 0xD0: struct.Struct(">b"), 0xD1: struct.Struct(">h"),
    0xD2: struct.Struct(">i"), 0xD3: struct.Struct(">q"),
}  # fmt: skip
_WIDTHS = {0xC4: 1, 0xC5: 2, 0xC6: 4, 0xD9: 1, 0xDA: 2, 0xDB: 4, 0xDC: 2, 0xDD: 4, 0xDE: 2, 0xDF: 4}
_EXTENSIONS = {0xC7: 1, 0xC8: 2, 0xC9: 4}


class _Array:
    """Shape and type of one array."""

    __slots__ = ("dtype", "shape")

    def __init__(self, shape: tuple[Any, ...], dtype: str | None) -> None:
        self.shape = shape
        self.dtype = dtype


class FlaxReader:
    """Reads `*.msgpack`."""

    format = "flax"

    def matches(self, path: str) -> bool:
        """By suffix."""
        return path.lower().endswith(".msgpack")

    def read(self, source: ByteSource, limits: Limits) -> TensorListing:
        """The arrays in file order; names are the keys, joined by `/`. A training state's optimizer is left out."""
        cursor = Cursor(source, limit=limits.scan_bytes, chunk=2_048)
        walk = _Walk(cursor, limits)
        walk.value((), 0)
        found = walk.tensors
        if any(path[0] == "params" for path in found) and any(path[0] == "opt_state" for path in found):
            found = {path: tensor for path, tensor in found.items() if path[0] == "params"}
        if not found:
            raise no_weights(source.label, "holds no arrays")
        return TensorListing(tuple(found.values()), self.format, (source.label,), bytes_read=cursor.fetched)


class _Walk:
    """Collects the arrays of one document.

    Attributes:
        tensors: path of keys -> tensor.
    """

    def __init__(self, cursor: Cursor, limits: Limits) -> None:
        self.tensors: dict[tuple[str, ...], Tensor] = {}
        self._cursor = cursor
        self._limits = limits
        self._steps = 0

    def value(self, path: tuple[str, ...], depth: int) -> Any:
        """Reads one value; arrays are recorded under `path`, containers give None unless they are short lists."""
        self._steps += 1
        if self._steps > self._limits.operations or depth > self._limits.depth:
            raise self._cursor.fail("too many values, or nested too deeply")
        code = self._cursor.byte()
        if code < 0x80 or code >= 0xE0:
            return code if code < 0x80 else code - 256
        if code < 0x90:
            return self._mapping(code & 0x0F, path, depth)
        if code < 0xA0:
            return self._sequence(code & 0x0F, path, depth)
        if code < 0xC0:
            return self._text(code & 0x1F)
        if code in {0xC0, 0xC2, 0xC3}:
            return {0xC0: None, 0xC2: False, 0xC3: True}[code]
        if code in _FIXED:
            return self._cursor.unpack(_FIXED[code])[0]
        if code in _WIDTHS:
            length = int.from_bytes(self._cursor.take(_WIDTHS[code]), "big")
            if code <= 0xC6:
                return self._cursor.skip(length)
            if code <= 0xDB:
                return self._text(length)
            return (self._sequence if code <= 0xDD else self._mapping)(length, path, depth)
        return self._extension(code, path)

    def _mapping(self, count: int, path: tuple[str, ...], depth: int) -> Any:
        chunked: dict[str, Any] = {}
        for _ in range(count):
            key = self.value(path, depth + 1)
            if not isinstance(key, (str, int)):
                raise self._cursor.fail("a key that is no text")
            inner = self.value((*path, str(key)), depth + 1)
            if key == _CHUNKED or _CHUNKED in chunked or len(chunked) < 64:
                chunked[str(key)] = inner
        if chunked.get(_CHUNKED) is True:
            return self._joined(chunked, path)
        return chunked if 0 < count <= 64 and all(type(value) is int for value in chunked.values()) else None

    def _joined(self, chunked: Mapping[str, Any], path: tuple[str, ...]) -> None:
        """An array that is stored in pieces: its own shape, the type of its pieces."""
        sizes = chunked.get("shape")
        dtype = None
        while self.tensors and next(reversed(self.tensors))[: len(path)] == path:  # its pieces came last
            dtype = self.tensors.popitem()[1].dtype
        shape = tuple(sizes.values()) if isinstance(sizes, dict) else sizes
        if not isinstance(shape, (tuple, list)):
            raise self._cursor.fail("an array in pieces without a shape")
        self._record(path, _Array(tuple(shape), dtype))

    def _sequence(self, count: int, path: tuple[str, ...], depth: int) -> list[Any]:
        kept: list[Any] = []
        for number in range(count):
            inner = self.value((*path, str(number)), depth + 1)
            if type(inner) is int and number <= self._limits.rank:  # only shapes are wanted, not a tree of texts
                kept.append(inner)
        return kept

    def _text(self, length: int) -> str:
        if length > _LONGEST_TEXT:
            self._cursor.skip(length)
            return f"({length} bytes)"
        return self._cursor.take(length).decode("utf-8", "replace")

    def _extension(self, code: int, path: tuple[str, ...]) -> None:
        if code in _EXTENSIONS:
            length = int.from_bytes(self._cursor.take(_EXTENSIONS[code]), "big")
        elif 0xD4 <= code <= 0xD8:
            length = 1 << (code - 0xD4)
        else:
            raise self._cursor.fail(f"no MessagePack: byte 0x{code:02x}")
        kind = self._cursor.byte()
        end = self._cursor.position + length
        if kind == _ARRAY_EXTENSION:
            self._record(path, self._array(end))
        if self._cursor.position > end:
            raise self._cursor.fail("an array is longer than its extension")
        self._cursor.skip(end - self._cursor.position)

    def _array(self, end: int) -> _Array:
        """(shape, type name, bytes) inside an extension; the bytes stay unread."""
        inner = _Walk(self._cursor, self._limits)
        inner._steps = self._steps
        if self._cursor.byte() & 0xF0 != 0x90 or end - self._cursor.position < 2:
            raise self._cursor.fail("an array without shape and type")
        shape, dtype = inner.value((), 0), inner.value((), 0)
        self._steps = inner._steps
        if not isinstance(shape, list) or not isinstance(dtype, str):
            raise self._cursor.fail("an array without shape and type")
        return _Array(tuple(shape), numpy_dtype(dtype) or ("U8" if dtype == "V1" else None))

    def _record(self, path: tuple[str, ...], array: _Array) -> None:
        label = self._cursor.source.label
        name = checked_name("/".join(path), label, self._limits)
        shape = checked_shape(array.shape, name, label, self._limits)
        if array.dtype is None:
            raise refusal(label, f"array {printable(name, 80)} has an unknown type")
        if len(self.tensors) >= self._limits.tensors:
            raise too_many(label, self._limits)
        key = path or ("array",)
        self.tensors[key] = Tensor(name or "array", shape, array.dtype, bytes_of(shape, array.dtype), label)
