"""Graphs as vectors: what makes two models near.

Three channels, each a bag of tokens weighted by how rare they are and scaled to unit length:

- *shapes*: the multiset of symbolic shapes (`clustering.family.tokens`), free of names, sizes and order;
- *order*: runs of two and three symbolic shapes in definition order, repeated blocks counted once;
- *names*: the tensor vocabulary, containers and indices removed.

The squared distance of two vectors is `2 * (1 - weighted mean of the channels' cosines)`: near 0 for one architecture
at any size and depth, at most 2.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from clustering.clusters.signature import GraphSignature
from clustering.clusters.sketch import Sketch, sketch, tokens

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

CHANNELS = ("shapes", "order", "names")
WEIGHTS = (0.40, 0.10, 0.50)
"""Shares of the channels in the mean cosine. Names carry half: qwen2 and llama differ by three vectors, and a
file sorted by name has another order than the module; benchmarks/clusters.py measures this."""

RARITY = 0.5
"""Power of the inverse document frequency; 1 lets a rare head part two packages of one family."""


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
