"""What a family may hold by name: layouts that the corpus does not have are told, other families are not."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clustering.family.calibrate import EXACT
from clustering.family.fit import family_fits
from clustering.family.index import load_index, save_index
from clustering.family.learn import Example, example, learn_index
from clustering.family.scorer import FamilyScorer
from clustering.family.unify import Observed
from clustering.family.unions import ANY, decode_union, encode_union, learn_union
from clustering.family.wholes import MOST_ROWS, Asked, counted
from clustering.graphs.layers import Parameter, fold_tied, parameters_of
from clustering.tensors import Tensor, TensorListing

Rows = Iterator[tuple[str, tuple[int, ...]]]
SIZES = ((64, 160, 1000), (96, 352, 1500), (128, 512, 3000), (192, 640, 2100))
OPTIONS = ("norms", "biases", "experts", "tower")


def hybrid(width: int, inner: int, vocab: int, options: frozenset[str], layers: int = 3) -> Rows:
    """A decoder whose parts come and go with its options."""
    yield "model.embed_tokens.weight", (vocab, width)
    for n in range(layers):
        base = f"model.layers.{n}"
        for name in ("q", "k", "v", "o"):
            yield f"{base}.mixer.{name}_in.weight", (width, width)
            if "biases" in options:
                yield f"{base}.mixer.{name}_in.bias", (width,)
        if "norms" in options:
            yield f"{base}.mixer.query_norm.weight", (width // 4,)
            yield f"{base}.mixer.key_norm.weight", (width // 4,)
        if "experts" in options:
            yield f"{base}.sparse.router.weight", (8, width)
            yield f"{base}.sparse.gate_up", (8, 2 * inner, width)
            yield f"{base}.sparse.down", (8, width, inner)
        else:
            yield f"{base}.dense.up.weight", (inner, width)
            yield f"{base}.dense.down.weight", (width, inner)
        yield f"{base}.first_norm.weight", (width,)
    if "tower" in options:
        for n in range(2):
            yield f"tower.blocks.{n}.mix.weight", (width // 2, width // 2)
            yield f"tower.blocks.{n}.norm.weight", (width // 2,)
    yield "model.norm.weight", (width,)


def plain(width: int, inner: int, vocab: int, layers: int = 3) -> Rows:
    """Another family, whose graph the hybrid has too when it is dense and has no options."""
    yield "model.embed_tokens.weight", (vocab, width)
    for n in range(layers):
        base = f"model.layers.{n}"
        for name in ("q", "k", "v", "o"):
            yield f"{base}.self_attn.{name}_proj.weight", (width, width)
        yield f"{base}.mlp.up_proj.weight", (inner, width)
        yield f"{base}.mlp.down_proj.weight", (width, inner)
        yield f"{base}.input_layernorm.weight", (width,)
    yield "model.norm.weight", (width,)


def listing(rows: Rows) -> TensorListing:
    return TensorListing(tuple(Tensor(name, shape, "F32") for name, shape in rows), "safetensors")


def folded(rows: Rows) -> tuple[Parameter, ...]:
    return fold_tied(parameters_of(listing(rows)))


def seen() -> list[Example]:
    """The corpus: no option or one at a time, experts always with norms."""
    chosen = [frozenset(), frozenset({"norms"}), frozenset({"biases"}), frozenset({"tower"})]
    chosen.append(frozenset({"experts", "norms"}))
    rows = [(f"{n}{sorted(o)}", hybrid(*size, o)) for n, size in enumerate(SIZES) for o in chosen]
    examples = [example("hybrid", "HybridForCausalLM", name, listing(found)) for name, found in rows]
    return examples + [
        example("plain", "PlainForCausalLM", str(n), listing(plain(*size))) for n, size in enumerate(SIZES)
    ]


@pytest.fixture(scope="module")
def scorer() -> FamilyScorer:
    return FamilyScorer(learn_index(seen()))


def whole(scorer: FamilyScorer, family: str, rows: Rows) -> float:
    union = scorer.wholes.union(scorer.index.families.index(family))
    assert union is not None
    return union.explained(counted(folded(rows)))


@given(st.sets(st.sampled_from(OPTIONS)), st.integers(2, 9), st.sampled_from([(80, 224, 900), (256, 1000, 5000)]))
@settings(max_examples=30, deadline=None)
def test_every_combination_of_options_is_explained_by_the_family(
    options: set[str], layers: int, size: tuple[int, int, int]
) -> None:
    scorer = FamilyScorer(learn_index(seen()))
    rows = list(hybrid(*size, frozenset(options | ({"norms"} if "experts" in options else set())), layers))
    assert whole(scorer, "hybrid", iter(rows)) == pytest.approx(1.0)
    assert whole(scorer, "plain", iter(rows)) < 0.5


def test_a_layout_that_the_corpus_lacks_is_named_with_all_its_options(scorer: FamilyScorer) -> None:
    rows = list(hybrid(160, 416, 1234, frozenset(OPTIONS), 5))
    answer = scorer.identify(listing(iter(rows)))
    assert answer.family[0].model_type == "hybrid"
    without = FamilyScorer(replace(scorer.index, unions=()))
    ranked = without.ranked(folded(iter(rows)), frozenset())[1]
    assert all(c.fit is None or c.fit.overlap < EXACT for c in ranked), "the layout must be a new one"


def test_names_win_over_another_family_with_the_same_shapes(scorer: FamilyScorer) -> None:
    """A dense model in a hybrid's names is the hybrid, though the plain family explains its shapes exactly."""
    rows = [row for row in hybrid(160, 416, 1234, frozenset()) if not row[0].endswith("query_norm.weight")]
    assert scorer.identify(listing(iter(rows))).family[0].model_type == "hybrid"


def test_shapes_that_contradict_each_other_are_not_explained(scorer: FamilyScorer) -> None:
    rows = [(n, (s[0] + 8, *s[1:]) if n.endswith("down.weight") else s) for n, s in hybrid(80, 224, 900, frozenset())]
    assert whole(scorer, "hybrid", iter(rows)) < 0.95


def test_what_always_comes_along_is_missed(scorer: FamilyScorer) -> None:
    rows = list(hybrid(80, 224, 900, frozenset()))
    assert whole(scorer, "hybrid", (row for row in rows if "first_norm" not in row[0])) < 0.97
    assert whole(scorer, "hybrid", (row for row in rows if "k_in" not in row[0])) < 0.97


def test_a_top_level_part_that_is_left_out_counts_little(scorer: FamilyScorer) -> None:
    headless = [row for row in hybrid(80, 224, 900, frozenset()) if not row[0].startswith("model.norm")]
    assert 0.9 < whole(scorer, "hybrid", iter(headless)) < EXACT


def test_renamed_tensors_say_nothing_to_a_union_and_leave_structure_alone(scorer: FamilyScorer) -> None:
    rows = [(f"t{n}", shape) for n, (_, shape) in enumerate(plain(160, 416, 1234))]
    assert whole(scorer, "plain", iter(rows)) == 0.0
    named = scorer.identify(listing(plain(160, 416, 1234)))
    numbered = scorer.identify(listing(iter(rows)))
    assert [m.model_type for m in numbered.structure_only] == [m.model_type for m in named.structure_only]


def test_prefix_of_the_bare_model_is_no_other_name(scorer: FamilyScorer) -> None:
    rows = [(f"wrapper.{name.removeprefix('model.')}", shape) for name, shape in plain(160, 416, 1234)]
    assert whole(scorer, "plain", iter(rows)) == pytest.approx(1.0)


def test_relations_seen_at_one_size_only_are_not_insisted_on() -> None:
    models = [folded(plain(64, 160, 1000))]
    union = learn_union(models)
    assert all(dim == ANY for options in union.shapes.values() for dims in options for dim in dims)
    assert union.explained(counted(folded(plain(96, 352, 1500)))) == pytest.approx(1.0)


def steady(scorer: FamilyScorer, family: str, rows: Rows) -> float:
    """Share of the names that stand as they always stood in the family."""
    union = scorer.wholes.union(scorer.index.families.index(family))
    assert union is not None
    return union.steady(counted(folded(rows)))


def test_a_new_size_and_a_new_mixture_keep_the_habits_of_the_family(scorer: FamilyScorer) -> None:
    assert steady(scorer, "plain", plain(160, 416, 1234, 7)) == 1.0
    assert steady(scorer, "hybrid", hybrid(160, 416, 1234, frozenset(OPTIONS))) == 1.0


def test_inner_widths_that_never_were_are_odd_though_the_union_explains_them(scorer: FamilyScorer) -> None:
    """As many rows up as columns down in the corpus, and not here: a union insists on the residual stream alone."""
    rows = [
        (name, (shape[0] + 8, shape[1])) if name.endswith("dense.up.weight") else (name, shape)
        for name, shape in hybrid(160, 416, 1234, frozenset({"norms"}))
    ]
    assert whole(scorer, "hybrid", iter(rows)) == pytest.approx(1.0)
    assert 0.5 < steady(scorer, "hybrid", iter(rows)) < 1.0


def test_a_name_in_one_block_that_was_always_in_every_block_is_odd() -> None:
    models = [folded(plain(*size, layers=n)) for n, size in enumerate(SIZES, 3)]
    union = learn_union(models)
    rows = [
        row for row in plain(160, 416, 1234, 6) if "norm" not in row[0] or ".layers." not in row[0] or ".0." in row[0]
    ]
    held, complete = counted(folded(iter(rows))), counted(folded(plain(160, 416, 1234, 6)))
    assert union.explained(held) == union.explained(complete) == pytest.approx(1.0)
    assert union.steady(complete) == 1.0
    assert 0.5 < union.steady(held) < 1.0


def test_habits_of_names_that_nobody_knows(scorer: FamilyScorer) -> None:
    assert steady(scorer, "plain", iter([("t0", (4, 8)), ("t1", (9,))])) == 0.0


@given(st.permutations(range(len(SIZES))))
@settings(max_examples=10, deadline=None)
def test_what_the_corpus_holds_is_steady_in_whatever_order_it_was_learnt(order: list[int]) -> None:
    models = [folded(plain(*SIZES[n], layers=n + 2)) for n in order]
    union = learn_union(models)
    assert all(union.steady(counted(model)) == 1.0 for model in models)


def test_a_union_of_before_says_no_more_than_it_did(scorer: FamilyScorer) -> None:
    """Relations of inner widths and counts were not stored; what was stored means the same."""
    numbers = {name: number for number, name in enumerate(scorer.index.star_names)}
    union = scorer.wholes.union(0)
    assert union is not None
    now = json.loads(encode_union(replace(union, usual=union.shapes), numbers))
    before = decode_union(json.dumps(now[:4]).encode(), scorer.index.star_names)
    assert before.shapes == union.shapes
    assert not before.counted
    held = counted(folded(plain(160, 416, 1234)))
    assert before.explained(held) == union.explained(held)


def headed(names: list[str]) -> Rows:
    yield from hybrid(160, 416, 1234, frozenset(OPTIONS), 5)
    for name in names:
        yield name, (5, 160)


@pytest.mark.parametrize("names", [["my_probe.weight"], ["probe.0.weight", "probe.2.weight"]])
def test_a_head_of_somebodys_own_says_nothing_about_the_family(scorer: FamilyScorer, names: list[str]) -> None:
    bare, more = folded(headed([])), folded(headed(names))
    assert len(more) > len(bare)
    assert scorer.wholes.trunk(more, None) == bare
    (first, *_) = scorer.ranked(more, frozenset({"^model", "^my_probe"}))[1]
    assert first.family == "hybrid"
    assert first.whole == pytest.approx(1.0)


def test_what_is_no_head_of_somebodys_own_stays(scorer: FamilyScorer) -> None:
    """A name of another family, many tensors, a package in a spelling of its own."""
    known = folded(headed(["model.embed_tokens.weight.twice", "tower.norm.weight"]))
    assert scorer.wholes.trunk(known, None) == known
    many = folded(headed([f"probe.{n}.weight" for n in range(9)]))
    assert scorer.wholes.trunk(many, None) == many
    numbered = folded((f"t{n}", shape) for n, (_, shape) in enumerate(headed([])))
    assert scorer.wholes.trunk(numbered, None) == numbered


def test_fits_hear_the_union(scorer: FamilyScorer) -> None:
    rows = hybrid(160, 416, 1234, frozenset(OPTIONS), 5)
    fits = family_fits(scorer, listing(rows), ("hybrid", "plain"))
    assert fits["hybrid"].overlap == pytest.approx(1.0)
    assert fits["plain"].overlap < 0.9


def test_unions_survive_coding_and_the_file(scorer: FamilyScorer, tmp_path: Path) -> None:
    numbers = {name: number for number, name in enumerate(scorer.index.star_names)}
    for number in range(len(scorer.index.families)):
        union = scorer.wholes.union(number)
        assert union is not None
        assert decode_union(encode_union(union, numbers), scorer.index.star_names) == union
    save_index(scorer.index, tmp_path / "index.npz")
    assert load_index(tmp_path / "index.npz").unions == scorer.index.unions


def test_an_index_of_before_has_no_unions_and_still_answers(scorer: FamilyScorer, tmp_path: Path) -> None:
    save_index(replace(scorer.index, unions=()), tmp_path / "index.npz")
    old = FamilyScorer(load_index(tmp_path / "index.npz"))
    assert old.wholes.union(0) is None
    assert old.identify(listing(plain(160, 416, 1234))).family[0].model_type == "plain"


def test_learning_does_not_depend_on_the_order_of_the_families() -> None:
    examples = seen()
    other = sorted(examples, key=lambda e: e.family, reverse=True)
    assert other != examples
    assert learn_index(other).unions == learn_index(examples).unions


def test_names_of_one_family_are_bounded() -> None:
    names = [f"part{chr(97 + n % 26)}{chr(97 + n // 26 % 26)}{chr(97 + n // 676)}.weight" for n in range(2_000)]
    union = learn_union([[Parameter(name, (), (4, 8), name) for name in names]])
    assert len(union.shapes) <= 1_500


def test_a_package_with_endless_shapes_is_not_compared(scorer: FamilyScorer) -> None:
    """One known name in thousands of shapes would cost every family a look at each."""
    rows = [(f"model.layers.{n}.input_layernorm.weight", (n + 1,)) for n in range(MOST_ROWS + 1)]
    parameters = folded(iter(rows))
    roots = frozenset({"^model"})
    asked = Asked(parameters, roots, Observed([(1,)]), np.ones(len(scorer.index.layout_family), np.float32))
    assert scorer.wholes.explained(asked) == {}
