"""What tells a known family from next of kin: kinds of tensors, own names, habits, and the curve over them."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from clustering.family.calibrate import FITTED, Evidence, Outcome, features, fit_logistic
from clustering.family.judge import Fit
from clustering.family.ranking import Candidate, same_tensors
from clustering.family.templates import learn
from clustering.family.unify import Observed, plan, unify
from clustering.family.unions import Held, learn_union
from clustering.family.weighing import (
    MOST_CLASSES,
    MOST_FAMILIES,
    NOT_ASKED,
    kinds,
    names_of,
    own_names,
    weighed,
    with_kinds,
)
from clustering.graphs.layers import Parameter

Shapes = list[tuple[int, ...]]


def blocks(width: int, inner: int, vocab: int, layers: int, norms: int = 1) -> list[Parameter]:
    """A stack of blocks with as many norms each."""
    rows = [("embed.weight", (vocab, width))]
    for _ in range(layers):
        rows += [("layers.*.up.weight", (inner, width)), ("layers.*.down.weight", (width, inner))]
        rows += [(f"layers.*.norm{n}.weight", (width,)) for n in range(norms)]
    return [Parameter(star, (), shape, star) for star, shape in rows]


MODELS = [blocks(64, 160, 1000, 2), blocks(96, 352, 1500, 3), blocks(128, 512, 3000, 4), blocks(192, 640, 2100, 5)]


def share_of_kinds(shapes: Shapes) -> float:
    (template, _, _), *_ = learn(MODELS)
    prepared, observed = plan(template), Observed(shapes)
    return kinds(prepared, unify(template, prepared, observed), observed)


def shapes_of(parameters: list[Parameter]) -> Shapes:
    return [parameter.shape for parameter in parameters]


def test_another_number_of_the_same_kinds_takes_nothing() -> None:
    assert share_of_kinds(shapes_of(blocks(160, 416, 1234, 6))) == 1.0
    assert share_of_kinds(shapes_of(blocks(160, 416, 1234, 6, norms=2))) == 1.0


def test_a_kind_that_either_side_lacks_is_missed() -> None:
    shapes = shapes_of(blocks(160, 416, 1234, 6))
    assert share_of_kinds([*shapes, (77, 160)]) == pytest.approx(4 / 5)
    assert share_of_kinds([shape for shape in shapes if shape != (160,)]) == pytest.approx(3 / 4)


def test_a_fit_without_sizes_has_no_kinds() -> None:
    (template, _, _), *_ = learn(MODELS)
    candidate = Candidate("a", "AModel", 0, Fit(0.0, 0.0, (), 0.0, 0, 0), 1.0, 0.0, 0.0)
    observed = Observed([(4, 8)])
    assert with_kinds(candidate, plan(template), observed).kinds == 0.0
    assert with_kinds(replace(candidate, fit=None), plan(template), observed).kinds == 0.0


def held_of(*stars: str, number: int = 4) -> list[Held]:
    return [(star, (8, 8), number) for star in stars]


def test_names_of_others_count_against_a_family() -> None:
    union = learn_union(MODELS)
    own, known = held_of(*union.shapes), {"layers.*.gate.weight"}
    assert own_names(union, own, known) == 1.0
    share = len(own) / (len(own) + 1)
    assert own_names(union, [*own, *held_of("layers.*.gate.weight")], known) == pytest.approx(share)
    assert own_names(union, held_of("layers.*.gate.weight"), known) == 0.0


def test_unheard_names_count_only_beside_the_familys_own() -> None:
    union = learn_union(MODELS)
    own = held_of(*union.shapes)
    assert own_names(union, [*own, *held_of("my_head.weight", number=1)], set()) == pytest.approx(16 / 17)
    other_spelling = held_of(*(f"t{n}" for n in range(20)))
    assert own_names(union, other_spelling, set()) == 1.0
    assert own_names(union, [*own, *other_spelling], set()) == 1.0


def test_without_a_union_nothing_is_said_of_names() -> None:
    assert names_of(None, [("a.weight", (2,), 1)], {"a.weight"}) == NOT_ASKED


def test_only_the_first_candidates_of_the_first_families_are_weighed() -> None:
    ranked = [
        Candidate(f"family{n % (MOST_FAMILIES + 2)}", f"Model{n}", n, None, 0.0, 0.0, 0.0)
        for n in range((MOST_FAMILIES + 2) * (MOST_CLASSES + 3))
    ]
    asked: list[int] = []

    def weigh(candidate: Candidate) -> Candidate:
        asked.append(candidate.layout)
        return replace(candidate, own=0.5)

    found = weighed(ranked, weigh)
    assert [c.layout for c in found] == [c.layout for c in ranked]
    assert len(asked) == MOST_FAMILIES * MOST_CLASSES
    assert {ranked[n].family for n in asked} == {f"family{n}" for n in range(MOST_FAMILIES)}
    assert all((c.own == 0.5) == (c.layout in asked) for c in found)


@pytest.mark.parametrize("channel", sorted(FITTED))
def test_each_channel_weighs_its_own_evidence_and_never_against_itself(channel: str) -> None:
    draw = random.Random(5)
    outcomes = [
        Outcome(
            Evidence(
                draw.random(), draw.random(), draw.random(), draw.randint(1, 60), draw.random() < 0.5,
                draw.random(), draw.random() * 20, draw.random(), draw.random() < 0.5, draw.random(), draw.random(),
            ),
            right=draw.random() < 0.5,
        )
        for _ in range(200)
    ]  # fmt: skip
    weights = fit_logistic(outcomes, channel)
    assert len(weights) == len(features(outcomes[0].evidence))
    assert {number for number, weight in enumerate(weights) if weight} <= set(FITTED[channel])
    assert min(weights[1:]) >= 0


def test_the_curve_looks_at_nothing_of_the_other_channel() -> None:
    one = Candidate("a", "AModel", 0, Fit(0.9, 1.0, (), 1.0, 0, 0), 0.9, 4.0, 0.0, 20, 1.0, 1.0, 0.7, 1.0, 0.8)
    other = replace(one, names=0.1, whole=0.2, roots=0.0, own=0.0, steady=0.0)
    shapes = FITTED["structure"]
    assert features(one.evidence("structure")).tolist() == features(other.evidence("structure")).tolist()
    both = [features(replace(one, kinds=share).evidence("both"))[list(FITTED["both"])].tolist() for share in (0.1, 1.0)]
    assert both[0] == both[1]
    assert all(0 <= value <= 1 for value in features(one.evidence("structure"))[list(shapes)])


def test_shapes_are_confirmed_by_order_or_by_names_that_are_nobody_elses() -> None:
    exact = Candidate("a", "AModel", 0, Fit(1.0, 0.5, (), 1.0, 0, 0), 0.5, 0.0, 0.0, own=0.8)
    assert not exact.evidence("both").confirmed
    assert replace(exact, own=1.0).evidence("both").confirmed
    assert replace(exact, fit=Fit(1.0, 0.95, (), 1.0, 0, 0)).evidence("both").confirmed
    assert not replace(exact, own=1.0, fit=Fit(0.99, 1.0, (), 1.0, 0, 0)).evidence("both").confirmed


def test_habits_count_where_the_names_are_wholly_explained() -> None:
    near = Candidate("a", "AModel", 0, Fit(0.9, 0.5, (), 1.0, 0, 0), 0.95, 0.0, 0.0, own=1.0, steady=0.75)
    assert near.evidence("both").steady == 0.0
    assert replace(near, names=1.0).evidence("both").steady == 0.75
    assert replace(near, whole=1.0).evidence("both").steady == 0.75
    assert replace(near, names=1.0, fit=Fit(1.0, 1.0, (), 1.0, 0, 0)).evidence("both").steady == 1.0


def test_the_same_tensors_in_another_order_are_the_same_graph_only_under_the_same_names() -> None:
    exact = Candidate("a", "AModel", 0, Fit(1.0, 0.5, (), 1.0, 0, 0), 1.0, 0.0, 0.0, whole=1.0)
    assert same_tensors(exact, ordered=True, named=True)
    assert same_tensors(exact, ordered=False, named=False)
    assert not same_tensors(exact, ordered=True, named=False)
    assert not same_tensors(replace(exact, names=0.9), ordered=True, named=True)
    assert not same_tensors(replace(exact, whole=0.9), ordered=True, named=True)
    assert not same_tensors(replace(exact, fit=Fit(0.999, 1.0, (), 1.0, 1, 0)), ordered=False, named=True)
    assert not same_tensors(replace(exact, fit=None), ordered=False, named=True)
