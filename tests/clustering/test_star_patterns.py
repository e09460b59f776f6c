"""Stars remembered by pattern are those worked out name by name; the collector of cycles rests and wakes again."""

from __future__ import annotations

import gc
import re
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from clustering.blocks.names import named_tensors
from clustering.collecting import no_collection
from clustering.graphs.layers import star_name, star_names
from clustering.patterns import MOST_NUMBERS, natural_order, patterns_of
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


def starred(several: list[str]) -> list[tuple[str, tuple[int, ...]]]:
    """Star and indices of each name, worked out together."""
    stars, star_of, indices = star_names(several, patterns_of(several))
    found = [tuple(index for index in row if index >= 0) for row in indices.tolist()]
    return [(stars[star], row) for star, row in zip(star_of.tolist(), found, strict=True)]


@given(st.lists(names, max_size=6), st.integers(1, 12))
@example(["tf_bert/bert/encoder/layer_._3/output/dense/kernel:0"], 1)
@example(["model.layers.3.mlp.experts.255.down_proj.weight_scale_inv"], 1)
@example(["conv1.weight", "conv2.weight", "a{0}1.b", "0" * 30], 12)
def test_patterns_give_what_names_give(several: list[str], times: int) -> None:
    assert starred(several * times) == [star_name(name) for name in several * times]


@given(st.lists(st.text(max_size=40), max_size=4), st.integers(1, 12))
def test_any_text_is_starred_as_before(several: list[str], times: int) -> None:
    assert starred(several * times) == [star_name(name) for name in several * times]


def test_numbers_that_stay_in_the_star_are_those_of_the_name() -> None:
    several = [f"h.{n}.conv{n % 3}.w02.weight" for n in range(40)]
    assert starred(several) == [(f"h.*.conv{n % 3}.w02.weight", (n,)) for n in range(40)]


def test_names_of_very_many_numbers_are_told_too() -> None:
    several = [".".join(f"w{n}" for n in range(first, 3 * MOST_NUMBERS)) for first in range(20)]
    assert starred(several) == [star_name(name) for name in several]


@given(st.lists(names, max_size=30), st.integers(1, 12))
def test_natural_order_is_that_of_texts_and_numbers_by_turns(several: list[str], times: int) -> None:
    listed = [name for name in several * times if len(re.findall(r"\d{1,9}", name)) <= MOST_NUMBERS]

    def key(name: str) -> list[str | int]:
        pieces: list[str | int] = list(re.split(r"(\d{1,9})", name))
        pieces[1::2] = map(int, pieces[1::2])
        return pieces

    found = patterns_of(listed)
    order = natural_order(found.texts, found.of, found.numbers).tolist()
    assert order == sorted(range(len(listed)), key=lambda row: key(listed[row]))


@given(st.lists(names, max_size=30), st.integers(1, 12))
def test_patterns_hold_the_whole_name(several: list[str], times: int) -> None:
    found = patterns_of(several * times)
    for name, of, numbers in zip(several * times, found.of.tolist(), found.numbers.tolist(), strict=True):
        texts = found.texts[of]
        spelled = "".join(f"{text}<{n}>" for text, n in zip(texts[:-1], numbers, strict=False)) + texts[-1]
        assert spelled == unpadded(name)
        assert set(numbers[len(texts) - 1 :]) <= {-1}


def unpadded(name: str) -> str:
    """A name with its numbers as numbers."""
    return re.sub(r"\d{1,9}", lambda digits: f"<{int(digits[0])}>", name, count=MOST_NUMBERS)


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
