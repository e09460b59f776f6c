"""Distances between rows: all of them for few rows, those of the nearest neighbours for many.

Neighbours are looked for in a projection, which is approximate; the distances of those found are exact, so that a
threshold means the same for few rows and for many.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clustering.clusters.projection import COMPONENTS, projection

DENSE_LIMIT = 3000
"""Rows up to which all distances are kept (72 MB)."""
NEIGHBOURS = 32
_PAIRS = 50_000
"""Pairs whose distances are computed together: some 100 MB."""


def unique_rows(rows: Any) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Positions of the different rows in an order that content alone decides, and which of them each row equals."""
    if hasattr(rows, "indptr"):
        rows.sort_indices()
        keys = [
            (
                rows.data[rows.indptr[n] : rows.indptr[n + 1]].tobytes(),
                rows.indices[rows.indptr[n] : rows.indptr[n + 1]].astype(np.int64).tobytes(),
            )
            for n in range(rows.shape[0])
        ]
    else:
        keys = [(np.ascontiguousarray(row).tobytes(), b"") for row in rows]
    first: dict[tuple[bytes, bytes], int] = {}
    for number, key in enumerate(keys):
        first.setdefault(key, number)
    ordered = sorted(first)
    number_of = {key: number for number, key in enumerate(ordered)}
    return (
        np.array([first[key] for key in ordered], dtype=np.int64),
        np.array([number_of[key] for key in keys], dtype=np.int64),
    )


def all_distances(rows: Any) -> NDArray[np.float64]:
    """Distances of all pairs, float (rows, rows), rounded so that rounding errors do not order equal ones."""
    from sklearn.metrics import euclidean_distances

    distances = euclidean_distances(rows)
    distances = np.round((distances + distances.T) / 2, 9)
    np.fill_diagonal(distances, 0.0)
    return np.asarray(distances)


def near_distances(rows: Any) -> Any:
    """Distances of the nearest neighbours, symmetric sparse (rows, rows); never zero where there is an entry."""
    from scipy.sparse import csr_matrix
    from sklearn.neighbors import kneighbors_graph

    count = rows.shape[0]
    flat = np.round(projection(rows, COMPONENTS), 6)
    found = kneighbors_graph(flat, min(NEIGHBOURS, count - 1), mode="connectivity").tocoo()
    low, high = np.minimum(found.row, found.col), np.maximum(found.row, found.col)
    pairs = np.unique(low.astype(np.int64) * count + high)
    low, high = pairs // count, pairs % count
    values = np.maximum(_pair_distances(rows, low, high), np.finfo(float).eps)
    ends = (np.concatenate([low, high]), np.concatenate([high, low]))
    return csr_matrix((np.concatenate([values, values]), ends), shape=(count, count))


def _pair_distances(rows: Any, low: NDArray[np.int64], high: NDArray[np.int64]) -> NDArray[np.float64]:
    """Distance of each pair of rows, float (pairs,)."""
    sparse = hasattr(rows, "multiply")
    squares = np.asarray((rows.multiply(rows) if sparse else rows * rows).sum(axis=1)).ravel()
    result = np.empty(len(low))
    for start in range(0, len(low), _PAIRS):
        one, other = low[start : start + _PAIRS], high[start : start + _PAIRS]
        products = rows[one].multiply(rows[other]) if sparse else rows[one] * rows[other]
        dots = np.asarray(products.sum(axis=1)).ravel()
        result[start : start + _PAIRS] = np.sqrt(np.maximum(squares[one] + squares[other] - 2 * dots, 0.0))
    return np.round(result, 9)


def parts(distances: Any, radius: float) -> NDArray[np.int64]:
    """Component of each row where rows within `radius` are linked, int (rows,). `distances`: dense or sparse."""
    from scipy.sparse import csr_matrix
    from scipy.sparse.csgraph import connected_components

    if isinstance(distances, np.ndarray):
        links = csr_matrix(distances <= radius)
    else:
        links = distances.copy()
        links.data = (links.data <= radius).astype(np.int8)
        links.eliminate_zeros()
    return np.asarray(connected_components(links, directed=False)[1], dtype=np.int64)


def groups(labels: NDArray[np.int64]) -> Iterator[NDArray[np.int64]]:
    """Positions of each label, labels in rising order, positions too."""
    order = np.argsort(labels, kind="stable")
    borders = np.flatnonzero(np.diff(labels[order])) + 1
    if len(order):
        yield from np.split(order, borders)
