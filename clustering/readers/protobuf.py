"""The wire format of Protocol Buffers, over bytes that are already in memory.

Source: https://protobuf.dev/programming-guides/encoding/. Groups (wire types 3 and 4) are refused.
"""

from __future__ import annotations

from collections.abc import Iterator

from clustering.readers.cursor import Cursor
from clustering.readers.limits import Limits
from clustering.readers.local import Buffer

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5


def fields(message: bytes, label: str, limits: Limits) -> Iterator[tuple[int, int | bytes]]:
    """Field numbers and values of a message in order: numbers for varints, bytes for everything else.

    Raises:
        ReaderError: when it is damaged or has too many fields.
    """
    cursor = Cursor(Buffer(message, label), limit=len(message) + 1, chunk=len(message) or 1)
    steps = 0
    while cursor.position < len(message):
        steps += 1
        if steps > limits.operations:
            raise cursor.fail("too many fields")
        number, wire = key(cursor)
        if wire == VARINT:
            yield number, cursor.varint()
        elif wire == BYTES:
            yield number, cursor.take(cursor.varint())
        else:
            yield number, cursor.take(8 if wire == FIXED64 else 4)


def key(cursor: Cursor) -> tuple[int, int]:
    """The next field's number and wire type."""
    tag = cursor.varint()
    number, wire = tag >> 3, tag & 7
    if number == 0 or wire not in {VARINT, FIXED64, BYTES, FIXED32}:
        raise cursor.fail("no Protocol Buffers message")
    return number, wire


def signed(value: int) -> int:
    """A varint as a signed 64-bit number."""
    return value - (1 << 64) if value >= 1 << 63 else value


def packed(raw: bytes, label: str, most: int) -> list[int]:
    """A packed repeated field of signed numbers.

    Raises:
        ReaderError: when it is damaged or has more than `most` numbers.
    """
    cursor = Cursor(Buffer(raw, label), limit=len(raw) + 1, chunk=len(raw) or 1)
    values: list[int] = []
    while cursor.position < len(raw):
        if len(values) >= most:
            raise cursor.fail(f"more than {most} numbers")
        values.append(signed(cursor.varint()))
    return values
