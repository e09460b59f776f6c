"""What is looked at before a family is named: retrieval by towers, and what is left out once something is exact."""

from __future__ import annotations

import pickle
from collections.abc import Iterator

import pytest

from clustering.family.learn import example, learn_index
from clustering.family.plans import plan
from clustering.family.scorer import FamilyScorer
from clustering.family.templates import learn
from clustering.family.tokens import TOWER_VIEW, shape_tokens
from clustering.family.unify import Observed, could_be_exact
from clustering.graphs.layers import fold_tied, parameters_of
from clustering.tensors import Tensor, TensorListing

Rows = list[tuple[str, tuple[int, ...]]]


def tower(name: str, width: int, depth: int, *, patch: int = 0) -> Iterator[tuple[str, tuple[int, ...]]]:
    if patch:
        yield f"{name}.patch.weight", (width, 3, patch, patch)
    for n in range(depth):
        yield f"{name}.layers.{n}.norm.weight", (width,)
        yield f"{name}.layers.{n}.norm.bias", (width,)
        yield f"{name}.layers.{n}.up.weight", (4 * width, width)
        yield f"{name}.layers.{n}.down.weight", (width, 4 * width)


def listing(rows: Rows) -> TensorListing:
    return TensorListing(tuple(Tensor(name, shape, "F32") for name, shape in rows), "x")


def two_towers(text: int, vision: int, depths: tuple[int, int]) -> Rows:
    return [*tower("text", text, depths[0]), *tower("vision", vision, depths[1], patch=14)]


def tokens(rows: Rows) -> set[str]:
    """Those of the repeated tensors; a stem that is there once is counted against ever more vectors."""
    found = shape_tokens([shape for _, shape in rows])
    return {token for token in found if token.startswith(TOWER_VIEW) and "x14x14@" not in token}


def test_tokens_of_towers_do_not_move_with_the_depths() -> None:
    shallow, uneven = two_towers(512, 384, (4, 4)), two_towers(512, 384, (48, 6))
    assert tokens(shallow) == tokens(uneven)


def test_a_tower_of_another_make_has_other_tokens() -> None:
    assert tokens(two_towers(512, 384, (4, 4))) != tokens([*tower("text", 512, 4), ("vision.w", (384, 384, 9))])


def shown(rows: Rows) -> Observed:
    return Observed([p.shape for p in fold_tied(parameters_of(listing(rows)))])


def test_what_could_be_exact_never_leaves_out_what_is() -> None:
    sizes = [(512, 384, (4, 6)), (640, 256, (3, 5)), (768, 320, (5, 2)), (256, 448, (6, 3))]
    variants = [fold_tied(parameters_of(listing(two_towers(*size)))) for size in sizes]
    ((template, _, _),) = learn(variants)
    assert could_be_exact(plan(template), shown(two_towers(1024, 704, (24, 12))))
    assert not could_be_exact(plan(template), shown(list(tower("text", 1024, 24)))), "no images"
    more = [*two_towers(1024, 704, (24, 12)), *((f"odd.{n}", (n, 77)) for n in range(100, 120))]
    assert not could_be_exact(plan(template), shown(more)), "more shapes than groups"


@pytest.fixture(scope="module")
def scorer() -> FamilyScorer:
    widths = (256, 320, 512, 640)
    plain = [example("plain", "Plain", f"size{w}", listing(list(tower("a", w, 3 + w // 128)))) for w in widths]
    twin = [example("twin", "Twin", f"size{w}", listing(list(tower("b", w, 2 + w // 128)))) for w in widths]
    odd = [example("odd", "Odd", f"size{w}", listing(two_towers(w, w // 2 + 32, (3, 2)))) for w in widths]
    return FamilyScorer(learn_index([*plain, *twin, *odd]))


def test_without_a_family_its_twin_answers_and_it_is_not_among_the_candidates(scorer: FamilyScorer) -> None:
    parameters = fold_tied(parameters_of(listing(list(tower("a", 448, 7)))))
    for ranked in scorer.ranked(parameters, frozenset({"^a"}), without="plain"):
        assert ranked[0].family == "twin"
        assert "plain" not in {candidate.family for candidate in ranked}
    assert scorer.ranked(parameters, frozenset({"^a"}))[1][0].family == "plain"


def test_a_family_with_a_graph_of_its_own_leaves_nothing_exact_behind(scorer: FamilyScorer) -> None:
    parameters = fold_tied(parameters_of(listing(two_towers(448, 300, (7, 5)))))
    structural, _ = scorer.ranked(parameters, frozenset(), without="odd")
    assert all(c.fit is not None and c.fit.overlap < 1 for c in structural)


def test_a_scorer_survives_pickling(scorer: FamilyScorer) -> None:
    again = pickle.loads(pickle.dumps(scorer))
    package = listing(list(tower("a", 448, 7)))
    assert again.identify(package) == scorer.identify(package)
