"""The inverted file gives the similarities that the token rows of the index give."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clustering.family.index import FamilyIndex
from clustering.family.learn import example, learn_index
from clustering.family.observed import Observed
from clustering.family.retrieval import Retrieval
from clustering.family.tokens import TOWER_VIEW, shape_tokens, token_weights
from clustering.tensors import Tensor, TensorListing

Shape = tuple[int, ...]
shapes = st.lists(st.lists(st.sampled_from((1, 3, 16, 64, 128, 256, 512)), max_size=4).map(tuple), max_size=12)


@pytest.fixture(scope="module")
def index() -> FamilyIndex:
    examples = []
    for family, factor in (("narrow", 2), ("wide", 4), ("images", 3)):
        for width in (64, 128, 192, 256):
            rows: list[tuple[str, Shape]] = [("embed.weight", (3000 + width, width))]
            for n in range(2 + width // 64):
                rows += [
                    (f"layers.{n}.up.weight", (factor * width, width)),
                    (f"layers.{n}.down.weight", (width, factor * width)),
                ]
                rows += [(f"layers.{n}.norm.weight", (width,))]
            if family == "images":
                rows.append(("stem.weight", (width, 3, 16, 16)))
            listing = TensorListing(tuple(Tensor(name, shape, "F32") for name, shape in rows), "x")
            examples.append(example(family, family.title(), f"size{width}", listing))
    return learn_index(examples)


@pytest.fixture(scope="module")
def rows(index: FamilyIndex) -> list[dict[str, float]]:
    """Per template its tokens with their weights, read off the inverted file entry by entry."""
    found: list[dict[str, float]] = [{} for _ in index.templates]
    tokens = index.tokens
    assert tokens.weights is not None
    assert tokens.greatest is not None
    for number, name in enumerate(index.token_names):
        span = slice(tokens.starts[number], tokens.starts[number + 1])
        for template, step in zip(tokens.rows[span].tolist(), tokens.weights[span].tolist(), strict=True):
            found[template][name] = step / 255 * float(tokens.greatest[number])
    return found


def plain(index: FamilyIndex, sequence: list[Shape], row: dict[str, float]) -> tuple[float, float]:
    """Products with one row of the index, and those of towers over the length of the row's towers."""
    query = shape_tokens(sequence)
    whole = towers = squares = 0.0
    for number, name in enumerate(index.token_names):
        weight = row.get(name, 0.0)
        product = query.get(name, 0.0) * float(index.token_idf[number]) * weight
        whole += product
        if name.startswith(TOWER_VIEW):
            towers += product
            squares += weight * weight
    return whole, towers / (float(np.sqrt(squares)) + 1e-6)


@given(sequence=shapes)
@settings(max_examples=60, deadline=None)
def test_similarities_are_those_of_the_rows(
    index: FamilyIndex, rows: list[dict[str, float]], sequence: list[Shape]
) -> None:
    whole, towers = Retrieval(index).similar(Observed(sequence))
    for template, row in enumerate(rows):
        wanted, of_towers = plain(index, sequence, row)
        assert whole[template] == pytest.approx(wanted, abs=1e-5)
        assert towers[template] == pytest.approx(of_towers, rel=0.01, abs=1e-5)  # the length is of exact weights


def test_rows_are_nearly_unit_vectors(rows: list[dict[str, float]]) -> None:
    assert rows
    for row in rows:
        assert sum(weight * weight for weight in row.values()) == pytest.approx(1.0, abs=0.01)


@given(sequence=shapes)
def test_tokens_of_counted_shapes_are_those_of_the_sequence(sequence: list[Shape]) -> None:
    assert token_weights(Counter(sequence)) == shape_tokens(sequence)
