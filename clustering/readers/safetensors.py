"""safetensors: eight bytes of length, a JSON header, then data that is never read.

Format: https://github.com/huggingface/safetensors#format. The checks are those of the reference implementation (one
JSON object, known element types, ranges that cover the data without a gap), except that two tensors with exactly the
same range count as shared instead of as an error.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from itertools import chain, pairwise
from math import prod
from typing import Any, NoReturn

import msgspec
import numpy as np

from clustering.bytesource import ByteSource
from clustering.columns import Columns, appearing
from clustering.errors import ReaderError
from clustering.patterns import coded
from clustering.readers.limits import Limits
from clustering.readers.messages import no_weights, printable, refusal
from clustering.readers.shapes import BITS, bytes_of, checked_name, checked_shape, too_many
from clustering.tensors import TensorListing

FIRST_READ = 16_384
"""Read at once with the length: most headers of a shard fit, so that one request is enough."""
COMMAS_PER_TENSOR = 12
QUOTES_PER_TENSOR = 12
"""A tensor's entry has ten quotation marks; those of `__metadata__`, which may hold whole JSON texts, count as well."""
_KEYS = {"dtype", "shape", "data_offsets"}


class SafetensorsReader:
    """Reads `*.safetensors`."""

    format = "safetensors"

    def matches(self, path: str) -> bool:
        """By suffix."""
        return path.lower().endswith(".safetensors")

    def read(self, source: ByteSource, limits: Limits) -> TensorListing:
        """The tensors in header order; sorted by name where the writer sorted by type and then by name."""
        label = source.label
        raw, start = _header(source, limits)
        entries, metadata = _parse(raw, label, limits)
        columns = _columns(entries, label, limits)
        if columns is None:
            entries, metadata = _one_by_one(raw, label, limits)
            columns = _columns(entries, label, limits)
        del raw
        if columns is None:
            raise no_weights(label, "holds no tensors")
        _check_cover(columns, label, None if source.size is None else source.size - start)
        return TensorListing(_by_name(columns), self.format, (label,), metadata, bytes_read=start)


def _header(source: ByteSource, limits: Limits) -> tuple[bytes, int]:
    """The JSON text and where the data begins."""
    first = source.read(0, FIRST_READ)
    if len(first) < 8:
        raise refusal(source.label, "too short for a safetensors file")
    length = int.from_bytes(first[:8], "little")
    if length > limits.header_bytes:
        raise refusal(source.label, f"header of {length} bytes is over the limit of {limits.header_bytes}")
    start = 8 + length
    if source.size is not None and start > source.size:
        raise refusal(source.label, f"header of {length} bytes in a file of {source.size}")
    raw = first[8:start]
    if len(raw) < length:
        raw += source.read(8 + len(raw), length - len(raw))
    if len(raw) < length:
        raise refusal(source.label, "ends inside its header")
    if not raw.startswith(b"{"):
        raise refusal(source.label, "header is no JSON object")
    return raw, start


class _Entry(msgspec.Struct, gc=False):
    """One tensor of a header; what is absent has a value that no tensor has. `__metadata__` is read as one too."""

    dtype: str = ""
    shape: tuple[int, ...] = (-1,)
    data_offsets: tuple[int, int] = (-1, -1)


class _Declared(msgspec.Struct):
    metadata: dict[str, str] = msgspec.field(name="__metadata__", default_factory=dict)


_ENTRIES = msgspec.json.Decoder(dict[str, _Entry])
_DECLARED = msgspec.json.Decoder(_Declared)
_TEXTS = msgspec.json.Decoder(dict[str, str])
_FIRST = b'{"__metadata__":'


def _parse(raw: bytes, label: str, limits: Limits) -> tuple[dict[str, _Entry], dict[str, str]]:
    """Tensors and metadata; no tensors where the text has anything that a plain header has not."""
    # Counted before parsing, so that no header becomes more objects than a model has.
    braces, commas = raw.count(b"{"), raw.count(b",")
    if braces > limits.tensors + 2 or commas > COMMAS_PER_TENSOR * limits.tensors:
        raise too_many(label, limits)
    try:
        entries = _ENTRIES.decode(raw)
        described = entries.pop("__metadata__", None) is not None
        metadata = _metadata(raw) if described else {}
    except (msgspec.DecodeError, RecursionError, ValueError):
        return {}, {}
    # Each table opens once, and this many commas stand in and between them. Where there are more, something is there
    # twice or besides, or a text holds them.
    ranks = Counter(map(len, [entry.shape for entry in entries.values()]))
    expected = sum((3 + max(rank, 1)) * number for rank, number in ranks.items()) - (not described)
    if braces != len(entries) + 1 + described or commas != expected + max(0, len(metadata) - 1):
        return {}, {}
    return entries, metadata


def _metadata(raw: bytes) -> dict[str, str]:
    """The table `__metadata__`; where writers put it, nothing else is looked at."""
    start = len(_FIRST)
    if raw.startswith(_FIRST):
        try:
            return _TEXTS.decode(raw[start : raw.find(b"}", start) + 1])
        except msgspec.DecodeError:
            pass  # a brace in a text, or no table of texts
    return _DECLARED.decode(raw).metadata


def _columns(entries: Mapping[str, _Entry], label: str, limits: Limits) -> Columns | None:
    """The tensors, if nothing is wrong with any."""
    if not entries or max(map(len, entries)) > limits.name_length:
        return None
    shapes, shape_of = coded([entry.shape for entry in entries.values()])
    dtypes, dtype_of = coded([entry.dtype for entry in entries.values()])
    try:
        flat = np.fromiter(chain.from_iterable([e.data_offsets for e in entries.values()]), np.int64, 2 * len(entries))
    except OverflowError:
        return None
    begins, nbytes = flat[::2], np.diff(flat)[::2]
    needed = np.full((len(shapes), len(dtypes)), -1, dtype=np.int64)
    for place in appearing(shape_of * np.int64(len(dtypes)) + dtype_of)[0].tolist():
        shape, dtype = shapes[shape_of[place]], dtypes[dtype_of[place]]
        if len(shape) <= limits.rank and min(shape, default=0) >= 0 and prod(filter(None, shape)) <= limits.elements:
            known = bytes_of(shape, dtype)
            needed[shape_of[place], dtype_of[place]] = -1 if known is None else known
    if (begins < 0).any() or (nbytes < 0).any() or (needed[shape_of, dtype_of] != nbytes).any():
        return None
    file_of = np.zeros(len(entries), dtype=np.int32)
    return Columns(list(entries), (shapes, shape_of), (dtypes, dtype_of), ([label], file_of), nbytes, begins)


def _one_by_one(raw: bytes, label: str, limits: Limits) -> tuple[dict[str, _Entry], dict[str, str]]:
    """The same with every check made by itself.

    Raises:
        ReaderError: what is wrong with the header.
    """
    # a header of 25 MB of "[[],[],..." would become 700 MB of lists, 1,900,000 entries in `__metadata__` 300 MB
    if raw.count(b"[") > 2 * limits.tensors or raw.count(b'"') > QUOTES_PER_TENSOR * limits.tensors:
        raise too_many(label, limits)
    document = _json(raw, label)
    metadata = document.pop("__metadata__", {})
    if not isinstance(metadata, dict) or not all(isinstance(value, str) for value in metadata.values()):
        raise refusal(label, "__metadata__ is no table of texts")
    entries = {name: _entry(name, entry, label, limits) for name, entry in document.items()}
    return entries, metadata


def _json(raw: bytes, label: str) -> dict[str, Any]:
    try:
        document = json.loads(raw.decode("utf-8"), object_pairs_hook=_unique, parse_constant=_no_constant)
    except _DuplicateKeyError as error:
        raise refusal(label, f"header names {printable(str(error), 80)} twice") from None
    except RecursionError:
        raise refusal(label, "header is nested too deeply") from None
    except ValueError as error:
        raise refusal(label, f"header is not JSON: {error}") from None
    if not isinstance(document, dict):
        raise refusal(label, "header is no table of tensors")
    return document


def _unique(items: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(items)
    if len(found) != len(items):
        raise _DuplicateKeyError(Counter(key for key, _ in items).most_common(1)[0][0])
    return found


def _entry(name: str, entry: object, label: str, limits: Limits) -> _Entry:
    checked_name(name, label, limits)

    def bad(cause: str) -> ReaderError:
        return refusal(label, f"tensor {printable(name, 80)} {cause}")

    if not isinstance(entry, dict) or entry.keys() != _KEYS:
        raise bad("is not described by dtype, shape and data_offsets")
    dtype, sizes, offsets = entry["dtype"], entry["shape"], entry["data_offsets"]
    if not isinstance(dtype, str) or dtype not in BITS:
        raise bad(f"has the unknown type {printable(dtype, 40)}")
    if not isinstance(sizes, list):
        raise bad("has no shape")
    shape = checked_shape(sizes, name, label, limits)
    if not isinstance(offsets, list) or len(offsets) != 2:
        raise bad("has no data_offsets")
    begin, end = offsets
    if type(begin) is not int or type(end) is not int:
        raise bad("has no data_offsets")
    if not 0 <= begin <= end:
        raise bad(f"lies at {begin} to {end}")
    needed = bytes_of(shape, dtype)
    if needed != end - begin:
        raise bad(f"needs {needed} bytes and has {end - begin}")
    return _Entry(dtype, shape, (begin, end))


def _by_name(columns: Columns) -> Columns:
    """Undoes the reference writer's order: types first, widest first, so that layers of two types are torn apart."""
    begins = np.flatnonzero(np.diff(columns.dtype_of, prepend=-1)).tolist()
    if len(begins) == 1 or len(begins) != len(set(columns.dtype_of[begins].tolist())):
        return columns
    for begin, end in pairwise([*begins, len(columns)]):
        run = columns.names[begin:end]
        if run != sorted(run):
            return columns
    return columns.by_name()


def _check_cover(columns: Columns, label: str, available: int | None) -> None:
    """Ranges must follow each other without a gap and fill the file."""
    ends = columns.ends
    begins = ends - columns.nbytes
    order = np.lexsort((ends, begins))
    begins, ends = begins[order], ends[order]
    reached = np.concatenate(([0], ends[:-1]))
    again = np.concatenate(([False], (begins[1:] == begins[:-1]) & (ends[1:] == ends[:-1])))
    for place in np.flatnonzero((begins != reached) & ~again)[:1].tolist():
        what = "overlaps another" if begins[place] < reached[place] else "leaves a gap before it"
        raise refusal(label, f"tensor {printable(columns.names[order[place]], 80)} {what}")
    if available is not None and ends[-1] != available:
        raise refusal(label, f"header describes {ends[-1]} bytes of data, the file has {available}")


class _DuplicateKeyError(Exception):
    """Carries the key."""


def _no_constant(text: str) -> NoReturn:
    raise ValueError(f"{text} is no number")
