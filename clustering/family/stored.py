"""Arrays in one file: what is needed as a whole is read, what is looked up stays where it is and is read in places.

The file is a zip archive of `.npy` members, as numpy writes it (`.npz`), so that `numpy.load` reads it too. Members
that are looked up are stored as they are, so that a part of one is a part of the file. Reading them beats mapping them:
a system that maps a page maps its neighbours as well, until the whole file is in memory.
"""

from __future__ import annotations

import io
import os
import zipfile
import zlib
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from hashlib import blake2b
from pathlib import Path
from threading import Lock
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from clustering.columns import Rows

_LOCAL_HEADER = 30
"""Bytes before the name in the head of a zip member."""
_LONGEST_HEAD = 1_024
_UNPACKED = 64
"""Blocks of one text that are kept unpacked."""

Array: TypeAlias = NDArray[Any]


class _File:
    """An open file that is read in places; threads and forked processes may share it."""

    __slots__ = ("_lock", "_number")

    def __init__(self, path: Path) -> None:
        self._number = os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0))
        self._lock = Lock()

    def read(self, start: int, length: int) -> bytes:
        """Exactly these bytes.

        Raises:
            OSError: the file has become shorter.
        """
        if hasattr(os, "pread"):
            found = os.pread(self._number, length, start)
        else:
            with self._lock:
                os.lseek(self._number, start, os.SEEK_SET)
                found = os.read(self._number, length)
        if len(found) != length:
            raise OSError("the reference index has changed while it was in use")
        return found

    def __del__(self) -> None:
        if hasattr(self, "_number"):
            os.close(self._number)


class OnDisk:
    """A vector that stays in its file; a slice of it is read when it is asked for."""

    __slots__ = ("_dtype", "_file", "_length", "_start")

    def __init__(self, file: _File, start: int, dtype: np.dtype[Any], length: int) -> None:
        self._file = file
        self._start = start
        self._dtype = dtype
        self._length = length

    def __len__(self) -> int:
        return self._length

    def __getitem__(self, stretch: slice) -> Array:
        """The elements of a slice without a step."""
        start, stop, _ = stretch.indices(self._length)
        width = self._dtype.itemsize
        return np.frombuffer(self._file.read(self._start + start * width, max(0, stop - start) * width), self._dtype)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:
        return np.asarray(self[:], dtype=dtype)

    def __reduce__(self) -> tuple[Any, ...]:
        """Another process has the elements themselves."""
        return np.array, (self[:],)


Vector: TypeAlias = NDArray[Any] | OnDisk
"""What is asked for slices only."""


def write_arrays(path: Path, arrays: Mapping[str, Vector], looked_up: AbstractSet[str]) -> None:
    """Writes arrays, replacing the file as a whole; equal arrays give equal bytes."""
    partial = path.with_name(path.name + ".part")
    with zipfile.ZipFile(partial, "w") as archive:
        for name, array in arrays.items():
            member = zipfile.ZipInfo(f"{name}.npy")
            member.compress_type = zipfile.ZIP_STORED if name in looked_up else zipfile.ZIP_DEFLATED
            content = io.BytesIO()
            np.lib.format.write_array(content, np.ascontiguousarray(array), allow_pickle=False)
            archive.writestr(member, content.getbuffer())
    partial.replace(path)


def read_arrays(path: Path, looked_up: AbstractSet[str]) -> dict[str, Any]:
    """The arrays of a file: in memory, and as `OnDisk` those that are looked up and stored as they are.

    Raises:
        OSError, ValueError, zipfile.BadZipFile, zlib.error: missing or damaged.
    """
    arrays: dict[str, Any] = {}
    file = _File(path)
    with zipfile.ZipFile(path) as archive:
        for member in archive.infolist():
            name = member.filename.removesuffix(".npy")
            if name in looked_up and member.compress_type == zipfile.ZIP_STORED:
                arrays[name] = _on_disk(file, member)
            else:
                with archive.open(member) as content:
                    arrays[name] = np.lib.format.read_array(content, allow_pickle=False)
    return arrays


def _on_disk(file: _File, member: zipfile.ZipInfo) -> OnDisk:
    local = file.read(member.header_offset, _LOCAL_HEADER)
    start = member.header_offset + _LOCAL_HEADER + int.from_bytes(local[26:28], "little")
    start += int.from_bytes(local[28:30], "little")
    head = io.BytesIO(file.read(start, min(member.file_size, _LONGEST_HEAD)))
    if np.lib.format.read_magic(head) != (1, 0):
        raise ValueError(f"{member.filename}: another array format")
    shape, _, dtype = np.lib.format.read_array_header_1_0(head)
    if len(shape) != 1 or dtype.hasobject or head.tell() + shape[0] * dtype.itemsize != member.file_size:
        raise ValueError(f"{member.filename}: no plain vector")
    return OnDisk(file, start + head.tell(), dtype, shape[0])


class Packed(Rows[bytes]):
    """Many short texts without line breaks, compressed in blocks that are unpacked when one of them is asked for."""

    __slots__ = ("_block", "_ends", "_length", "_recent", "_stored")

    def __init__(self, stored: Vector, ends: NDArray[np.int64], length: int, block: int) -> None:
        """Takes compressed blocks one after the other, where each ends, the number of texts, and texts per block."""
        self._stored = stored
        self._ends = ends
        self._length = length
        self._block = block
        self._recent: OrderedDict[int, list[bytes]] = OrderedDict()

    @classmethod
    def of(cls, texts: Sequence[bytes], block: int) -> Packed:
        """Compresses texts, `block` of them together."""
        blocks = [zlib.compress(b"\n".join(texts[at : at + block]), 9) for at in range(0, len(texts), block)]
        ends = np.cumsum([len(one) for one in blocks], dtype=np.int64)
        return cls(np.frombuffer(b"".join(blocks), np.uint8), ends, len(texts), block)

    def arrays(self, name: str) -> dict[str, Vector]:
        """What `from_arrays` takes."""
        return {
            name: self._stored,
            f"{name}_ends": self._ends,
            f"{name}_of": np.array([self._length, self._block], dtype=np.int64),
        }

    @classmethod
    def from_arrays(cls, name: str, arrays: Mapping[str, Any]) -> Packed:
        """The texts that `arrays` gave under a name."""
        length, block = arrays[f"{name}_of"].tolist()
        return cls(arrays[name], arrays[f"{name}_ends"], length, block)

    def __len__(self) -> int:
        return self._length

    def row(self, number: int) -> bytes:
        """One text."""
        block, rest = divmod(number, self._block)
        return self._unpacked(block)[rest]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and len(self) == len(other) and all(map(bytes.__eq__, self, other))

    def __hash__(self) -> int:
        return hash((self._length, self._ends.tobytes()))

    def __reduce__(self) -> tuple[Any, ...]:
        return Packed, (self._stored, self._ends, self._length, self._block)

    def _unpacked(self, block: int) -> list[bytes]:
        known = self._recent.get(block)
        if known is None:
            start = int(self._ends[block - 1]) if block else 0
            known = zlib.decompress(self._stored[start : int(self._ends[block])].tobytes()).split(b"\n")
            self._recent[block] = known
            while len(self._recent) > _UNPACKED:
                self._recent.popitem(last=False)
        return known


class Names(Rows[str]):
    """Numbered names. A name is found by its hash, so that the texts stay packed until one of them is to be shown."""

    __slots__ = ("_hashes", "_numbers", "_texts")

    def __init__(self, texts: Packed, hashes: NDArray[np.uint64], numbers: NDArray[Any]) -> None:
        """Takes the names, their hashes ascending, and which name each hash is of."""
        self._texts = texts
        self._hashes = hashes
        self._numbers = numbers

    @classmethod
    def of(cls, names: Sequence[str], block: int = 64) -> Names:
        """Prepares names."""
        if isinstance(names, Names):
            return names
        hashes = _hashes(names)
        order = np.argsort(hashes, kind="stable")
        return cls(Packed.of([name.encode() for name in names], block), hashes[order], narrow(order))

    def arrays(self, name: str) -> dict[str, Vector]:
        """What `from_arrays` takes."""
        return {**self._texts.arrays(name), f"{name}_hashes": self._hashes, f"{name}_numbers": self._numbers}

    @classmethod
    def from_arrays(cls, name: str, arrays: Mapping[str, Any]) -> Names:
        """The names that `arrays` gave under a name."""
        return cls(Packed.from_arrays(name, arrays), arrays[f"{name}_hashes"], arrays[f"{name}_numbers"])

    def numbers(self, names: Sequence[str]) -> list[int]:
        """The number of each name, -1 for an unknown one; two of 2**64 hashes are taken to be of one name."""
        if not len(self._hashes):
            return [-1] * len(names)
        wanted = _hashes(names)
        places = np.minimum(np.searchsorted(self._hashes, wanted), len(self._hashes) - 1)
        found: list[int] = np.where(self._hashes[places] == wanted, self._numbers[places].astype(np.int64), -1).tolist()
        return found

    def __len__(self) -> int:
        return len(self._texts)

    def row(self, number: int) -> str:
        """One name."""
        return self._texts.row(number).decode()


def _hashes(names: Sequence[str]) -> NDArray[np.uint64]:
    """Eight bytes of each name's hash, the same on every machine."""
    return np.frombuffer(b"".join([blake2b(name.encode(), digest_size=8).digest() for name in names]), "<u8")


def narrow(numbers: NDArray[Any]) -> NDArray[Any]:
    """Numbers that are not negative, in two bytes each where that is enough."""
    return numbers.astype(np.uint16 if not len(numbers) or int(numbers.max()) < 1 << 16 else np.int32)
