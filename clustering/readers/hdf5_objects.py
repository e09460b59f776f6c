"""The structures of an HDF5 file that name its groups and describe its data sets; nothing else of the format.

Source: HDF5 File Format Specification version 3.0 (https://docs.hdfgroup.org/hdf5/develop/_f_m_t3.html). The C library
is not used: it was not made for hostile files, and a crash of it would take the audit with it. Read are superblocks 0
to 3, object headers 1 and 2, groups as symbol tables (what h5py writes) and as compact links, and attributes that are
fixed-length texts.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, field

from clustering.bytesource import ByteSource
from clustering.errors import ReaderError
from clustering.readers.limits import Limits
from clustering.readers.messages import refusal

SIGNATURE = b"\x89HDF\r\n\x1a\n"
_BLOCK = 4_096
_CACHED = 1_024
_UNDEFINED = (1 << 64) - 1
_DATASPACE, _LINK_INFO, _DATATYPE, _LINK, _ATTRIBUTE, _CONTINUATION, _SYMBOLS = 1, 2, 3, 6, 12, 16, 17


@dataclass(slots=True)
class Node:
    """A group or a data set."""

    address: int
    shape: tuple[int, ...] | None = None
    """None for a group."""
    dtype: str | None = None
    """None for texts, references and records."""
    links: dict[str, int] = field(default_factory=dict)
    """Name -> address, in file order."""
    texts: dict[str, list[str]] = field(default_factory=dict)
    """Attributes that are fixed-length texts."""


class Hdf5File:
    """Random access to the objects of one file, with a small cache of blocks and a budget.

    Raises:
        ReaderError: when it is no HDF5 file or uses what is not read.
    """

    def __init__(self, source: ByteSource, limits: Limits) -> None:
        self._source = source
        self._limits = limits
        self._blocks: OrderedDict[int, bytes] = OrderedDict()
        self._budget = limits.scan_bytes
        self._steps = 0
        self._base, self.root = self._superblock()

    def fail(self, cause: str) -> ReaderError:
        """The error for this file."""
        return refusal(self._source.label, cause)

    def step(self, count: int = 1) -> None:
        """Counts steps.

        Raises:
            ReaderError: when there are too many.
        """
        self._steps += count
        if self._steps > self._limits.operations:
            raise self.fail("too many objects")

    def node(self, address: int) -> Node:
        """The object at an address: its shape and type, or its links."""
        found = Node(address)
        for kind, body in self._messages(address):
            if kind == _DATASPACE:
                found.shape = self._dataspace(body)
            elif kind == _DATATYPE:
                found.dtype = element_type(body)
            elif kind == _SYMBOLS:
                found.links.update(self._symbols(_int(body, 0, 8), _int(body, 8, 8)))
            elif kind == _LINK:
                self._link(body, found)
            elif kind == _LINK_INFO:
                self._link_info(body)
            elif kind == _ATTRIBUTE:
                self._attribute(body, found)
            if len(found.links) > self._limits.entries:
                raise self.fail(f"a group of more than {self._limits.entries} members")
        return found

    # reading

    def _read(self, address: int, length: int) -> bytes:
        """Bytes at an address.

        Raises:
            ReaderError: when they are not all there, or the budget is spent.
        """
        start = self._base + address
        if length > self._limits.header_bytes or address == _UNDEFINED:
            raise self.fail(f"a structure of {length} bytes at {address}")
        first, last = start // _BLOCK, (start + max(length, 1) - 1) // _BLOCK
        if last - first > 16:
            self._spend(length)
            data = self._source.read(start, length)
        else:
            blocks = b"".join(self._block(number) for number in range(first, last + 1))
            data = blocks[start - first * _BLOCK :][:length]
        if len(data) < length:
            raise self.fail("ends too early")
        return data

    def _block(self, number: int) -> bytes:
        block = self._blocks.get(number)
        if block is None:
            block = self._source.read(number * _BLOCK, _BLOCK)
            self._spend(len(block))
            self._blocks[number] = block
            if len(self._blocks) > _CACHED:
                self._blocks.popitem(last=False)
        return block

    def _spend(self, count: int) -> None:
        self._budget -= count
        self.step()
        if self._budget < 0:
            raise self.fail(f"more than {self._limits.scan_bytes} bytes of headers")

    def _superblock(self) -> tuple[int, int]:
        """Base address and the address of the root group."""
        head = self._source.read(0, 128)
        if head[:8] != SIGNATURE or len(head) < 48:
            raise self.fail("not an HDF5 file")
        version = head[8]
        widths = head[13:15] if version < 2 else head[9:11]
        if version > 3 or widths != b"\x08\x08":
            raise self.fail(f"HDF5 superblock {version} with addresses of {widths.hex()} bytes is not supported")
        if version >= 2:
            return _int(head, 12, 8), _int(head, 36, 8)
        at = 24 if version == 0 else 28
        return _int(head, at, 8), _int(head, at + 4 * 8 + 8, 8)

    # object headers

    def _messages(self, address: int) -> Iterator[tuple[int, bytes]]:
        self.step()
        head = self._read(address, 16)
        pending: list[tuple[int, int]]
        if head[:4] == b"OHDR":
            flags = head[5]
            at = 6 + (16 if flags & 0x20 else 0) + (4 if flags & 0x10 else 0)
            width = 1 << (flags & 3)
            pending = [(address + at + width, _int(self._read(address + at, width), 0, width))]
            modern, ordered = True, bool(flags & 4)
        elif head[0] == 1:
            pending = [(address + 16, _int(head, 8, 4))]
            modern = ordered = False
        else:
            raise self.fail(f"no object at {address}")
        total = 0
        while pending:
            start, length = pending.pop(0)
            total += length
            if total > self._limits.header_bytes:
                raise self.fail("an object header without end")
            raw = self._read(start, length)
            for kind, body in self._split(raw, modern=modern, ordered=ordered):
                if kind == _CONTINUATION:
                    where, size = _int(body, 0, 8), _int(body, 8, 8)
                    pending.append((where + 4, size - 8) if modern else (where, size))
                    if len(pending) > 64 or size < 8:
                        raise self.fail("an object header in too many pieces")
                else:
                    yield kind, body

    def _split(self, raw: bytes, *, modern: bool, ordered: bool) -> Iterator[tuple[int, bytes]]:
        at, head = 0, (6 if ordered else 4) if modern else 8
        while at + head <= len(raw):
            self.step()
            kind = raw[at] if modern else _int(raw, at, 2)
            size = _int(raw, at + 1, 2) if modern else _int(raw, at + 2, 2)
            shared = raw[at + 3 if modern else at + 4] & 2
            at += head
            if at + size > len(raw):
                if modern:
                    return  # a gap at the end of a chunk
                raise self.fail("a message is longer than its header")
            if not shared:
                yield kind, raw[at : at + size]
            elif kind == _DATATYPE:
                yield kind, b""
            at += size

    def _dataspace(self, body: bytes) -> tuple[int, ...]:
        if len(body) < 4 or body[0] not in {1, 2}:
            raise self.fail("a data space of unknown version")
        rank, at = body[1], 8 if body[0] == 1 else 4
        if rank > self._limits.rank or at + 8 * rank > len(body):
            raise self.fail(f"a data set with {rank} dimensions")
        return tuple(_int(body, at + 8 * number, 8) for number in range(rank))

    # groups

    def _symbols(self, tree: int, heap: int) -> Iterator[tuple[str, int]]:
        """Members of a group stored as a symbol table: a B-tree of nodes, names in a local heap."""
        head = self._read(heap, 32)
        if head[:4] != b"HEAP":
            raise self.fail("a group without names")
        size, where = _int(head, 8, 8), _int(head, 24, 8)
        names = self._read(where, min(size, self._limits.header_bytes))
        pending, seen = [tree], {tree}
        while pending:
            self.step()
            address = pending.pop()
            node = self._read(address, 24)
            if node[:4] == b"SNOD":
                yield from self._members(address, _int(node, 6, 2), names)
                continue
            if node[:4] != b"TREE" or node[4] != 0:
                raise self.fail("a damaged group")
            used = _int(node, 6, 2)
            rows = self._read(address + 24, 8 + 16 * used)
            below = [_int(rows, 8 + 16 * number, 8) for number in range(used)]
            if not seen.isdisjoint(below):
                raise self.fail("a group that contains itself")
            seen.update(below)
            pending.extend(reversed(below))

    def _members(self, address: int, count: int, names: bytes) -> Iterator[tuple[str, int]]:
        rows = self._read(address + 8, 40 * count)
        for number in range(count):
            self.step()
            where, target = _int(rows, 40 * number, 8), _int(rows, 40 * number + 8, 8)
            end = names.find(b"\0", where, where + self._limits.name_length)
            if end < 0:
                raise self.fail("a member without a name")
            if _int(rows, 40 * number + 16, 4) != 2:  # 2: a symbolic link, which may point anywhere
                yield names[where:end].decode("utf-8", "replace"), target

    def _link(self, body: bytes, node: Node) -> None:
        if len(body) < 4 or body[0] != 1:
            raise self.fail("a link of unknown version")
        flags, at, kind = body[1], 2, 0
        if flags & 8:
            kind, at = body[at], at + 1
        at += 8 if flags & 4 else 0
        at += 1 if flags & 16 else 0
        width = 1 << (flags & 3)
        length = _int(body, at, width)
        name = body[at + width : at + width + length]
        if kind == 0:
            node.links[name.decode("utf-8", "replace")] = _int(body, at + width + length, 8)

    def _link_info(self, body: bytes) -> None:
        at = 2 + (8 if len(body) > 1 and body[1] & 1 else 0)
        if len(body) >= at + 8 and _int(body, at, 8) != _UNDEFINED:
            raise self.fail("HDF5 groups in dense storage are not supported")

    def _attribute(self, body: bytes, node: Node) -> None:
        """Keeps an attribute that is a list of fixed-length texts; others tell nothing about tensors."""
        if len(body) < 9 or body[0] not in {1, 2, 3}:
            return
        sizes = [_int(body, at, 2) for at in (2, 4, 6)]
        at = 9 if body[0] == 3 else 8
        pieces: list[bytes] = []
        for size in sizes:
            pieces.append(body[at : at + size])
            at += -(-size // 8) * 8 if body[0] == 1 else size
        name, kind, space = pieces
        if len(kind) < 8 or kind[0] & 15 != 3:
            return
        width = _int(kind, 4, 4)
        count = 1
        for length in self._dataspace(space):
            count *= length
        if not width or count * width > len(body) - at:
            return
        self.step(count)
        rows = [body[at + width * number :][:width].rstrip(b"\0 ") for number in range(count)]
        node.texts[name.rstrip(b"\0").decode("utf-8", "replace")] = [row.decode("utf-8", "replace") for row in rows]


def element_type(body: bytes) -> str | None:
    """Type of a data type message, or None for texts, references, records."""
    if len(body) < 8:
        return None
    kind, size = body[0] & 15, _int(body, 4, 4)
    if kind == 0:
        return {1: "I8", 2: "I16", 4: "I32", 8: "I64"}.get(size, "").replace("I", "I" if body[1] & 8 else "U") or None
    if kind == 1:
        if size == 2:
            return "BF16" if len(body) > 13 and body[13] == 8 else "F16"  # byte 13: bits of the exponent
        return {4: "F32", 8: "F64"}.get(size)
    return "BOOL" if kind == 8 and size == 1 else None


def _int(data: bytes, at: int, width: int) -> int:
    piece = data[at : at + width]
    return int.from_bytes(piece, "little") if len(piece) == width else 0
