"""Rows of a pulled snapshot: the hub's description of a package, and the bytes that an audit reads of its files.

A row is one that every reader of hub metadata understands; `dara_pull` is what it has beyond that. The package that is
made of it has the same files, name and metadata as the live one had, so that its audit says the same.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from clustering.readers.select import read_weights
from clustering.text import escape
from corpora.errors import PackageError
from corpora.package import Package
from corpora.sources.columns import COLUMNS, MAX_LINE, PULLED, metadata_of_row
from corpora.sources.hub import MAX_FILES, addresses, describe, hub_name, hub_package, listed
from corpora.sources.hub_file import HubFiles
from corpora.sources.hub_http import HubClient
from corpora.sources.interface import SkippedPackage
from corpora.sources.names import is_repo_id
from corpora.sources.recording import RecordedFiles, Recording

VERSION: Final = 1
_EXTRA: Final = ("adapter_config.json", "generation_config.json", "model_index.json", "tokenizer_config.json")
"""Small files that are kept beside those that an audit reads now, for rules to come."""
_LARGEST_EXTRA: Final = 256 << 10
_MAX_ENDPOINT: Final = 300


def pull_row(client: HubClient, repo_id: str) -> tuple[str, str | None]:
    """One line for a package: everything that an audit reads of it is read now, and recorded.

    Returns:
        the line, and why it holds no package, when it holds none.

    Raises:
        UnavailableError: the hub fails; asking later may help.
        PackageError: the package is gated, private or gone.
    """
    found = describe(client, repo_id)
    metadata, served = metadata_of_row(found), str(found["id"])
    sizes, _ = listed(found["siblings"])
    if not sizes:
        return _left_out(served, "the package holds no files")
    files = HubFiles(client, addresses(client, served, metadata.sha, sizes), sizes, escape(served))
    recording = Recording(files)
    package = hub_package(client.endpoint, hub_name(served), served, repo_id, metadata.sha, metadata, recording, ())
    _read(package)
    if files.failures:
        raise files.failures[0]
    if recording.overflow:
        return _left_out(served, "its headers take more than a snapshot keeps; audit it live")
    row = _described(found)
    row[PULLED] = {"version": VERSION, "endpoint": client.endpoint, "files": recording.document()}
    if served != repo_id:
        row[PULLED]["asked"] = repo_id
    line = _line(row)
    if len(line) > MAX_LINE - 2:
        return _left_out(served, "its row is longer than a snapshot keeps; audit it live")
    return line, None


def _left_out(repo_id: str, reason: str) -> tuple[str, str]:
    return skipped_row(repo_id, reason), reason


def skipped_row(repo_id: str, reason: str) -> str:
    """One line for a package that cannot be read, with the reason."""
    return _line({"id": repo_id, PULLED: {"version": VERSION, "skipped": reason}})


def metadata_row(values: Any) -> str:
    """One line of what a list of models says of one of them; anything else that a hub lists becomes a damaged row."""
    return _line(values)


def _line(row: Any) -> str:
    # ASCII: lone surrogates, which no file in UTF-8 can hold, and odd line separators stay what they are
    return json.dumps(row, sort_keys=True, separators=(",", ":"))


def _described(found: Mapping[str, Any]) -> dict[str, Any]:
    """The columns that are looked at, without what else a hub tells of files."""
    row = {key: value for key, value in found.items() if key in COLUMNS and value is not None}
    row["siblings"] = [
        {"rfilename": item.get("rfilename"), "size": item.get("size")} if isinstance(item, dict) else None
        for item in found["siblings"][: MAX_FILES + 1]
    ]
    return row


def _read(package: Package) -> None:
    """Reads what an audit reads. Errors of files are the audit's to tell: it meets them again in the record."""
    package.prefetch()
    for read in (package.config, package.card):
        try:
            read()
        except PackageError:
            continue
    read_weights(package.files)
    for path in _EXTRA:
        size = package.files.sizes().get(path)
        if size is not None and size <= _LARGEST_EXTRA:
            try:
                package.read_bytes(path, _LARGEST_EXTRA)
            except PackageError:
                continue


def pulled_package(row: Mapping[str, Any], place: str) -> Package | SkippedPackage:
    """The package of a pulled row.

    Args:
        row: the row, which has `dara_pull`; anyone may have written it.
        place: where it stands, for messages.
    """
    pulled, name = row.get(PULLED), row.get("id")
    if not isinstance(pulled, dict) or pulled.get("version") != VERSION:
        return SkippedPackage(place, "pulled by another version of dara; pull the snapshot again")
    if isinstance(reason := pulled.get("skipped"), str):
        shown = escape(name) if isinstance(name, str) else "?"
        return SkippedPackage(place, f"{shown}: {escape(reason, 300).removeprefix(f'{shown}: ')}")
    endpoint, siblings = pulled.get("endpoint"), row.get("siblings")
    if not isinstance(name, str) or not is_repo_id(name) or not isinstance(siblings, list):
        return SkippedPackage(place, "a pulled row without name or list of files; pull the snapshot again")
    if not isinstance(endpoint, str) or len(endpoint) > _MAX_ENDPOINT:
        return SkippedPackage(place, "a pulled row without the hub's address; pull the snapshot again")
    asked = pulled.get("asked")
    metadata = metadata_of_row(row)
    sizes, skipped = listed(siblings)
    files = RecordedFiles(sizes, pulled.get("files"))
    asked = asked if isinstance(asked, str) else name
    return hub_package(escape(endpoint), hub_name(name), name, asked, metadata.sha, metadata, files, skipped)
