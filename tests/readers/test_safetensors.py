from __future__ import annotations

import json
import struct

import pytest

from clustering.errors import ReaderError
from clustering.readers.limits import Limits
from clustering.readers.local import Buffer, Counted
from clustering.readers.safetensors import SafetensorsReader


def framed(header: bytes, data: bytes = b"") -> bytes:
    return struct.pack("<Q", len(header)) + header + data


def entry(shape=(2, 2), begin=0, end=16, dtype="F32"):
    return {"dtype": dtype, "shape": list(shape), "data_offsets": [begin, end]}


def refused(read, data: bytes, *words: str) -> None:
    with pytest.raises(ReaderError) as caught:
        read(SafetensorsReader, data)
    message = str(caught.value)
    assert "\n" not in message
    assert message.startswith("w: ")
    for word in words:
        assert word in message


def test_names_shapes_types_and_bytes(read, safetensors_file):
    data = safetensors_file(
        {"a.weight": ("F32", (3, 4)), "b.bias": ("BF16", (3,)), "step": ("I64", ())}, {"format": "pt"}
    )
    listing = read(SafetensorsReader, data)
    assert [(t.name, t.shape, t.dtype, t.nbytes) for t in listing.tensors] == [
        ("a.weight", (3, 4), "F32", 48),
        ("b.bias", (3,), "BF16", 6),
        ("step", (), "I64", 8),
    ]
    assert listing.metadata == {"format": "pt"}
    assert listing.format == "safetensors"


def test_same_range_is_shared_storage(read):
    header = {"a": entry(), "b": entry(), "c": entry(begin=16, end=32)}
    a, b, c = read(SafetensorsReader, framed(json.dumps(header).encode(), bytes(32))).tensors
    assert a.storage == b.storage != c.storage


def test_empty_tensors_share_nothing(read):
    header = {"a": entry((0, 3), 0, 0), "b": entry((0,), 0, 0), "c": entry()}
    a, b, _ = read(SafetensorsReader, framed(json.dumps(header).encode(), bytes(16))).tensors
    assert a.storage is None
    assert b.storage is None


def test_half_byte_types_are_measured_in_bits(read):
    header = {"a": entry((3, 3), 0, 5, "F4")}
    assert read(SafetensorsReader, framed(json.dumps(header).encode(), bytes(5))).tensors[0].nbytes == 5


@pytest.mark.parametrize(
    ("header", "data", "words"),
    [
        ({"a": entry((2, -2))}, 16, ("-2",)),
        ({"a": entry((2, 2.0))}, 16, ("2.0",)),
        ({"a": entry((2, True), 0, 8)}, 8, ("True",)),
        ({"a": entry(begin=16, end=0)}, 16, ("16 to 0",)),
        ({"a": entry(begin=-16, end=0)}, 16, ("-16",)),
        ({"a": entry(end=12)}, 12, ("needs 16",)),
        ({"a": entry(dtype="F33")}, 16, ("unknown type", "F33")),
        ({"a": entry(dtype=7)}, 16, ("unknown type",)),
        ({"a": entry(), "b": entry(begin=8, end=24)}, 24, ("overlaps",)),
        ({"a": entry(), "b": entry(begin=20, end=36)}, 36, ("gap",)),
        ({"a": entry(begin=4, end=20)}, 20, ("gap",)),
        ({"a": entry()}, 15, ("16 bytes", "15")),
        ({"a": entry()}, 17, ("16 bytes", "17")),
        ({"a": [1, 2]}, 0, ("not described",)),
        ({"a": {"dtype": "F32", "shape": [1]}}, 4, ("not described",)),
        ({"a": {**entry(), "extra": 1}}, 16, ("not described",)),
        ({"__metadata__": {"a": 1}}, 0, ("__metadata__",)),
        ({"__metadata__": ["a"]}, 0, ("__metadata__",)),
        ({"a": entry((1 << 62, 1 << 62), 0, 16)}, 16, ("larger than any model",)),
        ({"a": entry((0,) * 40, 0, 0)}, 0, ("larger than any model",)),
        ({"n" * 5000: entry()}, 16, ("5000 characters",)),
        ({"a\x1b[2J\n\u202e": entry(dtype="X")}, 16, ("\\x1b", "\\u202e")),
    ],
)
def test_lying_headers_are_refused(read, header, data, words):
    refused(read, framed(json.dumps(header).encode(), bytes(data)), *words)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", ("too short",)),
        (b"1234567", ("too short",)),
        (struct.pack("<Q", 1 << 63) + b"{}", ("over the limit",)),
        (struct.pack("<Q", 30_000_000) + b"{}", ("30000000", "over the limit")),
        (struct.pack("<Q", 100) + b"{}", ("header of 100 bytes in a file of 10",)),
        (framed(b"[]"), ("no JSON object",)),
        (framed(b" {}"), ("no JSON object",)),
        (framed(b"{"), ("not JSON",)),
        (framed(b'{"a": NaN}'), ("not JSON", "NaN")),
        (framed(b'{"a": \xff}'), ("not JSON",)),
        (framed(b'{"a": 1' + b"0" * 5000 + b"}"), ("not JSON",)),
        (framed(b"{" + b'"a":{' * 20_000), ("deep",)),
        (framed(b'{"a": 1, "a": 2}'), ("a twice",)),
        (framed(b'{"t": {"dtype": "F32", "dtype": "F16", "shape": [], "data_offsets": [0, 4]}}', bytes(4)), ("twice",)),
    ],
)
def test_damaged_headers_are_refused(read, data, words):
    refused(read, data, *words)


def test_a_wide_header_is_refused_before_it_is_parsed(read):
    limits = Limits(tensors=100)
    with pytest.raises(ReaderError, match="more than 100 tensors"):
        read(SafetensorsReader, framed(b'{"a":' + b"[]," * 300 + b"}"), limits)


def test_every_truncation_is_refused(safetensors_file):
    data = safetensors_file({"a": ("F32", (2, 2)), "b": ("F16", (3,))})
    for length in range(len(data)):
        with pytest.raises(ReaderError):
            SafetensorsReader().read(Buffer(data[:length]), Limits())


def test_unknown_length_is_accepted_when_the_header_is_there(safetensors_file):
    class Endless(Buffer):
        @property
        def size(self):
            return None

    data = safetensors_file({"a": ("F32", (2, 2))}, data=False)
    assert len(SafetensorsReader().read(Endless(data), Limits()).tensors) == 1


def test_only_the_header_is_read(safetensors_file):
    data = safetensors_file({f"layer.{i}.weight": ("F32", (64, 64)) for i in range(40)})
    source = Counted(Buffer(data))
    SafetensorsReader().read(source, Limits())
    assert source.bytes_read <= 16_384
    assert source.reads == 1


def names(listing):
    return [tensor.name for tensor in listing.tensors]


def test_layers_torn_apart_by_their_types_are_put_together(read, safetensors_file):
    rows = {
        "l.0.norm": ("F32", (2,)),
        "l.1.norm": ("F32", (2,)),
        "l.0.proj": ("BF16", (2, 2)),
        "l.1.proj": ("BF16", (2, 2)),
    }
    assert names(read(SafetensorsReader, safetensors_file(rows))) == ["l.0.norm", "l.0.proj", "l.1.norm", "l.1.proj"]


@pytest.mark.parametrize(
    "rows",
    [
        {"b": ("F32", (2,)), "a": ("F32", (2,)), "c": ("BF16", (2,))},
        {"b": ("F32", (2,)), "a": ("BF16", (2,)), "c": ("F32", (2,))},
        {"b": ("F32", (2,)), "a": ("F32", (2,))},
    ],
)
def test_an_order_of_its_own_is_kept(read, safetensors_file, rows):
    assert names(read(SafetensorsReader, safetensors_file(rows))) == list(rows)


METADATA = [
    {},
    {"format": "pt"},
    {"a": "1", "b": "2", "c": "3"},
    {"json": '{"steps": [1, 2], "nested": {"a": "}"}}'},
    {"brace": "}", "comma": ",,,"},
    {"dtype": "F32", "data_offsets": "none"},
    {"shape": "a text"},
]


@pytest.mark.parametrize("metadata", METADATA)
@pytest.mark.parametrize("place", ["first", "last", "spaced"])
@pytest.mark.parametrize("name", ["a", "a,b", "a{b", 'a"b', "é.0"])
def test_metadata_and_names_of_any_text(read, metadata, place, name):
    tensors = {name: entry(), "t,": entry((), 16, 20)}
    header = {**tensors, "__metadata__": metadata} if place == "last" else {"__metadata__": metadata, **tensors}
    text = json.dumps(header, separators=None if place == "spaced" else (",", ":")).encode() + b"   "
    listing = read(SafetensorsReader, framed(text, bytes(20)))
    assert listing.metadata == metadata
    assert [(t.name, t.shape, t.nbytes, t.storage) for t in listing.tensors] == [
        (name, (2, 2), 16, "w#0:16"),
        ("t,", (), 4, "w#16:20"),
    ]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        # as many commas and braces as a sound header has, or nearly
        (b'{"a":{"dtype":"F32","extra":1,"data_offsets":[0,4]}}', ("not described",)),
        (b'{"a":{"dtype":"F32","shape":[],"shape":[],"data_offsets":[0,4]}}', ("twice",)),
        (b'{"a":{"dtype":"F32","shape":[],"data_offsets":[0,4],"data_offsets":[0,4]}}', ("twice",)),
        (b'{"a":{"dtype":"F32","shape":[],"data_offsets":[0,4]},"a":{"dtype":"F32","shape":[],"data_offsets":[0,4]}}',
         ("a twice",)),
        (b'{"__metadata__":{"a":"1"},"__metadata__":{"a":"1"},"t":{"dtype":"F32","shape":[],"data_offsets":[0,4]}}',
         ("__metadata__ twice",)),
        (b'{"__metadata__":{"a":"1","a":"2"},"t":{"dtype":"F32","shape":[],"data_offsets":[0,4]}}', ("a twice",)),
        (b'{"a":{"dtype":"F32","shape":[1.0],"data_offsets":[0,4]}}', ("1.0",)),
        (b'{"a":{"dtype":"F32","shape":[1e0],"data_offsets":[0,4]}}', ("1.0",)),
        (b'{"a":{"dtype":"F32","shape":[99999999999999999999],"data_offsets":[0,4]}}', ("larger than any model",)),
        (b'{"a":{"dtype":"F32","shape":[],"data_offsets":[0,99999999999999999999]}}', ("needs 4 bytes",)),
        (b'{"a":{"dtype":"F32","shape":[],"data_offsets":[0,4,8]}}', ("no data_offsets",)),
        (b'{"a":{"dtype":"F32","shape":[],"data_offsets":[null,4]}}', ("no data_offsets",)),
        (b'{"a":null}', ("not described",)),
        (b'{"__metadata__":null,"t":{"dtype":"F32","shape":[],"data_offsets":[0,4]}}', ("__metadata__",)),
    ],
)  # fmt: skip
def test_what_only_looks_like_a_plain_header_is_refused(read, text, words):
    refused(read, framed(text, bytes(4)), *words)


def test_a_header_of_many_tensors_is_read_in_the_order_of_names(read):
    names = [f"layers.{n}.w" for n in range(40)]
    wide = {name: entry((), 4 * n, 4 * n + 4) for n, name in enumerate(sorted(names))}
    narrow = {f"{name}_scale": entry((), 160 + n, 161 + n, "U8") for n, name in enumerate(sorted(names))}
    listing = read(SafetensorsReader, framed(json.dumps({**wide, **narrow}).encode(), bytes(200)))
    found = [tensor.name for tensor in listing.tensors]
    assert found == sorted([*wide, *narrow])
    assert {t.name: t.storage for t in listing.tensors}[
        "layers.39.w"
    ] == f"w#{4 * sorted(names).index('layers.39.w')}:" + str(4 * sorted(names).index("layers.39.w") + 4)
