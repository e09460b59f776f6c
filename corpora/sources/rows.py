"""Rows of hub metadata made packages: tolerant of missing columns, other spellings, and JSON inside a text.

A row is a mapping in the style of the hub's own description of a model (`id`, `sha`, `tags`, `config`, `cardData`,
`siblings` ...). Sources with another layout translate into that style first.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any, Final

from clustering.bytesource import ByteSource
from clustering.errors import ReaderError
from clustering.text import escape
from corpora.card import ModelCard, card_of
from corpora.errors import DamagedFileError
from corpora.jsontext import MAX_DEPTH, JsonDocument, parse_json
from corpora.package import HubMetadata, Package
from corpora.sources.interface import SkippedPackage

_SPELLINGS: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "id": ("id", "modelId", "repo_id", "model_id", "model", "name"),
        "sha": ("sha", "revision", "commit"),
        "author": ("author", "owner"),
        "tags": ("tags",),
        "pipeline_tag": ("pipeline_tag", "pipelineTag", "task"),
        "library_name": ("library_name", "libraryName", "library"),
        "config": ("config",),
        "card": ("cardData", "card_data", "card"),
        "safetensors": ("safetensors",),
        "gguf": ("gguf",),
        "base_models": ("baseModels", "base_models", "base_model"),
        "siblings": ("siblings", "files"),
        "downloads": ("downloads",),
        "likes": ("likes",),
        "license": ("license",),
        "gated": ("gated",),
        "private": ("private",),
        "created_at": ("createdAt", "created_at", "upload_date"),
        "last_modified": ("lastModified", "last_modified"),
        "architecture": ("architecture", "architectures"),
        "model_type": ("model_type", "modelType"),
    }
)
COLUMNS: Final = frozenset(name for names in _SPELLINGS.values() for name in names)
"""Columns that are looked at; a reader of a columnar file needs no others."""

PULLED: Final = "dara_pull"
"""Column of the rows that `dara snapshot pull` writes: the recorded bytes of the package's files."""

LONG: Final = 1 << 16
"""Bytes from which a row is a long one."""

_MAX_FILES: Final = 50_000
_MAX_NAME: Final = 1_000


class NoFiles:
    """The files of a package of which only metadata is there. Implements `clustering.bytesource.FileAccess`."""

    def sizes(self) -> Mapping[str, int | None]:
        """Nothing."""
        return {}

    def open(self, path: str) -> ByteSource:
        """Always refuses."""
        raise ReaderError(f"{escape(path)}: the snapshot holds metadata only")


_NO_FILES: Final = NoFiles()


class _Row:
    """Values of a row under whichever spelling they have; texts that hold JSON are parsed."""

    def __init__(self, row: Mapping[str, Any]) -> None:
        self._row = row
        self.notes: list[str] = []

    def raw(self, key: str) -> Any:
        """The first value that is there."""
        for name in _SPELLINGS[key]:
            value = self._row.get(name)
            if value is not None:
                return value
        return None

    def nested(self, key: str) -> Any:
        """A list or mapping, parsed where a text holds it."""
        value = self.raw(key)
        if isinstance(value, str) and value.lstrip()[:1] in {"{", "["}:
            try:
                if len(value) < LONG and value.count("{") + value.count("[") <= MAX_DEPTH:
                    return json.loads(value)  # five times as fast, and it cannot be too deep
            except (ValueError, RecursionError):
                pass  # a byte order mark is passed over, anything else gets its message, below
            try:
                return parse_json(value.encode("utf-8", "surrogatepass"), key).value
            except DamagedFileError as error:
                self.notes.append(f"column {error}")
                return None
        return value

    def text(self, key: str) -> str | None:
        """A text; anything else is left out."""
        value = self.raw(key)
        if hasattr(value, "isoformat"):  # columnar files hold times as such
            return str(value.isoformat())
        return value if isinstance(value, str) and value else None

    def number(self, key: str) -> int | None:
        """A count."""
        value = self.raw(key)
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None

    def texts(self, key: str) -> tuple[str, ...]:
        """A list of texts; one text is a list of one."""
        value = self.nested(key)
        items = value if isinstance(value, list | tuple) else [value]
        return tuple(item for item in items if isinstance(item, str) and item)

    def mapping(self, key: str) -> dict[str, Any]:
        """A mapping without the empty columns that a columnar file gives every row."""
        value = self.nested(key)
        if value is None:
            return {}
        if not isinstance(value, dict):
            self.notes.append(f"column {key}: not a mapping")
            return {}
        return {name: item for name, item in value.items() if item is not None and isinstance(name, str)}


def _base_models(row: _Row) -> tuple[str, ...]:
    """`baseModels` is `{"models": [{"id": ...}]}` on the hub, a list or a text elsewhere."""
    value = row.nested("base_models")
    if isinstance(value, dict):
        value = value.get("models")
    items = value if isinstance(value, list) else [value]
    names = (item.get("id") if isinstance(item, dict) else item for item in items)
    return tuple(name for name in names if isinstance(name, str) and name)


def _config(row: _Row) -> dict[str, Any]:
    """The configuration, completed by the columns of snapshots that have only the class or the model type."""
    config = row.mapping("config")
    classes = row.texts("architecture")
    if "architectures" not in config and classes:
        config["architectures"] = list(classes)
    model_type = row.text("model_type")
    if "model_type" not in config and model_type:
        config["model_type"] = model_type
    return config


def _siblings(row: _Row) -> tuple[str, ...]:
    value = row.nested("siblings")
    items = value if isinstance(value, list) else []
    names = (item.get("rfilename") if isinstance(item, dict) else item for item in items[:_MAX_FILES])
    return tuple(sorted({name for name in names if isinstance(name, str) and name}))


def _metadata(row: _Row, config: Mapping[str, Any], card: ModelCard | None) -> HubMetadata:
    weights = row.mapping("safetensors")
    counted = weights.get("parameters")
    counted = counted if isinstance(counted, dict) else {}
    total = weights.get("total")
    gated, private = row.raw("gated"), row.raw("private")
    return HubMetadata(
        tags=row.texts("tags"),
        pipeline_tag=row.text("pipeline_tag"),
        library_name=row.text("library_name"),
        base_model=_base_models(row) or (card.base_model if card else ()),
        license=row.text("license") or (card.license if card else None),
        gated=bool(gated) if isinstance(gated, str | bool) else None,
        private=private if isinstance(private, bool) else None,
        sha=row.text("sha"),
        author=row.text("author"),
        created_at=row.text("created_at"),
        last_modified=row.text("last_modified"),
        downloads=row.number("downloads"),
        likes=row.number("likes"),
        safetensors_parameters={str(k): v for k, v in counted.items() if isinstance(v, int) and v >= 0},
        safetensors_total=total if isinstance(total, int) and total >= 0 else None,
        gguf=row.mapping("gguf"),
        config=config,
    )


def metadata_of_row(values: Mapping[str, Any]) -> HubMetadata:
    """What a hub's own description of a model says; values of unexpected types are left out."""
    row = _Row(values)
    declared = row.mapping("card")
    return _metadata(row, _config(row), card_of(declared) if declared else None)


def package_of_row(values: Any, place: str) -> Package | SkippedPackage:
    """Makes a package of one row.

    Args:
        values: the row; anything, since rows may be damaged.
        place: where it stands, for messages; free of control characters.
    """
    if not isinstance(values, Mapping):
        return SkippedPackage(place, "not an object")
    if PULLED in values:
        from corpora.sources.pulled import pulled_package

        return pulled_package(values, place)
    row = _Row(values)
    name = row.text("id")
    if name is None:
        return SkippedPackage(place, "no id")
    if len(name) > _MAX_NAME:
        return SkippedPackage(place, f"the id has {len(name):,} characters")
    owner, slash, repo = name.strip().partition("/")
    if not slash:
        owner, repo = "", owner
    if not repo or "/" in repo or (slash and not owner):
        return SkippedPackage(place, f"{escape(name)} is not a package name")
    config = _config(row)
    declared = row.mapping("card")
    card = card_of(declared) if declared else None
    metadata = _metadata(row, config, card)
    return Package(
        source="snapshot",
        location=place,
        files=_NO_FILES,
        owner=owner or None,
        repo=repo,
        name_basis="hub",
        revision=metadata.sha,
        metadata=metadata,
        notes=tuple(row.notes),
        listed=_siblings(row),
        known_config=JsonDocument(config) if config else None,
        known_card=card,
    )


def parse_line(data: bytes, place: str) -> Package | SkippedPackage:
    """Makes a package of one line of JSON."""
    try:
        values = json.loads(data) if len(data) < LONG else parse_json(data, place).value
    except (ValueError, RecursionError):
        return SkippedPackage(place, "not JSON")
    except DamagedFileError as error:
        return SkippedPackage(place, str(error).removeprefix(f"{place}: "))
    item = package_of_row(values, place)
    return replace(item, weight=len(data)) if len(data) >= LONG and isinstance(item, Package) else item
