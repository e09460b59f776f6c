"""safetensors: eight bytes of length, a JSON header, then data that is never read.

Format: https://github.com/huggingface/safetensors#format. The checks are those of the reference implementation (one
JSON object, known element types, ranges that cover the data without a gap), except that two tensors with exactly the
same range count as shared instead of as an error.
"""

from __future__ import annotations

import json
from collections import Counter
from itertools import groupby, pairwise
from typing import Any, NoReturn

from clustering.bytesource import ByteSource
from clustering.errors import ReaderError
from clustering.readers.limits import Limits
from clustering.readers.messages import no_weights, printable, refusal
from clustering.readers.shapes import BITS, bytes_of, checked_name, checked_shape, too_many
from clustering.tensors import Tensor, TensorListing

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
        del raw
        tensors: list[Tensor] = []
        ranges: list[tuple[int, int, str]] = []
        for name, entry in entries.items():
            tensor, begin, end = _plain(name, entry, label, limits) or _tensor(name, entry, label, limits)
            tensors.append(tensor)
            ranges.append((begin, end, name))
        _check_cover(ranges, label, None if source.size is None else source.size - start)
        if not tensors:
            raise no_weights(label, "holds no tensors")
        return TensorListing(tuple(_by_name(tensors)), self.format, (label,), metadata, bytes_read=start)


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


def _parse(raw: bytes, label: str, limits: Limits) -> tuple[dict[str, Any], dict[str, str]]:
    # Counted before parsing: a header of 25 MB of "[[],[],..." would become 700 MB of lists, one with 1,900,000 entries
    # in `__metadata__` 300 MB of texts.
    if (
        raw.count(b"{") > limits.tensors + 2
        or raw.count(b"[") > 2 * limits.tensors
        or raw.count(b",") > COMMAS_PER_TENSOR * limits.tensors
        or raw.count(b'"') > QUOTES_PER_TENSOR * limits.tensors
    ):
        raise too_many(label, limits)
    document = _json(raw, label)
    declared = document.pop("__metadata__", {})
    if not isinstance(declared, dict) or not all(isinstance(value, str) for value in declared.values()):
        raise refusal(label, "__metadata__ is no table of texts")
    # A key that occurs twice makes the table shorter than the text; looking at every pair costs twice the time.
    if raw.count(b'"dtype"') != len(document) or raw.count(b'"shape"') != len(document):
        _json(raw, label, unique=True)
    return document, declared


def _json(raw: bytes, label: str, *, unique: bool = False) -> dict[str, Any]:
    try:
        text = raw.decode("utf-8")
        document = json.loads(text, object_pairs_hook=_unique if unique else None, parse_constant=_no_constant)
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


def _plain(name: str, entry: object, label: str, limits: Limits) -> tuple[Tensor, int, int] | None:
    """A tensor of whole bytes without any irregularity; None leaves it to the checks one by one, which name the fault.

    A mixture of experts has 100,000 tensors; this is what keeps reading it under a second.
    """
    if type(entry) is not dict or len(entry) != 3 or len(name) > limits.name_length:
        return None
    try:
        dtype, sizes, (begin, end) = entry["dtype"], entry["shape"], entry["data_offsets"]
        total = BITS[dtype]
        for size in sizes:
            if type(size) is not int or size < 1:
                return None
            total *= size
    except (KeyError, TypeError, ValueError):
        return None
    if type(sizes) is not list or type(begin) is not int or type(end) is not int or begin < 0:
        return None
    if total != 8 * (end - begin) or total > limits.elements or len(sizes) > limits.rank:
        return None
    return Tensor(name, tuple(sizes), dtype, end - begin, label, f"{label}#{begin}:{end}"), begin, end


def _tensor(name: str, entry: object, label: str, limits: Limits) -> tuple[Tensor, int, int]:
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
    storage = f"{label}#{begin}:{end}" if end > begin else None
    return Tensor(name, shape, dtype, end - begin, label, storage), begin, end


def _by_name(tensors: list[Tensor]) -> list[Tensor]:
    """Undoes the reference writer's order: types first, widest first, so that layers of two types are torn apart."""
    runs = [dtype for dtype, _ in groupby(tensor.dtype for tensor in tensors)]
    if len(runs) == 1 or len(runs) != len(set(runs)):
        return tensors
    for before, after in pairwise(tensors):
        if before.dtype == after.dtype and before.name > after.name:
            return tensors
    return sorted(tensors, key=lambda tensor: tensor.name)


def _check_cover(ranges: list[tuple[int, int, str]], label: str, available: int | None) -> None:
    """Ranges must follow each other without a gap and fill the file."""
    ranges.sort()
    reached = 0
    previous: tuple[int, int] | None = None
    for begin, end, name in ranges:
        if (begin, end) == previous:
            continue
        if begin != reached:
            what = "overlaps another" if begin < reached else "leaves a gap before it"
            raise refusal(label, f"tensor {printable(name, 80)} {what}")
        reached, previous = end, (begin, end)
    if available is not None and reached != available:
        raise refusal(label, f"header describes {reached} bytes of data, the file has {available}")


class _DuplicateKeyError(Exception):
    """Carries the key."""


def _no_constant(text: str) -> NoReturn:
    raise ValueError(f"{text} is no number")
