"""Records of the raw reference corpus and their file format: gzip JSON Lines, written and read as a stream.

The first line is a header `{"schema": "dara-reference/1", "versions": {...}}`. Every other line is an object with a
`kind`:

* every line has `source`: `type:bert`, `layout:qwen_vl` or `timm:timm/resnet`, what was asked to be built.
* `model`: one built model in one spelling. `model_type`, `class`, `variant`, `spelling` (`memory` | `published`),
  `config`
  (dotted field name to value, the varied fields only), `names` (see below), `shapes` (the distinct shapes, in order
  of first use), `index` (for each tensor the number of its shape; runs are written `[value, count]`), `dtypes` (only
  where not all are F32: tensor number to dtype), `tied` (alias to name; only where there are any). A list of names
  that equals the last one of the same (model_type, class, spelling) is written as `null`. Otherwise each name is
  `[characters shared with the name before, the rest]`, flattened.
* `failure`: `model_type`, `class`, `variant`, `reason`.
* `coverage`: one for every configuration: `model_type`, `classes` (number), `built` (number), `note`.

Read it with `read_raw(path)`, which yields `ReferenceModel`s, and `read_lines(path, kind)` for the other kinds.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Any

from clustering.tensors import Tensor, TensorListing

SCHEMA = "dara-reference/1"


@dataclass(frozen=True, slots=True)
class ReferenceModel:
    """One model of the reference corpus: a class in one size and one spelling."""

    model_type: str
    class_name: str
    variant: str
    """Which size: `library`, `half`, `wide` ..., `flag:FIELD`, or the name of a published variant."""
    config: Mapping[str, Any]
    """The fields that were varied, by dotted name (`text_config.hidden_size`)."""
    listing: TensorListing
    spelling: str = "memory"
    """`memory`: names of the installed transformers; `published`: names of files on the hub, where they differ."""


class CorpusError(Exception):
    """A raw corpus file is damaged or of another schema."""


class Encoder:
    """Turns the records of one source into lines; remembers the last names of every class."""

    def __init__(self, source: str = "") -> None:
        self._source = source
        self._last: dict[tuple[str, str, str], tuple[str, ...]] = {}

    def model(self, model: ReferenceModel) -> bytes:
        """One model as a line."""
        key = (model.model_type, model.class_name, model.spelling)
        names = tuple(tensor.name for tensor in model.listing.tensors)
        coded = None if self._last.get(key) == names else _code_names(names)
        self._last[key] = names
        numbers: dict[tuple[int, ...], int] = {}
        index = [numbers.setdefault(tensor.shape, len(numbers)) for tensor in model.listing.tensors]
        record: dict[str, Any] = {
            "source": self._source,
            "model_type": model.model_type,
            "class": model.class_name,
            "variant": model.variant,
            "spelling": model.spelling,
            "config": dict(model.config),
            "names": coded,
            "shapes": [list(shape) for shape in numbers],
            "index": [value if count == 1 else [value, count] for value, count in _runs(index)],
        }
        dtypes = {str(number): t.dtype for number, t in enumerate(model.listing.tensors) if t.dtype != "F32"}
        if dtypes:
            record["dtypes"] = dtypes
        if model.listing.metadata.get("tied"):
            record["tied"] = dict(model.listing.metadata["tied"])
        return encode_line("model", record)


def encode_line(kind: str, fields: Mapping[str, Any]) -> bytes:
    """A record of any kind as a line."""
    return json.dumps({"kind": kind, **fields}, separators=(",", ":"), sort_keys=True).encode() + b"\n"


@contextmanager
def raw_file(path: Path, versions: Mapping[str, str]) -> Iterator[gzip.GzipFile]:
    """Open a raw corpus for writing lines to; it takes its name when the block ends well.

    Equal lines give equal bytes.
    """
    part = path.with_name(path.name + ".part")
    with part.open("wb") as raw, gzip.GzipFile(filename="", mode="wb", compresslevel=6, fileobj=raw, mtime=0) as stream:
        header = {"schema": SCHEMA, "versions": dict(versions)}
        stream.write(json.dumps(header, separators=(",", ":"), sort_keys=True).encode() + b"\n")
        yield stream
    part.replace(path)


@dataclass(slots=True)
class _State:
    last: dict[tuple[str, str, str], tuple[str, ...]] = field(default_factory=dict)


def read_raw(path: Path) -> Iterator[ReferenceModel]:
    """Yield the models of a raw corpus in file order.

    Raises:
        CorpusError: another schema, or a damaged line.
    """
    state = _State()
    for record in read_lines(path, "model"):
        try:
            yield _decode(record, state)
        except (KeyError, TypeError, ValueError, IndexError) as error:
            raise CorpusError(f"{path}: damaged record ({error!r})") from error


def read_lines(path: Path, kind: str) -> Iterator[dict[str, Any]]:
    """Yield the plain records of one kind (`model`, `failure`, `coverage`).

    Raises:
        CorpusError: unreadable file, another schema, or a line that is not JSON.
    """
    try:
        with gzip.open(path, "rt", encoding="utf-8") as stream:
            header = json.loads(next(stream, "{}"))
            schema = header.get("schema") if isinstance(header, dict) else None
            if schema != SCHEMA:
                raise CorpusError(f"{path}: schema {schema!r}, expected {SCHEMA!r}")
            for line in stream:
                record = json.loads(line)
                if not isinstance(record, dict):
                    raise CorpusError(f"{path}: a line is no record")
                if record.get("kind") == kind:
                    yield record
    except (OSError, EOFError, ValueError) as error:
        raise CorpusError(f"{path}: unreadable ({error})") from error


def encoded_lines(path: Path) -> Iterator[tuple[str, bytes]]:
    """Yield the lines of a raw corpus as they are, each with its source, for carrying over into another file.

    Raises:
        CorpusError: unreadable file, another schema, or a line that is not JSON.
    """
    for kind in ("model", "failure", "coverage"):
        for record in read_lines(path, kind):
            fields = {key: value for key, value in record.items() if key != "kind"}
            yield fields.get("source") or f"type:{fields['model_type']}", encode_line(kind, fields)


def read_versions(path: Path) -> dict[str, str]:
    """The library versions that a raw corpus was built with."""
    with gzip.open(path, "rt", encoding="utf-8") as stream:
        return dict(json.loads(next(stream, "{}")).get("versions", {}))


def _decode(record: Mapping[str, Any], state: _State) -> ReferenceModel:
    key = (record["model_type"], record["class"], record["spelling"])
    names = state.last[key] if record["names"] is None else _decode_names(record["names"])
    state.last[key] = names
    shapes = [tuple(shape) for shape in record["shapes"]]
    index: list[int] = []
    for item in record["index"]:
        if isinstance(item, list):
            index.extend([item[0]] * item[1])
        else:
            index.append(item)
    dtypes = record.get("dtypes", {})
    tied = record.get("tied", {})
    shared = set(tied.values())
    tensors = tuple(
        Tensor(name, shapes[index[n]], dtypes.get(str(n), "F32"), storage=f"module:{name}" if name in shared else None)
        for n, name in enumerate(names)
    )
    listing = TensorListing(
        tensors, "module", metadata={"class": record["class"], "spelling": record["spelling"], "tied": tied}
    )
    return ReferenceModel(
        record["model_type"], record["class"], record["variant"], record["config"], listing, record["spelling"]
    )


def _code_names(names: Iterable[str]) -> list[int | str]:
    coded: list[int | str] = []
    before = ""
    for name in names:
        shared = _shared(before, name)
        coded += [shared, name[shared:]]
        before = name
    return coded


def _decode_names(coded: list[Any]) -> tuple[str, ...]:
    names: list[str] = []
    before = ""
    for shared, rest in zip(coded[::2], coded[1::2], strict=True):
        before = before[:shared] + rest
        names.append(before)
    return tuple(names)


def _shared(before: str, name: str) -> int:
    """Number of leading characters that two names share."""
    count = 0
    for one, other in zip(before, name, strict=False):
        if one != other:
            break
        count += 1
    return count


def _runs(values: list[int]) -> Iterator[tuple[int, int]]:
    for value, group in groupby(values):
        yield value, sum(1 for _ in group)
