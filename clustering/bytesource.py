"""Random access to the bytes of an artifact, wherever they lie."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol


class ByteSource(Protocol):
    """One file that can be read by ranges: a local file, a buffer, or a file on a hub."""

    label: str
    """Path to show in messages (already without control characters)."""

    @property
    def size(self) -> int | None:
        """Length in bytes, or None when the origin does not say."""

    def read(self, offset: int, length: int) -> bytes:
        """Bytes `offset` to `offset + length`; fewer only where the file ends.

        Raises:
            ReaderError: when the origin cannot be read.
        """

    def close(self) -> None:
        """Releases what is held; reading afterwards is an error."""


class FileAccess(Protocol):
    """The files of one package."""

    def sizes(self) -> Mapping[str, int | None]:
        """POSIX paths relative to the package's root, sorted, with lengths in bytes where known."""

    def open(self, path: str) -> ByteSource:
        """Opens one of `sizes()` for reading by ranges.

        Raises:
            ReaderError: when the file cannot be opened.
        """
