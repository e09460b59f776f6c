from __future__ import annotations

import struct
import zipfile
from io import BytesIO

import pytest

from clustering.errors import ReaderError
from clustering.readers.archive import Archive
from clustering.readers.limits import Limits
from clustering.readers.local import Buffer, Counted


def zipped(members: dict[str, bytes], method: int = zipfile.ZIP_STORED, *, comment: bytes = b"") -> bytes:
    buffer = BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        archive.comment = comment
        for name, data in members.items():
            archive.writestr(name, data)
    return buffer.getvalue()


def opened(data: bytes, limits: Limits | None = None) -> Archive:
    return Archive(Buffer(data, "a.zip"), limits or Limits())


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
@pytest.mark.parametrize("comment", [b"", b"c" * 60_000])
def test_members_and_their_bytes(method, comment):
    content = {"a/data.pkl": b"hello" * 100, "a/data/0": bytes(5000), "empty": b""}
    archive = opened(zipped(content, method, comment=comment))
    assert {name: member.size for name, member in archive.members.items()} == {k: len(v) for k, v in content.items()}
    for name, data in content.items():
        member = archive.members[name]
        source = archive.open(member)
        assert source.read(0, 10_000) == data
        assert archive.head(member, 7) == data[:7]
        assert archive.head(member, 10_000) == data


def test_only_directory_and_member_are_read():
    data = zipped({"big": bytes(5_000_000), "a/data.pkl": b"x" * 50})
    source = Counted(Buffer(data))
    archive = Archive(source, Limits())
    assert archive.open(archive.members["a/data.pkl"]).read(0, 50) == b"x" * 50
    assert source.bytes_read < 20_000


def test_a_bomb_is_not_unpacked():
    archive = opened(zipped({"data.pkl": bytes(60_000_000)}, zipfile.ZIP_DEFLATED))
    with pytest.raises(ReaderError, match="over the limit"):
        archive.open(archive.members["data.pkl"])
    assert archive.head(archive.members["data.pkl"], 16) == bytes(16)


def test_encrypted_members_are_refused():
    data = bytearray(zipped({"data.pkl": b"x"}))
    at = data.index(b"PK\x01\x02")
    data[at + 8] |= 1
    with pytest.raises(ReaderError, match="encrypted"):
        opened(bytes(data))


def test_a_local_header_that_says_encrypted_is_refused():
    data = bytearray(zipped({"data.pkl": b"x"}))
    data[6] |= 1
    archive = opened(bytes(data))
    with pytest.raises(ReaderError, match="encrypted"):
        archive.open(archive.members["data.pkl"])


def test_unknown_compression_is_refused():
    data = bytearray(zipped({"data.pkl": b"x"}))
    at = data.index(b"PK\x01\x02")
    data[at + 10] = 99
    with pytest.raises(ReaderError, match="compression method 99"):
        opened(bytes(data))


def test_the_same_name_twice_is_refused():
    data = zipped({"data.pkl": b"1", "data.pkm": b"2"}).replace(b"data.pkm", b"data.pkl")
    with pytest.raises(ReaderError, match="twice"):
        opened(data)


def test_a_huge_directory_is_refused_unread():
    end = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 9, 9, 0xFFFF_FFF0, 0, 0)
    with pytest.raises(ReaderError, match="over the limit"):
        opened(b"PK\x03\x04" + bytes(100) + end)


def test_a_directory_of_too_many_entries_is_refused():
    with pytest.raises(ReaderError, match="over the limit"):
        opened(zipped({str(i): b"" for i in range(20)}), Limits(entries=10))


def test_a_member_beyond_the_end_is_refused():
    data = bytearray(zipped({"data.pkl": b"x"}))
    at = data.index(b"PK\x01\x02")
    data[at + 42 : at + 46] = struct.pack("<L", 0x7FFF_FFFF)
    with pytest.raises(ReaderError, match="beyond the end"):
        opened(bytes(data))


def test_zip64_sizes_are_understood():
    buffer = BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive, archive.open("big", "w", force_zip64=True) as stream:
        stream.write(b"abc")
    data = buffer.getvalue()
    # The end record says "see zip64"; build that record by hand.
    at = data.index(b"PK\x05\x06")
    _, _, _, _, count, length, offset, _ = struct.unpack("<4s4H2LH", data[at : at + 22])
    end64 = struct.pack("<4sQ2H2L4Q", b"PK\x06\x06", 44, 45, 45, 0, 0, count, count, length, offset)
    locator = struct.pack("<4sLQL", b"PK\x06\x07", 0, at, 1)
    end = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 0xFFFF, 0xFFFF, 0xFFFF_FFFF, 0xFFFF_FFFF, 0)
    archive64 = opened(data[:at] + end64 + locator + end)
    assert archive64.open(archive64.members["big"]).read(0, 9) == b"abc"


def test_every_truncation_is_refused():
    data = zipped({"a/data.pkl": b"hello", "b": b"x" * 10})
    for length in range(len(data)):
        with pytest.raises(ReaderError):
            opened(data[:length])
