"""The learnt index: templates, layouts and vocabularies as flat arrays, saved in one file.

What a package asks for is looked up in the file where it lies: inverted files for tokens and names, templates and texts
in compressed blocks. A process that identifies a few packages never holds the rest.
"""

from __future__ import annotations

import json
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clustering.family.inverted import Inverted
from clustering.family.stored import Names, Packed, Vector, read_arrays, write_arrays
from clustering.family.templates import Group, Template
from clustering.family.tokens import TOWER_VIEW
from clustering.graphs.symbols import Expr

FORMAT = 2
"""Version of the file's layout; a reader refuses another one, but for the first, which it converts."""
_ROWS = 1
"""The layout that kept rows, uncut texts and everything compressed."""
ROOT = "^"
"""What first components of names begin with, where a set of names holds them."""


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
    star_names: Names
    star_idf: NDArray[np.float32]
    stars: Inverted
    """Starred names -> layouts."""
    star_sums: NDArray[np.float32]
    """(layouts,) weight of all names together."""
    roots: NDArray[Any]
    """Per layout the numbers of those of its names that begin with `ROOT`."""
    root_offsets: NDArray[np.int64]
    tail_names: Names
    tail_idf: NDArray[np.float32]
    tails: Inverted
    """Ends of names -> layouts."""
    tail_sums: NDArray[np.float32]
    usual: NDArray[np.int32]
    """Per family the sizes of its tables (vocabulary, positions, labels) in the library default and in published
    configurations, ascending."""
    usual_offsets: NDArray[np.int64]
    templates: Sequence[bytes]
    """JSON of each template, decoded when it becomes a candidate."""
    token_names: Names
    token_idf: NDArray[np.float32]
    tokens: Inverted
    """Tokens -> templates; the weights of a template are a unit vector."""
    tower_norms: NDArray[np.float32]
    """(templates,) length of the part of that vector that tokens of towers make up."""
    unions: Sequence[bytes] = ()
    """Per family everything that it may hold, by name (`clustering.family.unions`); empty in an index without names."""
    meta: dict[str, Any] = field(default_factory=dict)
    """Versions, calibration, twins."""

    @classmethod
    def of_rows(
        cls,
        *,
        star_names: Sequence[str],
        star_idf: NDArray[np.float32],
        stars: NDArray[np.int32],
        star_offsets: NDArray[np.int64],
        tail_names: Sequence[str],
        tail_idf: NDArray[np.float32],
        tails: NDArray[np.int32],
        tail_offsets: NDArray[np.int64],
        token_names: Sequence[str],
        tokens: NDArray[np.int32],
        token_weights: NDArray[np.float32],
        token_offsets: NDArray[np.int64],
        **others: Any,  # the fields that stay as they are
    ) -> FamilyIndex:
        """An index of the names of every layout and the tokens of every template, given as rows."""
        is_root = np.array([name.startswith(ROOT) for name in star_names], dtype=bool)[stars]
        is_tower = np.array([name.startswith(TOWER_VIEW) for name in token_names], dtype=bool)[tokens]
        templates = np.repeat(np.arange(len(token_offsets) - 1), np.diff(token_offsets))
        squares = np.where(is_tower, token_weights.astype(np.float64) ** 2, 0.0)
        norms = np.sqrt(np.bincount(templates, squares, minlength=len(token_offsets) - 1)) + 1e-6
        star_layouts = Inverted.of_rows(stars, star_offsets, len(star_names))
        tail_layouts = Inverted.of_rows(tails, tail_offsets, len(tail_names))
        return cls(
            star_names=Names.of(star_names),
            star_idf=star_idf,
            stars=star_layouts,
            star_sums=star_layouts.totals(star_idf).astype(np.float32),
            roots=stars[is_root],
            root_offsets=np.concatenate(([0], np.cumsum(is_root)))[star_offsets],
            tail_names=Names.of(tail_names),
            tail_idf=tail_idf,
            tails=tail_layouts,
            tail_sums=tail_layouts.totals(tail_idf).astype(np.float32),
            token_names=Names.of(token_names),
            tokens=Inverted.of_rows(tokens, token_offsets, len(token_names), token_weights),
            tower_norms=norms.astype(np.float32),
            **others,
        )

    def roots_of(self, layout: int) -> frozenset[str]:
        """The first components of a layout's names, marked with `ROOT`."""
        start, stop = self.root_offsets[layout], self.root_offsets[layout + 1]
        return frozenset(self.star_names[number] for number in self.roots[start:stop].tolist())


_ARRAYS = (
    "priors", "layout_family", "layout_class", "layout_template", "layout_published", "layout_variants", "star_idf",
    "star_sums", "roots", "root_offsets", "tail_idf", "tail_sums", "usual", "usual_offsets", "token_idf", "tower_norms",
)  # fmt: skip
_TEXTS = ("families", "classes")
_NAMES = ("star_names", "tail_names", "token_names")
_INVERTED = ("stars", "tails", "tokens")
_PACKED = {"templates": 8, "unions": 1}
"""Texts that are packed, and how many together: neighbours are mostly of one family."""
_LOOKED_UP = frozenset({*_NAMES, *_PACKED, "tokens_rows", "tokens_weights"})
"""What is read in places."""
_ROW_ARRAYS = (
    *(name for name in _ARRAYS if name not in {"star_sums", "roots", "root_offsets", "tail_sums", "tower_norms"}),
    "stars", "star_offsets", "tails", "tail_offsets", "tokens", "token_weights", "token_offsets",
)  # fmt: skip


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
    arrays: dict[str, Vector] = {name: getattr(index, name) for name in _ARRAYS}
    for name in _TEXTS:
        arrays[name] = np.frombuffer("\n".join(getattr(index, name)).encode(), dtype=np.uint8)
    for name in (*_NAMES, *_INVERTED):
        arrays |= getattr(index, name).arrays(name)
    for name, together in _PACKED.items():
        arrays |= Packed.of(getattr(index, name), together).arrays(name)
    arrays["meta"] = np.frombuffer(json.dumps({**index.meta, "format": FORMAT}, sort_keys=True).encode(), np.uint8)
    write_arrays(path, arrays, _LOOKED_UP)


def load_index(path: Path) -> FamilyIndex:
    """Read an index.

    Raises:
        IndexFormatError: missing, damaged, or of another format.
    """
    try:
        arrays = read_arrays(path, _LOOKED_UP)
        meta = json.loads(arrays["meta"].tobytes())
        found = meta.get("format")
        if found not in {FORMAT, _ROWS}:
            raise IndexFormatError(f"{path}: index format {found!r}, this version reads {FORMAT}")
        return _of_rows(arrays, meta) if found == _ROWS else _of_arrays(arrays, meta)
    except (OSError, KeyError, ValueError, zlib.error, zipfile.BadZipFile) as error:
        raise IndexFormatError(f"{path}: unreadable reference index ({error}); rebuild it or reinstall") from error


def _of_arrays(arrays: Mapping[str, Any], meta: dict[str, Any]) -> FamilyIndex:
    known: dict[str, Any] = {name: arrays[name] for name in _ARRAYS}
    known |= {name: tuple(arrays[name].tobytes().decode().split("\n")) for name in _TEXTS}
    known |= {name: Names.from_arrays(name, arrays) for name in _NAMES}
    known |= {name: Inverted.from_arrays(name, arrays) for name in _INVERTED}
    known |= {name: Packed.from_arrays(name, arrays) for name in _PACKED}
    return FamilyIndex(**known, meta=meta)


def _of_rows(arrays: Mapping[str, Any], meta: dict[str, Any]) -> FamilyIndex:
    """An index in the first layout."""
    known: dict[str, Any] = {name: arrays[name] for name in _ROW_ARRAYS}
    known |= {name: tuple(arrays[name].tobytes().decode().split("\n")) for name in (*_TEXTS, *_NAMES)}
    unions = arrays.get("unions", np.zeros(0, np.uint8))
    known["unions"] = tuple(unions.tobytes().split(b"\n")) if unions.size else ()
    known["templates"] = tuple(arrays["templates"].tobytes().split(b"\n"))
    return FamilyIndex.of_rows(**known, meta=meta)
