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


def plain(index: FamilyIndex, sequence: list[Shape], template: int) -> tuple[float, float]:
    """Products with one row of the index, and those of towers over the length of the row's towers."""
    query = shape_tokens(sequence)
    whole = towers = squares = 0.0
    for place in range(int(index.token_offsets[template]), int(index.token_offsets[template + 1])):
        number, weight = int(index.tokens[place]), float(index.token_weights[place])
        product = query.get(index.token_names[number], 0.0) * float(index.token_idf[number]) * weight
        whole += product
        if index.token_names[number].startswith(TOWER_VIEW):
            towers += product
            squares += weight * weight
    return whole, towers / (float(np.sqrt(squares)) + 1e-6)


@given(sequence=shapes)
@settings(max_examples=60, deadline=None)
def test_similarities_are_those_of_the_rows(index: FamilyIndex, sequence: list[Shape]) -> None:
    whole, towers = Retrieval(index).similar(Observed(sequence))
    for template in range(len(index.templates)):
        assert (whole[template], towers[template]) == pytest.approx(plain(index, sequence, template), abs=1e-5)


@given(sequence=shapes)
def test_tokens_of_counted_shapes_are_those_of_the_sequence(sequence: list[Shape]) -> None:
    assert token_weights(Counter(sequence)) == shape_tokens(sequence)
