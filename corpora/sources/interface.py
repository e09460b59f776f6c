"""What a source of packages is.

Two interfaces: a `PackageSource` opens one package that a user names; a `SnapshotSource` yields the packages of a
whole snapshot, in a fixed order, and says of everything it leaves out where it stood and why. One file per
implementation; the explicit lists are in `corpora/sources/registry.py`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from corpora.package import Package


@dataclass(frozen=True, slots=True)
class OpenOptions:
    """How to open a package."""

    name: str | None = None
    """`owner/repo` that the package is, or is going to be, called."""
    revision: str | None = None
    """Branch, tag or commit; None for the default branch."""
    offline: bool = False
    """Never use the network; `HF_HUB_OFFLINE` has the same effect."""
    token: str | bool | None = None
    """Access token; None: the one that the hub's client has saved, False: none at all."""
    cache_dir: Path | None = None
    """The hub's cache; None: where the hub's client keeps it."""
    endpoint: str | None = None
    """Address of the hub; None: `HF_ENDPOINT` or the public hub."""


class PackageSource(ABC):
    """Opens one package."""

    kind: ClassVar[str]

    @abstractmethod
    def matches(self, target: str, options: OpenOptions) -> bool:
        """Whether the target is of this kind. Looks at local files at most; never raises."""

    @abstractmethod
    def open(self, target: str, options: OpenOptions) -> Package:
        """Opens the package.

        Raises:
            PackageError: one line that says what is wrong and what to do next.
        """


@dataclass(frozen=True, slots=True)
class SkippedPackage:
    """Something in a snapshot that could not be made a package."""

    place: str
    """Where it stands: a path, or file and line; free of control characters."""
    reason: str


class SnapshotSource(ABC):
    """Yields the packages of a snapshot, always in the same order."""

    kind: ClassVar[str]
    location: str
    holds_files: ClassVar[bool] = False
    """Whether the packages have their files: to audit weight headers takes a hundred times as long as metadata."""

    @abstractmethod
    def total(self) -> int | None:
        """Number of entries, where it can be told without reading everything."""

    def stride(self) -> int | None:
        """Entries before the first one that is wanted which have to be read, at most; None: all that come before it.

        Whoever reads a snapshot in pieces makes them several times as long.
        """
        return 0

    @abstractmethod
    def packages(self, start: int = 0, stop: int | None = None) -> Iterator[Package | SkippedPackage]:
        """Entries `start` to `stop`. One that cannot be used is a `SkippedPackage`, never an exception.

        Every entry of the snapshot yields exactly one item, so that an interrupted run can go on where it stopped and
        several processes can share one snapshot.

        Raises:
            PackageError: when the snapshot itself cannot be read.
        """
