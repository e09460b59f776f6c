"""Density clusters of graphs: HDBSCAN over vectors, with labels that do not depend on the order of the input.

scikit-learn is imported by this module and by nothing that an audit needs.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClusterMixin
from sklearn.cluster import HDBSCAN
from sklearn.metrics import euclidean_distances
from sklearn.utils.validation import validate_data

DENSE_LIMIT = 3000
"""Rows up to which all distances are kept (72 MB); beyond it neighbours are found in a projection, without a matrix."""

COMPONENTS = 64
NEIGHBOURS = 32
COPIES = 8
SEED = 0


class GraphClusters(ClusterMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn is untyped
    """Clusters rows of `clustering.clusters.vectors.vectors` (or any numeric rows) by density.

    Labels are numbered by falling size, equal sizes by the first row in sorted order, so that shuffling the input
    shuffles the labels with it.

    Args:
        min_cluster_size: smallest group that is a cluster.
        min_samples: neighbours that make a row a core point; 1 keeps small families.
        epsilon: clusters nearer than this are one: two sizes or two exporters of one architecture.
        reach: rows of a cluster are linked by steps of at most this length; density alone would join two lonely graphs
            however unlike they are.

    Attributes:
        labels_: int (rows,), -1 for outliers.
        probabilities_: strength of membership, 0 for outliers.
        n_features_in_: columns seen.
    """

    def __init__(
        self, min_cluster_size: int = 2, min_samples: int = 1, epsilon: float = 0.5, reach: float = 0.95
    ) -> None:
        self.min_cluster_size = min_cluster_size
        self.min_samples = min_samples
        self.epsilon = epsilon
        self.reach = reach

    def fit(self, X: Any, y: Any = None) -> GraphClusters:  # noqa: N803  # scikit-learn's contract
        """Finds the clusters of the rows of X, dense or sparse.

        Raises:
            ValueError: fewer than two rows, or values that are not finite.
        """
        del y
        rows = validate_data(self, X, accept_sparse="csr", ensure_min_samples=2, dtype=np.float64)
        order = _canonical(rows)
        ordered = rows[order]
        labels, strength = self._hdbscan(ordered)
        smallest = max(2, self.min_cluster_size)
        labels = _linked(ordered, labels, self.reach, smallest)
        labels = _left_over(ordered, labels, self.epsilon if labels.max(initial=-1) >= 0 else self.reach, smallest)
        labels = _numbered(labels)
        self.labels_ = np.empty(len(order), dtype=np.int64)
        self.labels_[order] = labels
        self.probabilities_ = np.empty(len(order))
        self.probabilities_[order] = np.where(labels < 0, 0.0, np.where(strength > 0, strength, 1.0))
        return self

    def _hdbscan(self, rows: Any) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        count = rows.shape[0]
        settings = {
            "min_cluster_size": max(2, min(self.min_cluster_size, count)),
            "min_samples": min(self.min_samples, count),
            "copy": True,
        }
        if count <= DENSE_LIMIT:
            distances = euclidean_distances(rows)
            # Rounding error must not order equal distances. What is nearer than epsilon is equally near: the splits
            # below have no stability then, and HDBSCAN keeps the cluster above them whole.
            distances = np.maximum(np.round((distances + distances.T) / 2, 9), self.epsilon)
            np.fill_diagonal(distances, 0.0)
            found = HDBSCAN(metric="precomputed", **settings).fit(distances)
        else:
            links, places = _neighbours(rows, self.epsilon)
            found = HDBSCAN(metric="precomputed", **settings).fit(links)
            labels = found.labels_[places].astype(np.int64)
            return _joined(rows, labels, self.epsilon), np.nan_to_num(found.probabilities_[places], nan=1.0)
        labels = _joined(rows, found.labels_.astype(np.int64), self.epsilon)
        return labels, np.nan_to_num(found.probabilities_, nan=1.0)

    def __sklearn_tags__(self) -> Any:  # scikit-learn's Tags
        """Sparse rows are welcome."""
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags


def _canonical(rows: Any) -> NDArray[np.int64]:
    """An order of the rows that their content alone decides."""
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
    return np.array(sorted(range(len(keys)), key=keys.__getitem__), dtype=np.int64)


def _left_over(rows: Any, labels: NDArray[np.int64], radius: float, smallest: int) -> NDArray[np.int64]:
    """Outliers within a short step of each other are a cluster of their own: HDBSCAN never takes the whole for one."""
    alone = np.flatnonzero(labels < 0)
    result = labels.copy()
    following = int(labels.max(initial=-1)) + 1
    for linked in _components(rows, alone, radius, smallest):
        result[linked] = following
        following += 1
    return result


def _components(rows: Any, members: NDArray[np.int64], radius: float, smallest: int) -> Iterator[NDArray[np.int64]]:
    """Members linked by steps of at most `radius`, where there are enough of them."""
    if not len(members):
        return
    parts = _parts(rows[members], radius)
    for part in np.unique(parts):
        linked = members[parts == part]
        if len(linked) >= smallest:
            yield linked


def _parts(rows: Any, radius: float) -> NDArray[np.int64]:
    """Component of each row, rows within `radius` linked; beyond `DENSE_LIMIT` only the nearest ones are looked at."""
    from scipy.sparse.csgraph import connected_components
    from sklearn.neighbors import kneighbors_graph, radius_neighbors_graph

    if rows.shape[0] <= DENSE_LIMIT:
        links = radius_neighbors_graph(rows, radius, mode="connectivity")
        return np.asarray(connected_components(links, directed=False)[1], dtype=np.int64)
    # Copies of one row would fill each other's neighbourhoods and hide everything else.
    own, places = np.unique(np.round(projection(rows, COMPONENTS), 6), axis=0, return_inverse=True)
    if len(own) < 2:
        return np.zeros(rows.shape[0], dtype=np.int64)
    links = kneighbors_graph(own, min(NEIGHBOURS, len(own) - 1), mode="distance")
    links.data[links.data == 0] = np.finfo(float).tiny
    links.data[links.data > radius] = 0
    links.eliminate_zeros()
    return np.asarray(connected_components(links, directed=False)[1], dtype=np.int64)[places.ravel()]


def _neighbours(rows: Any, floor: float) -> tuple[Any, NDArray[np.int64]]:
    """Distances of nearest neighbours in a projection (sparse, none below `floor`), and the row each input row became.

    Of many copies of one row a few are kept, so that they do not hide everything else; components are tied together by
    their first rows, as HDBSCAN wants one piece.
    """
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components
    from sklearn.neighbors import kneighbors_graph

    flat = np.round(projection(rows, COMPONENTS), 6)
    _, group = np.unique(flat, axis=0, return_inverse=True)
    group = group.ravel()
    order = np.argsort(group, kind="stable")
    starts = np.searchsorted(group[order], group[order], side="left")
    copies = np.empty(len(group), dtype=np.int64)
    copies[order] = np.arange(len(group)) - starts
    kept = np.flatnonzero(copies < COPIES)
    first = np.empty(int(group.max()) + 1, dtype=np.int64)
    first[group[kept[::-1]]] = np.arange(len(kept))[::-1]
    places = first[group]
    places[kept] = np.arange(len(kept))
    own, count = flat[kept], len(kept)
    near = kneighbors_graph(own, min(NEIGHBOURS, count - 1), mode="distance")
    near.data = np.maximum(near.data, np.finfo(float).eps)
    near = near.maximum(near.T)
    total, parts = connected_components(near, directed=False)
    firsts = np.array([int(np.argmax(parts == part)) for part in range(total)])
    steps = np.linalg.norm(own[firsts[1:]] - own[firsts[0]], axis=1)
    ends = (
        np.concatenate([firsts[1:], np.full(total - 1, firsts[0])]),
        np.concatenate([np.full(total - 1, firsts[0]), firsts[1:]]),
    )
    near = (near + coo_matrix((np.concatenate([steps, steps]), ends), shape=near.shape)).tocsr()
    near.data = np.maximum(near.data, max(floor, np.finfo(float).eps))
    return near, places


def _linked(rows: Any, labels: NDArray[np.int64], reach: float, smallest: int) -> NDArray[np.int64]:
    """Clusters taken apart where no step within reach links them; what is then too small is an outlier."""
    result = np.full_like(labels, -1)
    following = 0
    for label in range(int(labels.max(initial=-1)) + 1):
        for linked in _components(rows, np.flatnonzero(labels == label), reach, smallest):
            result[linked] = following
            following += 1
    return result


def _joined(rows: Any, labels: NDArray[np.int64], epsilon: float) -> NDArray[np.int64]:
    """Clusters that a step within epsilon links are one, and outliers within such a step belong to them."""
    parts = _parts(rows, epsilon)
    result = labels.copy()
    for part in np.unique(parts):
        own = np.flatnonzero(parts == part)
        inside = np.unique(result[own][result[own] >= 0])
        if len(own) > 1 and len(inside):
            result[np.isin(result, inside)] = inside[0]
            result[own] = inside[0]
    return result


def _numbered(labels: NDArray[np.int64]) -> NDArray[np.int64]:
    """Labels by falling size, then by first row."""
    known = [label for label in np.unique(labels).tolist() if label >= 0]
    firsts = {label: int(np.argmax(labels == label)) for label in known}
    ranked = sorted(known, key=lambda label: (-int((labels == label).sum()), firsts[label]))
    number = {label: place for place, label in enumerate(ranked)}
    return np.array([number.get(label, -1) for label in labels.tolist()], dtype=np.int64)


def projection(rows: Any, components: int) -> NDArray[np.float64]:
    """Principal components of the centred rows, float (rows, components); deterministic, signs fixed."""
    from sklearn.decomposition import TruncatedSVD

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
