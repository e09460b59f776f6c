"""What a weight reader is: one class per format."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from clustering.bytesource import ByteSource
from clustering.readers.limits import Limits
from clustering.tensors import TensorListing


@runtime_checkable
class WeightReader(Protocol):
    """Turns the header of one weight file into a tensor listing."""

    format: str
    """Value of `TensorListing.format`."""

    def matches(self, path: str) -> bool:
        """Whether a file of this POSIX path looks like the format; says nothing about its contents."""

    def read(self, source: ByteSource, limits: Limits) -> TensorListing:
        """The tensors of `source`, as stored: packed weights are not unpacked here.

        Raises:
            ReaderError: when the file is damaged, hostile, beyond the limits, or holds no tensors.
            MissingExtraError: when the format needs a library that is not installed.
        """
