"""The learnt index: templates, layouts and vocabularies as flat arrays, saved in one compressed file."""

from __future__ import annotations

import json
import zipfile
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clustering.family.templates import Group, Template
from clustering.graphs.symbols import Expr

FORMAT = 1
"""Version of the file's layout; a reader refuses another one."""


class IndexFormatError(Exception):
    """The index file is damaged or of another format; the message says which file and what to do."""


@dataclass(frozen=True, slots=True)
class FamilyIndex:
    """Everything that identification needs. CSR rows: `x_offsets[i]:x_offsets[i + 1]` of the flat arrays."""

    families: tuple[str, ...]
    priors: NDArray[np.float32]
    """(families,) how much of the library derives from the family; breaks ties between twins."""
    classes: tuple[str, ...]
    layout_family: NDArray[np.int32]
    layout_class: NDArray[np.int32]
    layout_template: NDArray[np.int32]
    layout_published: NDArray[np.int8]
    """1 where the names are those of files on the hub."""
    layout_variants: NDArray[np.int32]
    star_names: tuple[str, ...]
    star_idf: NDArray[np.float32]
    stars: NDArray[np.int32]
    star_offsets: NDArray[np.int64]
    tail_names: tuple[str, ...]
    tail_idf: NDArray[np.float32]
    tails: NDArray[np.int32]
    tail_offsets: NDArray[np.int64]
    usual: NDArray[np.int32]
    """Per family the sizes of its tables (vocabulary, positions, labels) in the library default and in published
    configurations, ascending."""
    usual_offsets: NDArray[np.int64]
    templates: tuple[bytes, ...]
    """JSON of each template, decoded when it becomes a candidate."""
    token_names: tuple[str, ...]
    token_idf: NDArray[np.float32]
    tokens: NDArray[np.int32]
    token_weights: NDArray[np.float32]
    """Unit rows per template."""
    token_offsets: NDArray[np.int64]
    unions: tuple[bytes, ...] = ()
    """Per family everything that it may hold, by name (`clustering.family.unions`); empty in an index without names."""
    meta: dict[str, Any] = field(default_factory=dict)
    """Versions, calibration, twins."""


_ARRAYS = (
    "priors",
    "layout_family",
    "layout_class",
    "layout_template",
    "layout_published",
    "layout_variants",
    "star_idf",
    "stars",
    "star_offsets",
    "tail_idf",
    "tails",
    "tail_offsets",
    "usual",
    "usual_offsets",
    "token_idf",
    "tokens",
    "token_weights",
    "token_offsets",
)
_TEXTS = ("families", "classes", "star_names", "tail_names", "token_names")


def encode_template(template: Template) -> bytes:
    """Compact JSON of a template."""

    def expr(e: Expr) -> list[int] | int:
        return [e.const, *(n for term in e.terms for n in term)] if e.terms else e.const

    document = [
        template.sizes,
        template.depths,
        [[[expr(d) for d in g.dims], expr(g.count), g.typical] for g in template.groups],
        list(template.usual),
        [n for follow in template.follows for n in follow],
    ]
    return json.dumps(document, separators=(",", ":")).encode()


@lru_cache(maxsize=4096)
def _constant(constant: int) -> Expr:
    return Expr(constant)


@lru_cache(maxsize=16_384)
def _expr(constant: int, *terms: int) -> Expr:
    """Few expressions make up all templates."""
    return Expr(constant, tuple(zip(terms[::2], terms[1::2], strict=True)))


def decode_template(blob: bytes) -> Template:
    """The template of `encode_template`."""
    sizes, depths, groups, usual, follows = json.loads(blob)
    return Template(
        tuple(
            [
                Group(
                    tuple([_constant(d) if type(d) is int else _expr(*d) for d in dims]),
                    _constant(count) if type(count) is int else _expr(*count),
                    typical,
                )
                for dims, count, typical in groups
            ]
        ),
        sizes,
        depths,
        tuple(usual),
        tuple(zip(follows[::3], follows[1::3], follows[2::3], strict=True)),
    )


def save_index(index: FamilyIndex, path: Path) -> None:
    """Write the index; equal indexes give equal bytes."""
    arrays: dict[str, NDArray[Any]] = {name: getattr(index, name) for name in _ARRAYS}
    for name in _TEXTS:
        arrays[name] = np.frombuffer("\n".join(getattr(index, name)).encode(), dtype=np.uint8)
    arrays["templates"] = np.frombuffer(b"\n".join(index.templates), dtype=np.uint8)
    arrays["unions"] = np.frombuffer(b"\n".join(index.unions), dtype=np.uint8)
    arrays["meta"] = np.frombuffer(json.dumps({**index.meta, "format": FORMAT}, sort_keys=True).encode(), np.uint8)
    partial = path.with_name(path.name + ".part")
    with partial.open("wb") as stream:
        np.savez_compressed(stream, **arrays)  # type: ignore[arg-type]  # the stub mixes flags and arrays
    partial.replace(path)


def load_index(path: Path) -> FamilyIndex:
    """Read an index.

    Raises:
        IndexFormatError: missing, damaged, or of another format.
    """
    try:
        with np.load(path, allow_pickle=False) as stored:
            meta = json.loads(stored["meta"].tobytes())
            if meta.get("format") != FORMAT:
                raise IndexFormatError(f"{path}: index format {meta.get('format')!r}, this version reads {FORMAT}")
            arrays: dict[str, Any] = {name: stored[name] for name in _ARRAYS}
            texts: dict[str, Any] = {name: tuple(stored[name].tobytes().decode().split("\n")) for name in _TEXTS}
            templates = tuple(stored["templates"].tobytes().split(b"\n"))
            unions = _lines(stored["unions"]) if "unions" in stored else ()
    except (OSError, KeyError, ValueError, zipfile.BadZipFile) as error:
        raise IndexFormatError(f"{path}: unreadable reference index ({error}); rebuild it or reinstall") from error
    return FamilyIndex(**texts, **arrays, templates=templates, unions=unions, meta=meta)


def _lines(stored: NDArray[np.uint8]) -> tuple[bytes, ...]:
    return tuple(stored.tobytes().split(b"\n")) if stored.size else ()
