"""Checking a model in memory: what it would be as a package, without writing its weights."""

from __future__ import annotations

import json
import struct
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from clustering.tensors import Tensor
from dara.publish.check import PublishCheck, check_folder

_WIDTHS = {"F64": 8, "I64": 8, "U64": 8, "F32": 4, "I32": 4, "U32": 4, "F16": 2, "BF16": 2, "I16": 2, "U16": 2}
_BYTE = ("I8", "U8", "BOOL", "F8_E4M3", "F8_E5M2")


def check_model(model: Any, repo_id: str, **options: Any) -> PublishCheck:
    """Checks a model against the name that it is to be published under, before any weight is written or sent.

    The model is written as its configuration and a safetensors header without data, spelled as `save_pretrained`
    spells it, and that package is checked. Where the process holds only a part of the parameters (ZeRO 3, flat FSDP
    shards) or their published spelling is not known, the configuration alone is checked.

    Args:
        model: a transformers model, or anything with `save_pretrained` on its `config`.
        repo_id: `owner/name`, or only `name`.
        **options: those of `check_folder`.
    """
    with tempfile.TemporaryDirectory(prefix="dara-check-") as scratch:
        folder = Path(scratch)
        write_outline(model, folder)
        return check_folder(folder, repo_id, **options)


def write_outline(model: Any, folder: Path) -> None:
    """Writes a model's configuration, and its weight header where the shapes of all parameters are known."""
    if hasattr(model, "peft_config"):  # an adapter: small, and only its own files are published
        model.save_pretrained(folder)
        return
    config = getattr(model, "config", None)
    if hasattr(config, "save_pretrained"):
        _write_config(model, config, folder)
    tensors = _tensors(model)
    if tensors:
        _write_header(folder / "model.safetensors", tensors)


def _write_config(model: Any, config: Any, folder: Path) -> None:
    config.save_pretrained(folder)
    path = folder / "config.json"
    if not path.is_file():
        return
    document = json.loads(path.read_text("utf-8"))
    # `save_pretrained` of the model, not of its configuration, writes the class.
    document["architectures"] = [type(model).__name__.removeprefix("FSDP")]
    path.write_text(json.dumps(document), encoding="utf-8")


def _tensors(model: Any) -> tuple[Tensor, ...]:
    from clustering.errors import MissingExtraError
    from clustering.live.listing import LiveModelError, listing_from_module

    if _is_partial(model):
        return ()
    try:
        tensors = tuple(listing_from_module(model, spelling="published").tensors)
    except (LiveModelError, MissingExtraError, AttributeError):
        return ()
    known = all(tensor.dtype in _WIDTHS or tensor.dtype in _BYTE for tensor in tensors)
    return tensors if known else ()


def _is_partial(model: Any) -> bool:
    """Whether this process sees shards instead of parameters: DeepSpeed's ZeRO 3, FSDP with flat parameters."""
    if not hasattr(model, "parameters"):
        return True
    return any(hasattr(item, "ds_id") or getattr(item, "_is_flat_param", False) for item in model.parameters())


def _write_header(path: Path, tensors: Iterable[Tensor]) -> None:
    """A safetensors file of the right length whose data is a hole: it takes no space."""
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    offset = 0
    for tensor in sorted(tensors, key=lambda tensor: tensor.name):
        size = _WIDTHS.get(tensor.dtype, 1)
        for length in tensor.shape:
            size *= length
        header[tensor.name] = {
            "dtype": tensor.dtype,
            "shape": list(tensor.shape),
            "data_offsets": [offset, offset + size],
        }
        offset += size
    blob = json.dumps(header, separators=(",", ":")).encode()
    blob += b" " * (-len(blob) % 8)
    with path.open("wb") as stream:
        stream.write(struct.pack("<Q", len(blob)) + blob)
        stream.truncate(8 + len(blob) + offset)
