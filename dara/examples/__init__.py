"""Example packages with real configurations and exact weight headers, but no weights.

Each is a folder `OWNER--REPO` with a config.json and a safetensors file whose tensor data is a hole: 13 GB of weights
take a few kilobytes of disk. The layouts stand in `data/layouts.json`, written by `python -m dara.examples.generate`.
"""

from __future__ import annotations

import json
import re
import struct
from collections.abc import Iterator
from importlib.resources import files
from itertools import product
from math import prod
from pathlib import Path
from typing import Any

WIDTH = {"F32": 4, "BF16": 2, "F16": 2, "I64": 8}
"""Bytes per element of the dtypes that the examples use."""

_RANGE = re.compile(r"\{(\d+)-(\d+)\}")


def write_examples(root: Path) -> list[Path]:
    """Writes the example packages below `root` and returns their folders, in the order of a demonstration."""
    packages = json.loads(_data("packages.json"))
    layouts = json.loads(_data("layouts.json"))
    folders = []
    for package in packages:
        folder = root / package["name"].replace("/", "--")
        folder.mkdir(parents=True, exist_ok=True)
        layout = layouts[package["layout"]]
        (folder / "config.json").write_text(json.dumps(layout["config"], indent=2) + "\n", encoding="utf-8")
        (folder / "README.md").write_text(f"---\nlicense: apache-2.0\n---\n\n{package['about']}\n", encoding="utf-8")
        _write_safetensors(folder / "model.safetensors", tuple(_expand(layout["tensors"])), layout["dtype"])
        folders.append(folder)
    return folders


def _data(name: str) -> str:
    return (files(__name__) / "data" / name).read_text(encoding="utf-8")


def _expand(patterns: dict[str, list[int]]) -> Iterator[tuple[str, list[int]]]:
    """Tensor names and shapes of patterns such as `layer.{0-11}.weight`."""
    for pattern, shape in patterns.items():
        ranges = [range(int(low), int(high) + 1) for low, high in _RANGE.findall(pattern)]
        template = _RANGE.sub("{}", pattern)
        for numbers in product(*ranges):
            yield template.format(*numbers), shape


def _write_safetensors(path: Path, tensors: tuple[tuple[str, list[int]], ...], dtype: str) -> None:
    """A valid safetensors file of the right length; tensors in the order of the format's own writer, by name."""
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    offset = 0
    for name, shape in sorted(tensors):
        size = WIDTH[dtype] * prod(shape)
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [offset, offset + size]}
        offset += size
    blob = json.dumps(header, separators=(",", ":")).encode()
    blob += b" " * (-len(blob) % 8)
    with path.open("wb") as stream:
        stream.write(struct.pack("<Q", len(blob)) + blob)
        stream.truncate(8 + len(blob) + offset)
