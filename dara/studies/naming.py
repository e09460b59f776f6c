"""How packages are named: elements, conventions, separators, patterns."""

from __future__ import annotations

import re
from collections import Counter
from typing import Any, ClassVar, Final

from dara.studies.interface import Column, Study, Table, Value, first_rows
from dara.studies.snapshot import Snapshot
from naming.letters import LETTER_OF, LETTERS

PATTERNS: Final = 200_000
"""Different patterns that are counted; a snapshot of 100,000 packages has about 3,000."""
OTHERS: Final = "(others)"
_CATEGORY: Final = re.compile(r"[a-z]+")
_CONVENTIONS: Final = {
    "implementation": "how the model is built: architecture, size, dimensions",
    "application": "what it is for: task, data, language",
    "both": "both of them",
    "other": "neither of them",
}
_SEPARATORS: Final = {
    "-": "hyphen",
    "_": "underscore",
    ".": "dot",
    " ": "space",
    "+": "plus",
    "|": "none: elements touch",
    "?": "anything else",
}
_SHARES: Final = (Column("names", "count"), Column("share", "share"))


class _Patterns(Study):
    """Counts patterns: the categories of a name's elements with the separators between them."""

    needs: ClassVar[tuple[str, ...]] = ("pattern",)
    reads: ClassVar[tuple[str, ...]] = ("pattern",)

    def __init__(self) -> None:
        self._patterns: Counter[str] = Counter()

    def add(self, batch: Any) -> None:
        """Counts the patterns of a batch."""
        for item in batch.column("pattern").value_counts().to_pylist():
            pattern, number = item["values"], item["counts"]
            if pattern is not None:
                known = pattern in self._patterns or len(self._patterns) < PATTERNS
                self._patterns[pattern if known else OTHERS] += number

    @property
    def _names(self) -> int:
        return self._patterns.total()


class Elements(_Patterns):
    """Which elements names have: the paper's table."""

    name, title = "elements", "Naming elements in practice"

    def tables(self, snapshot: Snapshot) -> tuple[Table, ...]:
        """By the paper's letters and by our finer categories."""
        del snapshot
        letters, categories, lengths = Counter[str](), Counter[str](), Counter[int]()
        for pattern, number in self._patterns.items():
            own = [word for word in _CATEGORY.findall(pattern) if word in LETTER_OF] if pattern != OTHERS else []
            lengths[min(len(own), 10)] += number
            for word in set(own):
                categories[word] += number
            for letter in {LETTER_OF[word] for word in set(own)}:
                letters[letter] += number
        ranked = sorted(categories.items(), key=lambda item: (-item[1], item[0]))
        return (
            Table(
                "elements",
                "Share of names in which an element occurs",
                (Column("letter"), Column("element"), *_SHARES),
                tuple((sign, meaning, *self._share(letters[sign])) for sign, meaning in LETTERS.items()),
                f"{self._names:,} names. Letters as in arXiv 2310.01642, read by rules instead of a language model.",
            ),
            Table(
                "categories",
                "The same by our categories",
                (Column("category"), Column("letter"), *_SHARES),
                tuple((word, LETTER_OF[word], *self._share(number)) for word, number in ranked),  # type: ignore[index]
            ),
            Table(
                "lengths",
                "Number of elements in a name",
                (Column("elements"), *_SHARES),
                tuple((f"{n}" if n < 10 else "10 or more", *self._share(lengths[n])) for n in sorted(lengths)),
            ),
        )

    def _share(self, number: int) -> tuple[Value, ...]:
        return (number, number / self._names if self._names else 0.0)


class Conventions(_Patterns):
    """Which kind of information names put forward, and how it is put together."""

    name, title = "conventions", "Naming conventions"
    needs = ("convention", "pattern")
    reads = ("convention", "pattern")

    def __init__(self) -> None:
        super().__init__()
        self._conventions: Counter[str] = Counter()

    def add(self, batch: Any) -> None:
        """Counts the conventions and patterns of a batch."""
        super().add(batch)
        for item in batch.column("convention").value_counts().to_pylist():
            if item["values"] is not None:
                self._conventions[item["values"]] += item["counts"]

    def tables(self, snapshot: Snapshot) -> tuple[Table, ...]:
        """Conventions, separators, and the most frequent patterns."""
        del snapshot
        total = self._conventions.total() or 1
        separators, mixed = Counter[str](), 0
        for pattern, number in self._patterns.items():
            if pattern == OTHERS:
                continue
            own = {sign for text in re.split(_CATEGORY, pattern) for sign in text}
            mixed += number if len(own - {"|"}) > 1 else 0
            for sign in own:
                separators[sign] += number
        names = self._names or 1
        ranked = sorted(self._patterns.items(), key=lambda item: (-item[1], item[0]))
        rows, left_out = first_rows([(pattern, number, number / names) for pattern, number in ranked])
        return (
            Table(
                "conventions",
                "What names tell",
                (Column("convention"), Column("meaning"), *_SHARES),
                tuple(
                    (c, text, self._conventions[c], self._conventions[c] / total) for c, text in _CONVENTIONS.items()
                ),
            ),
            Table(
                "separators",
                "What stands between the elements",
                (Column("separator"), *_SHARES),
                (
                    *((text, separators[sign], separators[sign] / names) for sign, text in _SEPARATORS.items()),
                    ("several kinds in one name", mixed, mixed / names),
                ),
                "A name counts once for each kind of separator in it.",
            ),
            Table("patterns", "Most frequent patterns", (Column("pattern"), *_SHARES), rows, "", left_out),
        )
