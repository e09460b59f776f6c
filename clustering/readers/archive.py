"""The directory of a zip archive by ranges, and single members out of it.

Python's own `zipfile` reads a directory of any length into objects before a caller sees it; here every length is
checked first. Only what weight files use is supported: stored and deflated members, zip64, no encryption, one disk.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Mapping
from dataclasses import dataclass

from clustering.bytesource import ByteSource
from clustering.errors import ReaderError
from clustering.readers.limits import Limits
from clustering.readers.local import Buffer, Window
from clustering.readers.messages import printable, refusal

_END = struct.Struct("<4s4H2LH")
_END64_LOCATOR = struct.Struct("<4sLQL")
_END64 = struct.Struct("<4sQ2H2L4Q")
_CENTRAL = struct.Struct("<4s6H3L5H2L")
_LOCAL = struct.Struct("<4s5H3L2H")
_COMMENT = 65_535
_TAIL = 16_384
"""Read from the end first; a PyTorch file's whole directory is usually in it."""
STORED, DEFLATED = 0, 8


@dataclass(frozen=True, slots=True)
class Member:
    """One file of an archive."""

    name: str
    method: int
    stored: int
    """Bytes in the archive."""
    size: int
    """Bytes after unpacking."""
    offset: int
    """Where its local header begins."""


class Archive:
    """Members of a zip archive by name, in directory order.

    Raises:
        ReaderError: when it is no zip archive, is damaged, encrypted, or beyond the limits.
    """

    def __init__(self, source: ByteSource, limits: Limits) -> None:
        self._source = source
        self._limits = limits
        self.members: Mapping[str, Member] = self._directory()

    def open(self, member: Member) -> ByteSource:
        """The member's unpacked bytes: a window when it is stored, a bounded buffer when it is deflated."""
        label = f"{self._source.label}/{member.name}"
        start = self._data_start(member)
        if member.method == STORED:
            if member.stored != member.size:
                raise refusal(label, "sizes of a stored member disagree")
            return Window(self._source, start, member.size, label)
        return Buffer(self._inflate(member, start, member.size, label), label)

    def head(self, member: Member, length: int) -> bytes:
        """Up to `length` first bytes of a member, without reading the rest; one read for most members."""
        label = f"{self._source.label}/{member.name}"
        length = min(length, member.size)
        if member.method == DEFLATED:
            return self._inflate(member, self._data_start(member), length, label)
        ahead = self._source.read(member.offset, _LOCAL.size + 512 + length)
        start = self._data_start(member, ahead)
        head = ahead[start - member.offset :][:length]
        return head if len(head) == length else self._source.read(start, length)

    def _inflate(self, member: Member, start: int, length: int, label: str) -> bytes:
        if length > self._limits.header_bytes:
            raise refusal(label, f"unpacks to {length} bytes, over the limit of {self._limits.header_bytes}")
        # n unpacked bytes never need more than n packed ones, five for each stored block, and a table of Huffman codes.
        packed = self._source.read(start, min(member.stored, length + length // 1_000 + 2_048))
        try:
            data = zlib.decompressobj(-15).decompress(packed, length) if length else b""
        except zlib.error as error:
            raise refusal(label, f"damaged compression: {error}") from None
        if len(data) < length:
            raise refusal(label, "damaged compression: ends too early")
        return data

    def _data_start(self, member: Member, ahead: bytes | None = None) -> int:
        raw = self._source.read(member.offset, _LOCAL.size) if ahead is None else ahead[: _LOCAL.size]
        if len(raw) < _LOCAL.size or raw[:4] != b"PK\x03\x04":
            raise self._bad(f"member {printable(member.name, 80)} is not where the directory says")
        fields = _LOCAL.unpack(raw)
        if fields[2] & 0x41:
            raise self._bad(f"member {printable(member.name, 80)} is encrypted")
        start = member.offset + _LOCAL.size + int(fields[9]) + int(fields[10])
        if self._source.size is not None and start + member.stored > self._source.size:
            raise self._bad(f"member {printable(member.name, 80)} goes beyond the end of the file")
        return start

    def _directory(self) -> dict[str, Member]:
        offset, length, count = self._locate()
        if length > self._limits.header_bytes or count > self._limits.entries:
            raise self._bad(f"directory of {count} entries in {length} bytes is over the limit")
        size = self._source.size or 0
        if offset + length > size:
            raise self._bad("directory goes beyond the end of the file")
        raw = self._source.read(offset, length)
        members: dict[str, Member] = {}
        at = 0
        for _ in range(count):
            if at + _CENTRAL.size > len(raw):
                raise self._bad("directory ends too early")
            fields = _CENTRAL.unpack_from(raw, at)
            if fields[0] != b"PK\x01\x02":
                raise self._bad("directory is damaged")
            at += _CENTRAL.size
            name_length, extra_length, comment_length = fields[10:13]
            name = raw[at : at + name_length]
            extra = raw[at + name_length : at + name_length + extra_length]
            at += name_length + extra_length + comment_length
            member = self._member(fields, name, extra, size)
            if member.name in members:
                raise self._bad(f"directory names {printable(member.name, 80)} twice")
            members[member.name] = member
        return members

    def _member(self, fields: tuple[int, ...], name: bytes, extra: bytes, size: int) -> Member:
        flags, method = fields[3], fields[4]
        stored, unpacked, offset = fields[8], fields[9], fields[16]
        stored, unpacked, offset = self._zip64(extra, stored, unpacked, offset)
        text = name.decode("utf-8", "replace")
        if flags & 0x41:
            raise self._bad(f"member {printable(text, 80)} is encrypted")
        if method not in {STORED, DEFLATED}:
            raise self._bad(f"member {printable(text, 80)} uses compression method {method}")
        if offset + stored > size:
            raise self._bad(f"member {printable(text, 80)} goes beyond the end of the file")
        return Member(text, method, stored, unpacked, offset)

    def _zip64(self, extra: bytes, stored: int, unpacked: int, offset: int) -> tuple[int, int, int]:
        """Replaces sizes of 0xFFFFFFFF by those of the zip64 extra field."""
        if 0xFFFF_FFFF not in {stored, unpacked, offset}:
            return stored, unpacked, offset
        at = 0
        while at + 4 <= len(extra):
            tag, length = struct.unpack_from("<2H", extra, at)
            body = extra[at + 4 : at + 4 + length]
            at += 4 + length
            if tag != 1:
                continue
            wide = [value for (value,) in struct.iter_unpack("<Q", body[: len(body) // 8 * 8])]
            unpacked = wide.pop(0) if unpacked == 0xFFFF_FFFF and wide else unpacked
            stored = wide.pop(0) if stored == 0xFFFF_FFFF and wide else stored
            offset = wide.pop(0) if offset == 0xFFFF_FFFF and wide else offset
            break
        return stored, unpacked, offset

    def _locate(self) -> tuple[int, int, int]:
        """Offset, length and number of entries of the directory."""
        size = self._source.size
        if size is None:
            raise self._bad("length of the file is unknown, a zip archive is read from its end")
        for reach in (_TAIL, _COMMENT + _END.size + _END64_LOCATOR.size):
            start = max(0, size - reach)
            tail = self._source.read(start, size - start)
            at = tail.rfind(b"PK\x05\x06")
            while at >= 0:
                found = self._end(tail, at)
                if found is not None:
                    return found
                at = tail.rfind(b"PK\x05\x06", 0, at)
            if start == 0:
                break
        raise self._bad("no zip archive, or cut off: its directory is missing")

    def _end(self, tail: bytes, at: int) -> tuple[int, int, int] | None:
        if at + _END.size > len(tail):
            return None
        _, disk, first_disk, _, count, length, offset, comment = _END.unpack_from(tail, at)
        if at + _END.size + comment != len(tail):
            return None
        if disk != first_disk:
            raise self._bad("archive of several disks")
        if count == 0xFFFF or 0xFFFF_FFFF in (length, offset):
            locator = at - _END64_LOCATOR.size
            if locator >= 0 and tail[locator : locator + 4] == b"PK\x06\x07":
                _, _, where, _ = _END64_LOCATOR.unpack_from(tail, locator)
                raw = self._source.read(where, _END64.size)
                if len(raw) < _END64.size or raw[:4] != b"PK\x06\x06":
                    raise self._bad("zip64 directory is damaged")
                fields = _END64.unpack(raw)
                return int(fields[9]), int(fields[8]), int(fields[7])
        return offset, length, count

    def _bad(self, cause: str) -> ReaderError:
        return refusal(self._source.label, cause)
