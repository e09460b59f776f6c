"""Builders of weight files and packages, good ones and bad ones, without the libraries that usually write them."""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Mapping
from io import BytesIO
from typing import Any

import pytest
from weights import header

from clustering.bytesource import ByteSource
from clustering.readers.limits import DEFAULT_LIMITS, Limits
from clustering.readers.local import Buffer
from clustering.tensors import TensorListing


class MemoryFiles:
    """A package whose files are bytes; opening and reading are counted."""

    def __init__(self, files: Mapping[str, bytes]) -> None:
        self.files = dict(files)
        self.opened: list[str] = []

    def sizes(self) -> Mapping[str, int | None]:
        return {path: len(data) for path, data in sorted(self.files.items())}

    def open(self, path: str) -> ByteSource:
        self.opened.append(path)
        return Buffer(self.files[path], path)


def _safetensors(
    tensors: Mapping[str, tuple[str, tuple[int, ...]]], metadata: Mapping[str, str] | None = None, *, data: bool = True
) -> bytes:
    head, length = header(tensors, metadata)
    return head + (bytes(length) if data else b"")


def _torch_zip(data_pkl: bytes, *, folder: str = "archive", compression: int = zipfile.ZIP_STORED) -> bytes:
    buffer = BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as archive:
        archive.writestr(f"{folder}/data.pkl", data_pkl)
        archive.writestr(f"{folder}/version", "3\n")
        archive.writestr(f"{folder}/data/0", bytes(64))
    return buffer.getvalue()


@pytest.fixture
def safetensors_file() -> Callable[..., bytes]:
    """name -> (dtype, shape) to the bytes of a safetensors file."""
    return _safetensors


@pytest.fixture
def torch_zip() -> Callable[..., bytes]:
    """A pickle stream to the bytes of a PyTorch zip archive."""
    return _torch_zip


@pytest.fixture
def package() -> Callable[[Mapping[str, bytes]], MemoryFiles]:
    """path -> bytes to a package."""
    return MemoryFiles


@pytest.fixture
def read() -> Callable[..., TensorListing]:
    """Reads bytes (or a source) with a reader."""

    def run(reader: Any, data: bytes | ByteSource, limits: Limits = DEFAULT_LIMITS, label: str = "w") -> TensorListing:
        source = Buffer(data, label) if isinstance(data, bytes) else data
        listing = reader().read(source, limits)
        assert isinstance(listing, TensorListing)
        return listing

    return run
