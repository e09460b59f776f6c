"""Bags of tokens of one graph: what the vectors of clusters are made of.

Three channels, free of sizes: *shapes*, the multiset of symbolic shapes (`clustering.family.tokens`); *order*, runs of
two and three symbolic shapes in definition order; *names*, the tensor vocabulary without containers and indices.
Repeated blocks count once.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from clustering.family.tokens import SMALL, main_width
from clustering.graphs.fold import fold
from clustering.graphs.layers import fold_tied, parameters_of
from clustering.tensors import TensorListing

_TAIL = 3
_RUNS = (2, 3)
_VOCABULARY = 16
MAX_RUNS = 20_000
"""Parameters whose runs are counted; a mixture of experts repeats itself long before."""

Shape = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class GraphSignature:
    """Bags of tokens of one graph; small, so that a whole snapshot fits into memory."""

    shapes: tuple[tuple[str, float], ...]
    order: tuple[tuple[str, float], ...]
    names: tuple[tuple[str, float], ...]


def signature(listing: TensorListing) -> GraphSignature:
    """The bags of a listing; all but `names` are empty for an index without shapes."""
    parameters = fold_tied(parameters_of(listing))
    names = sorted({parameter.star for parameter in parameters})
    if listing.names_only:
        return GraphSignature((), (), _tails(names))
    shapes = [parameter.shape for parameter in parameters]
    return GraphSignature(_shapes(shapes), _runs(shapes), _tails(names))


def _tails(names: Iterable[str]) -> tuple[tuple[str, float], ...]:
    """Last components of the names: prefixes and heads differ between the packages of one family, the ends do not."""
    return tuple((tail, 1.0) for tail in sorted({".".join(name.split(".")[-_TAIL:]) for name in names}))


def _shapes(shapes: Sequence[Shape]) -> tuple[tuple[str, float], ...]:
    """The multiset of symbolic shapes with repeated blocks counted once: depth is no part of it."""
    width = main_width(Counter(shapes))
    numbers: dict[Shape, int] = {}
    motif = fold([numbers.setdefault(shape, len(numbers)) for shape in shapes])
    counts = Counter[str]()
    kinds = list(numbers)
    pending = [motif]
    while pending:
        part = pending.pop()
        pending += part.inner
        for number, times in part.items:
            counts["x".join(_symbol(size, width) for size in kinds[number]) or "1"] += times
    found: dict[str, float] = {}
    for text, times in counts.items():
        found[text] = 1.0
        found[f"{text}*{min(times.bit_length(), 4)}"] = 0.5  # roughly how often
    return tuple(sorted(found.items()))


def _runs(shapes: Sequence[Shape]) -> tuple[tuple[str, float], ...]:
    width = main_width(Counter(shapes))
    symbols = ["x".join(_symbol(size, width) for size in shape) or "1" for shape in shapes[:MAX_RUNS]]
    found = {
        "/".join(symbols[start : start + length]) for length in _RUNS for start in range(len(symbols) - length + 1)
    }
    return tuple((run, 1.0) for run in sorted(found))


def _symbol(size: int, width: int) -> str:
    """`H` the main width, `W` wider, `V` a vocabulary, `w` narrower; small sizes as they are."""
    if size <= SMALL:
        return str(size)
    return "H" if size == width else "w" if size < width else "W" if size <= _VOCABULARY * width else "V"
