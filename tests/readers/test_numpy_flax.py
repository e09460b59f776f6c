from __future__ import annotations

import struct
from io import BytesIO

import numpy as np
import pytest

from clustering.errors import ReaderError
from clustering.readers.flax import FlaxReader
from clustering.readers.limits import Limits
from clustering.readers.local import Buffer, Counted
from clustering.readers.numpy_files import NumpyReader


def npz(*, compressed: bool = False, **arrays: np.ndarray) -> bytes:
    buffer = BytesIO()
    (np.savez_compressed if compressed else np.savez)(buffer, **arrays)
    return buffer.getvalue()


@pytest.mark.parametrize("compressed", [True, False])
def test_arrays_of_an_archive(read, compressed):
    data = npz(
        compressed=compressed, **{"a/kernel": np.zeros((30, 40), "f4"), "b": np.zeros(3, "i8"), "s": np.array(["x"])}
    )
    listing = read(NumpyReader, data)
    assert [(t.name, t.shape, t.dtype) for t in listing.tensors] == [("a/kernel", (30, 40), "F32"), ("b", (3,), "I64")]


def test_one_array(read):
    buffer = BytesIO()
    np.save(buffer, np.zeros((2, 5), "f2"))
    listing = read(NumpyReader, buffer.getvalue(), label="dir/embedding.npy")
    assert [(t.name, t.shape, t.dtype) for t in listing.tensors] == [("embedding", (2, 5), "F16")]


def test_data_of_arrays_is_not_read():
    source = Counted(Buffer(npz(**{f"w{n}": np.zeros(100_000) for n in range(10)})))
    NumpyReader().read(source, Limits())
    assert source.bytes_read < 50_000


@pytest.mark.parametrize(
    "header",
    [
        b"__import__('os').system('true')",
        b"{'descr': '<f4', 'fortran_order': False, 'shape': (-1,)}",
        b"{'descr': '<f4', 'fortran_order': False, 'shape': (1.5,)}",
        b"{'descr': '<f4', 'fortran_order': False, 'shape': 3}",
        b"{'descr': '<f4', 'shape': (9" + b"9" * 5_000 + b",)}",
        b"(" * 9_000,
        b"-" * 9_000 + b"1",
        b"[" * 150 + b"]" * 150,
        b"\x00",
        b"",
    ],
)
def test_headers_are_data(read, header):
    raw = b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header
    with pytest.raises(ReaderError):
        read(NumpyReader, raw)


def test_a_long_header_is_refused(read):
    with pytest.raises(ReaderError, match="header of 4000000000"):
        read(NumpyReader, b"\x93NUMPY\x02\x00" + struct.pack("<I", 4_000_000_000) + b" " * 20)


# flax ----------------------------------------------------------------------------------------------------------------


def pack(value) -> bytes:
    """The few shapes of MessagePack that Flax writes."""
    if isinstance(value, dict):
        return b"\xdf" + struct.pack(">I", len(value)) + b"".join(pack(k) + pack(v) for k, v in value.items())
    if isinstance(value, (list, tuple)):
        return b"\xdc" + struct.pack(">H", len(value)) + b"".join(map(pack, value))
    if isinstance(value, bool):
        return b"\xc3" if value else b"\xc2"
    if isinstance(value, int):
        return b"\xd3" + struct.pack(">q", value)
    if isinstance(value, str):
        return b"\xd9" + bytes([len(value)]) + value.encode()
    if isinstance(value, bytes):
        return b"\xc6" + struct.pack(">I", len(value)) + value
    shape = b"\x90" if value.ndim == 0 else bytes([0x90 | value.ndim]) + b"".join(pack(n) for n in value.shape)
    body = b"\x93" + shape + pack(value.dtype.name) + pack(value.tobytes())
    return b"\xc9" + struct.pack(">I", len(body)) + b"\x01" + body


def test_nested_parameters(read):
    tree = {"encoder": {"layer": {"0": {"kernel": np.zeros((4, 5), "f4"), "scale": np.zeros((), "f2")}}}, "version": 3}
    listing = read(FlaxReader, pack(tree))
    assert [(t.name, t.shape, t.dtype) for t in listing.tensors] == [
        ("encoder/layer/0/kernel", (4, 5), "F32"),
        ("encoder/layer/0/scale", (), "F16"),
    ]


def test_arrays_in_pieces_are_joined(read):
    piece = np.zeros(21, "f4")
    tree = {"big": {"__msgpack_chunked_array__": True, "shape": {"0": 6, "1": 7}, "chunks": {"0": piece, "1": piece}}}
    assert [(t.name, t.shape, t.dtype) for t in read(FlaxReader, pack(tree)).tensors] == [("big", (6, 7), "F32")]


def test_a_training_state_keeps_its_parameters(read):
    tree = {"step": 1, "params": {"w": np.zeros(3)}, "opt_state": {"0": {"mu": {"w": np.zeros(3)}}}}
    assert [t.name for t in read(FlaxReader, pack(tree)).tensors] == ["params/w"]


def test_data_is_skipped():
    source = Counted(Buffer(pack({f"w{n}": np.zeros(100_000, "f4") for n in range(20)})))
    assert len(FlaxReader().read(source, Limits()).tensors) == 20
    assert source.bytes_read < 100_000


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xc1",
        b"\xdf\xff\xff\xff\xff",
        b"\xdd\xff\xff\xff\xff" + b"\xc0" * 100,
        b"\x91" * 5_000 + b"\xc0",
        b"\x81" + pack("w") + b"\xc9\xff\xff\xff\xff\x01\x93",
        b"\x81" + pack("w") + b"\xc7\x03\x01\x93\x91\x05",
        b"\x81" + pack("w") + b"\xc7\x08\x01" + b"\x93\x91\xff" + pack("f4") + b"\xc4\x00",
        b"\x81" + pack([1]) + b"\xc0",
        pack({"w": np.zeros(3, "datetime64[s]")}),
        pack({"a": 1}),
        pack({"a": {"__msgpack_chunked_array__": True, "shape": 7, "chunks": {"0": np.zeros(2)}}}),
        pack({"a": {"__msgpack_chunked_array__": True, "chunks": {"0": np.zeros(2)}}}),
    ],
)
def test_damaged_documents_are_refused(read, data):
    with pytest.raises(ReaderError):
        read(FlaxReader, data)


def test_every_truncation_is_refused():
    data = pack({"a": {"w": np.zeros(3, "f4")}, "b": np.zeros((2, 2), "f4")})
    for length in range(len(data)):
        with pytest.raises(ReaderError):
            FlaxReader().read(Buffer(data[:length]), Limits())


def test_the_library_agrees(read):
    msgpack = pytest.importorskip("msgpack")
    array = np.zeros((3, 4), "f4")
    body = msgpack.packb((array.shape, array.dtype.name, array.tobytes()), use_bin_type=True)
    data = msgpack.packb(
        {"a": {"b": msgpack.ExtType(1, body)}, "n": None, "x": 1.5, "l": [1, -1, 300, -70000, 1 << 40]}
    )
    assert [(t.name, t.shape) for t in read(FlaxReader, data).tensors] == [("a/b", (3, 4))]
