"""Names by what they have in common: texts with numbers between them.

A mixture of 671 billion parameters has 90,000 tensor names in forty patterns. What is worked out once per pattern, and
with all numbers at a time, costs next to nothing; name by name it takes a second.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

MOST_NUMBERS = 16
"""Numbers of a name that are told apart; what follows the last is text, digits and all."""
_DIGITS = re.compile(r"(\d{1,9})")
_RUN = re.compile(rb"\d+")
_LONGEST_RUN = 9
_FEW = 8
"""Names of one length and pattern that are split one by one rather than together."""
_ALIKE = bytes.maketrans(b"123456789", b"000000000")

Texts = tuple[str, ...]
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Patterns:
    """What a sequence of names is made of; name n is `texts[of[n]]` with `numbers[n]` between them."""

    texts: list[Texts]
    """Per pattern the texts before, between and after the numbers; one more than there are numbers."""
    of: NDArray[np.int32]
    """(names,) number of the pattern."""
    numbers: NDArray[np.int32]
    """(names, most numbers of a pattern); -1 where a name has fewer."""

    def take(self, rows: NDArray[Any]) -> Patterns:
        """The same of some of the names."""
        return Patterns(self.texts, self.of[rows], self.numbers[rows])


def coded(values: Sequence[_T]) -> tuple[list[_T], NDArray[np.int32]]:
    """The different values in order of appearance, and the number of each value, int (values,)."""
    table = {value: number for number, value in enumerate(dict.fromkeys(values))}
    return list(table), np.fromiter(map(table.__getitem__, values), np.int32, len(values))


def patterns_of(names: Sequence[str]) -> Patterns:
    """Splits names, those of one pattern together."""
    table: dict[Texts, int] = {}
    of = np.zeros(len(names), dtype=np.int32)
    together, rest = _together(names)
    for rows, texts, _ in together:
        of[rows] = table.setdefault(texts, len(table))
    found: list[list[int]] = []
    for row in rest:
        texts, numbers = _split(names[row])
        of[row] = table.setdefault(texts, len(table))
        found.append(numbers)
    most = max((len(texts) - 1 for texts in table), default=0)
    matrix = np.full((len(names), most), -1, dtype=np.int32)
    for rows, _, values in together:
        for place, column in enumerate(values):
            matrix[rows, place] = column
    if rest and most:
        matrix[rest] = [numbers + [-1] * (most - len(numbers)) for numbers in found]
    return Patterns(list(table), of, matrix)


def _split(name: str) -> tuple[Texts, list[int]]:
    pieces = _DIGITS.split(name, maxsplit=MOST_NUMBERS)
    return tuple(pieces[::2]), [int(piece) for piece in pieces[1::2]]


def _together(names: Sequence[str]) -> tuple[list[tuple[NDArray[np.int64], Texts, list[NDArray[np.int32]]]], list[int]]:
    """Names that differ in digits only: rows, texts and numbers; and the rows that must be split one by one."""
    text = "\n".join(names)
    if not names or not text.isascii() or text.count("\n") != max(0, len(names) - 1):
        return [], list(range(len(names)))
    blob = text.encode()
    kinds, kind_of = coded(blob.translate(_ALIKE).split(b"\n"))
    order = np.argsort(kind_of.astype(np.uint16 if len(kinds) < 1 << 16 else np.int32), kind="stable")
    ends = np.cumsum(np.bincount(kind_of))
    letters = np.frombuffer(blob, dtype=np.uint8)
    starts = np.concatenate(([0], np.flatnonzero(letters == ord("\n")) + 1))
    found: list[tuple[NDArray[np.int64], Texts, list[NDArray[np.int32]]]] = []
    rest: list[int] = []
    for number, (kind, end) in enumerate(zip(kinds, ends.tolist(), strict=True)):
        rows = order[ends[number - 1] if number else 0 : end]
        runs = [run.span() for run in _RUN.finditer(kind)]
        if len(rows) < _FEW or len(runs) > MOST_NUMBERS or any(stop - start > _LONGEST_RUN for start, stop in runs):
            rest += rows.tolist()
            continue
        first = starts[rows]
        values: list[NDArray[np.int32]] = []
        for start, stop in runs:
            value = np.zeros(len(rows), dtype=np.int32)
            for place in range(start, stop):
                value = value * 10 + (letters[first + place] - np.uint8(ord("0")))
            values.append(value)
        found.append((rows, _split(names[int(rows[0])])[0], values))
    return found, rest


def natural_order(texts: Sequence[Texts], of: NDArray[Any], numbers: NDArray[Any]) -> NDArray[np.int64]:
    """The permutation that sorts by text and number by turns, numbers by their value; equal ones stay in order.

    Args:
        texts: per pattern the texts before, between and after its numbers.
        of: (names,) number of the pattern.
        numbers: (names, most numbers of a pattern).
    """
    keys: list[NDArray[Any]] = []
    for place in range(max(map(len, texts), default=0)):
        at = [pattern[place] if place < len(pattern) else None for pattern in texts]
        ranks = {text: rank for rank, text in enumerate(sorted({text for text in at if text is not None}))}
        if len(ranks) > 1 or None in at:
            keys.append(np.array([-1 if text is None else ranks[text] for text in at], dtype=np.int32)[of])
        if place < numbers.shape[1]:
            keys.append(numbers[:, place])
    if not keys:
        return np.arange(len(of))
    return np.lexsort(keys[::-1])
