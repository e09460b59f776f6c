"""The package that a git checkout of a hub repository belongs to."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from clustering.errors import ReaderError
from clustering.readers.local import LocalFile
from corpora.errors import InvalidTargetError
from corpora.sources.names import RepoName, hub_address

_MAX_CONFIG: Final = 64 << 10
_SECTION: Final = re.compile(r'^\s*\[\s*remote\s+"([^"\n]{1,200})"\s*\]\s*$')
_URL: Final = re.compile(r"^\s*url\s*=\s*(\S{1,500})\s*$")
_SSH: Final = re.compile(r"(?:ssh://)?git@(?:hf\.co|huggingface\.co)[:/](.+)")


def _remotes(text: str) -> dict[str, str]:
    """First address of each remote of a git configuration."""
    found: dict[str, str] = {}
    remote = None
    for line in text.splitlines():
        if line.lstrip().startswith("["):
            match = _SECTION.match(line)
            remote = match.group(1) if match else None
        elif remote is not None and (match := _URL.match(line)):
            found.setdefault(remote, match.group(1))
    return found


def remote_name(folder: Path, endpoint: str | None = None) -> RepoName | None:
    """Name of the hub repository that `origin` (else the only remote) points to; None for any other host.

    Args:
        folder: root of the checkout, where `.git` lies.
        endpoint: address of a hub other than the public one.
    """
    git = folder / ".git"
    if git.is_symlink() or (git / "config").is_symlink():
        return None
    try:
        with LocalFile(git / "config") as source:
            text = source.read(0, _MAX_CONFIG).decode("utf-8", errors="replace")
    except ReaderError:
        return None
    remotes = _remotes(text)
    url = remotes.get("origin") or (next(iter(remotes.values())) if len(remotes) == 1 else None)
    if url is None:
        return None
    ssh = _SSH.fullmatch(url)
    if ssh:
        url = f"https://huggingface.co/{ssh.group(1)}"
    if "://" not in url:
        return None
    try:
        # Credentials that someone left in the address are no part of the name.
        repo_id = hub_address(re.sub(r"//[^/@]*@", "//", url).removesuffix("/").removesuffix(".git"), endpoint).repo_id
    except InvalidTargetError:
        return None
    owner, slash, repo = repo_id.partition("/")
    return RepoName(owner, repo, "remote") if slash else RepoName(None, owner, "remote")
