"""JSON written by strangers."""

from __future__ import annotations

import json
import math
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpora.errors import DamagedFileError
from corpora.jsontext import MAX_DEPTH, parse_json


def test_plain_document():
    document = parse_json(b'{"model_type": "bert", "layers": [1, 2.5, null, true]}', "config.json")
    assert document.value == {"model_type": "bert", "layers": [1, 2.5, None, True]}
    assert document.notes == ()


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", r"config\.json: not JSON: Expecting value at line 1, column 1"),
        (b'{"a": 1,\n "b" 2}', r"config\.json: not JSON: .* at line 2, column 6"),
        (b"{'a': 1}", r"line 1, column 2"),
        (b"version https://git-lfs.github.com/spec/v1\n", r"not JSON"),
        (b"\x80abc", r"not text in UTF-8 \(byte 0\); save the file as UTF-8"),
        (b'{"a": "\xff"}', r"not text in UTF-8 \(byte 7\)"),
        (b'{"a": ' + b"9" * 5_000 + b"}", r"a number is too long"),
        (b"[" * 100_000, r"nested more than 64 levels deep"),
        (b"[" * 100_000 + b"]" * 100_000, r"nested more than 64 levels deep"),
        (b"[" * 65 + b"]" * 65, r"nested more than 64 levels deep"),
        (b'{"a":' * 500 + b"1" + b"}" * 500, r"nested more than 64 levels deep"),
        (b"[" + b"[]," * 1_000_001 + b"1]", r"more than 1,000,000 values"),
    ],
)
def test_unusable_documents_are_one_line(data, message):
    with pytest.raises(DamagedFileError, match=message) as caught:
        parse_json(data, "config.json")
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code_hint == 3


def test_deepest_accepted_document():
    assert parse_json(b"[" * MAX_DEPTH + b"]" * MAX_DEPTH, "x").notes == ()


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-32"])
def test_byte_order_marks(encoding):
    assert parse_json('{"é": "中"}'.encode(encoding), "x").value == {"é": "中"}


def test_duplicate_keys_are_noted_and_the_last_counts():
    document = parse_json(b'{"a": 1, "b": {"c": 1, "c": 2}, "a": 3, "\\u202e": 1, "\\u202e": 2}', "x")
    assert document.value["a"] == 3
    assert document.value["b"] == {"c": 2}
    assert set(document.notes) == {"duplicate key a", "duplicate key c", "duplicate key \\u202e"}


def test_notes_are_bounded():
    pairs = ",".join(f'"{i % 500}": 1' for i in range(1_000))
    assert len(parse_json(f"{{{pairs}}}".encode(), "x").notes) == 20


def test_numbers_that_json_does_not_have_are_kept_and_noted():
    document = parse_json(b'{"limit": [0.0, Infinity], "x": NaN, "y": -Infinity}', "x")
    assert document.value["limit"][1] == math.inf
    assert math.isnan(document.value["x"])
    assert len(document.notes) == 3


@given(st.binary(max_size=200))
def test_any_bytes_parse_or_are_refused(data):
    caught = None
    try:
        parse_json(data, "x")
    except DamagedFileError as error:
        caught = error
    assert caught is None or len(str(caught).splitlines()) == 1


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers(-(10**18), 10**18) | st.text(max_size=8),
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
        max_leaves=20,
    )
)
def test_what_json_writes_is_read_back(value):
    assert parse_json(json.dumps(value).encode(), "x").value == value


def test_large_index_is_read_quickly():
    index = {
        "weight_map": {
            f"model.layers.{i}.experts.{j}.w": f"model-{i}.safetensors" for i in range(60) for j in range(1500)
        }
    }
    data = json.dumps(index).encode()
    started = time.monotonic()
    assert len(parse_json(data, "x").value["weight_map"]) == 90_000
    assert time.monotonic() - started < 3
