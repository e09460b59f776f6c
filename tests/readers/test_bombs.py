"""Files that are small, or sparse, and would take all memory or time if lengths were believed."""

from __future__ import annotations

import contextlib
import struct
import time
import tracemalloc
from collections.abc import Callable

import pytest

from clustering.errors import ReaderError
from clustering.readers.limits import Limits
from clustering.readers.local import Buffer
from clustering.readers.registry import reader_for

LIMITS = Limits(
    header_bytes=500_000, scan_bytes=4_000_000, operations=40_000, tensors=4_000, entries=4_000, index_bytes=500_000
)
"""A fiftieth of the defaults; memory must stay below a fiftieth of 256 MB, and a fixed cost."""
MEMORY = 256_000_000 // 50 + 2_000_000


def text(value: bytes) -> bytes:
    return struct.pack("<Q", len(value)) + value


def gguf(pairs: int, body: bytes, tensors: int = 0) -> bytes:
    return b"GGUF" + struct.pack("<IQQ", 3, tensors, pairs) + body


def piece(field: int, value: bytes) -> bytes:
    length, out = len(value), b""
    while length > 0x7F:
        out += bytes([length & 0x7F | 0x80])
        length >>= 7
    return bytes([field << 3 | 2]) + out + bytes([length]) + value


def framed(raw: bytes) -> bytes:
    return struct.pack("<Q", len(raw)) + raw


def key(number: int) -> bytes:
    return text(b"%08d" % number)


BOMBS: dict[str, tuple[str, Callable[[], bytes]]] = {
    "safetensors: lists": ("x.safetensors", lambda: framed(b'{"a":[' + b"[]," * 150_000 + b"[]]}")),
    "safetensors: numbers": ("x.safetensors", lambda: framed(b'{"a":[' + b"999," * 120_000 + b"1]}")),
    "safetensors: objects": ("x.safetensors", lambda: framed(b'{"a":[' + b"{}," * 150_000 + b"{}]}")),
    "safetensors: metadata": (
        "x.safetensors",
        lambda: framed(b'{"__metadata__":{' + b",".join(b'"%d":""' % n for n in range(40_000)) + b"}}"),
    ),
    "safetensors: wide characters": ("x.safetensors", lambda: framed(b'{"a":"' + "\U0001f600".encode() * 120_000)),
    "gguf: nested lists": (
        "x.gguf",
        lambda: gguf(
            500,
            b"".join(
                key(n) + struct.pack("<IIQ", 9, 9, 200) + (struct.pack("<IQ", 0, 30) + bytes(30)) * 200
                for n in range(80)
            ),
        ),
    ),
    "gguf: lists": (
        "x.gguf",
        lambda: gguf(4_000, b"".join(key(n) + struct.pack("<IIQ", 9, 0, 256) + bytes(256) for n in range(4_000))),
    ),
    "gguf: floats": (
        "x.gguf",
        lambda: gguf(4_000, b"".join(key(n) + struct.pack("<IIQ", 9, 6, 256) + bytes(1024) for n in range(3_000))),
    ),
    "gguf: texts": (
        "x.gguf",
        lambda: gguf(4_000, b"".join(key(n) + struct.pack("<I", 8) + text(bytes(19_000)) for n in range(200))),
    ),
    "gguf: names": (
        "x.gguf",
        lambda: gguf(0, b"".join(text(b"%0480d" % n) + struct.pack("<IIQ", 0, 0, 0) for n in range(3_900)), 4_000),
    ),
    "onnx: nodes": ("x.onnx", lambda: piece(7, b"\x0a\x00" * 39_000)),
    "onnx: names": ("x.onnx", lambda: piece(7, b"".join(piece(1, piece(3, b"%04000d" % n)) for n in range(900)))),
    "onnx: inputs": ("x.onnx", lambda: piece(7, piece(11, b"\x0a\x01x" * 39_000))),
    "onnx: numbers": ("x.onnx", lambda: piece(7, piece(5, b"\x08\x01" * 39_000))),
    "onnx: nested": ("x.onnx", lambda: piece(7, b"\x0a\x80\x80\x80\x01" * 30_000)),
    "flax: lists": ("x.msgpack", lambda: b"\x81\xa1a" + b"\xdd\xff\xff\xff\xff" + b"\x90" * 2_000_000),
    "flax: texts": (
        "x.msgpack",
        lambda: b"\x91" * 50 + b"\xdd\xff\xff\xff\xff" + (b"\xda\x0f\xff" + bytes(4_095)) * 900,
    ),
    "flax: maps": ("x.msgpack", lambda: b"\xdf\xff\xff\xff\xff" + b"".join(b"\xa5%05d\x80" % n for n in range(90_000))),
    "flax: long names": (
        "x.msgpack",
        lambda: (
            b"\x81\xda\x01\xe0"
            + b"n" * 480
            + b"\xdf\x00\x00\xff\xff"
            + b"".join(b"\xa4%04d\xc7\x0a\x01\x93\x91\x03\xa3<f4\xc4\x00\x00" % n for n in range(3_900))
        ),
    ),
    "flax: one array after the other": (
        "x.msgpack",
        lambda: b"\xdd\xff\xff\xff\xff" + b"\xc7\xff\x01\x93" + b"\xdd\xff\xff\xff\xff" * 100_000,
    ),
    "hdf5: header": ("x.h5", lambda: b"\x89HDF\r\n\x1a\n" + bytes(5) + b"\x08\x08" + bytes(200_000)),
    "numpy: header": ("x.npy", lambda: b"\x93NUMPY\x02\x00\xff\xff\xff\x7f" + b"(" * 100_000),
    "tensorflow: zeros": ("model.ckpt.index", lambda: bytes(3_000_000) + struct.pack("<Q", 0xDB4775248B80FB57)),
}


@pytest.mark.parametrize("name", sorted(BOMBS))
def test_bombs_are_bounded(name):
    path, build = BOMBS[name]
    data = build()
    reader = reader_for(path)
    assert reader is not None
    tracemalloc.start()
    begun = time.perf_counter()
    try:
        with contextlib.suppress(ReaderError):
            reader.read(Buffer(data), LIMITS)
    finally:
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert peak < MEMORY
    assert time.perf_counter() - begun < 20
