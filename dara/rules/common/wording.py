"""Numbers and lists as people write them in messages."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from clustering.text import escape

_SUFFIXES = ((1e12, "T"), (1e9, "B"), (1e6, "M"), (1e3, "K"))


def short_number(value: float) -> str:
    """A count with three significant digits and the suffix people use: 6.74B, 125M, 768."""
    for size, suffix in _SUFFIXES:
        if abs(value) >= size * 0.9995:
            return f"{value / size:.3g}{suffix}"
    return f"{value:.3g}"


def quoted(text: Any) -> str:
    """Foreign text in quotation marks, on one line, safe to show."""
    return f'"{escape(str(text))}"'


def claimed(value: Any, text: str) -> str:
    """What a claim says, with the name's words where they are others: `"roberta"`, `bert ("ClinicalBERT")`."""
    shown = escape(str(value))
    plain = shown.lower().replace("_", "-") == escape(text).lower().replace("_", "-")
    return quoted(text) if plain else f"{shown} ({quoted(text)})"


def listed(items: Iterable[Any], conjunction: str = "or", limit: int = 4) -> str:
    """`a, b or c`; a long list ends with how many more there are."""
    words = [escape(str(item)) for item in items]
    if len(words) > limit:
        words = [*words[: limit - 1], f"{len(words) - limit + 1} more"]
    if len(words) < 2:
        return "".join(words)
    return f"{', '.join(words[:-1])} {conjunction} {words[-1]}"
