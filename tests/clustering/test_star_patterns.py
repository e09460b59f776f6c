"""Stars remembered by pattern are those worked out name by name; the collector of cycles rests and wakes again."""

from __future__ import annotations

import gc
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from clustering.blocks.names import named_tensors
from clustering.collecting import no_collection
from clustering.graphs.layers import _MOST_NUMBERS, _patterns, _star_by_pattern, star_name
from clustering.tensors import Tensor, TensorListing

words = st.sampled_from(
    [
        "layers",
        "layer_",
        "layer",
        "conv",
        "block",
        "blocks_",
        "stage",
        "tf_bert",
        "module",
        "weight",
        "gamma",
        "w_",
        "é",
        "{",
        "{}",
        ":",
        "_._",
    ]
)
numbers = st.integers(0, 10**11).map(str) | st.sampled_from(["0", "00", "7", "007", "٣", "123456789", "1234567890"])
names = st.lists(words | numbers | st.sampled_from([".", "/", "_"]), max_size=12).map("".join)


@given(names)
@example("tf_bert/bert/encoder/layer_._3/output/dense/kernel:0")
@example("model.layers.3.mlp.experts.255.down_proj.weight_scale_inv")
@example("conv1.weight")
@example("conv2.weight")
@example("a{0}1.b")
@example("0" * 30)
def test_patterns_give_what_names_give(name: str) -> None:
    assert _star_by_pattern(name) == star_name(name)
    assert _star_by_pattern(name) == star_name(name), "and again, when it is remembered"


@given(st.text(max_size=40))
def test_any_text_is_starred_as_before(name: str) -> None:
    assert _star_by_pattern(name) == star_name(name)


def test_numbers_that_stay_in_the_star_are_those_of_the_name() -> None:
    assert _star_by_pattern("h.0.conv1.w2.weight")[0] == "h.*.conv1.w2.weight"
    assert _star_by_pattern("h.5.conv8.w9.weight") == ("h.*.conv8.w9.weight", (5,))


def test_names_of_very_many_numbers_are_not_remembered() -> None:
    before = len(_patterns)
    name = ".".join(f"w{n}" for n in range(3 * _MOST_NUMBERS))
    assert _star_by_pattern(name) == star_name(name)
    assert len(_patterns) == before


def _fail() -> None:
    with no_collection():
        with no_collection():
            assert not gc.isenabled()
        assert not gc.isenabled(), "the outer use is not over"
        raise KeyError


def test_the_collector_rests_and_wakes() -> None:
    assert gc.isenabled()
    with pytest.raises(KeyError):
        _fail()
    assert gc.isenabled()


def test_the_collector_wakes_after_concurrent_uses() -> None:
    def use(_: int) -> bool:
        with no_collection():
            return gc.isenabled()

    with ThreadPoolExecutor(8) as pool:
        assert not any(pool.map(use, range(200)))
    assert gc.isenabled()


def test_a_collector_that_was_off_stays_off() -> None:
    gc.disable()
    try:
        with no_collection():
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()


def test_named_tensors_of_one_listing_are_told_once_and_of_another_afresh() -> None:
    one = TensorListing((Tensor("layers.0.w.weight", (3, 4), "F32"),), "x")
    other = TensorListing((Tensor("layers.0.v.weight", (3, 4), "F32"),), "x")
    first = named_tensors(one)
    assert named_tensors(one) is first
    assert named_tensors(other)[0].path == ("layers", 0, "v")
    assert named_tensors(one) == first
