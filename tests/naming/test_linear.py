"""Hostile names take work that grows with their length; executed lines are counted, as a clock would measure load."""

from __future__ import annotations

import sys

import pytest

from naming import parse_name
from naming.resolve import MAX_ITEMS

SHORT, LONG = 1_500, 6_000
MOST = 5.0
"""Times the lines for four times the characters; work that grew with the square would be sixteen times as much."""


def lines_of(name):
    """Executed lines of this project while a name is parsed."""
    count = 0

    def trace(frame, event, _):
        nonlocal count
        if "naming" not in frame.f_code.co_filename:
            return None
        if event == "line":
            count += 1
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        parse_name(name)
    finally:
        sys.settrace(before)
    return count


@pytest.mark.parametrize(
    "seed",
    [
        "a", "9", "1.", "v1_", "v1-1-", "aA", "1a", "a1f", "bert", "bert-", "BERT-", "bertBert", "smallBert", "ForA",
        "llama-2-", "qwen2.5-7b-", "gpt-1b-", "30BA3B-", "8x7b-", "512-", "q4_k_m-", "L-12-", "en-de-", "mt-ru-",
        "no-ner-", "lora-gptq-4bit-", "cat-toy-", "-", "\uff17b-", "न्", "e\u0301", "\u200d", "日本", "😀",
        "\u0431\u0435bert-",
    ],
)  # fmt: skip
def test_work_grows_with_the_length(seed):
    parse_name(seed)  # what is loaded or remembered only once does not count
    short, long = (lines_of((seed * size)[:size]) for size in (SHORT, LONG))
    assert long <= MOST * short + 500


@pytest.mark.parametrize("word", ["bert", "77777", "xyzzy"])
def test_items_beyond_the_limit_are_listed_as_words(word):
    parsed = parse_name("-".join([word] * (MAX_ITEMS + 20)))
    assert len(parsed.components) == MAX_ITEMS + 20
    assert {part.category for part in parsed.components[MAX_ITEMS:]} == {"identifier" if word.isdigit() else "other"}
    assert [part.text for part in parsed.components] == [word] * (MAX_ITEMS + 20)


def test_items_within_the_limit_are_read():
    parsed = parse_name("-".join(["x"] * (MAX_ITEMS - 2) + ["bert", "7b"]))
    assert [part.category for part in parsed.components[-2:]] == ["architecture", "parameters"]
