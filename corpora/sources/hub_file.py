"""Files of a package on a hub, read by ranges and kept in memory."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Final

from clustering.bytesource import ByteSource
from clustering.errors import ReaderError
from clustering.readers.local import LocalFile
from clustering.text import escape
from corpora.errors import GatedError, PackageError, UnavailableError
from corpora.sources.hub_http import ExpiredError, HubClient, RangeReply

HEAD_BYTES: Final = 64 << 10
"""First block of a file on its own: the whole header of a safetensors file with 500 tensors."""

SHARD_BUDGET: Final = 256 << 10
"""First blocks of all shards of one model together; what is missing of a header follows by its exact length."""

_SMALLEST_HEAD: Final = 4 << 10
_LARGEST_AHEAD: Final = 1 << 20
_EXACT: Final = 32 << 10
"""Requests of at least this length are not extended: the reader knows what it wants."""
_MAX_KEPT: Final = 64 << 20
_MAX_READ: Final = 64 << 20
_MAX_SAFETENSORS_HEADER: Final = 25_000_000
"""Longer headers are refused by the readers and not fetched ahead."""
_URL_LIFETIME: Final = 300.0
"""Seconds after which a signed address is asked for again."""
_WORKERS: Final = 12
_SHARD: Final = re.compile(r"(.*?)-?\d{1,6}-of-(\d{1,6})(\.[\w.]+)")


def shard_group(path: str) -> tuple[str | None, ...] | None:
    """What the shards of one model have in common: `model-00001-of-00030.safetensors`; None for other files."""
    match = _SHARD.fullmatch(path)
    return match.groups() if match else None


class HubFile:
    """One file of a package. Reads ahead, keeps what came, and asks for the storage's address once."""

    def __init__(self, client: HubClient, url: str, what: str, label: str, size: int | None) -> None:
        self.label = label
        self._client = client
        self._url = url
        self._what = what
        self._size = size
        self._blocks: list[tuple[int, bytes]] = []
        self._head = HEAD_BYTES
        self._ahead = HEAD_BYTES
        self._served: tuple[str, float] | None = None
        self._lock = threading.RLock()
        self._failure: PackageError | None = None

    @property
    def size(self) -> int | None:
        """Length as the hub told it."""
        return self._size

    @property
    def failure(self) -> PackageError | None:
        """Why the file could not be read, when it could not."""
        return self._failure

    def expect_head(self, length: int) -> None:
        """Sets how much the first request asks for."""
        self._head = length

    def read(self, offset: int, length: int) -> bytes:
        """Bytes of a range, from memory where they are there.

        Raises:
            UnavailableError: when the hub fails; a second read fails at once.
            ReaderError: for a range longer than 64 MiB.
        """
        if offset < 0 or length <= 0:
            return b""
        if self._size is not None:
            length = max(0, min(length, self._size - offset))
        if length > _MAX_READ:
            raise ReaderError(f"{self.label}: a range of {length:,} bytes is too long to be read from a hub")
        with self._lock:
            if self._failure is not None:
                raise self._failure
            try:
                return self._collect(offset, length)
            except PackageError as error:
                self._failure = error if isinstance(error, UnavailableError | GatedError) else None
                if isinstance(error, ReaderError):
                    raise
                raise ReaderError(str(error)) from error

    def close(self) -> None:
        """Keeps what was read: a package's file may be opened again."""

    def _collect(self, offset: int, length: int) -> bytes:
        parts: list[bytes] = []
        position, end = offset, offset + length
        while position < end:
            block = next((block for block in self._blocks if block[0] <= position < block[0] + len(block[1])), None)
            if block is not None:
                piece = block[1][position - block[0] : end - block[0]]
                parts.append(piece)
                position += len(piece)
                continue
            following = min((start for start, _ in self._blocks if start > position), default=None)
            gap_end = end if following is None else min(end, following)
            if not self._fetch(position, gap_end - position, following):
                break
        return b"".join(parts)

    def _fetch(self, start: int, length: int, following: int | None) -> bool:
        """Gets at least the next bytes from `start`; False at the end of the file."""
        if start == 0:
            wanted = max(length, self._head)
        elif length < _EXACT and any(start == first + len(data) for first, data in self._blocks):
            wanted = max(length, self._ahead)  # small steps forward: a header of unknown length
            self._ahead = min(self._ahead * 2, _LARGEST_AHEAD)
        else:
            wanted = length
        if following is not None:
            wanted = min(wanted, following - start)
        if self._size is not None:
            wanted = min(wanted, self._size - start)
        if wanted <= 0:
            return False
        reply = self._request(start, wanted)
        if self._size is None:
            self._size = reply.total
        elif reply.total is not None and reply.total != self._size:
            raise UnavailableError(f"{self._what}: the file changed while it was read; try again")
        if not reply.data:
            return False
        self._keep(start, reply.data)
        return True

    def _request(self, start: int, length: int) -> RangeReply:
        if self._served is not None and time.monotonic() - self._served[1] < _URL_LIFETIME:
            try:
                return self._client.read_range(self._what, self._served[0], start, length)
            except ExpiredError:
                self._served = None
        try:
            reply = self._client.read_range(self._what, self._url, start, length)
        except ExpiredError as error:
            raise UnavailableError(
                f"{self._what}: the storage refuses the hub's own address; try again later"
            ) from error
        self._served = (reply.url, time.monotonic())
        return reply

    def _keep(self, start: int, data: bytes) -> None:
        if self._blocks and self._blocks[-1][0] + len(self._blocks[-1][1]) == start and len(data) < _EXACT:
            first, before = self._blocks.pop()
            start, data = first, before + data
        self._blocks.append((start, data))
        while len(self._blocks) > 1 and sum(len(block) for _, block in self._blocks) > _MAX_KEPT:
            self._blocks.pop(0)


class HubFiles:
    """Files of a package on a hub. Implements `clustering.bytesource.FileAccess`."""

    concurrency: Final = _WORKERS
    """Files that may be read at a time; readers of shards look at it."""

    def __init__(
        self,
        client: HubClient,
        urls: Mapping[str, str],
        sizes: Mapping[str, int | None],
        name: str,
        cached: Mapping[str, str] | None = None,
    ) -> None:
        self.client = client
        self._urls = dict(urls)
        self._sizes: Mapping[str, int | None] = MappingProxyType(dict(sorted(sizes.items())))
        self._name = name
        self._cached = dict(cached or {})
        self._open: dict[str, HubFile] = {}
        self._groups: set[tuple[str | None, ...]] = set()
        self._lock = threading.Lock()

    def sizes(self) -> Mapping[str, int | None]:
        """Paths with lengths in bytes, sorted."""
        return self._sizes

    @property
    def failures(self) -> tuple[PackageError, ...]:
        """Failures of the hub so far."""
        return tuple(file.failure for file in self._open.values() if file.failure is not None)

    def open(self, path: str) -> ByteSource:
        """Opens a file: from the hub's cache on this machine where it is there, else by ranges over the network.

        The first shard of several that is opened brings the headers of all, concurrently.

        Raises:
            ReaderError: when there is no such file.
        """
        if path not in self._sizes:
            raise ReaderError(f"{escape(path)}: no such file in the package")
        if path in self._cached:
            return LocalFile(self._cached[path], label=escape(path))
        group = shard_group(path)
        with self._lock:
            file = self._file(path)
            first = group is not None and group not in self._groups
            if group is not None:
                self._groups.add(group)
        if first:
            self.prefetch(other for other in self._sizes if shard_group(other) == group)
        return file

    def _file(self, path: str) -> HubFile:
        if path not in self._open:
            label = escape(path)
            self._open[path] = HubFile(self.client, self._urls[path], f"{self._name}/{label}", label, self._sizes[path])
        return self._open[path]

    def prefetch(self, paths: Iterable[str], head_bytes: int | None = None) -> None:
        """Fetches the headers of several files concurrently. A failure shows when the file is read.

        Args:
            paths: files of the package; others, and those on this machine, are passed over.
            head_bytes: length of the first request; by default a share of a budget for all of them.
        """
        from concurrent.futures import ThreadPoolExecutor

        wanted = [path for path in dict.fromkeys(paths) if path in self._sizes and path not in self._cached]
        if not wanted:
            return
        head = head_bytes or min(HEAD_BYTES, max(_SMALLEST_HEAD, SHARD_BUDGET // len(wanted)))
        with self._lock:
            files = [self._file(path) for path in wanted]
        for file in files:
            file.expect_head(head)
        with ThreadPoolExecutor(min(_WORKERS, len(files))) as pool:
            list(pool.map(_warm, files, wanted))


def _warm(file: HubFile, path: str) -> None:
    """Reads a file's head and, where the format tells its length in the first bytes, the whole header."""
    try:
        head = file.read(0, 8)
        if path.endswith(".safetensors") and len(head) == 8:
            length = int.from_bytes(head, "little")
            if 0 < length <= _MAX_SAFETENSORS_HEADER and (file.size is None or length + 8 <= file.size):
                file.read(8, length)
    except ReaderError:
        pass  # kept by the file, raised again when it is read
