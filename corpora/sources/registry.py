"""The kinds of sources, in the order in which they are tried, and the one function that opens a package."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from clustering.text import escape
from corpora.errors import InvalidTargetError, NotFoundError
from corpora.package import Package
from corpora.sources.folder import FolderSource
from corpora.sources.hub import HubSource
from corpora.sources.hub_cache import HubCacheSource
from corpora.sources.interface import OpenOptions, PackageSource
from corpora.sources.single_file import SingleFileSource

SOURCES: Final[tuple[PackageSource, ...]] = (SingleFileSource(), HubCacheSource(), FolderSource(), HubSource())
"""What exists on this machine wins over what a hub might have under the same name."""

_FILE_LIKE: Final = (
    ".safetensors",
    ".gguf",
    ".bin",
    ".pt",
    ".pth",
    ".ckpt",
    ".onnx",
    ".h5",
    ".json",
    ".msgpack",
    ".npz",
)


def _looks_like_path(target: str) -> bool:
    """Whether a target that does not exist was meant as a path."""
    if "://" in target:
        return False
    return (
        target.startswith(("/", "./", "../", "~", "\\"))
        or target in {".", ".."}
        or target.endswith(("/", *_FILE_LIKE))
        or target.count("/") > 1
    )


def open_package(
    target: str,
    *,
    name: str | None = None,
    revision: str | None = None,
    offline: bool = False,
    token: str | bool | None = None,
    cache_dir: Path | str | None = None,
    endpoint: str | None = None,
) -> Package:
    """Opens a package: an existing file or folder, else `owner/repo`, `hf://owner/repo` or a page's address on a hub.

    Args:
        target: what the user wrote.
        name: `owner/repo` that the package is, or is going to be, called.
        revision: branch, tag or commit.
        offline: never use the network.
        token: access token; None: the one that the hub's client has saved, False: none.
        cache_dir: the hub's cache.
        endpoint: address of the hub; None: `HF_ENDPOINT` or the public one.

    Raises:
        PackageError: one line that says what is wrong and what to do next; `exit_code_hint` says how grave it is.
    """
    options = OpenOptions(
        name=name,
        revision=revision,
        offline=offline,
        token=token,
        cache_dir=Path(cache_dir) if cache_dir is not None else None,
        endpoint=endpoint,
    )
    if not target.strip():
        raise InvalidTargetError("nothing to audit: give a folder, a weight file, or owner/repo")
    for source in SOURCES:
        if isinstance(source, HubSource) and _looks_like_path(target):
            raise NotFoundError(f"{escape(target)}: no such file or folder; check the path")
        if source.matches(target, options):
            return source.open(target, options)
    raise InvalidTargetError(f"{escape(target)}: give a folder, a weight file, or owner/repo")
