"""The folder of results: one run at a time, resumed under the same plan only."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from clustering.text import escape
from dara.batch.merge import write_json
from dara.batch.plan import Plan
from dara.batch.tables import RESULTS
from dara.errors import IncompleteAuditError, UsageError

HIDDEN: Final = ".dara-batch"
"""Folder inside OUT that holds an unfinished run; it is gone when the run is complete."""
_LOCK: Final = "lock"
_PLAN: Final = "plan.json"
_LARGEST: Final = 1 << 20


class Workspace:
    """Where a run keeps its shards and its results."""

    def __init__(self, out: Path) -> None:
        self.out = out
        self.hidden = out / HIDDEN
        self.shards = self.hidden / "shards"
        self.store = self.hidden / "graphs.sqlite"

    def prepare(self, plan: Plan, *, restart: bool) -> dict[str, Any] | None:
        """Makes the folder ready for a run of this plan.

        Returns:
            the totals of an earlier run of the same plan that is complete already; None when there is work to do.

        Raises:
            UsageError: the folder holds another run and `restart` is not given.
            OSError: it cannot be written.
        """
        if restart:
            self._clear()
        wanted = plan.document()
        if (self.out / "run.json").exists():
            done = _read(self.out / "run.json")
            if done != wanted:
                raise UsageError(f"{self._name()}: holds the results of another run{_why(done, wanted)}; {_ADVICE}")
            summary = _read(self.out / "summary.json")
            if summary is not None:
                shutil.rmtree(self.hidden, ignore_errors=True)  # the run was killed after its last step
                return summary
        begun = self.hidden / _PLAN
        if begun.exists():
            started = _read(begun)
            if started != wanted:
                raise UsageError(f"{self._name()}: holds an unfinished other run{_why(started, wanted)}; {_ADVICE}")
        else:
            stray = next((name for name in RESULTS if (self.out / name).exists()), None)
            if stray is not None:
                raise UsageError(f"{self._name()}: holds a {stray} of something else; {_ADVICE}")
            write_json(begun, wanted)
        self.shards.mkdir(exist_ok=True)
        for leftover in self.shards.glob(".*"):  # halves of shards that a killed run was writing
            shutil.rmtree(leftover, ignore_errors=True)
        return None

    def finish(self) -> None:
        """Removes what only an unfinished run needs."""
        shutil.rmtree(self.hidden, ignore_errors=True)

    def _clear(self) -> None:
        for name in RESULTS:
            (self.out / name).unlink(missing_ok=True)
        (self.hidden / _PLAN).unlink(missing_ok=True)
        shutil.rmtree(self.shards, ignore_errors=True)

    def _name(self) -> str:
        return escape(str(self.out))

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Holds the folder for this run; the system lets go of it when the process ends, however it ends.

        Raises:
            IncompleteAuditError: another run has it.
            OSError: it cannot be written.
        """
        self.hidden.mkdir(parents=True, exist_ok=True)
        handle = _lock(self.hidden / _LOCK)
        if handle is None:
            raise IncompleteAuditError(f"{self._name()}: another run writes to it; wait for it or give another folder")
        try:
            yield
        finally:
            if not (self.hidden / _PLAN).exists():  # nothing was begun: leave the folder as it was found
                self.finish()
            os.close(handle)


_ADVICE: Final = "give another folder, or --restart to replace it"


def _lock(path: Path) -> int | None:
    """A handle that holds the lock, or None when another process has it."""
    while True:
        path.parent.mkdir(exist_ok=True)
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            import fcntl
        except ImportError:  # Windows: two runs into one folder are the user's care
            return handle
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(handle)
            return None
        except OSError:
            return handle  # a file system without locks
        try:
            if os.fstat(handle).st_ino == path.stat().st_ino:
                return handle
        except OSError:
            pass  # the run that had the lock has removed the file at its end
        os.close(handle)


def _read(path: Path) -> dict[str, Any] | None:
    """A document of an earlier run; None when it is not one."""
    try:
        with path.open("rb") as stream:
            value = json.loads(stream.read(_LARGEST))
    except (OSError, ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _why(there: dict[str, Any] | None, wanted: dict[str, Any]) -> str:
    """What differs, as far as it can be told."""
    if there is None:
        return ""
    inputs = there.get("inputs")
    before = inputs if isinstance(inputs, dict) else {}
    if before.get("snapshot") != wanted["inputs"]["snapshot"]:
        return " (of another snapshot)"
    if inputs != wanted["inputs"]:
        return " (the snapshot has changed since)"
    if there.get("settings") != wanted["settings"]:
        return " (with other settings)"
    versions = there.get("versions")
    before, now = (versions if isinstance(versions, dict) else {}), wanted["versions"]
    changed = sorted(name for name in {*before, *now} if before.get(name) != now.get(name))
    return " (made by another state of dara's code or data)" if changed == ["program"] else " (made by other versions)"
