"""Whatever the bytes, a reader gives a listing or a `ReaderError` of one line."""

from __future__ import annotations

import json
import pickle
import random
import struct
import zipfile
from io import BytesIO

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clustering.errors import ReaderError
from clustering.readers.limits import Limits
from clustering.readers.local import Buffer
from clustering.readers.registry import READERS, reader_for
from clustering.tensors import TensorListing

LIMITS = Limits(operations=20_000, scan_bytes=1_000_000, header_bytes=200_000, tensors=2_000)
MAGIC = {
    "safetensors": b"\x40\0\0\0\0\0\0\0{",
    "pytorch": b"\x80\x02}q\x00(",
    "gguf": b"GGUF\x03\0\0\0",
    "hdf5": b"\x89HDF\r\n\x1a\n\0\0\0\0\0\x08\x08\0",
    "flax": b"\x83",
    "tensorflow": b"",
    "onnx": b"\x3a",
    "numpy": b"\x93NUMPY\x01\0",
}


def one_line(error: ReaderError) -> bool:
    assert str(error).isprintable()
    return False


def accepted(reader, data: bytes) -> bool:
    try:
        listing = reader.read(Buffer(data, "w"), LIMITS)
    except ReaderError as error:
        return one_line(error)
    assert isinstance(listing, TensorListing)
    assert listing.tensors
    for tensor in listing.tensors:
        assert isinstance(tensor.name, str)
        assert all(type(size) is int and size >= 0 for size in tensor.shape)
        assert tensor.elements <= LIMITS.elements
    return True


def test_the_registry_is_complete():
    assert {reader.format for reader in READERS} == set(MAGIC)
    assert len(READERS) == len(MAGIC)


@pytest.mark.parametrize("reader", READERS, ids=lambda reader: reader.format)
@given(data=st.binary(max_size=300), magic=st.booleans())
def test_any_bytes(reader, data, magic):
    accepted(reader, MAGIC[reader.format] + data if magic else data)


def header(value) -> bytes:
    raw = json.dumps(value).encode()
    return struct.pack("<Q", len(raw)) + raw


JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5)),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(st.text(max_size=5), inner, max_size=4)),
    max_leaves=10,
)
ENTRY = st.fixed_dictionaries(
    {},
    optional={
        "dtype": st.one_of(st.sampled_from(["F32", "I8", "F4", "BOOL", "?"]), JSON),
        "shape": st.one_of(st.lists(st.integers(-2, 5), max_size=3), JSON),
        "data_offsets": st.one_of(st.lists(st.integers(-2, 50), max_size=3), JSON),
    },
)


@given(st.dictionaries(st.one_of(st.just("__metadata__"), st.text(max_size=5)), st.one_of(ENTRY, JSON), max_size=4))
def test_any_json_header(value):
    accepted(reader_for("x.safetensors"), header(value))


def samples() -> dict[str, bytes]:
    """A small good file of every format that can be written here."""
    arrays = BytesIO()
    np.savez(arrays, a=np.zeros((2, 3), "f4"), b=np.zeros(4, "i8"))
    archive = BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as stream:
        stream.writestr("archive/data.pkl", pickle.dumps({"w": np.zeros((2, 3))}, protocol=2))
    gguf = b"GGUF" + struct.pack("<IQQ", 3, 1, 1) + struct.pack("<Q", 1) + b"k" + struct.pack("<IIQ", 9, 8, 2)
    gguf += (struct.pack("<Q", 2) + b"ab") * 2 + struct.pack("<Q", 1) + b"t" + struct.pack("<IQIQ", 1, 4, 0, 0)
    flax = b"\x81\xa1a\x81\xa1w\xc7\x0a\x01\x93\x92\x02\x03\xa1" + b"f" + b"\xc4\x00" + b"\x00"
    onnx_tensor = b"\x08\x02\x10\x01\x42\x01w"
    graph = b"\x0a\x08\x0a\x01x\x1a\x01n\x22\x00" + b"\x2a" + bytes([len(onnx_tensor)]) + onnx_tensor
    return {
        "x.safetensors": header({"a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}}) + bytes(8),
        "x.npz": arrays.getvalue(),
        "x.bin": archive.getvalue(),
        "x.pkl": pickle.dumps({"model": {"w": np.zeros((2, 3)), "v": np.zeros(5000)}}, protocol=4),
        "x.gguf": gguf + bytes(64),
        "x.onnx": b"\x3a" + bytes([len(graph)]) + graph,
        "x.msgpack": flax,
    }


@pytest.mark.parametrize("path", sorted(samples()))
def test_damaged_copies_of_good_files(path):
    """Every byte set to other values, every cut, and a thousand random changes."""
    data = samples()[path]
    reader = reader_for(path)
    rng = random.Random(path)
    if path != "x.msgpack":
        assert accepted(reader, data)
    step = max(1, len(data) // 400)
    for at in range(0, len(data), step):
        accepted(reader, data[:at])
        for byte in (0, 0x7F, 0x80, 0xFF):
            accepted(reader, data[:at] + bytes([byte]) + data[at + 1 :])
    for _ in range(500):
        broken = bytearray(data)
        for _ in range(rng.randint(1, 5)):
            at = rng.randrange(len(broken))
            broken[at : at + rng.randint(0, 2)] = rng.randbytes(rng.randint(0, 4))
            broken = broken or bytearray(1)
        accepted(reader, bytes(broken))
