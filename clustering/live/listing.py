"""Tensor listings of live models: of a `torch.nn.Module`, or of the class that a config.json declares.

The class is built on the meta device: no weights are allocated, nothing is downloaded, no code of a package runs.
Names come in two spellings. `memory` is what `module.state_dict()` says in the installed transformers. `published` is
what `save_pretrained` writes: transformers 5 restructures some families on loading (fused experts, moved prefixes) and
undoes it on saving, and most files on the hub are of the published kind.

torch and transformers are imported inside the functions.
"""

from __future__ import annotations

import re
import sys
from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

from clustering.live.limits import LiveLimits, LiveModelError
from clustering.live.modules import (
    declared_class,
    declared_dtype,
    error_line,
    load_transformers,
    module_from_class,
    module_from_config,
    quiet,
)
from clustering.tensors import Tensor, TensorListing

if TYPE_CHECKING:
    import torch
    from torch import nn

__all__ = [
    "LiveLimits",
    "LiveModelError",
    "Spelling",
    "listing_from_config",
    "listing_from_module",
    "module_from_class",
    "module_from_config",
    "saved_listing",
]

Spelling = Literal["memory", "published"]

_DTYPES = {
    "float64": "F64",
    "float32": "F32",
    "float16": "F16",
    "bfloat16": "BF16",
    "int64": "I64",
    "int32": "I32",
    "int16": "I16",
    "int8": "I8",
    "uint8": "U8",
    "bool": "BOOL",
    "float8_e4m3fn": "F8_E4M3",
    "float8_e5m2": "F8_E5M2",
    "complex64": "C64",
}
"""torch's spelling to that of the safetensors format."""
_WIDTH = {"F64": 8, "I64": 8, "C64": 8, "F32": 4, "I32": 4, "F16": 2, "BF16": 2, "I16": 2}
_HALF = {"float16": "F16", "half": "F16", "bfloat16": "BF16"}


def listing_from_module(
    module: nn.Module,
    *,
    dtype: str | None = None,
    spelling: Spelling = "memory",
    metadata: Mapping[str, Any] | None = None,
) -> TensorListing:
    """List the parameters and persistent buffers of a module in definition order.

    Args:
        module: Any `torch.nn.Module`; its data is not touched.
        dtype: What F32 tensors are listed as (`float16`, `bfloat16`), for a module built in single precision that
            stands for files saved in half precision.
        spelling: `published` undoes the restructuring of the installed transformers; it needs a `PreTrainedModel`.
        metadata: Key-values to keep with the listing.

    Returns:
        A listing of format `module`. A shared (tied) parameter is there once, under its first name, with a `storage`
        id; its other names are in `metadata["tied"]` (alias to first name).

    Raises:
        LiveModelError: the published spelling was asked for and cannot be told.
    """
    everything = {name: value for name, value in module.state_dict(keep_vars=True).items() if hasattr(value, "shape")}
    kept = _kept_when_saved(module, everything) if spelling == "published" else frozenset()
    first: dict[int, str] = {}
    for name, value in everything.items():
        if id(value) not in first or (name in kept and first[id(value)] not in kept):
            first[id(value)] = name
    tied = {name: first[id(value)] for name, value in everything.items() if first[id(value)] != name}
    state = {name: value for name, value in everything.items() if name not in tied}
    if spelling == "published":
        state = _published(module, state)
    shared = set(tied.values())
    tensors = tuple(_tensor(name, value, dtype, shared=first.get(id(value)) in shared) for name, value in state.items())
    extra: dict[str, Any] = {"class": type(module).__name__, "spelling": spelling}
    if tied:
        extra["tied"] = tied
    return TensorListing(tensors=tensors, format="module", metadata={**extra, **(metadata or {})})


def saved_listing(module: nn.Module, *, dtype: str | None = None) -> TensorListing:
    """List what the file saved from a module holds: its fingerprint is that of the file.

    A `PreTrainedModel` is listed as `save_pretrained` writes it, any other module as its `state_dict`; both sorted by
    name, as a safetensors file is. Layers without parameters leave no trace in either.

    Raises:
        LiveModelError: the library's restructuring cannot be undone.
    """
    transformers = sys.modules.get("transformers")  # where it was never imported, this is no model of it
    own = transformers is not None and isinstance(module, transformers.PreTrainedModel)
    listing = listing_from_module(module, dtype=dtype, spelling="published" if own else "memory")
    return replace(listing, tensors=tuple(sorted(listing.tensors, key=lambda tensor: tensor.name)))


def _tensor(name: str, value: torch.Tensor, dtype: str | None, *, shared: bool) -> Tensor:
    spelled = _DTYPES.get(str(value.dtype).removeprefix("torch."), str(value.dtype).removeprefix("torch.").upper())
    if spelled == "F32" and dtype:
        spelled = _HALF.get(dtype.removeprefix("torch."), spelled)
    shape = tuple(int(size) for size in value.shape)
    return Tensor(
        name,
        shape,
        spelled,
        nbytes=value.numel() * _WIDTH.get(spelled, 1),
        storage=f"module:{name}" if shared else None,
    )


def _kept_when_saved(module: nn.Module, state: dict[str, Any]) -> frozenset[str]:
    """Names that the installed transformers keeps of tensors that share their weights; empty where it does not say."""
    choose = getattr(load_transformers().modeling_utils, "remove_tied_weights_from_state_dict", None)
    if choose is None or not hasattr(module, "get_parameter_or_buffer"):
        return frozenset()
    try:
        with quiet():
            return frozenset(choose(dict(state), module))
    except Exception:  # noqa: BLE001  # a tie that the library does not understand: the first name stands
        return frozenset()


def _published(module: nn.Module, state: dict[str, Any]) -> dict[str, Any]:
    """Rename and restructure `state` as `save_pretrained` does, in definition order."""
    transformers = load_transformers()
    if not isinstance(module, transformers.PreTrainedModel):
        raise LiveModelError(f"{type(module).__name__} is no transformers model: its published spelling is not known")
    from transformers.core_model_loading import revert_weight_conversion

    ignored = [re.compile(pattern) for pattern in (getattr(module, "_keys_to_ignore_on_save", None) or ())]
    kept = {name: value for name, value in state.items() if not any(rule.fullmatch(name) for rule in ignored)}
    try:
        with quiet():
            converted: dict[str, Any] = revert_weight_conversion(module, kept)
    except Exception as error:
        raise LiveModelError(f"{type(module).__name__}: published spelling failed ({error_line(error)})") from error
    return _definition_order(kept, converted)


def _definition_order(before: dict[str, Any], after: dict[str, Any]) -> dict[str, Any]:
    """Put converted tensors where the tensors that they were made of stood (the conversion sorts by name)."""
    rank = {id(value): number for number, value in enumerate(before.values())}
    if [rank.get(id(value)) for value in after.values()] == list(range(len(before))):
        return after
    from transformers.core_model_loading import dot_natural_key

    by_name = sorted(before, key=dot_natural_key)  # the order in which the conversion took them
    place = {id(before[name]): number for number, name in enumerate(by_name)}
    kept = {id(value) for value in after.values()}
    consumed = [(place[key], rank[key]) for key in place if key not in kept]  # ascending by place
    places = [number for number, _ in consumed]
    # A converted group stands in `after` at the place of its first source. So between two tensors that were only
    # renamed there is one run of sources and one run of results, and the run goes where its first source was defined.
    keys: list[tuple[int, int]] = []
    anchor = -1
    for number, value in enumerate(after.values()):
        if id(value) in rank:
            anchor = place[id(value)]
            keys.append((rank[id(value)], number))
        else:
            following = bisect_right(places, anchor)
            keys.append((consumed[following][1] if following < len(consumed) else len(before), number))
    items = list(after.items())
    return dict(items[number] for _, number in sorted(keys))


def listing_from_config(
    config: Mapping[str, Any], *, spelling: Spelling = "memory", limits: LiveLimits | None = None
) -> TensorListing:
    """List the tensors of the model that a config.json describes, without weights.

    Quantized packages are listed in their logical, unquantized form. The listing's `metadata` holds `class` (what was
    built), `declared` (architectures[0], where it differs) and `model_type`.

    Raises:
        LiveModelError: unknown or remote-code class, invalid or absurd configuration, failed or too slow build.
        MissingExtraError: torch or transformers is not installed, or a package that this class needs.
    """
    module = module_from_config(config, limits=limits)
    declared = declared_class(config)
    metadata: dict[str, Any] = {"model_type": str(getattr(getattr(module, "config", None), "model_type", "timm"))}
    if declared and declared != type(module).__name__:
        metadata["declared"] = declared
    return listing_from_module(module, dtype=declared_dtype(config), spelling=spelling, metadata=metadata)
