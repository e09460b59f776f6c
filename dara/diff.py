"""What changed between two runs over a hub: names that became wrong, were repaired, came and went.

Both tables are sorted by name in runs on disk and read side by side, so memory does not grow with the snapshots.
Prints nothing.
"""

from __future__ import annotations

import heapq
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

from dara.studies.snapshot import Snapshot

Kind = Literal["defective", "appeared-defective", "repaired", "unjudged", "verdict", "codes", "appeared", "vanished"]
KINDS: Final[dict[Kind, str]] = {
    "defective": "became defective",
    "appeared-defective": "appeared, and defective",
    "repaired": "repaired",
    "unjudged": "was defective, now nothing to compare with",
    "verdict": "consistent and unverifiable exchanged",
    "codes": "defective as before, by other rules",
    "appeared": "appeared",
    "vanished": "vanished",
}
"""What a change is called, in the order in which they are shown."""
NEW_DEFECTS: Final[tuple[Kind, ...]] = ("defective", "appeared-defective")

Cause = Literal["package", "dara", "package or dara", "unknown"]
"""What a change comes from, as far as revisions, contents, versions and settings tell."""

RUN: Final = 200_000
"""Rows that are sorted in memory: some 60 MB."""
_BATCH: Final = 4_000
_CONTENT: Final = ("family", "architecture_class", "parameters", "task", "digest", "license", "base_models")
"""Columns that say whether a package is the same where its revision is not known."""
_COLUMNS: Final = ("name", "entry", "verdict", "codes", "revision", "downloads", *_CONTENT)


@dataclass(frozen=True, slots=True)
class Change:
    """One package that is not judged as it was."""

    kind: Kind
    name: str
    before: str | None
    """Verdict of the earlier run; None for a package that it has not."""
    after: str | None
    codes_before: tuple[str, ...]
    codes_after: tuple[str, ...]
    cause: Cause | None
    """None for packages that are in one of the runs only."""
    downloads: int | None
    entry: int
    """Position in the later snapshot; in the earlier one for a package that vanished."""


class Diff:
    """The changes between two runs. `changes` is read once; the counts are complete when it has ended."""

    def __init__(self, old: Snapshot, new: Snapshot) -> None:
        """Compares two folders of results.

        Raises:
            DaraError: a table cannot be read.
        """
        self.old, self.new = old, new
        self.counts: Counter[str] = Counter()
        self.compared = 0
        """Packages that both runs have."""
        self.unnamed = 0
        self.repeated = 0
        """Rows of names that a snapshot has several times; the first row counts."""

    @property
    def versions(self) -> dict[str, tuple[str | None, str | None]]:
        """Versions that differ: before and after."""
        return _differing(self.old.run.get("versions"), self.new.run.get("versions"))

    @property
    def settings(self) -> dict[str, tuple[str | None, str | None]]:
        """Settings that differ and that change what is judged."""
        found = _differing(self.old.run.get("settings"), self.new.run.get("settings"))
        return {key: values for key, values in found.items() if key != "shard"}

    @property
    def judged_alike(self) -> bool:
        """Whether both runs were made by the same versions with the same settings."""
        return not self.versions and not self.settings

    @property
    def new_defects(self) -> int:
        """Packages that became defective or came as such."""
        return sum(self.counts[kind] for kind in NEW_DEFECTS)

    def changes(self) -> Iterator[Change]:
        """Every change, sorted by name.

        Raises:
            DaraError: a table is damaged.
        """
        alike = self.judged_alike
        with tempfile.TemporaryDirectory(prefix="dara-diff-") as folder, ExitStack() as stack:
            sides = [
                self._firsts(_by_name(self._named(snapshot), Path(folder) / f"{number}", stack))
                for number, snapshot in enumerate((self.old, self.new))
            ]
            for before, after in _beside(sides[0], sides[1]):
                self.compared += before is not None and after is not None
                change = _change(before, after, alike)
                if change is not None:
                    self.counts[change.kind] += 1
                    yield change

    def _named(self, snapshot: Snapshot) -> Iterator[Any]:
        """Batches without the rows that have no name."""
        import pyarrow.compute as pc

        for batch in snapshot.scan(_COLUMNS):
            names = batch.column("name")
            self.unnamed += names.null_count
            yield batch.filter(pc.is_valid(names)) if names.null_count else batch

    def _firsts(self, rows: Iterator[dict[str, Any]]) -> Iterator[dict[str, Any]]:
        """The first row of each name."""
        last = None
        for row in rows:
            if row["name"] == last:
                self.repeated += 1
            else:
                last = row["name"]
                yield row


def _differing(old: Any, new: Any) -> dict[str, tuple[str | None, str | None]]:
    before = old if isinstance(old, dict) else {}
    after = new if isinstance(new, dict) else {}

    def text(value: Any) -> str | None:
        return None if value is None else str(value)

    return {
        str(key): (text(before.get(key)), text(after.get(key)))
        for key in sorted({*before, *after}, key=str)
        if before.get(key) != after.get(key)
    }


def _by_name(batches: Iterator[Any], folder: Path, stack: ExitStack) -> Iterator[dict[str, Any]]:
    """Rows sorted by name and position."""
    import pyarrow as pa

    folder.mkdir()
    waiting: list[Any] = []
    runs: list[Path] = []
    for batch in batches:
        waiting.append(batch)
        if sum(map(len, waiting)) >= RUN:
            runs.append(_write_run(pa.Table.from_batches(waiting), folder / f"{len(runs)}.arrow"))
            waiting = []
    parts = [_read_run(path, stack) for path in runs]
    if waiting:
        parts.append(_rows(_sorted(pa.Table.from_batches(waiting)).to_batches(_BATCH)))
    return heapq.merge(*parts, key=lambda row: (row["name"], row["entry"]))


def _sorted(table: Any) -> Any:
    # by bytes of UTF-8, which is the order of Python's texts
    return table.sort_by([("name", "ascending"), ("entry", "ascending")])


def _write_run(table: Any, path: Path) -> Path:
    import pyarrow as pa

    with path.open("wb") as stream, pa.ipc.new_stream(stream, table.schema) as writer:
        writer.write_table(_sorted(table), max_chunksize=_BATCH)
    return path


def _read_run(path: Path, stack: ExitStack) -> Iterator[dict[str, Any]]:
    import pyarrow as pa

    stream = stack.enter_context(path.open("rb"))
    return _rows(stack.enter_context(pa.ipc.open_stream(stream)))


def _rows(batches: Any) -> Iterator[dict[str, Any]]:
    for batch in batches:
        yield from batch.to_pylist()


def _beside(
    old: Iterator[dict[str, Any]], new: Iterator[dict[str, Any]]
) -> Iterator[tuple[dict[str, Any] | None, dict[str, Any] | None]]:
    """Rows of one name beside each other; both sides are sorted and have each name once."""
    before, after = next(old, None), next(new, None)
    while before is not None or after is not None:
        if after is None or (before is not None and before["name"] < after["name"]):
            yield before, None
            before = next(old, None)
        elif before is None or after["name"] < before["name"]:
            yield None, after
            after = next(new, None)
        else:
            yield before, after
            before, after = next(old, None), next(new, None)


def _change(before: dict[str, Any] | None, after: dict[str, Any] | None, alike: bool) -> Change | None:
    kind = _kind(before, after)
    if kind is None:
        return None
    row = after or before or {}
    return Change(
        kind=kind,
        name=row["name"],
        before=before["verdict"] if before else None,
        after=after["verdict"] if after else None,
        codes_before=tuple((before or {}).get("codes") or ()),
        codes_after=tuple((after or {}).get("codes") or ()),
        cause=_cause(before, after, alike) if before and after else None,
        downloads=row["downloads"],
        entry=row["entry"],
    )


def _kind(before: dict[str, Any] | None, after: dict[str, Any] | None) -> Kind | None:
    if before is None or after is None:
        if after is None:
            return "vanished"
        return "appeared-defective" if after["verdict"] == "defective" else "appeared"
    was, now = before["verdict"], after["verdict"]
    if was == now:
        other = now == "defective" and (before["codes"] or []) != (after["codes"] or [])
        return "codes" if other else None
    if now == "defective":
        return "defective"
    if was == "defective":
        return "repaired" if now == "consistent" else "unjudged"
    return "verdict"


def _cause(before: dict[str, Any], after: dict[str, Any], alike: bool) -> Cause:
    """Whether the package or the judge is another one. Measured columns depend on both, so they are asked last."""
    old, new = before["revision"], after["revision"]
    if old is not None and new is not None:
        if old != new:
            return "package" if alike else "package or dara"
        return "unknown" if alike else "dara"
    changed = any(before[column] != after[column] for column in _CONTENT)
    if alike:
        return "package" if changed else "unknown"
    return "package or dara" if changed else "dara"
