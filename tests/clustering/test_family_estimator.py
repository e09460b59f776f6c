"""scikit-learn's own checks of the family classifier.

They pass matrices, and the classifier takes listings, so an adapter turns every row into a listing; what is checked is
everything but the reading of X: cloning, parameters, repeated fits, state, pickling, the shape of answers.
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest

from clustering.tensors import Tensor, TensorListing

pytest.importorskip("sklearn")

from sklearn.utils.estimator_checks import check_estimator
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from clustering.family.estimator import FamilyClassifier

EXPECTED = {
    "check_classifiers_train": "blobs of numbers are no graphs: rows differ in size only, which a family ignores",
}


def listing(row: Any) -> TensorListing:
    """A row as the widths of a small model."""
    tensors = [Tensor("embed.weight", (5000 + int(abs(row[0]) * 100), 64), "F32")]
    for number, value in enumerate(row):
        width = 17 + min(int(abs(float(value)) * 100), 10**9)
        tensors += [Tensor(f"blocks.{n}.part{number}.weight", (width, 64), "F32") for n in range(3)]
    return TensorListing(tuple(tensors), "adapter")


class OfRows(FamilyClassifier):
    """The classifier over matrices."""

    def fit(self, X: Any, y: Any) -> OfRows:  # noqa: N803  # scikit-learn's name
        matrix, y = validate_data(self, X, y, dtype="numeric")
        check_classification_targets(y)
        super().fit([listing(row) for row in matrix], [str(label) for label in y])
        self.classes_ = np.unique(y)
        return self

    def predict_proba(self, X: Any) -> Any:  # noqa: N803  # as above
        check_is_fitted(self)
        matrix = validate_data(self, X, reset=False, dtype="numeric")
        order = [self.index_.families.index(str(label)) for label in self.classes_]
        named, self.classes_ = self.classes_, np.array(self.index_.families)
        try:
            return super().predict_proba([listing(row) for row in matrix])[:, order]
        finally:
            self.classes_ = named

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = True
        return tags


def test_the_contract_of_scikit_learn() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        results = check_estimator(OfRows(), expected_failed_checks=EXPECTED, on_fail=None, on_skip=None)
    failed = {r["check_name"]: str(r["exception"])[:200] for r in results if r["status"] == "failed"}
    assert failed == {}
    assert {r["check_name"] for r in results if r["status"] == "xfail"} == set(EXPECTED)
    assert sum(r["status"] == "passed" for r in results) >= 40


def test_as_it_is_only_the_checks_without_data_apply() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        results = check_estimator(FamilyClassifier(), on_fail=None, on_skip=None)
    assert {r["status"] for r in results} <= {"passed", "skipped"}
