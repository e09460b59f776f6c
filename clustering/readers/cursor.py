"""Sequential reading over a byte source: small reads from one buffer, long stretches skipped."""

from __future__ import annotations

import struct
from typing import Any

from clustering.bytesource import ByteSource
from clustering.errors import ReaderError
from clustering.readers.messages import refusal

FIRST_CHUNK = 16_384
LARGEST_CHUNK = 1_048_576


class Cursor:
    """A position in a source, with a buffer that grows while reading stays sequential.

    Args:
        source: where the bytes are.
        position: where to start.
        end: where to stop; None for the end of the source.
        limit: bytes that may be fetched in total.
        chunk: first size of the buffer; it doubles with every sequential refill and falls back after a skip.
    """

    __slots__ = ("_buffer", "_chunk", "_first", "_start", "end", "fetched", "limit", "position", "source")

    def __init__(
        self, source: ByteSource, position: int = 0, *, end: int | None = None, limit: int, chunk: int = FIRST_CHUNK
    ) -> None:
        self.source = source
        self.position = position
        self.end = source.size if end is None else end
        self.limit = limit
        self.fetched = 0
        self._first = self._chunk = chunk
        self._buffer = b""
        self._start = position

    def fail(self, cause: str) -> ReaderError:
        """The error for this source at this position."""
        return refusal(self.source.label, f"{cause} (at byte {self.position})")

    def take(self, length: int) -> bytes:
        """The next `length` bytes.

        Raises:
            ReaderError: when the file ends before, or the limit is reached.
        """
        start = self.position - self._start
        stop = start + length
        if start >= 0 and stop <= len(self._buffer):
            self.position += length
            return self._buffer[start:stop]
        if self.end is not None and self.position + length > self.end:
            raise self.fail("ends too early")
        if length > self.limit:
            raise self.fail(f"a stretch of {length} bytes is over the limit of {self.limit}")
        self._fill(length)
        if len(self._buffer) < length:
            raise self.fail("ends too early")
        self.position += length
        return self._buffer[:length]

    def peek(self, length: int) -> bytes:
        """Up to `length` bytes ahead, without moving; fewer where the file ends."""
        if self.end is not None:
            length = max(0, min(length, self.end - self.position))
        start = self.position - self._start
        if start < 0 or start + length > len(self._buffer):
            self._fill(length)
            start = 0
        return self._buffer[start : start + length]

    def skip(self, length: int) -> None:
        """Moves on without reading."""
        if length < 0 or (self.end is not None and self.position + length > self.end):
            raise self.fail("ends too early")
        self.position += length

    def unpack(self, layout: struct.Struct) -> tuple[Any, ...]:
        """The next fields of a fixed layout."""
        return layout.unpack(self.take(layout.size))

    def byte(self) -> int:
        """The next byte."""
        start = self.position - self._start
        if 0 <= start < len(self._buffer):
            self.position += 1
            return self._buffer[start]
        return self.take(1)[0]

    def line(self, longest: int) -> bytes:
        """The bytes before the next line feed, which is consumed."""
        parts: list[bytes] = []
        total = 0
        while True:
            ahead = self.peek(256)
            if not ahead:
                raise self.fail("ends inside a line")
            head, feed, _ = ahead.partition(b"\n")
            total += len(head)
            if total > longest:
                raise self.fail(f"a line is longer than {longest} bytes")
            parts.append(head)
            self.position += len(head) + len(feed)
            if feed:
                return b"".join(parts)

    def varint(self) -> int:
        """A base-128 varint of at most 64 bits (Protocol Buffers, LevelDB)."""
        value = shift = 0
        while True:
            byte = self.byte()
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value & 0xFFFF_FFFF_FFFF_FFFF
            shift += 7
            if shift > 63:
                raise self.fail("a variable-length number is too long")

    def _fill(self, length: int) -> None:
        """Makes the buffer begin at the position and hold `length` bytes, or what is left of the file."""
        start = self.position - self._start
        kept = self._buffer[start:] if 0 <= start <= len(self._buffer) and self._buffer else b""
        if not kept:
            sequential = bool(self._buffer) and start == len(self._buffer)
            self._chunk = min(self._chunk * 2, LARGEST_CHUNK) if sequential else self._first
        else:
            self._chunk = min(self._chunk * 2, LARGEST_CHUNK)
        wanted = max(length - len(kept), self._chunk)
        if self.end is not None:
            wanted = min(wanted, self.end - self.position - len(kept))
        wanted = min(wanted, max(length - len(kept), self.limit - self.fetched))
        fresh = self.source.read(self.position + len(kept), wanted)
        self.fetched += len(fresh)
        if self.fetched > self.limit:
            raise self.fail(f"more than {self.limit} bytes of headers")
        self._buffer = kept + fresh
        self._start = self.position
