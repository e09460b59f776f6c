"""PTMTorrent: JSON arrays of models from five hubs, in the data set's own schema or in that of the Hugging Face hub."""

from __future__ import annotations

import codecs
import json
import re
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, Any, ClassVar, Final

from clustering.text import escape
from corpora.errors import DamagedFileError
from corpora.package import Package
from corpora.sources.columns import MAX_LINE
from corpora.sources.interface import SkippedPackage, SnapshotSource
from corpora.sources.jsonl import open_binary
from corpora.sources.rows import package_of_row

_BLOCK: Final = 1 << 20
_BLANK: Final = re.compile(r"[ \t\r\n]*")
_BETWEEN: Final = re.compile(r"[ \t\r\n,]*")


def elements(stream: IO[bytes], label: str) -> Iterator[Any]:
    """Elements of a JSON array, one at a time, however long the array is.

    Raises:
        DamagedFileError: where the text is no array, breaks off, or has an element longer than 16 MiB.
    """
    decode = json.JSONDecoder().raw_decode
    characters = codecs.getincrementaldecoder("utf-8-sig")("replace")
    text, at, count = "", 0, 0
    opened = finished = False
    while True:
        at = _end(_BETWEEN if opened else _BLANK, text, at)
        if at < len(text) and not opened:
            if text[at] != "[":
                raise DamagedFileError(f"{label}: not a JSON array")
            opened, at = True, at + 1
            continue
        if at < len(text):
            if text[at] == "]":
                return
            try:
                value, end = decode(text, at)
            except (ValueError, RecursionError) as error:
                if finished or len(text) - at > MAX_LINE or isinstance(error, RecursionError):
                    raise DamagedFileError(f"{label}: damaged after {count:,} entries; get it again") from error
            else:
                if end < len(text):  # else a number may go on in the next block
                    yield value
                    count, at = count + 1, end
                    continue
        if finished:
            raise DamagedFileError(f"{label}: breaks off after {count:,} entries; get it again")
        try:
            # Reading as much again as there is keeps the work linear in the length of an element.
            block = stream.read(max(_BLOCK, len(text) - at))
        except (OSError, EOFError, zlib.error) as error:
            raise DamagedFileError(f"{label}: cannot be read; get it again") from error
        finished = not block
        text, at = text[at:] + characters.decode(block, final=finished), 0


def _end(pattern: re.Pattern[str], text: str, at: int) -> int:
    match = pattern.match(text, at)
    return match.end() if match else at


def translate(values: Any) -> Any:
    """A row of the data set's schema in the style of the hub; rows that already are in that style stay as they are."""
    if not isinstance(values, Mapping) or "ModelName" not in values:
        return values
    name, owner = values.get("ModelName"), values.get("ModelOwner") or values.get("ModelAuthor")
    identifier = name
    if isinstance(name, str) and isinstance(owner, str) and owner and "/" not in name:
        identifier = f"{owner.strip().replace('/', '-')}/{name}"
    datasets = [item.get("DatasetName") for item in values.get("Datasets") or () if isinstance(item, Mapping)]
    architecture = values.get("ModelArchitecture")
    is_class = isinstance(architecture, str) and architecture != architecture.lower()
    hub = values.get("ModelHub")
    return {
        "id": identifier,
        "sha": values.get("LatestGitCommitSHA"),
        "author": owner,
        "pipeline_tag": values.get("ModelTask"),
        "architecture": architecture if is_class else None,
        "model_type": None if is_class else architecture,
        "cardData": {"datasets": [item for item in datasets if isinstance(item, str)]} if datasets else None,
        "tags": [f"hub:{hub['ModelHubName']}"] if isinstance(hub, Mapping) and hub.get("ModelHubName") else None,
    }


class PtmTorrent(SnapshotSource):
    """One package per element of the array."""

    kind: ClassVar[str] = "ptmtorrent"

    def __init__(self, path: Path) -> None:
        self._path = path
        self.location = escape(str(path))
        self._label = escape(path.name)

    def total(self) -> None:
        """Unknown: counting means reading everything."""
        return

    def stride(self) -> None:
        """All: an array has to be read from its beginning."""
        return

    def packages(self, start: int = 0, stop: int | None = None) -> Iterator[Package | SkippedPackage]:
        """One item per element."""
        with open_binary(self._path) as stream:
            for entry, values in enumerate(elements(stream, self._label)):
                if stop is not None and entry >= stop:
                    return
                if entry >= start:
                    yield package_of_row(translate(values), f"{self._label}:entry {entry + 1}")
