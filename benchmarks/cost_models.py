"""Packages of four sizes with exact weight headers over sparse data: what `benchmarks.cost` measures.

Tensors come from the declared classes, built on the meta device in the spelling of published files. The data of a file
is a hole, so that 1.3 TB of weights take a few megabytes of disk.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

from clustering.live.listing import listing_from_config
from clustering.tensors import Tensor

SHARD = 5_000_000_000
"""Largest shard, the default of `save_pretrained` when these models were published."""
WIDTHS = {"F32": 4, "BF16": 2, "F16": 2, "F8_E4M3": 1, "I64": 8}
BLOCK = 128
"""Rows and columns that share one scale in block-wise FP8."""

_LLAMA: dict[str, Any] = {"model_type": "llama", "architectures": ["LlamaForCausalLM"], "torch_dtype": "bfloat16"}


@dataclass(frozen=True, slots=True)
class Size:
    """One package."""

    name: str
    config: Mapping[str, Any]
    fp8: bool = False
    """Matrices of layers are stored in FP8 with block-wise scales, as DeepSeek publishes."""


SIZES = (
    Size("bert-base", {"model_type": "bert", "architectures": ["BertForMaskedLM"]}),
    Size("llama-7b", {**_LLAMA, "vocab_size": 32_000}),
    Size(
        "llama-70b",
        {**_LLAMA, "vocab_size": 128_256, "hidden_size": 8_192, "intermediate_size": 28_672, "num_hidden_layers": 80,
         "num_attention_heads": 64, "num_key_value_heads": 8},
    ),
    Size(
        "deepseek-671b",
        {"model_type": "deepseek_v3", "architectures": ["DeepseekV3ForCausalLM"], "torch_dtype": "bfloat16"},
        fp8=True,
    ),
)  # fmt: skip
"""The library's defaults are BERT base, Llama 7B and DeepSeek V3."""


def write_package(size: Size, parent: Path) -> Path:
    """Write a package as a folder `bench--NAME` and return it."""
    folder = parent / f"bench--{size.name}"
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(dict(size.config)), encoding="utf-8")
    tensors = list(_stored(listing_from_config(size.config, spelling="published").tensors, fp8=size.fp8))
    shards = list(_shards(tensors))
    if len(shards) == 1:
        _write(folder / "model.safetensors", shards[0])
        return folder
    weight_map: dict[str, str] = {}
    for number, shard in enumerate(shards, start=1):
        name = f"model-{number:05d}-of-{len(shards):05d}.safetensors"
        _write(folder / name, shard)
        weight_map.update((tensor.name, name) for tensor in shard)
    total = sum(map(_bytes, tensors))
    index = {"metadata": {"total_size": total}, "weight_map": weight_map}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index, indent=2), encoding="utf-8")
    return folder


def header_bytes(folder: Path) -> int:
    """Length of all weight headers of a package."""
    total = 0
    for path in folder.glob("*.safetensors"):
        with path.open("rb") as stream:
            total += 8 + struct.unpack("<Q", stream.read(8))[0]
    return total


def _bytes(tensor: Tensor) -> int:
    return prod(tensor.shape) * WIDTHS[tensor.dtype]


def _stored(tensors: Sequence[Tensor], *, fp8: bool) -> Iterator[Tensor]:
    for tensor in tensors:
        matrix = tensor.name.endswith("_proj.weight") or "_proj_with_mqa" in tensor.name
        if not fp8 or not matrix:
            yield tensor
            continue
        yield Tensor(tensor.name, tensor.shape, "F8_E4M3")
        yield Tensor(f"{tensor.name}_scale_inv", tuple(-(-size // BLOCK) for size in tensor.shape), "F32")


def _shards(tensors: Sequence[Tensor]) -> Iterator[list[Tensor]]:
    shard: list[Tensor] = []
    filled = 0
    for tensor in tensors:
        if shard and filled + _bytes(tensor) > SHARD:
            yield shard
            shard, filled = [], 0
        shard.append(tensor)
        filled += _bytes(tensor)
    yield shard


def _write(path: Path, tensors: Sequence[Tensor]) -> None:
    """Write a header as the reference writer does, and a hole for the data."""
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    position = 0
    for tensor in sorted(tensors, key=lambda one: (-WIDTHS[one.dtype], one.name)):  # widest type first, then by name
        end = position + _bytes(tensor)
        header[tensor.name] = {"dtype": tensor.dtype, "shape": list(tensor.shape), "data_offsets": [position, end]}
        position = end
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with path.open("wb") as stream:
        stream.write(struct.pack("<Q", len(text)) + text)
        stream.truncate(8 + len(text) + position)
