"""timm's architectures as reference models.

A family is a module of timm, called `timm/resnet`; a variant is an architecture.
"""

from __future__ import annotations

from collections.abc import Iterator

from clustering.errors import MissingExtraError
from clustering.live.listing import LiveLimits, LiveModelError, listing_from_module
from clustering.live.zoo import timm_architectures, timm_module
from corpora.reference.records import ReferenceModel

PREFIX = "timm/"
LIMITS = LiveLimits(seconds=20.0, modules=60_000)
MOST = 24
"""Architectures taken from one module, those with the shortest names (the plain ones) first: timm has 163 vision
transformers, most of which differ in size and patch only."""


def timm_families() -> tuple[str, ...]:
    """The families of the installed timm (`timm/resnet` ...); none where timm is not installed."""
    try:
        return tuple(sorted({PREFIX + module for module, _ in timm_architectures()}))
    except MissingExtraError:
        return ()


def timm_models(family: str) -> Iterator[ReferenceModel]:
    """The architectures of a family that build, the plainest where there are many; equal listings once."""
    names = [name for module, name in timm_architectures() if PREFIX + module == family]
    seen: set[tuple[tuple[str, tuple[int, ...]], ...]] = set()
    for name in sorted(names, key=lambda name: (len(name), name))[:MOST]:
        try:
            listing = listing_from_module(timm_module(name, limits=LIMITS))
        except LiveModelError:  # a handful need an input size or a package of their own
            continue
        signature = tuple((tensor.name, tensor.shape) for tensor in listing.tensors)
        if signature and signature not in seen:
            seen.add(signature)
            yield ReferenceModel(family, str(listing.metadata["class"]), name, {}, listing)
