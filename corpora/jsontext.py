"""JSON written by strangers, read within bounds."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from clustering.text import escape
from corpora.errors import DamagedFileError

MAX_DEPTH: Final = 64
"""Nesting levels; real configurations have fewer than ten, composites of composites fewer than twenty."""

MAX_VALUES: Final = 1_000_000
"""Values in one document, bounding memory; the index of a 671B mixture of experts has 92,000."""

_MAX_NOTES: Final = 20


@dataclass(frozen=True, slots=True)
class JsonDocument:
    """A parsed document and what was odd about it."""

    value: Any
    """Plain Python values. NaN and infinities are kept as floats, since real configurations contain them."""
    notes: tuple[str, ...] = ()
    """Duplicate keys (the last one counts, as for every reader) and numbers that JSON does not have."""


class _Notes:
    """Hooks of the parser that note what is odd."""

    def __init__(self) -> None:
        self.found: dict[str, None] = {}

    def _add(self, text: str) -> None:
        if len(self.found) < _MAX_NOTES:
            self.found.setdefault(text)

    def to_dict(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        """Builds one object; the last of several equal keys counts."""
        result = dict(pairs)
        if len(result) < len(pairs):
            seen: set[str] = set()
            for key, _ in pairs:
                if key in seen:
                    self._add(f"duplicate key {escape(key, 80)}")
                seen.add(key)
        return result

    def constant(self, text: str) -> float:
        """NaN and infinities."""
        self._add(f"{text} is not a number in JSON")
        return float(text)


def _depth(value: Any) -> int:
    """Nesting levels of a parsed document, without recursion."""
    depth = 0
    level: list[Any] = [value]
    while level and depth <= MAX_DEPTH:
        following: list[Any] = []
        nested = False
        for item in level:
            children: Iterable[Any]
            if isinstance(item, dict):
                children = item.values()
            elif isinstance(item, list):
                children = item
            else:
                continue
            nested = True
            following.extend(child for child in children if isinstance(child, dict | list))
        depth += nested
        level = following
    return depth


def _decode(data: bytes, label: str) -> str:
    try:
        text = data.decode(json.detect_encoding(data))
    except UnicodeDecodeError as error:
        msg = f"{label}: not text in UTF-8 (byte {error.start}); save the file as UTF-8"
        raise DamagedFileError(msg) from error
    return text.removeprefix("\ufeff")


def parse_json(data: bytes, label: str) -> JsonDocument:
    """Parses a document within bounds of depth, number of values and length of numbers.

    Args:
        data: the whole file.
        label: how to call the file in messages; has to be free of control characters.

    Raises:
        DamagedFileError: with line and column where the parser stopped.
    """
    if data.count(b",") + data.count(b"[") + data.count(b"{") > MAX_VALUES:
        msg = f"{label}: more than {MAX_VALUES:,} values; not read"
        raise DamagedFileError(msg)
    notes = _Notes()
    text = _decode(data, label)
    try:
        value = json.loads(text, object_pairs_hook=notes.to_dict, parse_constant=notes.constant)
    except json.JSONDecodeError as error:
        msg = f"{label}: not JSON: {error.msg} at line {error.lineno}, column {error.colno}"
        raise DamagedFileError(msg) from error
    except RecursionError as error:
        msg = f"{label}: nested more than {MAX_DEPTH} levels deep; not read"
        raise DamagedFileError(msg) from error
    except ValueError as error:  # an integer of thousands of digits
        msg = f"{label}: a number is too long; not read"
        raise DamagedFileError(msg) from error
    if _depth(value) > MAX_DEPTH:
        msg = f"{label}: nested more than {MAX_DEPTH} levels deep; not read"
        raise DamagedFileError(msg)
    return JsonDocument(value, tuple(notes.found))
