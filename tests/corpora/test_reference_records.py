"""The raw corpus file: what is written is read back, and damage is one clear error."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clustering.tensors import Tensor, TensorListing
from corpora.reference.records import (
    SCHEMA,
    CorpusError,
    Encoder,
    ReferenceModel,
    encode_line,
    encoded_lines,
    raw_file,
    read_lines,
    read_raw,
    read_versions,
)

VERSIONS = {"transformers": "5", "torch": "2"}

shapes = st.lists(st.integers(0, 2**40), max_size=5).map(tuple)
names = st.lists(st.text(min_size=1, max_size=30), unique=True, max_size=30)


@st.composite
def models(draw: st.DrawFn) -> ReferenceModel:
    tensors = tuple(Tensor(name, draw(shapes), draw(st.sampled_from(["F32", "BF16", "I64"]))) for name in draw(names))
    listing = TensorListing(tensors, "module", metadata={"tied": draw(st.just({}))})
    config = draw(st.dictionaries(st.text(max_size=8), st.integers() | st.booleans() | st.none(), max_size=3))
    model_type, class_name = draw(st.sampled_from(["a", "b"])), draw(st.sampled_from(["A", "B"]))
    spelling = draw(st.sampled_from(["memory", "published"]))
    return ReferenceModel(model_type, class_name, draw(st.text(max_size=9)), config, listing, spelling)


@given(st.lists(models(), max_size=6))
@settings(deadline=None, max_examples=60)
def test_models_survive_writing_and_reading(
    tmp_path_factory: pytest.TempPathFactory, written: list[ReferenceModel]
) -> None:
    path = tmp_path_factory.mktemp("raw") / "raw.jsonl.gz"
    encoder = Encoder("type:a")
    with raw_file(path, VERSIONS) as stream:
        stream.writelines(encoder.model(model) for model in written)
    read = list(read_raw(path))
    assert [(m.model_type, m.class_name, m.variant, m.config, m.spelling) for m in read] == [
        (m.model_type, m.class_name, m.variant, m.config, m.spelling) for m in written
    ]
    assert [[(t.name, t.shape, t.dtype) for t in m.listing.tensors] for m in read] == [
        [(t.name, t.shape, t.dtype) for t in m.listing.tensors] for m in written
    ]


def model(width: int, variant: str = "library") -> ReferenceModel:
    tensors = (Tensor("embed.weight", (99, width), "F32"), Tensor("layers.0.weight", (width, width), "F32"))
    return ReferenceModel("tiny", "TinyModel", variant, {"hidden_size": width}, TensorListing(tensors, "module"))


def write(path: Path, *lines: bytes) -> None:
    with raw_file(path, VERSIONS) as stream:
        stream.writelines(lines)


def test_equal_names_are_written_once_and_files_are_equal_byte_for_byte(tmp_path: Path) -> None:
    first, second = tmp_path / "a.gz", tmp_path / "b.gz"
    for path in (first, second):
        encoder = Encoder("type:tiny")
        write(path, encoder.model(model(8)), encoder.model(model(16, "wide")))
    assert first.read_bytes() == second.read_bytes()
    records = list(read_lines(first, "model"))
    assert records[0]["names"] is not None
    assert records[1]["names"] is None
    assert read_versions(first) == VERSIONS


def test_other_kinds_are_kept_apart_and_carried_over_by_source(tmp_path: Path) -> None:
    path = tmp_path / "raw.gz"
    failure = {"model_type": "x", "class": "X", "variant": "", "reason": "no", "source": "type:x"}
    coverage = {"model_type": "x", "classes": 1, "built": 0, "note": "", "source": "type:x"}
    write(
        path, encode_line("failure", failure), Encoder("type:tiny").model(model(8)), encode_line("coverage", coverage)
    )
    assert [record["reason"] for record in read_lines(path, "failure")] == ["no"]
    assert [m.model_type for m in read_raw(path)] == ["tiny"]
    assert sorted(source for source, _ in encoded_lines(path)) == ["type:tiny", "type:x", "type:x"]
    again = tmp_path / "again.gz"
    write(again, *(line for _, line in encoded_lines(path)))
    assert list(read_raw(again)) == list(read_raw(path))


def test_an_unfinished_file_does_not_take_the_name(tmp_path: Path) -> None:
    path = tmp_path / "raw.gz"
    write(path, Encoder().model(model(8)))
    before = path.read_bytes()

    def fail_half_way() -> None:
        with raw_file(path, VERSIONS) as stream:
            stream.write(b"half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail_half_way()
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"not gzip",
        gzip.compress(b""),
        gzip.compress(b"[]\n"),
        gzip.compress(b"{}\n"),
        gzip.compress(json.dumps({"schema": "dara-reference/999"}).encode()),
        gzip.compress(json.dumps({"schema": SCHEMA}).encode() + b"\n{broken"),
        gzip.compress(json.dumps({"schema": SCHEMA}).encode() + b"\n[1]\n"),
        gzip.compress(json.dumps({"schema": SCHEMA}).encode() + b'\n{"kind":"model"}\n'),
        gzip.compress(json.dumps({"schema": SCHEMA}).encode() + b"\n" + Encoder().model(model(8)))[:-12],
    ],
    ids=["empty", "text", "nothing", "list", "no-schema", "other-schema", "broken", "list-line", "no-fields", "cut"],
)
def test_damaged_files_are_one_error(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "raw.gz"
    path.write_bytes(content)
    with pytest.raises(CorpusError):
        list(read_raw(path))


def test_a_reference_to_names_that_were_not_written_is_damage(tmp_path: Path) -> None:
    path = tmp_path / "raw.gz"
    encoder = Encoder()
    encoder.model(model(8))
    write(path, encoder.model(model(16)))  # its names are those of a line that is not there
    with pytest.raises(CorpusError):
        list(read_raw(path))
