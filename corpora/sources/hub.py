"""A package on a live hub, through huggingface_hub."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Final
from urllib.parse import quote

from clustering.bytesource import FileAccess
from clustering.text import escape
from corpora.errors import GatedError, NotFoundError, OfflineError, UnavailableError
from corpora.package import HubMetadata, Package
from corpora.sources.columns import metadata_of_row
from corpora.sources.hub_cache import cache_folder, default_cache, open_cached
from corpora.sources.hub_file import HubFiles, shard_group
from corpora.sources.hub_http import HubClient
from corpora.sources.hub_patience import Patience
from corpora.sources.interface import OpenOptions, PackageSource
from corpora.sources.local_files import is_folder
from corpora.sources.names import RepoName, given_name, hub_address, is_repo_id

MAX_FILES: Final = 50_000
MAX_DESCRIPTION: Final = 64 << 20
"""Longest description; one with 10,000 files takes 3 MB."""
_TRUE: Final = frozenset({"1", "ON", "YES", "TRUE"})


def offline_by_environment() -> bool:
    """Whether the environment forbids the network, as the hub's client reads it."""
    value = os.environ.get("HF_HUB_OFFLINE") or os.environ.get("TRANSFORMERS_OFFLINE") or ""
    return value.upper() in _TRUE


def endpoint_of(options: OpenOptions) -> str:
    """Address of the hub: the option, else `HF_ENDPOINT` as it is now, else what the client has."""
    from huggingface_hub import constants

    return (options.endpoint or os.environ.get("HF_ENDPOINT") or constants.ENDPOINT).rstrip("/")


def listed(siblings: list[Any]) -> tuple[dict[str, int | None], list[tuple[str, str]]]:
    """Files of a package; paths that could not be a repository's are left out."""
    sizes: dict[str, int | None] = {}
    skipped: list[tuple[str, str]] = []
    for sibling in siblings[:MAX_FILES]:
        path = sibling.get("rfilename") if isinstance(sibling, dict) else None
        if not isinstance(path, str) or not path or path.startswith("/") or ".." in path.split("/"):
            skipped.append((escape(str(path)), "not a path inside the package"))
            continue
        size = sibling.get("size")
        sizes[path] = size if isinstance(size, int) and not isinstance(size, bool) and size >= 0 else None
    if len(siblings) > MAX_FILES:
        skipped.append(("...", f"more than {MAX_FILES:,} files; the rest was not looked at"))
    return sizes, skipped


def _around(path: str, sizes: Mapping[str, int | None], name: str) -> dict[str, int | None]:
    """One file that an address points at, its other shards, and what describes it: JSON but no shard index, the card.

    Raises:
        NotFoundError: when the package has no such file.
    """
    if path not in sizes:
        raise NotFoundError(f"{name}/{escape(path)}: no such file in this revision; check the address")
    described = (".json", ".md", ".jinja", ".txt")
    group = shard_group(path)
    return {
        other: size
        for other, size in sizes.items()
        if other == path
        or (group is not None and shard_group(other) == group)
        or (other.endswith(described) and not other.endswith(".index.json"))
    }


def cached_files(cache: Path, repo_id: str, commit: str | None, sizes: Mapping[str, int | None]) -> dict[str, str]:
    """Files of exactly this commit that the hub's client has on this machine."""
    from huggingface_hub import try_to_load_from_cache

    if commit is None or not is_folder(cache / cache_folder(repo_id)):
        return {}
    found = {}
    for path, size in sizes.items():
        local = try_to_load_from_cache(repo_id, path, cache_dir=cache, revision=commit)
        if isinstance(local, str) and (size is None or Path(local).stat().st_size == size):
            found[path] = local
    return found


def describe(client: HubClient, repo_id: str, revision: str | None = None) -> Mapping[str, Any]:
    """The hub's description of a model with its list of files, of one whose files can be read.

    It contains the card's metadata, which strangers write and on which the constructors of the hub's client raise;
    so it is read here, tolerantly.

    Raises:
        GatedError: the model may not be read.
        PackageError: it is not there, or the hub does not answer as one.
    """
    at = f"/revision/{quote(revision, safe='')}" if revision is not None else ""
    shown = escape(repo_id)
    found, _ = client.get_json(shown, f"{client.endpoint}/api/models/{repo_id}{at}?blobs=true", MAX_DESCRIPTION)
    name = found.get("id") if isinstance(found, dict) else None
    if not isinstance(name, str) or not is_repo_id(name) or not isinstance(found.get("siblings"), list):
        raise UnavailableError(f"{shown}: {client.endpoint} does not answer as a hub does; check HF_ENDPOINT")
    if metadata_of_row(found).gated:
        _check_access(client, name)
    return dict(found)


def _check_access(client: HubClient, repo_id: str) -> None:
    """Gated packages show their list of files to everybody; whether the files can be read is asked apart."""
    try:
        client.get(escape(repo_id), f"{client.endpoint}/api/models/{repo_id}/auth-check")
    except NotFoundError as error:  # the hub hides what one may not see; here it is known to exist
        msg = f"{escape(repo_id)}: gated; ask for access on its page, then run `hf auth login`"
        raise GatedError(msg) from error


def addresses(client: HubClient, repo_id: str, commit: str | None, paths: Iterable[str]) -> dict[str, str]:
    """Where the files of a package are asked for."""
    from huggingface_hub import hf_hub_url

    return {path: hf_hub_url(repo_id, path, revision=commit, endpoint=client.endpoint) for path in paths}


def hub_package(
    endpoint: str,
    name: RepoName,
    served: str,
    asked: str,
    commit: str | None,
    metadata: HubMetadata,
    files: FileAccess,
    skipped: Sequence[tuple[str, str]],
) -> Package:
    """A package of a hub, its files read live or as they were once recorded."""
    notes = (f"{escape(asked)} is called {escape(served)} on the hub now",) if asked != served else ()
    return Package(
        source="hub",
        location=f"{endpoint}/{escape(served)}",
        files=files,
        owner=name.owner,
        repo=name.repo,
        name_basis=name.basis,
        asked=asked if asked != served else None,
        revision=commit,
        metadata=metadata,
        skipped=tuple(skipped),
        notes=notes,
    )


class HubSource(PackageSource):
    """Opens `owner/repo`, `hf://owner/repo` or a page's address; offline, from the hub's cache."""

    kind: ClassVar[str] = "hub"

    def __init__(self, patience: Patience | None = None, sleep: Callable[[float], None] | None = None) -> None:
        self._patience = patience
        self._sleep = sleep

    def matches(self, target: str, options: OpenOptions) -> bool:  # noqa: ARG002
        """Whatever no other source takes."""
        return True

    def open(self, target: str, options: OpenOptions) -> Package:
        """Asks the hub for the list of files; contents come later and by ranges."""
        address = hub_address(target, options.endpoint or os.environ.get("HF_ENDPOINT"))
        revision = options.revision or address.revision
        cache = options.cache_dir or default_cache()
        if options.offline or offline_by_environment():
            return self._open_offline(address.repo_id, revision, cache, options)
        client = HubClient(endpoint_of(options), options.token, self._patience, self._sleep)
        try:
            found = describe(client, address.repo_id, revision)
        except UnavailableError as error:
            if is_folder(cache / cache_folder(address.repo_id) / "snapshots"):
                raise UnavailableError(f"{error}, or work offline: the cache holds a copy") from error
            raise
        metadata = metadata_of_row(found)
        served = str(found["id"])
        sizes, skipped = listed(found["siblings"])
        if address.path is not None:
            sizes = _around(address.path, sizes, escape(served))
        if not sizes:
            raise NotFoundError(f"{escape(served)}: the package holds no files")
        return self._package(client, served, address.repo_id, metadata, sizes, skipped, cache, options, revision)

    def _package(
        self,
        client: HubClient,
        served: str,
        asked: str,
        metadata: HubMetadata,
        sizes: Mapping[str, int | None],
        skipped: list[tuple[str, str]],
        cache: Path,
        options: OpenOptions,
        revision: str | None,
    ) -> Package:
        commit = metadata.sha or revision
        cached = cached_files(cache, served, metadata.sha, sizes)
        files = HubFiles(client, addresses(client, served, commit, sizes), sizes, escape(served), cached)
        name = given_name(options.name) if options.name is not None else hub_name(served)
        return hub_package(client.endpoint, name, served, asked, commit, metadata, files, skipped)

    def _open_offline(self, repo_id: str, revision: str | None, cache: Path, options: OpenOptions) -> Package:
        repository = cache / cache_folder(repo_id)
        shown = escape(repo_id)
        if not is_folder(repository / "snapshots"):
            raise OfflineError(f"{shown} is not on this machine; go online, or run `hf download {shown}` there first")
        name = given_name(options.name) if options.name is not None else hub_name(repo_id)
        try:
            return open_cached(repository, name, revision)
        except NotFoundError as error:
            raise OfflineError(str(error)) from error


def hub_name(repo_id: str) -> RepoName:
    """The name that a hub gives a package."""
    given = given_name(repo_id)
    return RepoName(given.owner, given.repo, "hub")
