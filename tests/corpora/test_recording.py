"""What was read is recorded; what was recorded reads the same; nothing else is ever given."""

from __future__ import annotations

import base64
import json
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clustering.errors import ReaderError
from clustering.readers.local import Buffer
from corpora.sources import recording
from corpora.sources.recording import RecordedFiles, Recording

DATA = bytes(range(256)) * 8


class Files:
    """Two files in memory; `b` tells its length only when asked."""

    concurrency = 3

    def sizes(self):
        return {"a": len(DATA), "b": None}

    def open(self, path):
        if path not in self.sizes():
            raise ReaderError("no such file")
        return Buffer(DATA, path)


def replayed(record: Recording) -> RecordedFiles:
    return RecordedFiles(record.sizes(), json.loads(json.dumps(record.document())))


RANGES = st.lists(st.tuples(st.integers(-2, len(DATA) + 5), st.integers(-2, len(DATA) + 5)), max_size=12)


@given(RANGES, st.sampled_from("ab"))
def test_every_read_gives_the_same_again(ranges, path):
    record = Recording(Files())
    file = record.open(path)
    reads = [(offset, length, file.read(offset, length)) for offset, length in ranges if offset >= 0]
    if not any(data for *_, data in reads):
        return
    again = replayed(record).open(path)
    assert again.size == len(DATA)
    for offset, length, data in reads:
        assert again.read(offset, length) == data


@given(RANGES, st.integers(0, len(DATA) - 1))
def test_a_byte_that_was_not_read_is_refused(ranges, wanted):
    record = Recording(Files())
    file = record.open("a")
    read = {wanted + 1} if wanted + 1 < len(DATA) else {0}
    file.read(min(read), 1)
    for offset, length in ranges:
        if offset >= 0:
            file.read(offset, length)
            read.update(range(offset, min(len(DATA), offset + max(0, length))))
    again = replayed(record).open("a")
    if wanted in read:
        assert again.read(wanted, 1) == DATA[wanted : wanted + 1]
    else:
        with pytest.raises(ReaderError, match="does not hold"):
            again.read(wanted, 1)


def test_attributes_of_the_files_are_passed_on():
    assert Recording(Files()).concurrency == 3
    assert not hasattr(Recording(Files()), "prefetch")


def test_missing_files():
    record = Recording(Files())
    record.open("a").read(0, 4)
    with pytest.raises(ReaderError):
        record.open("c")
    with pytest.raises(ReaderError, match="no such file"):
        replayed(record).open("c")
    with pytest.raises(ReaderError, match="pull the snapshot again"):
        replayed(record).open("b")


def test_more_than_is_kept(monkeypatch):
    monkeypatch.setattr(recording, "MAX_KEPT", 100)
    record = Recording(Files())
    file = record.open("a")
    file.read(0, 90)
    assert not record.overflow
    file.read(10, 80)  # known already
    assert not record.overflow
    with pytest.raises(ReaderError, match="more than 100 bytes"):
        file.read(200, 90)
    assert record.overflow


def block(data: bytes) -> str:
    return base64.b64encode(zlib.compress(data)).decode()


@pytest.mark.parametrize(
    "entry",
    [
        None,
        [],
        {"blocks": None},
        {"blocks": [3]},
        {"blocks": [[0]]},
        {"blocks": [[0, 7]]},
        {"blocks": [["0", block(b"x")]]},
        {"blocks": [[-1, block(b"x")]]},
        {"blocks": [[True, block(b"x")]]},
        {"blocks": [[0, "%%%"]]},
        {"blocks": [[0, base64.b64encode(b"no zlib").decode()]]},
        {"blocks": [[0, block(b"x" * 100)[:-8]]]},
        {"blocks": [[0, "\ud800"]]},
    ],
)
def test_damaged_records_are_one_clear_error(entry):
    with pytest.raises(ReaderError, match="snapshot"):
        RecordedFiles({"a": 10}, {"a": entry}).open("a")


def test_a_bomb_is_refused(monkeypatch):
    monkeypatch.setattr(recording, "MAX_KEPT", 10_000)
    bomb = {"blocks": [[0, block(bytes(1 << 20))]]}
    with pytest.raises(ReaderError, match="damaged"):
        RecordedFiles({"a": 1 << 20}, {"a": bomb}).open("a")
    many = {"blocks": [[n * 4_000, block(bytes(4_000))] for n in range(5)]}
    with pytest.raises(ReaderError, match="damaged"):
        RecordedFiles({"a": 1 << 20}, {"a": many}).open("a")
