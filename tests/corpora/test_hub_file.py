"""Reading ahead changes what is asked for, never what is read."""

from __future__ import annotations

import random
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clustering.errors import ReaderError
from corpora.sources.hub_file import HubFile
from corpora.sources.hub_http import RangeReply

CONTENT = random.Random(7).randbytes(300_000)


class Storage:
    """Serves ranges of some bytes, at most `most` of them at a time."""

    def __init__(self, content: bytes, most: int = 1 << 30) -> None:
        self.content = content
        self.most = most
        self.asked: list[tuple[int, int]] = []

    def read_range(self, what: str, url: str, start: int, length: int) -> RangeReply:
        assert start >= 0
        assert length > 0
        self.asked.append((start, length))
        return RangeReply(self.content[start : start + min(length, self.most)], len(self.content), url)


def hub_file(storage: Storage, size: int | None) -> HubFile:
    return HubFile(storage, "http://hub/x", "acme/x", "x", size)  # type: ignore[arg-type]


reads = st.lists(st.tuples(st.integers(0, 310_000), st.integers(0, 70_000)), min_size=1, max_size=12)


@given(reads, st.booleans(), st.sampled_from([1 << 30, 50_000, 9_000]), st.integers(1, 100_000))
def test_any_reads_give_the_files_bytes(ranges, known, most, head):
    storage = Storage(CONTENT, most)
    file = hub_file(storage, len(CONTENT) if known else None)
    file.expect_head(head)
    for offset, length in ranges:
        assert file.read(offset, length) == CONTENT[offset : offset + length]
    assert all(start + length <= len(CONTENT) for start, length in storage.asked) or not known


@given(reads)
def test_no_byte_is_fetched_twice(ranges):
    storage = Storage(CONTENT)
    file = hub_file(storage, len(CONTENT))
    for offset, length in ranges:
        file.read(offset, length)
    asked = sorted(storage.asked)
    assert all(first + length <= second for (first, length), (second, _) in pairwise(asked))


@given(reads)
def test_what_was_read_stays_in_memory(ranges):
    storage = Storage(CONTENT)
    file = hub_file(storage, len(CONTENT))
    for offset, length in ranges:
        file.read(offset, length)
    before = len(storage.asked)
    for offset, length in ranges:
        file.read(offset, length)
    assert len(storage.asked) == before


def test_a_range_too_long_is_refused_before_it_is_asked_for():
    storage = Storage(CONTENT)
    with pytest.raises(ReaderError, match="too long"):
        hub_file(storage, 1 << 40).read(0, 1 << 30)
    assert storage.asked == []


def test_memory_is_bounded(monkeypatch):
    monkeypatch.setattr("corpora.sources.hub_file._MAX_KEPT", 100_000)
    file = hub_file(Storage(CONTENT), len(CONTENT))
    for offset in range(0, 300_000, 40_000):
        assert file.read(offset, 40_000) == CONTENT[offset : offset + 40_000]
    assert sum(len(block) for _, block in file._blocks) <= 140_000
