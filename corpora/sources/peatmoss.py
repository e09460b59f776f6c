"""PeaTMOSS: a SQLite database of models and their metadata, read in order and never written.

The model type stands in `framework.name`, the class in `architecture.name`, the task among `tag.name`; `context_id`
holds `owner/name`.
"""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, ClassVar, Final

from clustering.text import escape, one_line
from corpora.errors import DamagedFileError, InvalidTargetError, NotFoundError
from corpora.package import Package
from corpora.sources.interface import SkippedPackage, SnapshotSource
from corpora.sources.local_files import is_there
from corpora.sources.rows import package_of_row

PAGE: Final = 2_000
_JOINED: Final = ("architecture", "author", "dataset", "framework", "language", "library", "license", "tag")
_MODEL_COLUMNS: Final = ("id", "context_id", "sha", "repo_url", "downloads", "likes")


class PeatMoss(SnapshotSource):
    """One package per row of the table `model`, in the order of its key."""

    kind: ClassVar[str] = "peatmoss"

    def __init__(self, path: Path) -> None:
        self._path = path
        self.location = escape(str(path))
        self._label = escape(path.name)

    def _connect(self) -> sqlite3.Connection:
        if not is_there(self._path):
            raise NotFoundError(f"{self.location}: no such file; check the path")
        try:
            # `mode=ro` opens for reading; the file may lie where nothing can be written.
            connection = sqlite3.connect(f"{self._path.resolve().as_uri()}?mode=ro", uri=True)
            connection.text_factory = lambda data: data.decode("utf-8", "replace")
        except sqlite3.Error as error:
            raise DamagedFileError(f"{self.location}: cannot be opened ({one_line(error, 80)})") from error
        return connection

    def _ask(self, connection: sqlite3.Connection, query: str, *values: Any) -> list[tuple[Any, ...]]:
        try:
            return connection.execute(query, values).fetchall()
        except sqlite3.Error as error:
            raise DamagedFileError(f"{self.location}: damaged ({one_line(error, 80)}); get it again") from error

    def _layout(self, connection: sqlite3.Connection) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Columns of `model` and the joined tables that this database has."""
        tables = {row[0] for row in self._ask(connection, "SELECT name FROM sqlite_master WHERE type = 'table'")}
        if "model" not in tables:
            raise InvalidTargetError(f"{self.location}: a database without the table model; give a PeaTMOSS database")
        there = {row[1] for row in self._ask(connection, "PRAGMA table_info(model)")}
        if not {"id", "context_id"} <= there:
            raise InvalidTargetError(f"{self.location}: the table model has other columns; give a PeaTMOSS database")
        columns = tuple(column for column in _MODEL_COLUMNS if column in there)
        return columns, tuple(name for name in _JOINED if {name, f"model_to_{name}"} <= tables)

    def total(self) -> int:
        """Number of models."""
        with closing(self._connect()) as connection:
            self._layout(connection)
            return int(self._ask(connection, "SELECT COUNT(*) FROM model")[0][0])

    def packages(self, start: int = 0, stop: int | None = None) -> Iterator[Package | SkippedPackage]:
        """One item per model."""
        with closing(self._connect()) as connection:
            columns, joined = self._layout(connection)
            left = None if stop is None else max(0, stop - start)
            last: Any = None
            if start:
                before = self._ask(connection, "SELECT id FROM model ORDER BY id LIMIT 1 OFFSET ?", start - 1)
                if not before:
                    return
                last = before[0][0]
            while left is None or left > 0:
                rows = self._page(connection, columns, last, PAGE if left is None else min(PAGE, left))
                if not rows:
                    return
                related = self._related(connection, joined, rows[0]["id"], rows[-1]["id"])
                for row in rows:
                    yield package_of_row(_translate(row, related), f"{self._label}:model {row['id']}")
                last = rows[-1]["id"]
                left = None if left is None else left - len(rows)

    def _page(
        self, connection: sqlite3.Connection, columns: tuple[str, ...], last: Any, size: int
    ) -> list[dict[str, Any]]:
        names = ", ".join(columns)  # from a fixed list, never from the database
        after = "" if last is None else "WHERE id > ?"
        values = (size,) if last is None else (last, size)
        query = f"SELECT {names} FROM model {after} ORDER BY id LIMIT ?"  # noqa: S608
        return [dict(zip(columns, row, strict=True)) for row in self._ask(connection, query, *values)]

    def _related(
        self, connection: sqlite3.Connection, joined: tuple[str, ...], first: Any, last: Any
    ) -> dict[tuple[str, Any], list[str]]:
        """Names from the joined tables by (table, model)."""
        found: dict[tuple[str, Any], list[str]] = defaultdict(list)
        for table in joined:
            query = (
                f"SELECT j.model_id, t.name FROM model_to_{table} j JOIN {table} t ON t.id = j.{table}_id "  # noqa: S608
                "WHERE j.model_id BETWEEN ? AND ? ORDER BY j.model_id, t.name"
            )
            for model, name in self._ask(connection, query, first, last):
                if isinstance(name, str):
                    found[table, model].append(name)
        return found


def _translate(row: dict[str, Any], related: dict[tuple[str, Any], list[str]]) -> dict[str, Any]:
    """A model in the style of the hub."""

    def names(table: str) -> list[str]:
        return related.get((table, row["id"]), [])

    tags = names("tag")
    types = names("framework")
    name = row["context_id"]
    return {
        "id": name if isinstance(name, str) else None,
        "sha": row.get("sha"),
        "author": next(iter(names("author")), None),
        "tags": tags,
        "pipeline_tag": next((tag for tag in tags if tag in PIPELINE_TAGS), None),
        "library_name": next(iter(names("library")), None),
        "config": {
            **({"architectures": names("architecture")} if names("architecture") else {}),
            **({"model_type": types[0]} if len(types) == 1 else {}),
        },
        "cardData": {
            "license": next(iter(names("license")), None),
            "datasets": names("dataset") or None,
            "language": names("language") or None,
        },
        "downloads": row.get("downloads"),
        "likes": row.get("likes"),
    }


PIPELINE_TAGS: Final = frozenset(
    """
    any-to-any audio-classification audio-text-to-text audio-to-audio automatic-speech-recognition depth-estimation
    document-question-answering feature-extraction fill-mask graph-ml image-classification image-feature-extraction
    image-segmentation image-text-to-text image-to-3d image-to-image image-to-text image-to-video keypoint-detection
    mask-generation multiple-choice object-detection question-answering reinforcement-learning robotics
    sentence-similarity summarization table-question-answering tabular-classification tabular-regression
    text-classification text-generation text-ranking text-retrieval text-to-3d text-to-audio text-to-image
    text-to-speech text-to-video text2text-generation time-series-forecasting token-classification translation
    unconditional-image-generation video-classification video-text-to-text visual-document-retrieval
    visual-question-answering voice-activity-detection zero-shot-classification zero-shot-image-classification
    zero-shot-object-detection
    """.split()  # noqa: SIM905 - a list of 55 texts is not easier to read
)
"""The hub's task identifiers (its task pages, 2025)."""
