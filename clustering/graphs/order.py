"""The order in which tensors are folded, whatever the order in which a file keeps them.

A module lists its tensors as they were defined, a safetensors file sorted by name, a pickle as they were saved, a
header that a tool rewrote in any order. What none of this changes is which tensors belong together, and that the names
tell: those of one block begin alike. Sorted by name, block 2 before block 10, the blocks are contiguous again.

Names say where a tensor stands, never what it is: any other names that sort the same way give the same order. Where
sorting would tear blocks apart that the stored order keeps together (names are hashes, or have been shuffled), the
stored order is taken.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from clustering.columns import appearing
from clustering.graphs.fold import Motif, fold
from clustering.graphs.parameters import Parameter, Parameters
from clustering.patterns import natural_order

SPEAKING = 0.4
"""The stored order is preferred where it folds to less than this part of what the order of names folds to. For names of
classes of the reference corpus the smallest such part is 0.46 (lists of equal layers, each kind in a list of its own,
told in order of use); random names do not fold at all."""
_DIGITS = re.compile(r"(\d{1,9})")

Shape = tuple[int, ...]


@lru_cache(maxsize=16_384)
def _segments(star: str) -> tuple[tuple[str | int, ...], ...]:
    """Text and numbers of a starred name between its indices; each segment begins and ends with a text."""
    segments: list[tuple[str | int, ...]] = []
    for part in star[:512].split("*"):
        pieces: list[str | int] = list(_DIGITS.split(part))
        pieces[1::2] = map(int, pieces[1::2])
        segments.append(tuple(pieces))
    return tuple(segments)


@lru_cache(maxsize=16_384)
def _key(star: str) -> tuple[tuple[str, ...], tuple[int, ...]]:
    """What a starred name is sorted by: texts, and the numbers between them; `~n` stands for the nth index."""
    first, *others = _segments(star)
    key = list(first)
    for place, segment in enumerate(others):
        key.append(~place)
        key += segment
    return tuple(key[::2]), tuple(key[1::2])  # type: ignore[arg-type]  # texts and numbers by turns


def name_order(parameters: Sequence[Parameter]) -> NDArray[np.int64]:
    """The permutation that sorts parameters by name, numbers by their value; containers play no part."""
    columns = Parameters.of(parameters)
    keys = [_key(star) for star in columns.stars]
    most = max((len(slots) for _, slots in keys), default=0)
    padded = [(*slots, *[0] * (most - len(slots))) for _, slots in keys]
    slots = np.array(padded, dtype=np.int64).reshape(len(keys), most)
    indices = np.pad(columns.indices, ((0, 0), (0, 1)), constant_values=-1)
    last = indices.shape[1] - 1
    numbers = np.empty((len(columns), most), dtype=np.int64)
    for place in range(most):
        slot = slots[columns.star_of, place]
        index = np.minimum(np.where(slot < 0, ~slot, last), last)
        numbers[:, place] = np.where(slot < 0, indices[np.arange(len(columns)), index], slot)
    return natural_order([texts for texts, _ in keys], columns.star_of, numbers)


def folded(parameters: Sequence[Parameter]) -> tuple[Motif, list[Shape]]:
    """The motif of a model's shapes, and the shape of every symbol in it."""
    columns = Parameters.of(parameters)
    stored = columns.shape_of
    named = stored[name_order(columns)]
    first, _ = appearing(named)
    shapes = named[first]
    symbols = np.zeros(len(columns.shapes), dtype=np.int64)
    symbols[shapes] = np.arange(len(shapes))
    motif = fold(symbols[named])
    if (stored != named).any():
        other = fold(symbols[stored])
        if other.size < SPEAKING * motif.size:
            motif = other
    return motif, [columns.shapes[shape] for shape in shapes.tolist()]
