"""The cache that the hub's client keeps on this machine: `models--OWNER--REPO/snapshots/COMMIT` over `blobs`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import ClassVar, Final

from clustering.text import escape
from corpora.errors import DamagedFileError, InvalidTargetError, NotFoundError
from corpora.package import Package
from corpora.sources.interface import OpenOptions, PackageSource
from corpora.sources.local_files import is_folder, list_folder
from corpora.sources.names import RepoName, folder_name, given_name, is_repo_id

PREFIX: Final = "models--"
_MAX_REF: Final = 256
_FILES_OF_A_CACHE: Final = frozenset({"version.txt", "CACHEDIR.TAG"})


def cache_folder(repo_id: str) -> str:
    """`owner/repo` as the folder is called."""
    return PREFIX + repo_id.replace("/", "--")


def default_cache() -> Path:
    """Where the hub's client keeps its cache, after `HF_HUB_CACHE`, `HF_HOME` and their like."""
    from huggingface_hub import constants

    return Path(constants.HF_HUB_CACHE)


def _is_repository(path: Path) -> bool:
    return path.name.startswith(PREFIX) and is_folder(path / "snapshots")


def _repository_of(path: Path) -> tuple[Path, str | None] | None:
    """The repository's folder, and the snapshot where the path is one."""
    path = path.absolute()
    if _is_repository(path):
        return path, None
    if path.parent.name == "snapshots" and _is_repository(path.parent.parent):
        return path.parent.parent, path.name
    return None


def _is_cache(path: Path) -> bool:
    """Whether a folder holds cached repositories and nothing that would make it a package itself."""
    found = False
    try:
        with os.scandir(path) as scan:
            for entry in scan:
                if entry.is_dir():
                    found = found or entry.name.startswith(PREFIX)
                elif not entry.name.startswith(".") and entry.name not in _FILES_OF_A_CACHE:
                    return False
    except OSError:
        return False
    return found


def _commit(repository: Path, revision: str | None) -> tuple[str, tuple[str, ...]]:
    """Commit to read, and notes. Without a revision: `main`, else the only or the newest snapshot."""
    snapshots = repository / "snapshots"
    there = sorted(path.name for path in snapshots.iterdir() if path.is_dir())
    wanted = revision or "main"
    if wanted in there:
        return wanted, ()
    reference = repository / "refs" / wanted
    if ".." not in Path(wanted).parts and not Path(wanted).is_absolute() and reference.is_file():
        with reference.open(encoding="utf-8", errors="replace") as stream:
            commit = stream.read(_MAX_REF).strip()
        if commit in there:
            return commit, ()
    shown = escape(repository.name)
    if revision is not None:
        msg = f"{shown}: revision {escape(revision)} is not in the cache; download it or leave out the revision"
        raise NotFoundError(msg)
    if not there:
        raise NotFoundError(f"{shown}: no snapshot in the cache; download the package again")
    if len(there) == 1:
        return there[0], ()
    newest = max(there, key=lambda name: ((snapshots / name).stat().st_mtime_ns, name))
    return newest, (f"the cache holds {len(there)} snapshots and no main branch; the newest is used",)


def open_cached(repository: Path, name: RepoName, revision: str | None) -> Package:
    """Opens a repository of the cache.

    Raises:
        NotFoundError: when the revision is not there.
        DamagedFileError: when the cache cannot be read.
    """
    shown = escape(str(repository))
    try:
        commit, notes = _commit(repository, revision)
        snapshot = repository / "snapshots" / commit
        files, skipped = list_folder(snapshot, also=(repository / "blobs",))
    except OSError as error:
        reason = (error.strerror or "cannot be read").lower()
        raise DamagedFileError(f"{shown}: {reason}; check the cache's permissions") from error
    if not files.sizes():
        raise NotFoundError(f"{shown}: the snapshot {commit} is empty; download the package again")
    return Package(
        source="hub-cache",
        location=escape(str(snapshot)),
        files=files,
        owner=name.owner,
        repo=name.repo,
        name_basis=name.basis,
        revision=commit,
        skipped=skipped,
        notes=notes,
    )


class HubCacheSource(PackageSource):
    """Opens `models--OWNER--REPO`, one of its snapshots, or a whole cache together with a package name."""

    kind: ClassVar[str] = "hub-cache"

    def matches(self, target: str, options: OpenOptions) -> bool:  # noqa: ARG002
        """A folder of the cache's layout."""
        path = Path(target)
        return is_folder(path) and (_repository_of(path) is not None or _is_cache(path))

    def open(self, target: str, options: OpenOptions) -> Package:
        """Lists the snapshot; reads only the reference."""
        path = Path(target)
        found = _repository_of(path)
        if found is None:
            if options.name is None or not is_repo_id(options.name):
                msg = f"{escape(target)} is a cache of many packages; name one of them with --name owner/repo"
                raise InvalidTargetError(msg)
            repository = path / cache_folder(options.name)
            if not _is_repository(repository):
                msg = f"{escape(options.name)} is not in the cache {escape(target)}; download it or check the name"
                raise NotFoundError(msg)
            return open_cached(repository, given_name(options.name), options.revision)
        repository, commit = found
        name = given_name(options.name) if options.name is not None else folder_name(repository.name)
        if name is None:
            msg = f"{escape(target)}: the folder's name gives no package name; give one with --name owner/repo"
            raise InvalidTargetError(msg)
        return open_cached(repository, name, commit or options.revision)
