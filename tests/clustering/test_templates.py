"""Templates of pyramids: their stages are shapes of one name, told apart by rank only."""

from __future__ import annotations

import pytest

from clustering.family.observed import Observed
from clustering.family.plans import plan
from clustering.family.templates import learn
from clustering.family.unify import unify
from clustering.graphs.layers import Parameter, parameters_of
from clustering.tensors import Tensor, TensorListing

STAGES = (1, 2, 4, 8)


def pyramid(width: int, depths: tuple[int, ...], *, reduction: int = 4) -> tuple[Parameter, ...]:
    """Stages of bottlenecks: the first block of a stage widens, the others keep the width."""
    rows: list[tuple[str, tuple[int, ...]]] = [("stem.weight", (64, 3, 7, 7))]
    before = 64
    for stage, (times, depth) in enumerate(zip(STAGES, depths, strict=True)):
        wide = width * times
        inner = wide // reduction
        for block in range(depth):
            base = f"stages.{stage}.blocks.{block}"
            rows += [
                (f"{base}.layer.0.weight", (inner, before, 1, 1)),
                (f"{base}.layer.1.weight", (inner, inner, 3, 3)),
                (f"{base}.layer.2.weight", (wide, inner, 1, 1)),
                (f"{base}.norm.weight", (wide,)),
            ]
            before = wide
    return tuple(parameters_of(TensorListing(tuple(Tensor(n, s, "F32") for n, s in rows), "module")))


USUAL = [
    pyramid(256, (3, 4, 6, 3)),
    pyramid(128, (3, 4, 2, 3)),
    pyramid(512, (3, 4, 6, 3)),
    pyramid(256, (3, 4, 23, 3)),
]
ODD = [
    pyramid(768, (3, 4, 1, 3)),  # a stage of one block has no block that keeps its width
    pyramid(64, (3, 4, 6, 3), reduction=1),
    pyramid(192, (1, 1, 1, 1)),
]


@pytest.mark.parametrize("odd", [[], ODD], ids=["alone", "beside layouts of other ranks"])
def test_a_pyramid_is_explained_at_an_unseen_size(odd: list[tuple[Parameter, ...]]) -> None:
    template, _, members = learn([*USUAL, *odd])[0]
    assert set(members) >= set(range(len(USUAL)))
    asked = pyramid(384, (3, 4, 36, 3))
    fit = unify(template, plan(template), Observed([p.shape for p in asked]))
    assert fit.overlap == pytest.approx(1.0, abs=1e-6)


def test_layouts_of_other_ranks_take_no_relation_away() -> None:
    """The widths of the stages stay multiples of one variable, whatever the variants with other stages look like."""
    alone = learn(USUAL)[0][0]
    beside = learn([*USUAL, *ODD])[0][0]
    assert beside.sizes == alone.sizes


def test_siblings_of_other_ranks_take_no_relation_away() -> None:
    alone = learn(USUAL)[0][0]
    assert learn(USUAL, siblings=ODD)[0][0].sizes == alone.sizes


def test_siblings_of_the_same_ranks_part_what_was_equal_by_accident() -> None:
    accidental = [pyramid(256, (3, 4, 6, 3), reduction=4), pyramid(512, (3, 4, 6, 3), reduction=4)]
    parted = [pyramid(768, (3, 4, 6, 3), reduction=2), pyramid(640, (3, 4, 6, 3), reduction=2)]
    before = learn(accidental)[0][0]
    after = learn(accidental, siblings=parted)[0][0]
    assert after.sizes != before.sizes
