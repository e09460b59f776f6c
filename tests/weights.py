"""Weight files with exact headers over holes, and the layouts that several tests write into them."""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from math import prod
from pathlib import Path
from typing import Any

Shape = tuple[int, ...]
Shapes = dict[str, Shape]
WIDTHS = {"F32": 4, "F16": 2, "BF16": 2, "I64": 8, "I32": 4, "U32": 4, "I16": 2, "I8": 1, "U8": 1, "F8_E4M3": 1}
"""Bytes of an element."""


def header(
    tensors: Mapping[str, tuple[str, Shape]],
    metadata: Mapping[str, str] | None = None,
    widths: Mapping[str, int] = WIDTHS,
) -> tuple[bytes, int]:
    """The head of a safetensors file (its length before it) and the bytes of data that it announces."""
    entries: dict[str, Any] = {} if metadata is None else {"__metadata__": dict(metadata)}
    offset = 0
    for name, (dtype, shape) in tensors.items():
        end = offset + widths[dtype] * prod(shape)
        entries[name] = {"dtype": dtype, "shape": list(shape), "data_offsets": [offset, end]}
        offset = end
    text = json.dumps(entries, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text, offset


def write(path: Path, shapes: Shapes, dtype: str = "F16", **metadata: str) -> Path:
    """A file whose data is a hole: it takes its header on the disk."""
    head, length = header({name: (dtype, shape) for name, shape in shapes.items()}, metadata or None)
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as stream:
        stream.write(head)
        stream.truncate(len(head) + length)
    return path


def bert(layers: int, width: int) -> Shapes:
    """A BERT for masked language modelling in the spelling of transformers."""
    vocabulary = 40 * width
    shapes: Shapes = {
        "bert.embeddings.word_embeddings.weight": (vocabulary, width),
        "bert.embeddings.position_embeddings.weight": (512, width),
        "bert.embeddings.token_type_embeddings.weight": (2, width),
        "bert.embeddings.LayerNorm.weight": (width,),
        "bert.embeddings.LayerNorm.bias": (width,),
    }
    shapes |= bert_blocks(layers, width, "bert.")
    head = "cls.predictions."
    shapes |= {f"{head}bias": (vocabulary,), f"{head}transform.dense.weight": (width, width)}
    shapes |= {f"{head}transform.{leaf}": (width,) for leaf in ("dense.bias", "LayerNorm.weight", "LayerNorm.bias")}
    return shapes


def bert_blocks(layers: int, width: int, prefix: str) -> Shapes:
    """The encoder layers of a BERT."""
    shapes: Shapes = {}
    for index in range(layers):
        block = f"{prefix}encoder.layer.{index}."
        for name, rows, columns in (
            ("attention.self.query", width, width),
            ("attention.self.key", width, width),
            ("attention.self.value", width, width),
            ("attention.output.dense", width, width),
            ("intermediate.dense", 4 * width, width),
            ("output.dense", width, 4 * width),
        ):
            shapes |= {f"{block}{name}.weight": (rows, columns), f"{block}{name}.bias": (rows,)}
        for name in ("attention.output.LayerNorm", "output.LayerNorm"):
            shapes |= {f"{block}{name}.{leaf}": (width,) for leaf in ("weight", "bias")}
    return shapes


def network(stages: int) -> Shapes:
    """A small convolutional network of no known family."""
    shapes: Shapes = {"stem.conv.weight": (32, 3, 7, 7)}
    for stage in range(stages):
        width = 32 * 2**stage
        shapes |= {f"stages.{stage}.conv{n}.weight": (width, width, 3, 3) for n in (1, 2)}
        shapes |= {f"stages.{stage}.bn{n}.weight": (width,) for n in (1, 2)}
    return shapes
