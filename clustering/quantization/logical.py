"""Undoes packed quantization: every weight with the shape that its layer computes with, companions left out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
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
    by_name = {tensor.name: tensor for tensor in listing.tensors}
    context = Context(listing.tensors, scheme_settings(config))
    replaced: dict[str, Tensor] = {}
    dropped: set[str] = set()
    weights: Counter[tuple[str, float | None, str]] = Counter()
    for scheme in SCHEMES:
        for tensor in listing.tensors:
            if tensor.name in replaced or not tensor.name.endswith(scheme.trigger):
                continue
            layer = tensor.name.removesuffix(scheme.trigger)
            parts = {end: by_name[layer + end] for end in scheme.companions if layer + end in by_name}
            found = _named(scheme, parts) if listing.names_only else scheme.unpack(tensor, parts, context)
            if found is None:
                continue
            replaced[tensor.name] = replace(tensor, name=layer + found.suffix, shape=found.shape, dtype=found.dtype)
            dropped.update(layer + end for end in parts if end not in KEPT)
            weights[found.method, found.bits, scheme.trigger] += max(replaced[tensor.name].elements, 1)
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
