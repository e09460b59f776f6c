"""Quantization as config.json declares it, in the dialect of every quantizer of the hub."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from clustering.declared.values import Collector, Scope, integer, number, text

MAX_BITS = 64

_METHOD_BITS = {
    # methods whose name fixes the width (documentation of transformers' quantizers)
    "mxfp4": 4.0,
    "nvfp4": 4.0,
    "fp8": 8.0,
    "fbgemm_fp8": 8.0,
    "finegrained_fp8": 8.0,
    "eetq": 8.0,
    "bitnet": 1.58,
}
_METHOD_NAMES = {"bitsandbytes": "bitsandbytes", "modelopt": "modelopt", "fbgemm_fp8": "fp8", "finegrained_fp8": "fp8"}
_WIDTH_WORDS = {"int2": 2.0, "int4": 4.0, "int8": 8.0, "float8": 8.0, "fp8": 8.0, "nvfp4": 4.0, "mxfp4": 4.0}


def read_quantization(scope: Scope, collector: Collector) -> None:
    """Adds `quantization` ({"method", "bits"}, with "group_size" where stated) if the config declares one."""
    for key in ("quantization_config", "compression_config", "quantization"):
        raw = scope.values.get(key)
        if isinstance(raw, Mapping) and raw:
            value = _understand(raw, key)
            if value is not None:
                collector.add("quantization", value, scope.key(key))
                return
            if key != "quantization" and raw == scope.values.get("quantization"):
                continue  # mlx-lm writes the same settings, without a method, under both keys
            collector.note(f"{scope.key(key)} names no quantization method that is understood: ignored")
            return


def _understand(raw: Mapping[str, Any], key: str) -> dict[str, Any] | None:
    method = text(raw.get("quant_method")) or text(raw.get("quantization_method"))
    if method is None:
        if raw.get("load_in_4bit") is True or raw.get("load_in_8bit") is True:
            method = "bitsandbytes"
        elif key == "quantization" and integer(raw.get("bits"), MAX_BITS):
            method = "mlx"  # mlx-lm writes {"group_size", "bits"} under this key
        elif "quant_algo" in raw:
            method = "modelopt"
        elif "config_groups" in raw:
            method = "compressed-tensors"
    if method is None:
        return None
    method = method.lower()
    value: dict[str, Any] = {"method": _METHOD_NAMES.get(method, method), "bits": _bits(raw, method)}
    group = integer(raw.get("group_size") or raw.get("q_group_size"), 1_000_000)
    if group is not None:
        value["group_size"] = group
    algorithm = text(raw.get("quant_algo")) or text(raw.get("format"))
    if algorithm is not None:
        value["format"] = algorithm
    return value


def _bits(raw: Mapping[str, Any], method: str) -> float | None:
    if raw.get("load_in_4bit") is True or raw.get("_load_in_4bit") is True:
        return 4.0
    if raw.get("load_in_8bit") is True or raw.get("_load_in_8bit") is True:
        return 8.0
    for key in ("bits", "w_bit", "nbits", "wbits", "weight_bits"):
        found = number(raw.get(key), 0.5, MAX_BITS)
        if found is not None:
            return found
    for key in ("weights_dtype", "weights", "quant_algo", "quant_type", "fmt"):
        named = _width_of(raw.get(key))
        if named is not None:
            return named
    grouped = _group_bits(raw.get("config_groups"))
    if grouped is not None:
        return grouped
    if method == "aqlm":
        return _aqlm_bits(raw)
    if method == "hqq" and isinstance(raw.get("quant_config"), Mapping):
        inner = raw["quant_config"].get("weight_quant_params")
        return number(inner.get("nbits"), 0.5, MAX_BITS) if isinstance(inner, Mapping) else None
    return _METHOD_BITS.get(method)


def _width_of(value: Any) -> float | None:
    if not isinstance(value, str) or len(value) > 100:
        return None
    lowered = value.lower()
    return next((bits for word, bits in _WIDTH_WORDS.items() if word in lowered), None)


def _group_bits(groups: Any) -> float | None:
    """compressed-tensors and modelopt: `config_groups.group_0.weights.num_bits`, when all groups agree."""
    if not isinstance(groups, Mapping):
        return None
    widths = set()
    for group in list(groups.values())[:100]:
        weights = group.get("weights") if isinstance(group, Mapping) else None
        if isinstance(weights, Mapping):
            widths.add(number(weights.get("num_bits"), 0.5, MAX_BITS))
    return widths.pop() if len(widths) == 1 else None


def _aqlm_bits(raw: Mapping[str, Any]) -> float | None:
    """Bits per weight of AQLM: codebooks times bits of a code over the size of a group."""
    codebooks = integer(raw.get("num_codebooks"), 64)
    code_bits = integer(raw.get("nbits_per_codebook"), 64)
    group = integer(raw.get("in_group_size"), 1024)
    if codebooks is None or code_bits is None or group is None:
        return None
    return codebooks * code_bits / group
