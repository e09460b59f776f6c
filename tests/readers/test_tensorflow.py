from __future__ import annotations

import json
import struct

import pytest

from clustering.errors import ReaderError
from clustering.readers.limits import Limits
from clustering.readers.local import Buffer, Counted, LocalFile
from clustering.readers.tf_checkpoint import MAGIC, TensorflowReader

VALUE = "/.ATTRIBUTES/VARIABLE_VALUE"


def varint(value: int) -> bytes:
    out = b""
    while value > 0x7F:
        out += bytes([value & 0x7F | 0x80])
        value >>= 7
    return out + bytes([value])


def block(entries: list[tuple[bytes, bytes]]) -> bytes:
    """One block: every key shares what it can with the one before, a single restart point."""
    out, last = b"", b""
    for key, value in entries:
        shared = 0
        while shared < min(len(key), len(last)) and key[shared] == last[shared]:
            shared += 1
        out += varint(shared) + varint(len(key) - shared) + varint(len(value)) + key[shared:] + value
        last = key
    return out + struct.pack("<II", 0, 1)


def bundle(dtype: int, shape: list[int], size: int = 0) -> bytes:
    dims = b"".join(b"\x12" + varint(len(dim)) + dim for dim in (b"\x08" + varint(n) for n in shape))
    return b"\x08" + varint(dtype) + b"\x12" + varint(len(dims)) + dims + b"\x28" + varint(size)


def table(*blocks: list[tuple[bytes, bytes]]) -> bytes:
    out, handles = b"", []
    for entries in blocks:
        raw = block(entries)
        handles.append((entries[-1][0], varint(len(out)) + varint(len(raw))))
        out += raw + bytes(5)
    index = block(handles)
    footer = varint(0) + varint(0) + varint(len(out)) + varint(len(index))
    return out + index + bytes(5) + footer + bytes(40 - len(footer)) + struct.pack("<Q", MAGIC)


def checkpoint() -> bytes:
    return table(
        [
            (b"", b"\x08\x01"),
            (b"_CHECKPOINTABLE_OBJECT_GRAPH", bundle(7, [])),
            (f"model/a/kernel{VALUE}".encode(), bundle(1, [3, 4], 48)),
            (f"model/a/kernel/.OPTIMIZER_SLOT/optimizer/m{VALUE}".encode(), bundle(1, [3, 4])),
        ],
        [
            (f"model/b/bias{VALUE}".encode(), bundle(19, [4], 8)),
            (f"optimizer/iter{VALUE}".encode(), bundle(9, [])),
            (f"save_counter{VALUE}".encode(), bundle(9, [])),
        ],
    )


def test_variables_without_slots_and_counters(read):
    listing = read(TensorflowReader, checkpoint())
    assert [(t.name, t.shape, t.dtype, t.nbytes) for t in listing.tensors] == [
        ("model/a/kernel", (3, 4), "F32", 48),
        ("model/b/bias", (4,), "F16", 8),
    ]


def test_names_of_version_one(read):
    data = table(
        [
            (b"bert/embeddings/word_embeddings", bundle(1, [9, 4])),
            (b"bert/embeddings/word_embeddings/adam_m", bundle(1, [9, 4])),
            (b"beta1_power", bundle(1, [])),
            (b"global_step", bundle(9, [])),
        ]
    )
    assert [t.name for t in read(TensorflowReader, data).tensors] == ["bert/embeddings/word_embeddings"]


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "too short"),
        (bytes(100), "not a TensorFlow"),
        (bytes(40) + struct.pack("<Q", MAGIC), "block|varied|0 bytes|damaged"),
        (b"\xff" * 40 + struct.pack("<Q", MAGIC), "too long"),
        (table([(b"a", bundle(1, [1 << 62, 1 << 62]))]), "larger than any"),
        (table([(b"a", b"\x08")]), "too early"),
        (table([(b"a", b"\x0b")]), "Protocol Buffers"),
        (table([(b"a", bundle(1, [2])), (b"a" + VALUE.encode(), bundle(1, [2]))]), "twice"),
        (table([(b"", b"")]), "no variables"),
    ],
)
def test_damaged_tables_are_refused(read, data, words):
    with pytest.raises(ReaderError, match=words):
        read(TensorflowReader, data)


def test_every_truncation_is_refused():
    data = checkpoint()
    for length in range(len(data)):
        with pytest.raises(ReaderError):
            TensorflowReader().read(Buffer(data[:length]), Limits())


@pytest.mark.shared
def test_real_checkpoints(shared_data):
    paths = sorted((shared_data / "maskformer").glob("*.ckpt.index"))
    assert paths
    for path in paths:
        described = json.loads(path.with_suffix("").with_suffix(".json").read_text(encoding="utf-8"))
        expected = {
            name.removesuffix(VALUE): tuple(shape)
            for name, shape, dtype in described["checkpoint_variables"]
            if dtype != "string"
            and "optimizer" not in name.lower()
            and not name.startswith(("save_counter", "global_step"))
        }
        with LocalFile(path) as file:
            source = Counted(file)
            listing = TensorflowReader().read(source, Limits())
        assert {tensor.name: tensor.shape for tensor in listing.tensors} == expected
