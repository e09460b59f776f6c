"""Columns of hub metadata: tolerant of missing ones, other spellings, and JSON inside a text.

A row is a mapping in the style of the hub's own description of a model (`id`, `sha`, `tags`, `config`, `cardData`,
`siblings` ...). Sources with another layout translate into that style first.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from corpora.card import ModelCard, card_of
from corpora.errors import DamagedFileError
from corpora.jsontext import MAX_DEPTH, parse_json
from corpora.package import HubMetadata

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

MAX_LINE: Final = 16 << 20
"""Longest row of a file of lines, bytes; the longest cards with all benchmark results have about 1 MB."""

LONG: Final = 1 << 16
"""Bytes from which a row is a long one."""

_MAX_FILES: Final = 50_000


class Row:
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


def _base_models(row: Row) -> tuple[str, ...]:
    """`baseModels` is `{"models": [{"id": ...}]}` on the hub, a list or a text elsewhere."""
    value = row.nested("base_models")
    if isinstance(value, dict):
        value = value.get("models")
    items = value if isinstance(value, list) else [value]
    names = (item.get("id") if isinstance(item, dict) else item for item in items)
    return tuple(name for name in names if isinstance(name, str) and name)


def config_of(row: Row) -> dict[str, Any]:
    """The configuration, completed by the columns of snapshots that have only the class or the model type."""
    config = row.mapping("config")
    classes = row.texts("architecture")
    if "architectures" not in config and classes:
        config["architectures"] = list(classes)
    model_type = row.text("model_type")
    if "model_type" not in config and model_type:
        config["model_type"] = model_type
    return config


def siblings_of(row: Row) -> tuple[str, ...]:
    """Paths of the package's files, sorted, each once."""
    value = row.nested("siblings")
    items = value if isinstance(value, list) else []
    names = (item.get("rfilename") if isinstance(item, dict) else item for item in items[:_MAX_FILES])
    return tuple(sorted({name for name in names if isinstance(name, str) and name}))


def metadata_of(row: Row, config: Mapping[str, Any], card: ModelCard | None) -> HubMetadata:
    """The metadata of a row; what the card says where the row does not."""
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
    row = Row(values)
    declared = row.mapping("card")
    return metadata_of(row, config_of(row), card_of(declared) if declared else None)
