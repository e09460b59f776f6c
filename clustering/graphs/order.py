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

from clustering.graphs.fold import Motif, fold
from clustering.graphs.layers import Parameter

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


def _key(parameter: Parameter) -> tuple[str | int, ...]:
    """Texts and numbers by turns, so that equal places hold equal types; containers play no part."""
    first, *others = _segments(parameter.star)
    if not others:
        return first
    key = list(first)
    for index, segment in zip(parameter.indices, others, strict=False):
        key.append(index)
        key += segment
    return tuple(key)


def name_order(parameters: Sequence[Parameter]) -> list[Parameter]:
    """The parameters sorted by name, numbers by their value."""
    return sorted(parameters, key=_key)


def folded(parameters: Sequence[Parameter]) -> tuple[Motif, list[Shape]]:
    """The motif of a model's shapes, and the shape of every symbol in it."""
    numbers: dict[Shape, int] = {}
    named = [parameter.shape for parameter in name_order(parameters)]
    stored = [parameter.shape for parameter in parameters]
    motif = _fold(named, numbers)
    if stored != named:
        other = _fold(stored, numbers)
        if other.size < SPEAKING * motif.size:
            motif = other
    return motif, list(numbers)


def _fold(shapes: Sequence[Shape], numbers: dict[Shape, int]) -> Motif:
    return fold([numbers.setdefault(shape, len(numbers)) for shape in shapes])
