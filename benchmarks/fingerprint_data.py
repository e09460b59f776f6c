"""What `benchmarks.fingerprints` asks about: packages with exact headers, and the ways in which they are shown."""

from __future__ import annotations

import json
import random
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clustering.tensors import Tensor, TensorListing

DEVELOPMENT = Path(__file__).resolve().parents[2] / "shared" / "data"
"""The development data, where it lies beside the checkout."""
NAMELESS = frozenset({"ordered", "shuffled"})
"""Ways of showing a listing without its names."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A package with what it declares."""

    name: str
    config: Mapping[str, Any]
    listing: TensorListing

    @property
    def model_type(self) -> str | None:
        """The declared family."""
        declared = self.config.get("model_type")
        return declared if isinstance(declared, str) else None

    @property
    def class_name(self) -> str | None:
        """The first declared class."""
        declared = self.config.get("architectures")
        return str(declared[0]) if isinstance(declared, list) and declared else None


def read_header(path: Path) -> TensorListing:
    """The listing of one trusted safetensors file."""
    with path.open("rb") as stream:
        (length,) = struct.unpack("<Q", stream.read(8))
        header = json.loads(stream.read(length))
    tensors = tuple(
        Tensor(name, tuple(entry["shape"]), entry["dtype"]) for name, entry in header.items() if name != "__metadata__"
    )
    return TensorListing(tensors, "safetensors")


def packages(folder: Path) -> list[Asked]:
    """The packages of a folder made by `make_packages.py` that have weights."""
    rows: list[Asked] = []
    for line in (folder / "packages.jsonl").read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        if row["weights"]:
            place = folder / row["path"]
            config = json.loads((place / "config.json").read_text(encoding="utf-8"))
            rows.append(Asked(row["repo_id"], config, read_header(place / "model.safetensors")))
    return rows


def disguise(listing: TensorListing, mode: str, seed: int = 0) -> TensorListing:
    """The listing as a mode shows it: `both`, `ordered`, `shuffled` or `names`."""
    tensors = list(listing.tensors)
    if mode == "shuffled":
        random.Random(seed).shuffle(tensors)
    if mode in NAMELESS:
        tensors = [Tensor(f"t{n:06d}", t.shape, t.dtype) for n, t in enumerate(tensors)]
    if mode == "names":
        return TensorListing(tuple(Tensor(t.name, (), t.dtype) for t in tensors), "index", names_only=True)
    return TensorListing(tuple(tensors), listing.format)
