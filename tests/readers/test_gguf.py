from __future__ import annotations

import struct

import pytest

from clustering.errors import ReaderError
from clustering.readers.gguf import GgufReader
from clustering.readers.gguf_types import GGML_TYPES, nominal_bits
from clustering.readers.limits import Limits
from clustering.readers.local import Buffer, Counted


class Gguf:
    """Writes a GGUF file by the letter of its description."""

    def __init__(self, order: str = "<", version: int = 3) -> None:
        self.order, self.version = order, version
        self.pairs: list[bytes] = []
        self.rows: list[bytes] = []

    def u32(self, value: int) -> bytes:
        return struct.pack(self.order + "I", value)

    def u64(self, value: int) -> bytes:
        return struct.pack(self.order + "Q", value)

    def text(self, value: str | bytes) -> bytes:
        raw = value.encode() if isinstance(value, str) else value
        return self.u64(len(raw)) + raw

    def pair(self, key: str, kind: int, value: bytes) -> Gguf:
        self.pairs.append(self.text(key) + self.u32(kind) + value)
        return self

    def tensor(self, name: str, sizes: list[int], kind: int = 0, offset: int = 0) -> Gguf:
        sizes_raw = b"".join(self.u64(size) for size in sizes)
        self.rows.append(self.text(name) + self.u32(len(sizes)) + sizes_raw + self.u32(kind) + self.u64(offset))
        return self

    def done(self, data: int = 0) -> bytes:
        head = b"GGUF" + self.u32(self.version) + self.u64(len(self.rows)) + self.u64(len(self.pairs))
        body = head + b"".join(self.pairs) + b"".join(self.rows)
        return body + bytes(-len(body) % 32 + data)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("version", [2, 3])
def test_key_values_and_tensors(read, order, version):
    file = Gguf(order, version)
    file.pair("general.architecture", 8, file.text("llama")).pair("llama.block_count", 4, file.u32(7))
    file.pair("flags", 9, file.u32(7) + file.u64(3) + b"\1\0\1")
    file.pair("tokens", 9, file.u32(8) + file.u64(500) + file.text("tok") * 500)
    file.pair("scores", 9, file.u32(6) + file.u64(400) + bytes(1600))
    file.pair("nested", 9, file.u32(9) + file.u64(1) + file.u32(0) + file.u64(2) + b"\5\6")
    file.tensor("token_embd.weight", [64, 100], 1).tensor("blk.0.attn_q.weight", [256, 64], 12, 12_800)
    listing = read(GgufReader, file.done(12_800 + 9_216))
    assert [(t.name, t.shape, t.dtype, t.nbytes) for t in listing.tensors] == [
        ("token_embd.weight", (100, 64), "F16", 12_800),
        ("blk.0.attn_q.weight", (64, 256), "Q4_K", 9_216),
    ]
    assert listing.metadata == {
        "general.architecture": "llama",
        "llama.block_count": 7,
        "flags": [True, False, True],
        "tokens": {"type": "text", "length": 500},
        "scores": {"type": "f", "length": 400},
        "nested": [[5, 6]],
    }
    assert listing.quantization is not None
    assert (listing.quantization.method, listing.quantization.bits) == ("gguf", 4.0)


def test_a_file_of_floats_is_not_quantized(read):
    assert read(GgufReader, Gguf().tensor("a", [4], 30).done(8)).quantization is None


def test_mixed_types_take_the_width_of_most_weights(read):
    file = Gguf().tensor("norm", [4], 0).tensor("a", [256, 9], 14, 32).tensor("b", [256, 2], 12, 4096)
    quantization = read(GgufReader, file.done(10_000)).quantization
    assert quantization.bits == 6.0
    assert quantization.source == "GGUF types Q6_K (1), Q4_K (1), F32 (1)"


@pytest.mark.parametrize(
    ("name", "bits"),
    [("Q4_K", 4), ("Q8_0", 8), ("IQ2_XXS", 2), ("MXFP4", 4), ("TQ1_0", 1), ("F16", None), ("BF16", None)],
)
def test_nominal_widths(name, bits):
    assert nominal_bits(name) == bits


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"GGML" + bytes(40), "not a GGUF"),
        (b"GGUF" + struct.pack("<IQQ", 1, 0, 0), "version 1"),
        (b"GGUF" + struct.pack("<IQQ", 3, 1 << 60, 0), "more than"),
        (b"GGUF" + struct.pack("<IQQ", 3, 0, 1 << 60), "key-values"),
        (Gguf().pair("k", 13, b"").done(), "unknown type 13"),
        (Gguf().pair("k", 9, struct.pack("<IQ", 0, 1 << 62)).done(), "too early"),
        (Gguf().pair("k", 9, struct.pack("<IQ", 8, 1 << 62)).done(), "too early|list of texts"),
        (Gguf().pair("k", 8, struct.pack("<Q", 1 << 63)).done(), "too early"),
        (Gguf().pair("k", 0, b"1").pair("k", 0, b"1").done(), "twice"),
        (Gguf().tensor("a", [4]).tensor("a", [4]).done(64), "twice"),
        (Gguf().tensor("a", [4], 99).done(64), "unknown type 99"),
        (Gguf().tensor("a", [30], 12).done(64), "rows of 30"),
        (Gguf().tensor("a", [4], 0, 1 << 62).done(64), "beyond the end"),
        (Gguf().tensor("a", [1 << 62, 1 << 62]).done(64), "larger than any model"),
        (Gguf().tensor("a", [1] * 50).done(64), "50 dimensions"),
        (Gguf().tensor("n" * 3000, [1]).done(64), "3000 characters"),
        (Gguf().pair("general.alignment", 4, struct.pack("<I", 0)).done(), "alignment"),
    ],
)
def test_lying_files_are_refused(read, data, words):
    with pytest.raises(ReaderError, match=words):
        read(GgufReader, data)


def test_deeply_nested_arrays_are_refused(read):
    with pytest.raises(ReaderError, match="unknown type 9"):
        read(GgufReader, Gguf().pair("k", 9, struct.pack("<IQ", 9, 1) * 50).done())


def test_every_truncation_is_refused():
    file = Gguf()
    file.pair("t", 9, file.u32(8) + file.u64(300) + file.text("x") * 300).tensor("a", [4], 0)
    data = file.done(16)
    for length in range(len(data)):
        with pytest.raises(ReaderError):
            GgufReader().read(Buffer(data[:length]), Limits())


def test_a_long_vocabulary_is_walked_and_not_kept(read):
    file = Gguf()
    file.pair("tokens", 9, file.u32(8) + file.u64(200_000) + file.text("token") * 200_000)
    source = Counted(Buffer(file.tensor("a", [4]).done(16 + 50_000_000)))
    listing = GgufReader().read(source, Limits())
    assert listing.metadata["tokens"]["length"] == 200_000
    assert source.bytes_read < 6_000_000


def test_the_type_table_is_that_of_the_library():
    gguf = pytest.importorskip("gguf")
    for kind, (block, size) in gguf.constants.GGML_QUANT_SIZES.items():
        assert GGML_TYPES[kind.value] == (kind.name, block, size)


def test_a_file_of_the_library(tmp_path, read):
    gguf = pytest.importorskip("gguf")
    import numpy as np

    writer = gguf.GGUFWriter(tmp_path / "m.gguf", "qwen2")
    writer.add_context_length(77)
    writer.add_tensor("output.weight", np.zeros((8, 32), "f4"))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    listing = read(GgufReader, (tmp_path / "m.gguf").read_bytes())
    assert [(t.name, t.shape) for t in listing.tensors] == [("output.weight", (8, 32))]
    assert listing.metadata["qwen2.context_length"] == 77
