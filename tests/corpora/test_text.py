"""Foreign text made safe to show."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clustering.text import escape, one_line


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("bert-base", "bert-base"),
        ("", ""),
        ("a\nb", "a\\x0ab"),
        ("\x1b[31mred", "\\x1b[31mred"),
        ("\x00\x7f\x85", "\\x00\\x7f\\x85"),
        ("a\u202eb", "a\\u202eb"),  # right-to-left override
        ("a\u2066b\u2069", "a\\u2066b\\u2069"),
        ("ze\u200bro", "ze\\u200bro"),
        ("\ufeffx", "\\ufeffx"),
        ("a\u00a0b\u3000c", "a\\xa0b\\u3000c"),
        ("\u2028", "\\u2028"),
        ("\ud800", "\\ud800"),
        ("\udcff", "\\udcff"),
        ("\u3164\u2800", "\\u3164\\u2800"),
        ("a\ufe0f", "a\\ufe0f"),
        ("\U000e0041", "\\U000e0041"),  # tag letters
        ("\U000e0101", "\\U000e0101"),
        ("\ue000\uffff", "\\ue000\\uffff"),
    ],
)
def test_what_cannot_be_seen_is_spelled_out(text, shown):
    assert escape(text) == shown


@pytest.mark.parametrize("text", ["中文模型", "モデル", "한국어", "модель", "نموذج", "é", "\U0001d539\U0001d53c", "🤗"])
def test_letters_of_every_script_stay(text):
    assert escape(text) == text


def test_long_text_keeps_both_ends():
    shown = escape("a" * 5_000 + "b" * 5_000, 100)
    assert shown.startswith("a" * 60)
    assert shown.endswith("b" * 30)
    assert "(9900 characters left out)" in shown
    assert len(shown) < 150
    assert escape("a" * 10_000, None) == "a" * 10_000


@given(st.text(st.characters(), max_size=300))
def test_result_is_one_visible_line_and_stable(text):
    shown = escape(text)
    shown.encode()
    assert len(shown.splitlines()) <= 1
    assert all(unicodedata.category(char)[0] != "C" for char in shown)
    if len(text) <= 200:
        assert escape(shown, None) == shown
    else:
        assert len(shown) <= 200 * 10 + 40


@given(st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=200))
def test_plain_text_is_unchanged(text):
    assert escape(text) == text


def test_messages_of_foreign_errors():
    assert one_line(ValueError("a\n  b\x1b")) == "a b\\x1b"
    assert one_line(KeyError()) == "KeyError"
    assert len(one_line(ValueError("x" * 10_000))) < 300
