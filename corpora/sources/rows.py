"""Rows of hub metadata made packages, whatever they hold: a damaged row is skipped with its place and reason."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from clustering.bytesource import ByteSource
from clustering.errors import ReaderError
from clustering.text import escape
from corpora.card import card_of
from corpora.errors import DamagedFileError
from corpora.jsontext import JsonDocument, parse_json
from corpora.package import Package
from corpora.sources.columns import LONG, PULLED, Row, config_of, metadata_of, siblings_of
from corpora.sources.interface import SkippedPackage
from corpora.sources.pulled import pulled_package

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


def package_of_row(values: Any, place: str) -> Package | SkippedPackage:
    """Makes a package of one row.

    Args:
        values: the row; anything, since rows may be damaged.
        place: where it stands, for messages; free of control characters.
    """
    if not isinstance(values, Mapping):
        return SkippedPackage(place, "not an object")
    if PULLED in values:
        return pulled_package(values, place)
    row = Row(values)
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
    config = config_of(row)
    declared = row.mapping("card")
    card = card_of(declared) if declared else None
    metadata = metadata_of(row, config, card)
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
        listed=siblings_of(row),
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
