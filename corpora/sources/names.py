"""How the name of a package is written in folder names, file names, addresses and on the command line."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote, urlsplit

from clustering.text import escape
from corpora.errors import InvalidTargetError
from corpora.package import NameBasis

MAX_NAME: Final = 10_000
"""Longest name that is taken at all. The hub allows 96 characters; a name given by hand may be longer."""

_REPO_ID: Final = re.compile(r"[A-Za-z0-9_](?:[\w.\-]{0,94}[\w])?", re.ASCII)
_HUB_HOSTS: Final = frozenset({"huggingface.co", "www.huggingface.co", "hf.co", "hub-ci.huggingface.co"})
_OTHER_KINDS: Final = frozenset({"datasets", "spaces", "buckets", "collections", "papers", "docs", "blog", "kernels"})
_HF_URI: Final = re.compile(
    r"hf://(?:models/)?([^/@]+(?:/[^/@]+)?)(?:@(refs/(?:pr|convert)/[^/]+|[^/]+))?(?:/(.*))?", re.DOTALL
)
_EXAMPLE: Final = "give a folder, a weight file, owner/repo, or an address such as https://huggingface.co/owner/repo"

_ANONYMOUS: Final = re.compile(
    r"(?:tf_|flax_|pytorch_|diffusion_pytorch_|adapter_|consolidated|open_clip_)*(?:model|weights|variables|saved_model)?"
    r"(?:[-_.](?:\d+|of|fp16|bf16|fp32|best|final|last|state|dict|index|safetensors|non_ema))*"
    r"|checkpoints?(?:[-_.]?\d+)?|ckpt(?:[-_.]?\d+)?|tmp[-_.]?\w{0,12}|temp(?:[-_.]?\d+)?|out(?:put)?s?|results?|runs?|dist|build|data|src|new|folder"
    r"|untitled(?:[-_. ]?\d+)?|[0-9a-f]{40}|\d+|main|snapshots?|blobs?|downloads?|desktop|home|root|cwd|test|tests",
    re.IGNORECASE,
)
"""Names of folders and files that programs give and nobody means as the name of a model."""


@dataclass(frozen=True, slots=True)
class RepoName:
    """Owner and repository proper."""

    owner: str | None
    repo: str
    basis: NameBasis


@dataclass(frozen=True, slots=True)
class HubAddress:
    """A package of a hub as a user wrote it."""

    repo_id: str
    revision: str | None = None
    path: str | None = None
    """One file of the package, where the address points at one."""


def given_name(name: str) -> RepoName:
    """A name from the command line: `owner/repo` or `repo`. Any characters, since it may be what is to be judged.

    Raises:
        InvalidTargetError: when it is empty, too long, or has more than one slash.
    """
    name = name.strip()
    if len(name) > MAX_NAME:
        raise InvalidTargetError(f"the name has {len(name):,} characters; at most {MAX_NAME:,} are accepted")
    owner, slash, repo = name.partition("/")
    if not slash:
        owner, repo = "", name
    if not repo or "/" in repo or (slash and not owner):
        raise InvalidTargetError(f"{escape(name) or 'an empty text'} is not a package name: write owner/repo")
    return RepoName(owner or None, repo, "given")


def folder_name(folder: str) -> RepoName | None:
    """The name in a folder called `OWNER--REPO` or `models--OWNER--REPO` (`models--REPO` has no owner); else None.

    The hub allows no double hyphen in a name, so the parts are unambiguous.
    """
    parts = folder.split("--")
    if not all(parts):
        return None
    if parts[0] == "models" and len(parts) in {2, 3}:
        return RepoName(parts[1] if len(parts) == 3 else None, parts[-1], "folder")
    return RepoName(parts[0], parts[1], "folder") if len(parts) == 2 else None


def weak_name(name: str) -> RepoName | None:
    """A name that nobody may have meant as one: of any folder or file. None for those that programs give."""
    if not any(char.isalnum() for char in name) or _ANONYMOUS.fullmatch(name) or name.startswith("."):
        return None
    return RepoName(None, name, "weak")


def is_repo_id(text: str) -> bool:
    """Whether the hub would accept the text as a repository's name."""
    parts = text.split("/")
    return (
        len(parts) <= 2
        and len(text) <= 200
        and all(_REPO_ID.fullmatch(part) for part in parts)
        and "--" not in text
        and ".." not in text
        and not text.endswith(".git")
    )


def hub_address(target: str, endpoint: str | None = None) -> HubAddress:
    """Reads `owner/repo`, `owner/repo@revision`, `hf://owner/repo` or a page address of a hub.

    Args:
        target: what the user wrote.
        endpoint: address of a hub other than the public one, whose pages are understood too.

    Raises:
        InvalidTargetError: when it is something else, or names a data set or a space.
    """
    shown = escape(target)
    text, revision, path = target.strip(), None, None
    if text.startswith("hf://"):
        match = _HF_URI.fullmatch(text)
        text, revision, path = match.groups() if match else ("", None, None)
    elif "://" in text:
        known = _HUB_HOSTS | ({urlsplit(endpoint).hostname} if endpoint else set())
        try:
            url = urlsplit(text)
        except ValueError:  # brackets that are no address of the network
            url = urlsplit("")
        if url.scheme not in {"http", "https"} or url.hostname not in known:
            raise InvalidTargetError(f"{shown}: not an address of the hub; {_EXAMPLE}")
        parts = [unquote(part) for part in url.path.split("/") if part]
        if parts[:2] == ["api", "models"]:
            parts = parts[2:]
        if len(parts) > 3 and parts[2] in {"tree", "blob", "resolve", "raw", "commit", "revision"}:
            revision = parts[3]
            path = "/".join(parts[4:]) if parts[2] in {"blob", "resolve", "raw"} else None
        text = "/".join(parts[:2])
    if "@" in text:
        text, _, revision = text.partition("@")
    if text.split("/")[0] in _OTHER_KINDS:
        raise InvalidTargetError(f"{shown}: not a model package; {_EXAMPLE}")
    if not is_repo_id(text):
        raise InvalidTargetError(f"{shown or 'an empty text'}: not a package name; {_EXAMPLE}")
    return HubAddress(text, revision or None, path or None)
