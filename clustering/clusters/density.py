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
from sklearn.utils.validation import validate_data

from clustering.clusters import neighbours
from clustering.clusters.neighbours import all_distances, groups, near_distances, parts, unique_rows
from clustering.clusters.projection import projection

__all__ = ["COPIES", "GraphClusters", "projection"]

COPIES = 8
"""Copies of one row that count for its density where there are many rows."""

Labels = NDArray[np.int64]


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
        firsts, place = unique_rows(rows)
        counts = np.bincount(place)
        own = rows[firsts]
        distances = all_distances(own) if len(firsts) <= neighbours.DENSE_LIMIT else near_distances(own)
        labels, strength = self._hdbscan(distances, own, counts)
        smallest = max(2, self.min_cluster_size)
        labels = _joined(labels, parts(distances, self.epsilon), counts)
        labels = _linked(distances, labels, counts, self.reach, smallest)
        radius = self.epsilon if labels.max(initial=-1) >= 0 else self.reach
        labels = _numbered(_left_over(distances, labels, counts, radius, smallest), counts)
        self.labels_ = labels[place]
        self.probabilities_ = np.where(labels < 0, 0.0, np.where(strength > 0, strength, 1.0))[place]
        return self

    def _hdbscan(self, distances: Any, rows: Any, counts: Labels) -> tuple[Labels, NDArray[np.float64]]:
        """Labels and strengths of different rows, of which there are so many copies each."""
        dense = isinstance(distances, np.ndarray)
        total = int(counts.sum())
        # few rows count as often as they come; of many rows some copies are enough to make a place dense
        times = counts if dense and total <= neighbours.DENSE_LIMIT else np.minimum(counts, COPIES)
        copies = np.repeat(np.arange(len(counts)), times)
        settings = {
            "min_cluster_size": max(2, min(self.min_cluster_size, len(copies))),
            "min_samples": min(self.min_samples, len(copies)),
            "copy": True,
        }
        # What is nearer than epsilon is equally near: the splits below have no stability then, and HDBSCAN keeps the
        # cluster above them whole.
        if dense and len(copies) <= neighbours.DENSE_LIMIT:
            table = np.maximum(distances[np.ix_(copies, copies)], self.epsilon)
            np.fill_diagonal(table, 0.0)
        else:
            table = _expanded(distances, rows, times, max(self.epsilon, np.finfo(float).eps))
        found = HDBSCAN(metric="precomputed", **settings).fit(table)
        strength = np.nan_to_num(found.probabilities_, nan=1.0)
        ends = np.cumsum(times) - times
        labels = np.maximum.reduceat(found.labels_.astype(np.int64), ends)
        return labels, np.maximum.reduceat(strength, ends)

    def __sklearn_tags__(self) -> Any:  # scikit-learn's Tags
        """Sparse rows are welcome."""
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags


def _expanded(distances: Any, rows: Any, times: Labels, floor: float) -> Any:
    """Sparse distances in one piece, none below `floor`: copies hang on their row, components on the first one.

    HDBSCAN wants one piece. Where it is put together the steps are long ones, and later taken apart again.
    """
    from scipy.sparse import coo_matrix, csr_matrix

    links = csr_matrix(distances) if isinstance(distances, np.ndarray) else distances
    _, heads = np.unique(parts(links, np.inf), return_index=True)
    heads = heads.astype(np.int64)
    far = np.full(len(heads) - 1, 2.0 * float(np.sqrt(_largest_square(rows))) + floor)
    links = links.tocoo()
    starts = np.cumsum(times) - times
    copied = np.repeat(np.arange(len(times)), times - 1)
    copies = np.setdiff1d(np.arange(int(times.sum())), starts, assume_unique=True)
    one = np.concatenate([starts[links.row], starts[heads[1:]], copies])
    other = np.concatenate([starts[links.col], np.full(len(far), starts[heads[0]]), starts[copied]])
    values = np.maximum(np.concatenate([links.data, far, np.full(len(copies), floor)]), floor)
    size = int(times.sum())
    half = coo_matrix((values, (one, other)), shape=(size, size)).tocsr()
    return half.maximum(half.T).tocsr()


def _largest_square(rows: Any) -> float:
    squares = rows.multiply(rows).sum(axis=1) if hasattr(rows, "multiply") else (rows * rows).sum(axis=1)
    return float(np.max(squares))


def _left_over(distances: Any, labels: Labels, counts: Labels, radius: float, smallest: int) -> Labels:
    """Outliers within a short step of each other are a cluster of their own: HDBSCAN never takes the whole for one."""
    result = labels.copy()
    following = int(labels.max(initial=-1)) + 1
    for linked in _components(distances, np.flatnonzero(labels < 0), counts, radius, smallest):
        result[linked] = following
        following += 1
    return result


def _components(distances: Any, members: Labels, counts: Labels, radius: float, smallest: int) -> Iterator[Labels]:
    """Members linked by steps of at most `radius`, where there are enough of them with their copies."""
    if not len(members):
        return
    for group in groups(parts(distances[members][:, members], radius)):
        linked = members[group]
        if counts[linked].sum() >= smallest:
            yield linked


def _linked(distances: Any, labels: Labels, counts: Labels, reach: float, smallest: int) -> Labels:
    """Clusters taken apart where no step within reach links them; what is then too small is an outlier."""
    result = np.full_like(labels, -1)
    following = 0
    for members in groups(labels):
        if labels[members[0]] < 0:
            continue
        for linked in _components(distances, members, counts, reach, smallest):
            result[linked] = following
            following += 1
    return result


def _joined(labels: Labels, part: Labels, counts: Labels) -> Labels:
    """Clusters that share a part (rows linked by steps within epsilon) are one, and outliers of a part belong to it."""
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    inside = labels >= 0
    several = np.bincount(part, counts) > 1
    clusters, size = int(labels.max(initial=-1)) + 1, len(several)
    if not clusters:
        return labels
    ties = np.flatnonzero(inside & several[part])
    ends = (labels[ties], clusters + part[ties])
    links = coo_matrix((np.ones(len(ties), dtype=np.int8), ends), shape=(clusters + size, clusters + size))
    _, whole = connected_components(links, directed=False)
    owned = np.zeros(size, dtype=bool)
    owned[part[ties]] = True
    result = np.where(inside, whole[np.maximum(labels, 0)], np.where(owned[part], whole[clusters + part], -1))
    return np.asarray(result, dtype=np.int64)


def _numbered(labels: Labels, counts: Labels) -> Labels:
    """Labels by falling size, then by first row."""
    known = [group for group in groups(labels) if labels[group[0]] >= 0]
    known.sort(key=lambda group: (-int(counts[group].sum()), int(group[0])))
    result = np.full_like(labels, -1)
    for number, group in enumerate(known):
        result[group] = number
    return result
