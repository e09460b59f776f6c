"""Bounds on what a weight file may cost: headers come from strangers."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """Upper bounds per file; whatever goes beyond is a `ReaderError`.

    The defaults are several times what the largest published models need (a 671 B mixture of experts has 92 thousand
    tensors in 163 files; its index is 9 MB) and keep a hostile file under 256 MB of memory.
    """

    header_bytes: int = 25_000_000
    """Longest header, pickle stream or directory that is read (the hub's client has the same bound)."""
    index_bytes: int = 50_000_000
    """Longest shard index (JSON)."""
    scan_bytes: int = 200_000_000
    """Bytes read in total from one file whose header is scattered over it (GGUF token lists, ONNX, HDF5)."""
    tensors: int = 200_000
    """Tensors in one file."""
    name_length: int = 500
    """Characters of a tensor name; the object paths of TensorFlow are the longest, with up to 300."""
    rank: int = 32
    """Dimensions of a tensor."""
    elements: int = 1 << 52
    """Elements of a tensor: 4.5e15, a thousand times the largest model."""
    depth: int = 100
    """Nesting of groups, dictionaries and messages."""
    operations: int = 2_000_000
    """Steps of an interpreter or a directory walk."""
    entries: int = 200_000
    """Entries of an archive's directory."""
    shards: int = 2_000
    """Files that are joined to one model."""


DEFAULT_LIMITS = Limits()
