"""Byte sources on this machine: files and buffers."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from threading import Lock
from types import TracebackType
from typing import Self

from clustering.bytesource import ByteSource
from clustering.readers.messages import printable, refusal


class LocalFile(ByteSource):
    """A regular file, opened for reading by ranges.

    FIFOs, sockets, devices and folders are refused: opening one could block, or never end.

    Raises:
        ReaderError: when it cannot be opened or is no regular file.
    """

    def __init__(self, path: Path | str, label: str | None = None) -> None:
        self.label = printable(str(path) if label is None else label, 300)
        # A FIFO without a writer blocks `open` for ever unless it is opened without blocking.
        flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
        try:
            handle = os.open(path, flags)
        except (OSError, ValueError) as error:
            raise refusal(self.label, _why(error)) from error
        status = os.fstat(handle)
        if not stat.S_ISREG(status.st_mode):
            os.close(handle)
            raise refusal(self.label, "not a regular file")
        self._file = os.fdopen(handle, "rb", buffering=0)
        self._size = status.st_size
        self._lock = Lock()

    @property
    def size(self) -> int:
        """Length in bytes when it was opened."""
        return self._size

    def read(self, offset: int, length: int) -> bytes:
        """Bytes of a range; fewer only where the file ends."""
        wanted = max(0, min(length, self._size - offset))
        if wanted == 0 or offset < 0:
            return b""
        chunks: list[bytes] = []
        try:
            with self._lock:
                self._file.seek(offset)
                while wanted:
                    chunk = self._file.read(wanted)
                    if not chunk:
                        break
                    chunks.append(chunk)
                    wanted -= len(chunk)
        except (OSError, ValueError) as error:
            raise refusal(self.label, _why(error)) from error
        return b"".join(chunks)

    def close(self) -> None:
        """Closes the file."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class Buffer(ByteSource):
    """Bytes in memory."""

    def __init__(self, data: bytes, label: str = "buffer") -> None:
        self.label = printable(label, 300)
        self._data = data

    @property
    def size(self) -> int:
        """Length in bytes."""
        return len(self._data)

    def read(self, offset: int, length: int) -> bytes:
        """Bytes of a range; fewer only where the buffer ends."""
        if offset < 0 or length <= 0:
            return b""
        return self._data[offset : offset + length]

    def close(self) -> None:
        """Nothing is held."""


class Window(ByteSource):
    """A part of another source: a member that an archive stores without compression."""

    def __init__(self, source: ByteSource, start: int, length: int, label: str) -> None:
        self.label = printable(label, 300)
        self._source = source
        self._start = start
        self._length = length

    @property
    def size(self) -> int:
        """Length in bytes."""
        return self._length

    def read(self, offset: int, length: int) -> bytes:
        """Bytes of a range of the window."""
        if offset < 0:
            return b""
        return self._source.read(self._start + offset, max(0, min(length, self._length - offset)))

    def close(self) -> None:
        """The outer source stays open; who opened it closes it."""


class Counted(ByteSource):
    """Counts what is read from another source, to state and to bound what an audit costs."""

    def __init__(self, source: ByteSource, limit: int | None = None) -> None:
        self.label = source.label
        self.bytes_read = 0
        self.reads = 0
        self._source = source
        self._limit = limit

    @property
    def size(self) -> int | None:
        """Length of the inner source."""
        return self._source.size

    def read(self, offset: int, length: int) -> bytes:
        """Bytes of a range; refuses when the total goes beyond the limit."""
        data = self._source.read(offset, length)
        self.bytes_read += len(data)
        self.reads += 1
        if self._limit is not None and self.bytes_read > self._limit:
            raise refusal(self.label, f"more than {self._limit} bytes of headers")
        return data

    def close(self) -> None:
        """Closes the inner source."""
        self._source.close()


def _why(error: Exception) -> str:
    return (error.strerror or type(error).__name__) if isinstance(error, OSError) else str(error)
