"""Graphs as vectors: what makes two models near.

Three channels, each a bag of tokens weighted by how rare they are and scaled to unit length:

- *shapes*: the multiset of symbolic shapes (`clustering.family.tokens`), free of names, sizes and order;
- *order*: runs of two and three symbolic shapes in definition order, repeated blocks counted once;
- *names*: the tensor vocabulary, containers and indices removed.

The squared distance of two vectors is `2 * (1 - weighted mean of the channels' cosines)`: near 0 for one architecture
at any size and depth, at most 2.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from clustering.clusters.sketch import Sketch, sketch, tokens
from clustering.family.tokens import SMALL, main_width
from clustering.graphs.fold import fold
from clustering.graphs.layers import fold_tied, parameters_of
from clustering.tensors import TensorListing

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

CHANNELS = ("shapes", "order", "names")
WEIGHTS = (0.40, 0.10, 0.50)
"""Shares of the channels in the mean cosine. Names carry half: qwen2 and llama differ by three vectors, and a
file sorted by name has another order than the module; benchmarks/clusters.py measures this."""

RARITY = 0.5
"""Power of the inverse document frequency; 1 lets a rare head part two packages of one family."""

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


def vectors(signatures: Sequence[GraphSignature], weights: Sequence[float] = WEIGHTS) -> csr_matrix[Any]:
    """Rows of unit length, float64 (signatures, tokens); zero rows for empty graphs.

    The columns depend on the set of signatures, not on their order.
    """
    return sketch_vectors([sketch(item) for item in signatures], weights)


def sketch_vectors(sketches: Sequence[Sketch], weights: Sequence[float] = WEIGHTS) -> csr_matrix[Any]:
    """Rows of unit length, float64 (sketches, tokens), as `vectors`."""
    from scipy.sparse import csr_matrix, hstack

    blocks = [
        _channel([getattr(item, channel) for item in sketches], weight**0.5)
        for channel, weight in zip(CHANNELS, weights, strict=True)
    ]
    return csr_matrix(hstack(blocks, format="csr"))


def _channel(bags: Sequence[bytes], length: float) -> csr_matrix[Any]:
    """Rows of the given length; a token weighs the more the fewer bags have it."""
    import numpy as np
    from scipy.sparse import csr_matrix

    found, values, lengths = tokens(bags)
    names, columns = np.unique(found, return_inverse=True)
    owners = np.bincount(columns, minlength=len(names))
    values = values * (np.log(1.0 + len(bags) / np.maximum(owners, 1)) ** RARITY)[columns]
    offsets = np.concatenate(([0], np.cumsum(lengths)))
    owner = np.repeat(np.arange(len(bags)), lengths)
    norms = np.sqrt(np.bincount(owner, values * values, minlength=len(bags)))  # each bag for itself: equal bags stay so
    values = values * (length / np.where(norms > 0, norms, 1.0))[owner]
    return csr_matrix((values, columns.astype(np.int64), offsets), shape=(len(bags), max(1, len(names))))
