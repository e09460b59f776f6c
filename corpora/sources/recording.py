"""The bytes that were read of a package's files, kept as text so that they can be read again without the package.

An audit reads little of a package: a config, a card, headers of weights. What was read is recorded by ranges, and a
recorded file gives exactly these ranges back. Whatever was not read the first time is refused, never made up.
"""

from __future__ import annotations

import base64
import binascii
import threading
import zlib
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any, Final

from clustering.bytesource import ByteSource, FileAccess
from clustering.errors import ReaderError
from clustering.text import escape

MAX_KEPT: Final = 128 << 20
"""Bytes of one package that are recorded or read back; the headers of a 671B mixture of experts take 20 MB."""
_LONGEST: Final = 64 << 20
"""Longest single range; the same bound that files on a hub have."""
_LEVEL: Final = 6


class Blocks:
    """Ranges of one file."""

    def __init__(self) -> None:
        self._reads: list[tuple[int, bytes]] = []

    def add(self, offset: int, data: bytes) -> int:
        """Keeps a range; returns the bytes that this takes."""
        if not data or any(start <= offset and offset + len(data) <= start + len(had) for start, had in self._reads):
            return 0
        self._reads.append((offset, data))
        return len(data)

    def joined(self) -> list[tuple[int, bytes]]:
        """The ranges in order, those that touch or overlap made one."""
        found: list[tuple[int, bytearray]] = []
        for start, data in sorted(self._reads, key=lambda read: (read[0], len(read[1]))):
            if found and start <= found[-1][0] + len(found[-1][1]):
                first, block = found[-1]
                block += data[max(0, first + len(block) - start) :]
            else:
                found.append((start, bytearray(data)))
        return [(start, bytes(block)) for start, block in found]


class RecordedTooMuchError(ReaderError):
    """A package of which more is read than is kept."""


class Recording:
    """Files whose reads are kept. Implements `clustering.bytesource.FileAccess` around another one."""

    def __init__(self, files: FileAccess) -> None:
        self._files = files
        self._blocks: dict[str, Blocks] = {}
        self._lengths: dict[str, int] = {}
        self._kept = 0
        self._lock = threading.Lock()
        self.overflow = False
        """Whether more was read than is kept."""

    def __getattr__(self, name: str) -> Any:
        """`concurrency`, `failures` and `prefetch` of the files."""
        return getattr(self._files, name)

    def sizes(self) -> Mapping[str, int | None]:
        """Those of the files."""
        return self._files.sizes()

    def open(self, path: str) -> ByteSource:
        """Opens a file; what is read of it is kept.

        Raises:
            ReaderError: when there is no such file.
        """
        return _RecordingFile(self, path, self._files.open(path))

    def keep(self, path: str, offset: int, data: bytes, size: int | None) -> None:
        """Keeps what was read."""
        with self._lock:
            self._kept += self._blocks.setdefault(path, Blocks()).add(offset, data)
            if size is not None:
                self._lengths[path] = size
            if self._kept > MAX_KEPT:
                self.overflow = True
                raise RecordedTooMuchError(f"{escape(path)}: more than {MAX_KEPT:,} bytes of headers; not recorded")

    def document(self) -> dict[str, Any]:
        """What was read, as plain JSON: by path the file's length and its blocks of offset and packed bytes."""
        return {
            path: {
                "size": self._lengths.get(path),
                "blocks": [[start, _packed(data)] for start, data in blocks.joined()],
            }
            for path, blocks in sorted(self._blocks.items())
        }


class _RecordingFile:
    """One file of a `Recording`."""

    def __init__(self, recording: Recording, path: str, file: ByteSource) -> None:
        self.label = file.label
        self._recording = recording
        self._path = path
        self._file = file

    @property
    def size(self) -> int | None:
        """Length of the file."""
        return self._file.size

    def read(self, offset: int, length: int) -> bytes:
        """Bytes of a range."""
        data = self._file.read(offset, length)
        self._recording.keep(self._path, offset, data, self._file.size)
        return data

    def close(self) -> None:
        """Closes the file."""
        self._file.close()


class RecordedFiles:
    """Files of a recorded package. Implements `clustering.bytesource.FileAccess`."""

    def __init__(self, sizes: Mapping[str, int | None], recorded: Any) -> None:
        """`sizes`: all files of the package; `recorded`: what `Recording.document` gave, or what a stranger wrote."""
        self._sizes: Mapping[str, int | None] = MappingProxyType(dict(sorted(sizes.items())))
        self._recorded: Mapping[str, Any] = recorded if isinstance(recorded, dict) else {}
        self._left = MAX_KEPT
        self._files: dict[str, _RecordedFile] = {}

    def sizes(self) -> Mapping[str, int | None]:
        """Paths with lengths in bytes, sorted."""
        return self._sizes

    def open(self, path: str) -> ByteSource:
        """Opens a file.

        Raises:
            ReaderError: when there is none, when nothing of it was recorded, or when the record is damaged.
        """
        if path not in self._sizes:
            raise ReaderError(f"{escape(path)}: no such file in the package")
        if path not in self._files:
            entry = self._recorded.get(path)
            if not isinstance(entry, dict) or not isinstance(entry.get("blocks"), list):
                raise ReaderError(f"{escape(path)}: the snapshot does not hold it; pull the snapshot again")
            blocks = []
            for block in entry["blocks"]:
                start, data = self._unpacked(path, block)
                self._left -= len(data)
                blocks.append((start, data))
            size = self._sizes[path]
            length = entry.get("size")
            if size is None and isinstance(length, int) and not isinstance(length, bool) and length >= 0:
                size = length
            self._files[path] = _RecordedFile(escape(path), size, blocks)
        return self._files[path]

    def _unpacked(self, path: str, block: Any) -> tuple[int, bytes]:
        damaged = ReaderError(f"{escape(path)}: what the snapshot holds of it is damaged; pull the snapshot again")
        if not isinstance(block, list) or len(block) != 2 or type(block[0]) is not int or not isinstance(block[1], str):
            raise damaged
        try:
            packed = base64.b64decode(block[1], validate=True)
            engine = zlib.decompressobj()
            data = engine.decompress(packed, max(1, self._left))
        except (ValueError, binascii.Error, zlib.error) as error:
            raise damaged from error
        if not engine.eof or block[0] < 0:
            raise damaged
        return block[0], data


class _RecordedFile:
    """One file of `RecordedFiles`."""

    def __init__(self, label: str, size: int | None, blocks: Iterable[tuple[int, bytes]]) -> None:
        self.label = label
        self._size = size
        self._blocks = sorted(blocks)

    @property
    def size(self) -> int | None:
        """Length of the whole file."""
        return self._size

    def read(self, offset: int, length: int) -> bytes:
        """Bytes of a range.

        Raises:
            ReaderError: when they were not recorded.
        """
        if offset < 0 or length <= 0:
            return b""
        if self._size is not None:
            length = max(0, min(length, self._size - offset))
        if length > _LONGEST:
            raise ReaderError(f"{self.label}: a range of {length:,} bytes is too long to be read from a hub")
        if length == 0:
            return b""
        for start, data in self._blocks:
            if start <= offset and offset + length <= start + len(data):
                return data[offset - start : offset - start + length]
        raise ReaderError(f"{self.label}: the snapshot does not hold bytes {offset:,} to {offset + length:,} of it")

    def close(self) -> None:
        """Nothing is held open."""


def _packed(data: bytes) -> str:
    return base64.b64encode(zlib.compress(data, _LEVEL)).decode("ascii")
