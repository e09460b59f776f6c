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


def in_runs(shards: Sequence[int], workers: int, longest: int | None) -> list[list[int]]:
    """Shards in runs that follow each other, a few for each worker so that all finish at about the same time.

    Args:
        shards: numbers of shards.
        workers: how many judge at a time.
        longest: most shards of a run; None where every run costs reading all that comes before it, so that there are
            as few as there are workers.
    """
    most = -(-len(shards) // (workers * (1 if longest is None else 4))) if workers > 1 else len(shards)
    most = max(1, most if longest is None else min(most, longest))
    runs: list[list[int]] = []
    for number in sorted(shards):
        if runs and number == runs[-1][-1] + 1 and len(runs[-1]) < most:
            runs[-1].append(number)
        else:
            runs.append([number])
    return runs


def longest_run(work: Work, usual: int) -> int | None:
    """Most shards of a run for a source: the usual number, more where a source has to read much before it begins.

    Raises:
        PackageError: the snapshot cannot be read.
    """
    stride = work.source.stride()
    return None if stride is None else max(usual, 4 * stride // work.plan.shard)
