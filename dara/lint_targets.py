"""From files to the packages that they belong to: a commit hook hands over files, an audit wants folders."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from clustering.readers.artifacts import holds_weights, is_index
from corpora.sources.names import folder_name

_MAX_CONFIG: Final = 1 << 20
_ROOT_FILES: Final = ("model_index.json", "modules.json")
"""Files that say "the folders below are parts of this package": diffusers and sentence-transformers."""
_OWN_FILES: Final = (*_ROOT_FILES, "config.json", "adapter_config.json")
_MODEL_KEYS: Final = frozenset({"model_type", "architectures", "architecture", "_class_name", "auto_map"})
"""Keys that tell a model's config.json from that of any other program."""


def packages_of(paths: Iterable[Path], stop: Path) -> tuple[list[Path], list[Path]]:
    """The packages that files belong to, and the files that belong to none.

    A folder stands for itself. A file's package is the outermost folder at or below `stop` that says that it is a
    package and holds the file: a checkout of a hub repository as a whole, one folder of a repository with several
    models, the pipeline rather than its part. A folder called `OWNER--REPO` is never taken for a part.

    Args:
        paths: files and folders; a path that does not exist counts as a folder, for the audit to complain about.
        stop: where looking upwards ends, usually the root of the git repository.

    Returns:
        folders without repetition in the order of `paths`, and the files without a package.
    """
    folders: dict[Path, None] = {}
    strays: list[Path] = []
    known: dict[Path, Path | None] = {}
    for path in paths:
        if not path.is_file():
            folders[path] = None
            continue
        parent = path.parent
        if parent not in known:
            known[parent] = _package_around(parent, stop)
        found = known[parent]
        if found is None:
            strays.append(path)
        else:
            folders[found] = None
    return list(folders), strays


def _package_around(folder: Path, stop: Path) -> Path | None:
    found = folder if _is_package(folder) else None
    here = folder
    while folder_name(here.absolute().name) is None and here.absolute() != stop.absolute() and not _is_root(here):
        above = here.parent
        if above == here:
            break
        here = above
        if _holds_parts(here):
            found = here
    return found


def _is_root(folder: Path) -> bool:
    return (folder / ".git").exists()


def _is_package(folder: Path) -> bool:
    """Whether a folder holds a configuration or weights directly."""
    if any((folder / name).is_file() for name in _OWN_FILES):
        return True
    try:
        return any(holds_weights(entry.name) or is_index(entry.name) for entry in folder.iterdir())
    except OSError:
        return False


def _holds_parts(folder: Path) -> bool:
    """Whether a folder is a package of which the folders below are parts."""
    return any((folder / name).is_file() for name in _ROOT_FILES) or _is_model_config(folder / "config.json")


def _is_model_config(path: Path) -> bool:
    """Whether a config.json is that of a model; one that cannot be read is not."""
    try:
        with path.open("rb") as stream:
            document = json.loads(stream.read(_MAX_CONFIG))
    except (OSError, ValueError, RecursionError):
        return False
    return isinstance(document, dict) and not _MODEL_KEYS.isdisjoint(document)
