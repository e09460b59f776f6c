"""Written quantities as values: counts with units, versions, context lengths."""

from __future__ import annotations

import re
from functools import lru_cache

_NUMBER = re.compile(r"\d+(?:\.\d+)?")
REMEMBERED = 4096
"""Written quantities whose values are remembered: there are few of them."""
_UNITS = {"k": 1_000, "m": 1_000_000, "b": 1_000_000_000, "t": 1_000_000_000_000}


@lru_cache(maxsize=REMEMBERED)
def count(text: str) -> int:
    """Read a number with a unit: `1.3b`, `6_9b`, `7b1`, `410m`.

    Raises:
        ValueError: the text holds no number.
    """
    joined = re.fullmatch(r"(\d{1,3})b(\d{1,2})", text)
    if joined:
        return round(float(f"{joined[1]}.{joined[2]}") * 1e9)
    plain = text.replace("_", ".").lstrip("ae")
    found = _NUMBER.match(plain)
    if found is None:
        raise ValueError(f"no number in {text!r}")
    unit = plain[found.end() : found.end() + 1]
    return round(float(found[0]) * _UNITS.get(unit, 1))


@lru_cache(maxsize=REMEMBERED)
def version_value(text: str) -> str:
    """A written version without its `v`: `v1_5` and `v1-5` are 1.5, ControlNet's `v11p` is 1.1."""
    production = re.fullmatch(r"v(\d)(\d)p", text)
    if production:
        return f"{production[1]}.{production[2]}"
    value = re.sub(r"^(?:version|ver|v|rev|release)[-_.]?", "", text)
    value = re.sub(r"(?<=\d)[-_p](?=\d)", ".", value)
    return value.strip("-_.")


def context_length(text: str) -> int:
    """Tokens that a length stands for: k is 1,024 for powers of two, else 1,000; m is a million."""
    number = digits_of(text)
    if text.endswith("k"):
        return number * (1024 if number & (number - 1) == 0 else 1000)
    if text.endswith("m"):
        return number * 1_000_000
    return number


@lru_cache(maxsize=REMEMBERED)
def digits_of(text: str) -> int:
    """The first number in a text; 0 when there is none."""
    found = re.search(r"\d+", text)
    return int(found[0][:18]) if found else 0
