"""What an engine is: it brings every asked shard into the folder of the run, in any order."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import ClassVar

from dara.batch.shard import Work

Progress = Callable[[int], object]
"""Called with the number of entries that were judged since the last call."""


class Engine(ABC):
    """Judges shards."""

    name: ClassVar[str]

    @abstractmethod
    def run(self, work: Work, shards: Sequence[int], progress: Progress) -> None:
        """Judges the shards.

        Raises:
            OSError: a shard cannot be written.
            PackageError: the snapshot cannot be read.
            IncompleteAuditError: a process died.
        """


def in_runs(shards: Sequence[int], workers: int, longest: int, enterable: bool) -> list[list[int]]:
    """Shards in runs that follow each other, a few for each worker so that all finish at about the same time.

    Args:
        shards: numbers of shards.
        workers: how many judge at a time.
        longest: most shards of a run.
        enterable: whether the source can be entered in the middle without reading what comes before; else every run
            costs reading all before it, so there are as few as there are workers.
    """
    most = -(-len(shards) // (workers * (4 if enterable else 1))) if workers > 1 else len(shards)
    most = max(1, min(most, longest) if enterable else most)
    runs: list[list[int]] = []
    for number in sorted(shards):
        if runs and number == runs[-1][-1] + 1 and len(runs[-1]) < most:
            runs[-1].append(number)
        else:
            runs.append([number])
    return runs


def enterable(work: Work) -> bool:
    """Whether the source can be entered in the middle without reading what comes before."""
    return work.source.kind != "ptmtorrent" and not work.plan.snapshot.endswith(".gz")
