"""PyTorch checkpoints: zip archives, legacy streams and plain pickles, read without unpickling anything.

Formats: torch/serialization.py. A zip archive has one folder with `data.pkl` (the structure) and `data/KEY` (the
numbers, never read). A legacy file is a row of five pickles (magic number, protocol, machine, structure, storage keys)
before the numbers. Detectron2, PaddlePaddle and others write plain pickles of NumPy arrays.
"""

from __future__ import annotations

import re
from typing import Any

from clustering.bytesource import ByteSource
from clustering.errors import ReaderError
from clustering.readers.archive import Archive, Member
from clustering.readers.cursor import Cursor
from clustering.readers.limits import Limits
from clustering.readers.messages import no_weights, printable, refusal
from clustering.readers.pickles.flatten import state_dict
from clustering.readers.pickles.machine import Machine
from clustering.readers.pickles.opcodes import interpret
from clustering.readers.pickles.values import TensorRecord
from clustering.readers.shapes import bytes_of, checked_name, checked_shape
from clustering.tensors import Tensor, TensorListing

LEGACY_MAGIC = 0x1950A86A20F9469CFC6C
_PLAIN_CHUNK = 4_096
_OURS = re.compile(r"^(pytorch_|diffusion_pytorch_|adapter_|open_clip_)")
"""Names that only PyTorch checkpoints have."""
_OTHERS = {
    b"\x1f\x8b": "a gzip file",
    b"x\x9c": "a zlib file (joblib)",
    b"x\xda": "a zlib file (joblib)",
    b"BZh": "a bzip2 file",
    b"\xfd7zXZ": "an xz file",
    b"\x06\0\0\0": "a CTranslate2 model",
    b"\xba\x16\x4f\x2f": "a fastText model",
    b"lmgg": "a GGML file older than GGUF",
    b"tjgg": "a GGML file older than GGUF",
    b"fmgg": "a GGML file older than GGUF",
}
_SUFFIXES = (".bin", ".pt", ".pth", ".ckpt", ".pkl", ".pickle", ".pdparams")


class PytorchReader:
    """Reads `*.bin`, `*.pt`, `*.pth`, `*.ckpt`, `*.pkl`."""

    format = "pytorch"

    def matches(self, path: str) -> bool:
        """By suffix."""
        return path.lower().endswith(_SUFFIXES)

    def read(self, source: ByteSource, limits: Limits) -> TensorListing:
        """The tensors of the state dictionary, in its order.

        `metadata` has `container` (keys that led to the state dictionary), `kind` (zip, torchscript, legacy or plain)
        and `foreign_globals`: what loading the file with Python's pickle would import beyond tensors and containers.
        """
        head = source.read(0, 8)
        if head[:4] == b"PK\x03\x04":
            root, machine, kind = _zip(source, limits)
        elif head[:1] == b"\x80" or head[:1] in {b"(", b"}", b"]", b"c"}:
            root, machine, kind = _stream(source, limits)
        else:
            raise _foreign(source.label, head)
        named, container = state_dict(root, source.label, limits)
        foreign = list(machine.foreign)
        if not named:
            what = f"; loading it would import {', '.join(foreign[:3])}" if foreign else ""
            raise no_weights(source.label, f"holds no tensors{what}")
        tensors = tuple(_tensor(name, record, source.label, limits) for name, record in named)
        metadata: dict[str, Any] = {"kind": kind, "container": printable(container, 200), "foreign_globals": foreign}
        return TensorListing(tensors, self.format, (source.label,), metadata)


def _foreign(label: str, head: bytes) -> ReaderError:
    """The error for a file that PyTorch did not write: damage, or another format called `.bin` or `.pkl`."""
    name = label.rpartition("/")[2].lower()
    kind = next((kind for magic, kind in _OTHERS.items() if head.startswith(magic)), None)
    if kind is None and (name.endswith((".pt", ".pth", ".pdparams")) or _OURS.search(name)):
        return refusal(label, "neither a zip archive nor a pickle")
    return no_weights(label, f"{kind or 'a binary file of another program'}, which is not read")


def _tensor(name: str, record: TensorRecord, label: str, limits: Limits) -> Tensor:
    checked_name(name, label, limits)
    if record.shape is None:
        raise refusal(label, f"tensor {printable(name, 80)} is a NumPy array without a shape")
    shape = checked_shape(record.shape, name, label, limits)
    dtype = record.dtype or "U8"  # an untyped storage without a type is bytes
    storage = None if record.storage is None else f"{label}#{record.storage}"
    return Tensor(name, shape, dtype, bytes_of(shape, dtype), label, storage)


def _zip(source: ByteSource, limits: Limits) -> tuple[Any, Machine, str]:
    archive = Archive(source, limits)
    member = _structure(archive)
    if member is None:
        raise refusal(source.label, "a zip archive without a PyTorch data.pkl")
    if member.size > limits.header_bytes:
        raise refusal(source.label, f"data.pkl of {member.size} bytes is over the limit of {limits.header_bytes}")
    folder = member.name.removesuffix("data.pkl")
    inner = archive.open(member)
    root, machine = interpret(Cursor(inner, limit=limits.header_bytes), limits)
    kind = "torchscript" if f"{folder}constants.pkl" in archive.members else "zip"
    return root, machine, kind


def _structure(archive: Archive) -> Member | None:
    """`FOLDER/data.pkl`; PyTorch allows one top folder of any name."""
    found = [member for name, member in archive.members.items() if name == "data.pkl" or name.endswith("/data.pkl")]
    return min(found, key=lambda member: member.name.count("/"), default=None)


def _stream(source: ByteSource, limits: Limits) -> tuple[Any, Machine, str]:
    cursor = Cursor(source, limit=limits.scan_bytes, chunk=_PLAIN_CHUNK)
    root, machine = interpret(cursor, limits)
    if root != LEGACY_MAGIC or type(root) is not int:
        return root, machine, "plain"
    for _ in range(2):  # protocol version, facts about the machine that wrote it
        interpret(cursor, limits)
    root, machine = interpret(cursor, limits)
    return root, machine, "legacy"
