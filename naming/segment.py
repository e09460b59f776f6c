"""A piece of a name with what is known of it."""

from __future__ import annotations

from typing import Any

from naming.lexicon import Entry


class Segment:
    """A piece of the name with its candidate meanings, and what the resolver made of it."""

    __slots__ = (
        "behind", "category", "chunk", "end", "entries", "entry", "fused", "key", "kind", "note", "role", "start",
        "text", "token", "value",
    )  # fmt: skip

    def __init__(
        self, repo: str, start: int, end: int, key: str, kind: str, entries: tuple[Entry, ...], chunk: int
    ) -> None:
        self.start = start
        self.end = end
        self.key = key
        """Folded text without separators."""
        self.kind = kind
        """Shape of a numeric item, `word` for anything else."""
        self.entries = entries
        self.chunk = chunk
        """Number of the first separator-free chunk that the segment lies in."""
        self.text = repo[start:end]
        self.token = 0
        self.behind = 0
        """Places of the first token in the document and of the one behind the last."""
        self.category = ""
        self.value: Any = None
        self.role = ""
        self.entry: Entry | None = None
        """The meaning that the resolver chose."""
        self.fused = False
        """Whether a family's name was found inside a longer word."""
        self.note = ""
