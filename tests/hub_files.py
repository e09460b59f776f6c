"""What the test hub serves: contents (some claim to be enormous), repositories, faults, and the log's entries."""

from __future__ import annotations

import hashlib
import json
import math
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from weights import WIDTHS, header

LARGE = 1 << 20
LARGE_SUFFIXES = (".safetensors", ".bin", ".gguf", ".h5", ".onnx", ".pt", ".msgpack", ".npz")


@dataclass(frozen=True)
class Sparse:
    """A file whose beginning is given and whose rest is zeros; it may claim to be enormous."""

    head: bytes
    length: int

    def read(self, start: int, amount: int) -> bytes:
        piece = self.head[start : start + amount]
        return piece + bytes(max(0, min(amount, self.length - start) - len(piece)))


@dataclass(frozen=True)
class Memory:
    data: bytes

    @property
    def length(self) -> int:
        return len(self.data)

    def read(self, start: int, amount: int) -> bytes:
        return self.data[start : start + amount]


@dataclass(frozen=True)
class OnDisk:
    path: Path

    @property
    def length(self) -> int:
        return self.path.stat().st_size

    def read(self, start: int, amount: int) -> bytes:
        with self.path.open("rb") as stream:
            stream.seek(start)
            return stream.read(amount)


Content = Sparse | Memory | OnDisk


@dataclass
class Repo:
    """One repository."""

    name: str
    files: dict[str, Content]
    gated: str | bool = False
    private: bool = False
    allowed: frozenset[str] = frozenset()
    """Tokens that may read a gated or private repository."""
    info: dict[str, Any] = field(default_factory=dict)
    """Further fields of the model's description."""
    commits: list[dict[str, Any]] = field(default_factory=list)

    @property
    def sha(self) -> str:
        return hashlib.sha1(f"{self.name}{len(self.commits)}".encode()).hexdigest()


@dataclass
class Entry:
    """One request as it was served."""

    side: str
    method: str
    path: str
    range: str | None
    authorized: bool
    status: int = 0
    sent: int = 0


class Quota:
    """A limit on requests to the API, in windows of whole seconds, told in the headers of every answer."""

    def __init__(self, allowed: int, window: int) -> None:
        self.allowed, self.window = allowed, window
        self.used, self.end = 0, 0.0
        self.refused = 0

    def take(self) -> tuple[bool, dict[str, str]]:
        """Whether a request is within the limit, and what is said about the limit."""
        now = time.monotonic()
        if now >= self.end:
            self.used, self.end = 0, now + self.window
        self.used += 1
        within = self.used <= self.allowed
        self.refused += not within
        seconds = max(1, math.ceil(self.end - now))
        told = {"RateLimit": f'"api";r={max(0, self.allowed - self.used)};t={seconds}'}
        return within, told if within else {**told, "Retry-After": str(seconds)}


@dataclass
class Fault:
    """Something that goes wrong for requests whose path matches."""

    pattern: str
    kind: str
    """status, body, truncate, slow, trickle, ignore-range, wrong-range, reset, gzip, gzip-whole."""
    side: str = "hub"
    times: int | None = 1
    """How often; None: always."""
    status: int = 500
    headers: Mapping[str, str] = field(default_factory=dict)
    seconds: float = 0.0
    body: bytes = b""


def safetensors_file(
    tensors: Mapping[str, tuple[str, tuple[int, ...]]], width: Mapping[str, int] | None = None
) -> Sparse:
    """A safetensors file with an exact header over zeros."""
    head, length = header(tensors, widths={**WIDTHS, **(width or {})})
    return Sparse(head, len(head) + length)


def content_of(value: Content | bytes | str | dict[str, Any]) -> Content:
    if isinstance(value, dict):
        value = json.dumps(value)
    if isinstance(value, str):
        value = value.encode()
    return Memory(value) if isinstance(value, bytes) else value


def oid_of(path: str) -> str:
    return hashlib.sha1(path.encode()).hexdigest()


def description(repo: Repo, *, blobs: bool) -> dict[str, Any]:
    siblings: list[dict[str, Any]] = []
    for path, content in sorted(repo.files.items()):
        entry: dict[str, Any] = {"rfilename": path}
        if blobs:
            entry |= {"size": content.length, "blobId": oid_of(path)}
            if path.endswith(LARGE_SUFFIXES):
                entry["lfs"] = {
                    "size": content.length,
                    "sha256": hashlib.sha256(path.encode()).hexdigest(),
                    "pointerSize": 135,
                }
        siblings.append(entry)
    return {
        "_id": oid_of(repo.name)[:24],
        "id": repo.name,
        "modelId": repo.name,
        "author": repo.name.partition("/")[0],
        "sha": repo.sha,
        "private": repo.private,
        "gated": repo.gated,
        "disabled": False,
        "tags": [],
        "downloads": 0,
        "likes": 0,
        "lastModified": "2024-01-01T00:00:00.000Z",
        "createdAt": "2023-01-01T00:00:00.000Z",
        "siblings": siblings,
        **repo.info,
    }
