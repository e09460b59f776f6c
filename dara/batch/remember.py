"""What equal configs and equal graphs say, computed once per run instead of once per package.

Answers are addressed by the content that they depend on, so that it does not matter who computed them: results are the
same with a cold, a warm or no cache. Memory and disk are bounded. The store is one SQLite file that several processes
share; a store that cannot be used is done without.
"""

from __future__ import annotations

import json
import sqlite3
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import asdict
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from clustering.contents import listing_digest
from clustering.identity import FamilyMatch, Fingerprint, Identification, Part
from clustering.tensors import TensorListing
from dara.measurement import Computing, GraphReading

if TYPE_CHECKING:
    from clustering.declared.config import Declared

CONFIGS = 4_096
"""Configs whose facts are kept in a process; one has a few KB."""
GRAPHS = 4_096
"""Graph readings kept in a process; one has about 3 KB."""
STORED = 200_000
"""Graph readings kept on disk, newest first to stay: about 500 MB."""
LARGEST = 1 << 20
"""Longest text of a reading that is stored, and of a config that is remembered."""
_TRIM_EVERY = 512

T = TypeVar("T")


class Recent(Generic[T]):
    """The values that were used last."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._values: OrderedDict[bytes, T] = OrderedDict()

    def __len__(self) -> int:
        return len(self._values)

    def get(self, key: bytes) -> T | None:
        """The value, which then is the one used last."""
        value = self._values.get(key)
        if value is not None:
            self._values.move_to_end(key)
        return value

    def put(self, key: bytes, value: T) -> None:
        """Keeps a value in place of the one used longest ago."""
        self._values[key] = value
        if len(self._values) > self._size:
            self._values.popitem(last=False)


class Store:
    """Texts by key on disk, for several processes; bounded. Every failure means "not there", never an exception."""

    def __init__(self, path: Path, size: int = STORED) -> None:
        self._size = size
        self._puts = 0
        self._connection: sqlite3.Connection | None = None
        try:
            # autocommit: one statement is one transaction, so no process holds the file for long
            connection = sqlite3.connect(path, timeout=20, isolation_level=None)
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("PRAGMA synchronous=OFF")  # a cache may be lost with the machine
            connection.execute(
                "CREATE TABLE IF NOT EXISTS readings (number INTEGER PRIMARY KEY, key BLOB UNIQUE, value TEXT)"
            )
        except sqlite3.Error:
            return
        self._connection = connection

    def get(self, key: bytes) -> str | None:
        """The text, or None."""
        if self._connection is None:
            return None
        try:
            row = self._connection.execute("SELECT value FROM readings WHERE key = ?", (key,)).fetchone()
        except sqlite3.Error:
            return None
        return row[0] if row and isinstance(row[0], str) else None

    def put(self, key: bytes, value: str) -> None:
        """Keeps a text; now and then the oldest are dropped."""
        if self._connection is None:
            return
        try:
            self._connection.execute("INSERT OR IGNORE INTO readings (key, value) VALUES (?, ?)", (key, value))
            self._puts += 1
            if self._puts % _TRIM_EVERY == 0:
                newest = "SELECT number FROM readings ORDER BY number DESC LIMIT 1 OFFSET ?"
                self._connection.execute(f"DELETE FROM readings WHERE number <= ({newest})", (self._size,))  # noqa: S608
        except sqlite3.Error:
            return

    def close(self) -> None:
        """Closes the file."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None


class Remembering(Computing):
    """Computes what configs and graphs say, each content once as far as memory and disk go."""

    def __init__(self, version: str, store: Store | None = None) -> None:
        """`version`: of everything that an answer depends on beside its content; part of every address."""
        self._version = version.encode()
        self._store = store
        self._configs: Recent[Declared] = Recent(CONFIGS)
        self._graphs: Recent[GraphReading] = Recent(GRAPHS)

    def declared(self, config: Mapping[str, Any]) -> Declared:
        """The facts that a config declares."""
        key = config_digest(config)
        if key is None:
            return super().declared(config)
        return self._remembered(self._configs, key, lambda: super(Remembering, self).declared(config))

    def graph(self, listing: TensorListing, config: Mapping[str, Any] | None, *, parts: bool) -> GraphReading:
        """What a graph says."""
        own = config_digest(config) if parts and config is not None else b""
        if own is None:
            return super().graph(listing, config, parts=parts)
        key = _hash(self._version, b"parts" if parts else b"", own, listing_digest(listing))

        def stored() -> GraphReading:
            text = self._store.get(key) if self._store else None
            reading = decode(text) if text is not None else None
            if reading is None:
                reading = super(Remembering, self).graph(listing, config, parts=parts)
                text = encode(reading)
                if self._store and text is not None:
                    self._store.put(key, text)
            return reading

        return self._remembered(self._graphs, key, stored)

    @staticmethod
    def _remembered(recent: Recent[T], key: bytes, compute: Callable[[], T]) -> T:
        value = recent.get(key)
        if value is None:
            value = compute()
            recent.put(key, value)
        return value


def _hash(*values: bytes) -> bytes:
    digest = blake2b(digest_size=20)
    for value in values:
        digest.update(len(value).to_bytes(8, "little") + value)
    return digest.digest()


def config_digest(config: Mapping[str, Any]) -> bytes | None:
    """Address of a config; None for one that is too long, or that is no JSON, to be remembered.

    Keys stay in their order, since a reader of configs may give the first of several spellings the last word.
    """
    try:
        text = json.dumps(config)
    except (TypeError, ValueError, RecursionError):
        return None
    return _hash(text.encode()) if len(text) <= LARGEST else None


def encode(reading: GraphReading) -> str | None:
    """A reading as text; None where the text would not give the same reading back."""
    try:
        text = json.dumps(asdict(reading), separators=(",", ":"))
    except (TypeError, ValueError, RecursionError):
        return None
    return text if len(text) <= LARGEST and decode(text) == reading else None


def decode(text: str) -> GraphReading | None:
    """A reading from its text; None when it is none (another program's file, a torn page)."""
    try:
        values = json.loads(text)
        fingerprint = values["fingerprint"]
        identity = values["identification"]
        return GraphReading(
            Identification(
                family=tuple(map(_match, identity["family"])),
                structure_only=tuple(map(_match, identity["structure_only"])),
                channel=identity["channel"],
                parts=tuple(Part(**part) for part in identity["parts"]),
                reason=identity["reason"],
            ),
            Fingerprint(**fingerprint) if fingerprint is not None else None,
            tuple(Part(**part) for part in values["parts"]),
        )
    except (ValueError, TypeError, KeyError, RecursionError):
        return None


def _match(values: dict[str, Any]) -> FamilyMatch:
    return FamilyMatch(values["model_type"], values["score"], tuple(values["twins"]))
