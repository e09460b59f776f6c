"""A local folder laid out like a repository of a hub."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

from clustering.text import escape
from corpora.errors import DamagedFileError, InvalidTargetError, NotFoundError, PackageError
from corpora.package import Package
from corpora.sources.git_remote import remote_name
from corpora.sources.interface import OpenOptions, PackageSource
from corpora.sources.local_files import is_folder, list_folder
from corpora.sources.names import RepoName, folder_name, given_name, weak_name


def _own_name(path: Path) -> str:
    """The folder's name, however it was reached (`.`, `x/..`, a trailing slash)."""
    own = path.absolute().name
    return own if own not in {"", ".", ".."} else path.resolve().name


def _card_name(package: Package) -> RepoName | None:
    """The name that the model card says the package is going to have."""
    try:
        name = package.card().name
        return replace(given_name(name), basis="card") if name else None
    except PackageError:
        return None


def _named(package: Package, path: Path, options: OpenOptions) -> RepoName | None:
    """What a folder's package is called: the strongest source of a name that there is."""
    if options.name is not None:
        return given_name(options.name)
    own = _own_name(path)
    endpoint = options.endpoint or os.environ.get("HF_ENDPOINT")
    return folder_name(own) or remote_name(path, endpoint) or _card_name(package) or weak_name(own)


def inner_packages(path: Path, limit: int = 3) -> list[str]:
    """Names of the first folders in a folder that are called like packages."""
    with os.scandir(path) as scan:
        names = sorted(entry.name for entry in scan if entry.is_dir(follow_symlinks=False))
    return [name for name in names if folder_name(name)][:limit]


class FolderSource(PackageSource):
    """Opens a folder.

    Its name is the one given, else that of a folder called `OWNER--REPO`, the hub repository that it is a checkout of,
    the card's, or weakly the folder's own.
    """

    kind: ClassVar[str] = "folder"

    def matches(self, target: str, options: OpenOptions) -> bool:  # noqa: ARG002
        """Any folder."""
        return is_folder(Path(target))

    def open(self, target: str, options: OpenOptions) -> Package:
        """Lists the folder; reads at most what may hold the name."""
        path = Path(target)
        shown = escape(target)
        try:
            files, skipped = list_folder(path)
            inner = inner_packages(path) if not any("/" not in name for name in files.sizes()) else []
        except FileNotFoundError as error:
            raise NotFoundError(f"{shown}: no such folder; check the path") from error
        except (OSError, RuntimeError) as error:
            reason = (error.strerror if isinstance(error, OSError) else None) or "cannot be listed"
            raise DamagedFileError(f"{shown}: {reason.lower()}; check the folder's permissions") from error
        if inner:
            example = escape(str(path / inner[0]))
            msg = f"{shown} is a folder of packages, not a package; audit one of them ({example}) or the whole by batch"
            raise InvalidTargetError(msg)
        if not files.sizes():
            why = f" ({skipped[0][0]}: {skipped[0][1]})" if skipped else ""
            raise NotFoundError(f"{shown}: the folder holds no file that can be read{why}; name a package's folder")
        package = Package(source="folder", location=shown, files=files, revision=options.revision, skipped=skipped)
        name = _named(package, path, options)
        return package if name is None else replace(package, owner=name.owner, repo=name.repo, name_basis=name.basis)
