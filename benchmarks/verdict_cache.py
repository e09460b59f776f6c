"""Measured packages, kept between runs: measuring is most of a run over changed names, and changes no name.

What is kept belongs to one state of the code that measures, of the reference index, and of the package's files; another
state measures anew. The file is a pickle that this checkout wrote for itself, so give no folder that others write to.
"""

from __future__ import annotations

import hashlib
import json
import pickle
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Final

from benchmarks.verdict_data import Case
from benchmarks.verdict_runs import kinship, subject_of
from dara.subject import Subject

ROOT: Final = Path(__file__).resolve().parents[1]
MEASURING: Final = ("clustering", "corpora", "dara/measurement.py", "dara/subject.py", "benchmarks/verdict_data.py")
"""What measured packages follow from."""


class SubjectCache:
    """Subjects by name and content, in a folder; without one, nothing is kept."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder / _state() if folder is not None else None
        if self._folder is not None:
            self._folder.mkdir(parents=True, exist_ok=True)

    def get(self, name: str, content: str, make: Callable[[], Subject]) -> Subject:
        """The subject of a package; `content` tells apart its states."""
        if self._folder is None:
            return make()
        key = hashlib.sha256(f"{name}\0{content}".encode()).hexdigest()[:24]
        path = self._folder / f"{key}.pickle"
        if path.exists():
            kept: Subject = pickle.loads(path.read_bytes())
            return replace(kept, kinship=kinship())
        subject = make()
        fresh = path.with_suffix(".part")
        fresh.write_bytes(pickle.dumps(replace(subject, kinship=None)))
        fresh.replace(path)
        return subject

    def measured(self, case: Case) -> Subject:
        """A labelled package without its name."""
        content = json.dumps(case.config, sort_keys=True)
        if case.folder is not None:
            content += state_of(case.folder)
        return self.get(case.name, content, lambda: subject_of(case))


def state_of(folder: Path) -> str:
    """What tells a package's files (or one file) from others: paths, sizes and times of change."""
    files = folder.rglob("*") if folder.is_dir() else [folder]
    rows = sorted(
        f"{path.relative_to(folder)} {path.stat().st_size} {path.stat().st_mtime_ns}"
        for path in files
        if path.is_file()
    )
    return "\n".join(rows)


@cache
def _state() -> str:
    digest = hashlib.sha256()
    for entry in MEASURING:
        start = ROOT / entry
        for path in sorted(start.rglob("*")) if start.is_dir() else [start]:
            if path.suffix in (".py", ".npz", ".toml", ".json") and path.is_file():
                digest.update(str(path.relative_to(ROOT)).encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:16]
