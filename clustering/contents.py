"""The address of a listing: equal for equal contents, whichever package they stand in."""

from __future__ import annotations

import marshal
from hashlib import blake2b

from clustering.tensors import TensorListing

_VERSION = 2
"""Of marshal's format: the last in which equal values are equal bytes (later ones depend on who else holds a value)."""


def listing_digest(listing: TensorListing) -> bytes:
    """Address, 20 bytes, of everything in a listing that a reading of its graph may depend on.

    Files and bytes are left out: copies in other shards are the same graph. Stable between processes, not between
    versions of DARA.
    """
    plain = sorted((k, v) for k, v in listing.metadata.items() if isinstance(v, str | int | float | bool))
    rest = (listing.format, listing.names_only, listing.adapter, listing.quantization, bool(listing.incomplete), plain)
    digest = blake2b(repr(rest).encode("utf-8", "backslashreplace"), digest_size=20)
    digest.update(marshal.dumps([(t.name, t.shape, t.dtype, t.storage) for t in listing.tensors], _VERSION))
    return digest.digest()
