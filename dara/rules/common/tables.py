"""Data files beside the rules, read once when a rule first needs them."""

from __future__ import annotations

import tomllib
from functools import cache
from importlib.resources import files
from typing import Any


@cache
def table(name: str) -> dict[str, Any]:
    """A TOML table of `dara/rules/data`."""
    text = files("dara.rules").joinpath("data", f"{name}.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)


@cache
def words(kind: str) -> frozenset[str]:
    """A word list of `dara/rules/data/words.toml`."""
    return frozenset(table("words")[kind])
