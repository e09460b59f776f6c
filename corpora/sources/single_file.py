"""A single weight file."""

from __future__ import annotations

import stat
from pathlib import Path
from typing import ClassVar, Final

from clustering.text import escape
from corpora.errors import DamagedFileError
from corpora.package import Package
from corpora.sources.interface import OpenOptions, PackageSource
from corpora.sources.local_files import LocalFiles, is_folder, is_there
from corpora.sources.names import RepoName, folder_name, given_name, weak_name

_SUFFIXES: Final = (
    ".safetensors.index.json",
    ".bin.index.json",
    ".safetensors",
    ".gguf",
    ".ggml",
    ".bin",
    ".pt",
    ".pth",
    ".ckpt",
    ".pkl",
    ".onnx",
    ".h5",
    ".hdf5",
    ".keras",
    ".msgpack",
    ".npz",
    ".npy",
    ".index",
    ".pb",
    ".json",
)


def _name(path: Path, options: OpenOptions) -> RepoName | None:
    if options.name is not None:
        return given_name(options.name)
    around = folder_name(path.absolute().parent.name)
    if around is not None:
        return around
    lower = path.name.lower()
    suffix = next((suffix for suffix in _SUFFIXES if lower.endswith(suffix)), "")
    return weak_name(path.name[: len(path.name) - len(suffix)])


class SingleFileSource(PackageSource):
    """Opens one file as a package of its own. Its name is `--name`, that of its `OWNER--REPO` folder, or the file's."""

    kind: ClassVar[str] = "file"

    def matches(self, target: str, options: OpenOptions) -> bool:  # noqa: ARG002
        """Anything that exists and is no folder."""
        path = Path(target)
        return is_there(path) and not is_folder(path)

    def open(self, target: str, options: OpenOptions) -> Package:
        """Looks at the file's length; reads nothing."""
        path = Path(target)
        shown = escape(target)
        try:
            real = path.resolve(strict=True)
            status = real.stat()
        except (OSError, RuntimeError) as error:
            raise DamagedFileError(f"{shown}: cannot be opened; check the path and its permissions") from error
        if not stat.S_ISREG(status.st_mode):
            raise DamagedFileError(f"{shown}: not a regular file; give a folder or a weight file")
        name = _name(path, options)
        return Package(
            source="file",
            location=shown,
            # A link that the user names is followed wherever it leads: its own target is the root.
            files=LocalFiles({path.name: (real, status.st_size)}, (real,)),
            owner=name.owner if name else None,
            repo=name.repo if name else None,
            name_basis=name.basis if name else None,
            revision=options.revision,
        )
