"""What an unfinished pull has done so far: one SQLite file beside its target, which survives a kill at any moment."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import zlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from clustering.text import escape, one_line
from corpora.errors import DamagedFileError, InvalidTargetError, UnwritableError

_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS facts (key TEXT PRIMARY KEY, value TEXT);
CREATE TABLE IF NOT EXISTS models (number INTEGER PRIMARY KEY, id TEXT UNIQUE, line BLOB, reason TEXT,
                                   tries INTEGER NOT NULL DEFAULT 0);
CREATE INDEX IF NOT EXISTS missing ON models (tries, number) WHERE line IS NULL;
"""
_AHEAD: Final = 256
"""Names that are taken from the list at a time."""


class PullState:
    """Models in the order of the hub's list, each with its line once that is there.

    Held by one process at a time. Every failure of the file is an `UnwritableError`, or a `DamagedFileError` when it is
    not what was written.
    """

    @staticmethod
    def folder_of(target: Path) -> Path:
        """Where the unfinished pull of a target lies."""
        return target.with_name(f".{target.name}.pull")

    def __init__(self, target: Path) -> None:
        self.folder = self.folder_of(target)
        self._target = target
        self._name = escape(str(target))
        with self._explained():
            self.folder.mkdir(exist_ok=True)
            self._connection = sqlite3.connect(self.folder / "state.sqlite", timeout=1, isolation_level=None)
            try:
                self._connection.execute("PRAGMA locking_mode=EXCLUSIVE")
                self._connection.execute("PRAGMA journal_mode=WAL")
                self._connection.execute("PRAGMA synchronous=NORMAL")
                self._connection.executescript(_SCHEMA)
            except sqlite3.Error:
                self._connection.close()
                raise

    def begin(self, plan: Mapping[str, Any]) -> None:
        """Goes on with a pull of the same plan, or begins one.

        Raises:
            InvalidTargetError: an unfinished pull of another plan is there.
        """
        wanted = json.dumps(plan, sort_keys=True)
        with self._explained():
            there = self._fact("plan")
            if there is None:
                self._set("plan", wanted)
            elif there != wanted:
                msg = f"{self._name}: an unfinished other pull is there; give another file, or --restart to replace it"
                raise InvalidTargetError(msg)

    @property
    def cursor(self) -> str | None:
        """Address of the page of the list to go on with; None before the first and behind the last."""
        with self._explained():
            return self._fact("cursor") or None

    def is_listed(self) -> bool:
        """Whether the list is complete."""
        with self._explained():
            return self._fact("listed") is not None

    def add_page(self, models: Sequence[tuple[str, str | None]], cursor: str | None, limit: int | None) -> int:
        """Keeps one page of the list: names with their lines where these are known; names that are there stay.

        Returns:
            the number of models that are listed now.
        """
        with self._explained(), self._transaction():
            room = None if limit is None else max(0, limit - self.total)
            for name, line in models:
                if room == 0:
                    break
                packed = None if line is None else zlib.compress(line.encode())
                added = self._connection.execute(
                    "INSERT OR IGNORE INTO models (id, line) VALUES (?, ?)", (_text(name), packed)
                ).rowcount
                room = None if room is None else room - added
            self._set("cursor", cursor or "")
            if cursor is None or room == 0:
                self._set("listed", "yes")
            return self.total

    @property
    def total(self) -> int:
        """Models that are listed."""
        with self._explained():
            return int(self._connection.execute("SELECT count(*) FROM models").fetchone()[0])

    @property
    def done(self) -> int:
        """Models whose line is there."""
        with self._explained():
            return int(self._connection.execute("SELECT count(*) FROM models WHERE line IS NOT NULL").fetchone()[0])

    def missing(self, tries: int) -> Iterator[tuple[int, str]]:
        """Numbers and names of models without a line that were tried so many times."""
        last = -1
        while True:
            with self._explained():
                rows = self._connection.execute(
                    "SELECT number, id FROM models WHERE line IS NULL AND tries = ? AND number > ? "
                    "ORDER BY number LIMIT ?",
                    (tries, last, _AHEAD),
                ).fetchall()
            if not rows:
                return
            yield from rows
            last = rows[-1][0]

    def put(self, number: int, line: str, reason: str | None = None) -> None:
        """Keeps a line; `reason`: why it holds no package."""
        with self._explained():
            self._connection.execute(
                "UPDATE models SET line = ?, reason = ? WHERE number = ?",
                (zlib.compress(line.encode()), reason, number),
            )

    def failed(self, numbers: Sequence[int]) -> None:
        """Counts a try without a line."""
        with self._explained():
            self._connection.executemany(
                "UPDATE models SET tries = tries + 1 WHERE number = ?", [(number,) for number in numbers]
            )

    def reasons(self) -> Counter[str]:
        """Why lines hold no package, with their number."""
        with self._explained():
            rows = self._connection.execute(
                "SELECT reason, count(*) FROM models WHERE reason IS NOT NULL GROUP BY reason ORDER BY 2 DESC LIMIT 100"
            )
            return Counter(dict(rows.fetchall()))

    def write(self) -> int:
        """Writes the lines to the target, which appears whole or not at all; returns their number.

        Raises:
            UnwritableError: it cannot be.
        """
        part = self.folder / "lines"
        written = 0
        with self._explained():
            with part.open("wb") as stream:
                for (line,) in self._connection.execute(
                    "SELECT line FROM models WHERE line IS NOT NULL ORDER BY number"
                ):
                    stream.write(zlib.decompress(line) + b"\n")
                    written += 1
                stream.flush()
                os.fsync(stream.fileno())
            part.replace(self._target)
        return written

    def close(self) -> None:
        """Lets go of the file."""
        self._connection.close()

    def remove(self) -> None:
        """Forgets the pull."""
        self.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _fact(self, key: str) -> str | None:
        row = self._connection.execute("SELECT value FROM facts WHERE key = ?", (key,)).fetchone()
        return row[0] if row else None

    def _set(self, key: str, value: str) -> None:
        self._connection.execute("INSERT OR REPLACE INTO facts VALUES (?, ?)", (key, value))

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._connection.execute("BEGIN")
        try:
            yield
        except BaseException:
            self._connection.execute("ROLLBACK")
            raise
        self._connection.execute("COMMIT")

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.OperationalError as error:
            if "locked" in str(error):
                raise UnwritableError(f"{self._name}: another pull writes to it; wait for it") from error
            raise UnwritableError(self._unwritable(one_line(error, 80))) from error
        except (sqlite3.Error, zlib.error) as error:
            why = one_line(error, 80)
            raise DamagedFileError(f"{self._name}: the unfinished pull is damaged ({why}); give --restart") from error
        except OSError as error:
            raise UnwritableError(self._unwritable((error.strerror or "failed").lower())) from error

    def _unwritable(self, why: str) -> str:
        return f"{self._name}: cannot be written ({why}); check space and rights, then run the same command to go on"


def _text(name: str) -> str:
    """A name that SQLite can hold."""
    return name.encode("utf-8", "backslashreplace").decode()
