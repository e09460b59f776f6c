"""Undoes packed quantization: every weight with the shape that its layer computes with, companions left out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import lru_cache
from typing import Any

from clustering.quantization.context import Context
from clustering.quantization.interface import Scheme, Unpacked, scheme_settings
from clustering.quantization.registry import SCHEMES
from clustering.tensors import Quantization, Tensor, TensorListing

KEPT = frozenset({".bias"})
"""Companions that tell a shape and are parameters themselves."""
LEFTOVERS = (".k_scale", ".v_scale", ".q_scale", ".prob_output_scale", ".input_scale", ".output_scale", ".weight_scale")
"""Calibration values beside layers that are not packed themselves (scales of the key and value caches)."""


def logical(listing: TensorListing, config: Mapping[str, Any] | None = None) -> TensorListing:
    """`listing` with packed weights in logical form and `quantization` filled in.

    What is measured decides; the config only helps where shapes are ambiguous. Applying it twice changes nothing.

    Args:
        listing: tensors as a reader found them.
        config: the package's config.json, if there is one.
    """
    if listing.quantization is not None or not listing.tensors:
        return listing
    layers = _companions(listing.tensors)
    context: Context | None = None
    replaced: dict[str, Tensor] = {}
    dropped: set[str] = set()
    weights: Counter[tuple[str, float | None, str]] = Counter()
    for tensor in listing.tensors:
        name = tensor.name
        for scheme in _schemes_of(_last(name), None if listing.names_only else tensor.dtype):
            if not name.endswith(scheme.trigger):
                continue
            layer = name.removesuffix(scheme.trigger)
            around = layers.get(layer)
            parts = {end: around[end] for end in around if end in scheme.companions} if around else _NOTHING
            if listing.names_only:
                found = _named(scheme, parts)
            else:
                context = context or Context(listing.tensors, scheme_settings(config))
                found = scheme.unpack(tensor, parts, context)
            if found is None:
                continue
            unpacked = tensor
            if (found.suffix, found.shape, found.dtype) != (scheme.trigger, tensor.shape, tensor.dtype):
                unpacked = Tensor(
                    layer + found.suffix, found.shape, found.dtype, tensor.nbytes, tensor.file, tensor.storage
                )
            replaced[name] = unpacked
            for end in parts:
                if end not in KEPT:
                    dropped.add(parts[end].name)
            weights[found.method, found.bits, scheme.trigger] += max(unpacked.elements, 1)
            break
    if not replaced:
        return listing
    tensors = tuple(
        replaced.get(tensor.name, tensor)
        for tensor in listing.tensors
        if tensor.name in replaced or not (tensor.name in dropped or tensor.name.endswith(LEFTOVERS))
    )
    method, bits, trigger = max(weights, key=lambda key: (weights[key], str(key)))
    source = f"tensors ending in {trigger} ({len(replaced)} of {len(tensors)})"
    return replace(listing, tensors=tensors, quantization=Quantization(method, bits, source))


_NOTHING: Mapping[str, Tensor] = {}


def _last(name: str) -> str:
    """What follows the last dot, with it; the whole of a name without dots."""
    return name[max(name.rfind("."), 0) :]


def _by_last(ends: Iterable[str]) -> dict[str, tuple[str, ...]]:
    grouped: dict[str, list[str]] = {}
    for end in dict.fromkeys(ends):
        grouped.setdefault(_last(end), []).append(end)
    return {last: tuple(several) for last, several in grouped.items()}


_ENDS = {end for scheme in SCHEMES for end in scheme.companions}
_DOTTED_ENDS = _by_last(sorted(end for end in _ENDS if end.startswith(".")))
_JOINED_ENDS = tuple(sorted(end for end in _ENDS if not end.startswith(".")))
_SCHEMES_BY_LAST = {
    last: tuple(scheme for scheme in SCHEMES if scheme.trigger in triggers)
    for last, triggers in _by_last(scheme.trigger for scheme in SCHEMES if scheme.trigger.startswith(".")).items()
}
_JOINED_SCHEMES = tuple(scheme for scheme in SCHEMES if not scheme.trigger.startswith("."))
_JOINED_TRIGGERS = tuple(scheme.trigger for scheme in _JOINED_SCHEMES)


@lru_cache(maxsize=4_096)
def _ends_of(last: str) -> tuple[str, ...]:
    """Ends of companions that a name with this last part may have; no joined end holds a dot."""
    ends = _DOTTED_ENDS.get(last, ())
    return (*ends, *_JOINED_ENDS) if last.endswith(_JOINED_ENDS) else ends


@lru_cache(maxsize=4_096)
def _schemes_of(last: str, dtype: str | None) -> tuple[Scheme, ...]:
    """Schemes that pack a tensor whose name has this last part and whose type is this one (None: unknown)."""
    schemes = _SCHEMES_BY_LAST.get(last, ())
    if last.endswith(_JOINED_TRIGGERS):
        schemes = (*schemes, *_JOINED_SCHEMES)
    return tuple(scheme for scheme in schemes if dtype is None or dtype.startswith(scheme.types))


def _companions(tensors: Iterable[Tensor]) -> dict[str, dict[str, Tensor]]:
    """Layer -> end -> tensor, for every tensor that could be a companion; one pass, since there may be 100,000."""
    found: dict[str, dict[str, Tensor]] = {}
    for tensor in tensors:
        name = tensor.name
        for end in _ends_of(_last(name)):
            if name.endswith(end):
                found.setdefault(name[: -len(end)], {})[end] = tensor
    return found


_BY_NAMES: Mapping[str, str] = {
    ".qweight": "gptq", ".codes": "aqlm", ".W_q": "hqq", ".q_weight": "exl2", ".trellis": "exl3", "_blocks": "mxfp4",
    ".weight_packed": "compressed-tensors",
}  # fmt: skip
"""Triggers that are telling without shapes."""


def _named(scheme: Scheme, parts: Mapping[str, Tensor]) -> Unpacked | None:
    """The method when only names are known; widths and shapes stay unknown."""
    ends = parts.keys() - KEPT
    if scheme.trigger in _BY_NAMES and ends:
        method = "awq" if scheme.trigger == ".qweight" and ".g_idx" not in ends else _BY_NAMES[scheme.trigger]
        return Unpacked((), "", None, method, "" if scheme.trigger == "_blocks" else ".weight")
    if scheme.name == "mlx" and {".scales", ".biases"} <= ends:
        return Unpacked((), "", None, "mlx")
    if scheme.name.startswith("bitsandbytes") and ends:
        return Unpacked((), "", 4 if "4" in scheme.name else 8, "bitsandbytes")
    if scheme.name == "scaled weights" and ".weight_scale_inv" in ends:
        return Unpacked((), "", 8, "fp8")
    return None
