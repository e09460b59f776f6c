"""The scikit-learn face of family identification: fit on listings, predict families.

`FamilyClassifier` learns exactly what `clustering.family.scorer.FamilyScorer` loads from the packaged index.
scikit-learn is imported by this module and by nothing that an audit needs.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.validation import check_is_fitted

from clustering.family.learn import Example, example, learn_index
from clustering.family.scorer import FamilyScorer
from clustering.identity import FamilyMatch
from clustering.tensors import TensorListing

CHANNELS = ("both", "structure")


class FamilyClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn is untyped
    """Classifies tensor listings into families by template unification.

    Args:
        channel: `both` uses shapes and names, `structure` shapes alone.

    Attributes:
        classes_: families seen, sorted.
        index_: the learnt index, as `clustering.family.index.save_index` writes it.
        scorer_: the scorer over it.
    """

    def __init__(self, channel: str = "both") -> None:
        self.channel = channel

    def fit(self, X: Sequence[TensorListing], y: Sequence[str]) -> FamilyClassifier:  # noqa: N803  # contract
        """Learn templates from listings; several sizes of one class (`metadata["class"]`) make a better template.

        Raises:
            ValueError: an unknown channel, no examples, or X and y of different lengths.
        """
        if self.channel not in CHANNELS:
            raise ValueError(f"channel must be one of {CHANNELS}, got {self.channel!r}")
        listings, labels = list(X), [str(label) for label in y]
        if not listings or len(listings) != len(labels):
            raise ValueError(f"X and y must be non-empty and of one length, got {len(listings)} and {len(labels)}")
        if not all(isinstance(listing, TensorListing) for listing in listings):
            raise ValueError("X must be a sequence of TensorListing")
        examples: list[Example] = [
            example(label, str(listing.metadata.get("class", label)), str(number), listing)
            for number, (listing, label) in enumerate(zip(listings, labels, strict=True))
        ]
        self.index_ = learn_index(examples)
        self.scorer_ = FamilyScorer(self.index_)
        self.classes_ = np.array(self.index_.families)
        return self

    def _ranked(self, listing: TensorListing) -> tuple[FamilyMatch, ...]:
        answer = self.scorer_.identify(listing)
        return answer.structure_only if self.channel == "structure" else answer.family

    def predict_proba(self, X: Sequence[TensorListing]) -> NDArray[np.float64]:  # noqa: N803  # contract
        """Scores as a distribution over `classes_`, float (listings, classes); uniform where nothing matches."""
        check_is_fitted(self)
        number = {name: n for n, name in enumerate(self.classes_)}
        result = np.zeros((len(X), len(self.classes_)))
        for row, listing in enumerate(X):
            for rank, match in enumerate(self._ranked(listing)):
                # ranks separate what calibrated scores of twins leave equal
                result[row, number[match.model_type]] = max(match.score, 1e-9) * 0.5**rank
        sums = result.sum(axis=1, keepdims=True)
        uniform = np.full_like(result, 1.0 / max(1, len(self.classes_)))
        return np.where(sums > 0, result / np.where(sums > 0, sums, 1.0), uniform)

    def predict(self, X: Sequence[TensorListing]) -> NDArray[Any]:  # noqa: N803  # contract
        """The first family of each listing, str (listings,)."""
        check_is_fitted(self)
        return np.asarray(self.classes_[np.argmax(self.predict_proba(X), axis=1)])

    def __sklearn_tags__(self) -> Any:  # scikit-learn's Tags
        """X is a sequence of listings, not a matrix."""
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = False
        tags.input_tags.one_d_array = False
        return tags
