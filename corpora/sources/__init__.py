"""Where packages come from: one file per kind of source."""

from corpora.sources.interface import OpenOptions, PackageSource, SkippedPackage, SnapshotSource
from corpora.sources.registry import open_package

__all__ = ["OpenOptions", "PackageSource", "SkippedPackage", "SnapshotSource", "open_package"]
