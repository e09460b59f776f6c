"""Principal components of rows: the map, and where to look for neighbours."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

COMPONENTS = 64
SEED = 0
WIDE = 100_000
"""Columns from which those that one row alone has are left out: they are near to nothing and would fill the memory."""


def projection(rows: Any, components: int) -> NDArray[np.float64]:
    """Principal components of the centred rows, float (rows, components); deterministic, signs fixed."""
    from sklearn.decomposition import TruncatedSVD

    rows = _shared_columns(rows)
    count = min(rows.shape)
    if count <= 2:
        dense = np.asarray(rows.todense() if hasattr(rows, "todense") else rows, dtype=np.float64)
    else:
        rank = min(COMPONENTS, count - 1)
        with np.errstate(all="ignore"):  # its share of explained variance is 0/0 for equal rows
            dense = TruncatedSVD(rank, algorithm="randomized", n_iter=7, random_state=SEED).fit_transform(rows)
    dense = dense - dense.mean(axis=0)
    left, values, _ = np.linalg.svd(dense, full_matrices=False)
    found = left * values
    signs = np.sign(found[np.argmax(np.abs(found), axis=0), np.arange(found.shape[1])])
    found = found * np.where(signs == 0, 1.0, signs)
    result = np.zeros((rows.shape[0], components))
    width = min(components, found.shape[1])
    result[:, :width] = found[:, :width]
    return result


def _shared_columns(rows: Any) -> Any:
    if rows.shape[1] <= WIDE or not hasattr(rows, "indptr"):
        return rows
    shared = np.bincount(rows.indices, minlength=rows.shape[1]) > 1
    return rows[:, np.flatnonzero(shared)] if shared.any() else rows[:, :1]
