"""What a package's name says: components with offsets, and the claims built from them.

`parse_name` reads one name, `parse_names` a stream. spaCy is imported on first use, not when this package is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from naming.errors import LexiconError, NameRefused
from naming.records import Claim, Component, Convention, ParsedName

if TYPE_CHECKING:
    from naming.language import parse_name, parse_names, pipeline

__all__ = [
    "Claim", "Component", "Convention", "LexiconError", "NameRefused", "ParsedName", "parse_name", "parse_names",
    "pipeline",
]  # fmt: skip

_LAZY = frozenset(["parse_name", "parse_names", "pipeline"])


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        import importlib

        return getattr(importlib.import_module("naming.language"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
