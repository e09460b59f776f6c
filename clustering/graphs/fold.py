"""Folding of repeated blocks: a sequence of shapes as a nested multiset of motifs, without looking at names.

A transformer of 12 layers and one of 24 differ in how often one stretch of shapes repeats. Folding replaces the
repetition by one copy of the stretch. Order inside a motif is dropped, so a motif is a multiset: names, where there
are any, have put the blocks together (`clustering.graphs.order`), and what stands first inside one says nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

MIN_PERIOD = 5
"""Shorter stretches that repeat a few times are layers inside a block (query, key, value, output): kept as they are."""
MANY = 6
"""From this many repetitions on, shorter stretches and those inside a block are folded too: experts, branches. A
stretch of one symbol never is: how many equal vectors stand side by side depends on the order inside a block."""
_GAPS = 8
_PERIODS = 64
_MAX_DEPTH = 6


@dataclass(frozen=True, slots=True)
class Motif:
    """A multiset of symbols with the motifs repeated inside it."""

    items: tuple[tuple[int, int], ...]
    """(symbol, how often), ascending."""
    inner: tuple[Motif, ...]
    """Repeated stretches, each once, in canonical order."""

    @property
    def size(self) -> int:
        """Symbols left after folding, with their counts."""
        return sum(count for _, count in self.items) + sum(motif.size for motif in self.inner)


@dataclass(frozen=True, slots=True)
class _Run:
    start: int
    period: int
    times: int

    @property
    def stop(self) -> int:
        return self.start + self.period * self.times


def _periods(sequence: NDArray[np.int64]) -> list[int]:
    """Likely periods: distances between occurrences of one symbol, the most frequent first."""
    order = np.argsort(sequence, kind="stable")
    symbols = sequence[order]
    gaps: Counter[int] = Counter()
    for step in range(1, min(_GAPS, len(order) - 1) + 1):
        same = symbols[step:] == symbols[:-step]
        values, counts = np.unique((order[step:] - order[:-step])[same], return_counts=True)
        for value, number in zip(values.tolist(), counts.tolist(), strict=True):
            gaps[value] += number
    ranked = sorted(gaps.items(), key=lambda item: (-item[0] * item[1], item[0]))
    return [period for period, _ in ranked[:_PERIODS] if period <= len(sequence) // 2]


def _longest(sequence: NDArray[np.int64], period: int) -> tuple[int, int]:
    """Start and length of the longest stretch with s[i] == s[i + period]."""
    same = np.concatenate(([False], sequence[period:] == sequence[:-period], [False]))
    edges = np.flatnonzero(same[1:] != same[:-1])
    if not len(edges):
        return 0, 0
    starts, stops = edges[::2], edges[1::2]
    best = int(np.argmax(stops - starts))
    return int(starts[best]), int(stops[best] - starts[best])


def _best_run(sequence: NDArray[np.int64], *, inside: bool) -> _Run | None:
    """The longest repetition. Inside a motif only many repetitions count: a decoder block holds its attention twice."""
    best: tuple[int, int, _Run] | None = None
    for period in _periods(sequence):
        start, length = _longest(sequence, period)
        times = (length + period) // period
        if times < 2 or (times < MANY and (inside or period < MIN_PERIOD)):
            continue
        if (sequence[start : start + period] == sequence[start]).all():
            continue
        if best is None or (length, -period) > (best[0], -best[1]):
            best = (length, period, _Run(start, period, times))
    return best[2] if best else None


def fold(sequence: Sequence[int] | NDArray[np.int64]) -> Motif:
    """The nested multiset of a sequence of symbols."""
    return _fold(np.asarray(sequence, dtype=np.int64), 0)


def _fold(sequence: NDArray[np.int64], depth: int) -> Motif:
    loose: Counter[int] = Counter()
    inner: list[Motif] = []
    pending = [sequence]
    while pending:
        part = pending.pop()
        run = _best_run(part, inside=depth > 0) if len(part) >= 2 and depth < _MAX_DEPTH else None
        if run is None:
            loose.update(part.tolist())
            continue
        inner.append(_fold(part[run.start : run.start + run.period], depth + 1))
        pending += [part[: run.start], part[run.stop :]]
    return Motif(tuple(sorted(loose.items())), tuple(sorted(inner, key=_key)))


def _key(motif: Motif) -> str:
    return repr(motif)
