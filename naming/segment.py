"""A piece of a name with what is known of it."""

from __future__ import annotations

from typing import Any

from naming.lexicon import Entry


class Segment:
    """A piece of the name with its candidate meanings, and what the resolver made of it.

    What the resolver decides is a class attribute until it does: a name has half a dozen segments, and setting the
    defaults of each would be a third of the time that making them takes.
    """

    category = ""
    value: Any = None
    role = ""
    entry: Entry | None = None
    """The meaning that the resolver chose."""
    fused = False
    """Whether a family's name was found inside a longer word."""
    note = ""

    def __init__(self, start: int, end: int, text: str, key: str, kind: str, entries: tuple[Entry, ...]) -> None:
        self.start = start
        self.end = end
        self.text = text
        """The segment as written."""
        self.key = key
        """Folded text without separators."""
        self.kind = kind
        """Shape of a numeric item, `word` for anything else."""
        self.entries = entries
