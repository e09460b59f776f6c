"""Signatures as a few KB of bytes, so that a whole snapshot's graphs fit on disk and into memory.

A token becomes eight bytes of its hash. Of a bag with very many tokens those with the smallest hashes are kept: which
ones these are depends on the tokens alone, so two bags keep the same ones of what they share, and their cosine stays
close to what it was (bottom-k sampling, Cohen and Kaplan 2007).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from clustering.clusters.signature import GraphSignature

MOST = 512
"""Tokens kept of a channel; of the 270 development packages with weights none has more than 300."""
_RECORD = np.dtype([("token", "<u8"), ("weight", "<f4")])


@dataclass(frozen=True, slots=True)
class Sketch:
    """The bags of one graph as bytes: records of a token's hash (8 bytes) and its weight (4 bytes), sorted by hash."""

    shapes: bytes = b""
    order: bytes = b""
    names: bytes = b""

    @property
    def key(self) -> bytes:
        """16 bytes that are equal for equal sketches."""
        digest = blake2b(digest_size=16)
        for part in (self.shapes, self.order, self.names):
            digest.update(len(part).to_bytes(8, "little") + part)
        return digest.digest()

    @property
    def size(self) -> int:
        """Bytes."""
        return len(self.shapes) + len(self.order) + len(self.names)

    @property
    def sound(self) -> bool:
        """Whether the bytes are records; those of another program need not be."""
        return all(len(part) % _RECORD.itemsize == 0 for part in (self.shapes, self.order, self.names))


def sketch(signature: GraphSignature) -> Sketch:
    """The sketch of a signature."""
    return Sketch(_packed(signature.shapes), _packed(signature.order), _packed(signature.names))


def _packed(bag: Sequence[tuple[str, float]]) -> bytes:
    found = {
        int.from_bytes(blake2b(token.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "little"): weight
        for token, weight in bag
    }
    kept = sorted(found.items())[:MOST]
    return np.array(kept, dtype=_RECORD).tobytes()


def tokens(bags: Sequence[bytes]) -> tuple[NDArray[Any], NDArray[np.float64], NDArray[np.int64]]:
    """All tokens of some bags one after another: hashes (tokens,), weights (tokens,), tokens of each bag (bags,)."""
    records = np.frombuffer(b"".join(bags), dtype=_RECORD)
    lengths = np.array([len(bag) // _RECORD.itemsize for bag in bags], dtype=np.int64)
    return records["token"], records["weight"].astype(np.float64), lengths
