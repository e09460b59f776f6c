"""Signatures of the graphs that a process reads, for the clusters of the whole run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from clustering.contents import listing_digest
from clustering.tensors import TensorListing
from dara.batch.remember import Recent
from dara.measurement import Computing, GraphReading

if TYPE_CHECKING:
    from clustering.clusters.sketch import Sketch
    from clustering.declared.config import Declared

KEPT: Final = 4_096
"""Sketches kept in a process; one has 1 to 18 KB."""


class Signing(Computing):
    """Computes as another does, and keeps the sketch of the graph that was read last.

    A sketch depends on the listing alone, so shards hold the same ones whoever judges them, in whatever order.
    """

    def __init__(self, inner: Computing) -> None:
        self._inner = inner
        self._sketches: Recent[Sketch] = Recent(KEPT)
        self._last: Sketch | None = None

    def declared(self, config: Mapping[str, Any]) -> Declared:
        """As the other computes it."""
        return self._inner.declared(config)

    def graph(self, listing: TensorListing, config: Mapping[str, Any] | None, *, parts: bool) -> GraphReading:
        """As the other computes it."""
        reading = self._inner.graph(listing, config, parts=parts)
        if reading.fingerprint is not None:
            self._last = self._sketch(listing)
        return reading

    def take(self) -> Sketch | None:
        """The sketch of the graph read since the last call; None when there was none."""
        found, self._last = self._last, None
        return found

    def _sketch(self, listing: TensorListing) -> Sketch:
        from clustering.clusters.signature import signature
        from clustering.clusters.sketch import sketch

        key = listing_digest(listing)
        found = self._sketches.get(key)
        if found is None:
            found = sketch(signature(listing))
            self._sketches.put(key, found)
        return found
