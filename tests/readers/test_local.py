from __future__ import annotations

import os
import sys

import pytest

from clustering.errors import ReaderError
from clustering.readers.cursor import Cursor
from clustering.readers.limits import Limits
from clustering.readers.local import Buffer, Counted, LocalFile, Window
from clustering.readers.safetensors import SafetensorsReader


def test_ranges_of_a_file(tmp_path):
    path = tmp_path / "f"
    path.write_bytes(bytes(range(100)))
    with LocalFile(path) as source:
        assert source.size == 100
        assert source.read(10, 5) == bytes(range(10, 15))
        assert source.read(98, 10) == bytes([98, 99])
        assert source.read(100, 10) == b""
        assert source.read(-5, 10) == b""
        assert source.read(0, -1) == b""


@pytest.mark.skipif(sys.platform == "win32", reason="no FIFOs")
def test_a_fifo_is_refused_at_once(tmp_path):
    path = tmp_path / "fifo"
    os.mkfifo(path)
    with pytest.raises(ReaderError, match="not a regular file"):
        LocalFile(path)


@pytest.mark.skipif(sys.platform == "win32", reason="no devices")
def test_a_device_is_refused():
    with pytest.raises(ReaderError, match="not a regular file"):
        LocalFile("/dev/zero")


def test_what_cannot_be_opened_is_one_line(tmp_path):
    for path in (tmp_path / "missing\n", "nul\0byte", tmp_path):
        with pytest.raises(ReaderError) as caught:
            LocalFile(path)
        assert "\n" not in str(caught.value)
        assert "\0" not in str(caught.value)


def test_reading_a_closed_file_is_a_reader_error(tmp_path):
    path = tmp_path / "f"
    path.write_bytes(b"x")
    source = LocalFile(path)
    source.close()
    with pytest.raises(ReaderError):
        source.read(0, 1)


def test_a_window_ends_where_its_member_ends():
    window = Window(Buffer(b"0123456789"), 2, 5, "inner")
    assert window.size == 5
    assert window.read(0, 100) == b"23456"
    assert window.read(4, 100) == b"6"
    assert window.read(5, 1) == b""
    assert window.read(-1, 3) == b""


def test_counting_stops_at_the_limit():
    source = Counted(Buffer(bytes(100)), limit=50)
    source.read(0, 50)
    with pytest.raises(ReaderError, match="more than 50 bytes"):
        source.read(50, 1)


def test_cursor_reads_the_same_whatever_the_chunk():
    data = bytes(range(256)) * 8
    for chunk in (1, 2, 3, 7, 64, 5000):
        cursor = Cursor(Buffer(data), limit=10_000, chunk=chunk)
        got = b""
        while cursor.position < len(data):
            got += cursor.take(min(5, len(data) - cursor.position))
            cursor.peek(9)
        assert got == data
        with pytest.raises(ReaderError, match="ends too early"):
            cursor.take(1)


def test_cursor_skips_without_reading():
    source = Counted(Buffer(bytes(1_000_000)))
    cursor = Cursor(source, limit=10_000, chunk=100)
    for _ in range(9):
        cursor.take(4)
        cursor.skip(100_000)
    assert source.bytes_read <= 900
    with pytest.raises(ReaderError):
        cursor.skip(200_000)


def test_a_sparse_file_of_140_gb_costs_kilobytes(tmp_path, safetensors_file):
    shape = (1 << 20, 1 << 14)  # 64 GiB
    header = safetensors_file({"a": ("F32", shape), "b": ("F32", shape)}, data=False)
    path = tmp_path / "model.safetensors"
    with path.open("wb") as stream:
        stream.write(header)
        try:
            stream.truncate(len(header) + 2 * 4 * shape[0] * shape[1])
        except OSError:
            pytest.skip("the file system has no sparse files of this length")
    with LocalFile(path) as file:
        source = Counted(file)
        listing = SafetensorsReader().read(source, Limits())
    assert sum(tensor.nbytes or 0 for tensor in listing.tensors) > 137e9
    assert source.bytes_read <= 16_384
