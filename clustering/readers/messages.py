"""Messages about files and names that come from strangers."""

from __future__ import annotations

from clustering.errors import NoWeightsError, ReaderError
from clustering.text import escape

SHOWN = 120
"""Characters of a foreign text that a message repeats."""


def printable(text: object, limit: int = SHOWN) -> str:
    """`text` on one line, control characters (and bidirectional marks) escaped, cut after `limit` characters."""
    if not isinstance(text, (str, int, float, type(None))):
        text = f"({type(text).__name__})"  # the text of a container could be as long and deep as its maker liked
    return escape(str(text), limit)


def refusal(label: str, cause: str) -> ReaderError:
    """The error for a file: its label and the cause, on one line."""
    return ReaderError(f"{printable(label, 300)}: {printable(cause, 400)}")


def no_weights(label: str, cause: str) -> NoWeightsError:
    """The error for a sound file without weights."""
    return NoWeightsError(f"{printable(label, 300)}: {printable(cause, 400)}")
