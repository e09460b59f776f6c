"""Messages about files and names that come from strangers."""

from __future__ import annotations

from clustering.errors import ReaderError
from clustering.text import escape

SHOWN = 120
"""Characters of a foreign text that a message repeats."""


def printable(text: object, limit: int = SHOWN) -> str:
    """`text` on one line, control characters (and bidirectional marks) escaped, cut after `limit` characters."""
    return escape(text if isinstance(text, str) else repr(text), limit)


def refusal(label: str, cause: str) -> ReaderError:
    """The error for a file: its label and the cause, on one line."""
    return ReaderError(f"{printable(label, 300)}: {printable(cause, 400)}")
