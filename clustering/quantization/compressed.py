"""compressed-tensors, ModelOpt and plain scaled types: weights with `weight_scale` and its relatives.

Layouts: compressed-tensors `pack_quantized` (weight_packed I32 [outputs, inputs * bits / 32], rounded up),
`nvfp4_pack_quantized` (weight_packed U8 [outputs, inputs / 2], one FP8 scale per 16 inputs), `int_quantized` and
`float_quantized` (weight in logical shape); NVIDIA ModelOpt NVFP4 (weight U8 [outputs, inputs / 2], weight_scale,
weight_scale_2); DeepSeek's FP8 (weight F8_E4M3, weight_scale_inv per block of 128 x 128).
"""

from __future__ import annotations

from collections.abc import Mapping

from clustering.quantization.context import Context
from clustering.quantization.interface import Unpacked
from clustering.tensors import Tensor

SCALES = (
    ".weight_scale", ".weight_scale_inv", ".weight_scale_2", ".weight_zero_point", ".weight_g_idx", ".weight_shape",
    ".weight_global_scale", ".input_scale", ".input_scale_inv", ".input_zero_point", ".input_global_scale",
    ".output_scale", ".output_zero_point", ".activation_scale", ".k_scale", ".v_scale", ".weight_scales", ".scale",
    ".scale_weight", ".scale_input", ".pre_quant_scale", ".comfy_quant",
)  # fmt: skip
_PER_SCALE = {"F8_E4M3": 16, "U8": 32, "F8_E8M0": 32}
"""Inputs that share a scale, by the scale's type: NVFP4 has FP8 scales, MXFP4 has powers of two."""


def _block_float(packed: Tensor, scale: Tensor | None) -> str | None:
    """`nvfp4` or `mxfp4` when two weights lie in a byte and the scales fit; else None."""
    if packed.dtype != "U8" or scale is None or len(packed.shape) < 2 or len(scale.shape) != len(packed.shape):
        return None
    group = _PER_SCALE.get(scale.dtype)
    if group is None or packed.shape[-1] * 2 != scale.shape[-1] * group:
        return None
    return "nvfp4" if group == 16 else "mxfp4"


class Packed:
    """`weight_packed`."""

    name = "compressed-tensors, packed"
    trigger = ".weight_packed"
    types = ("I32", "U8")
    companions = SCALES

    def unpack(self, packed: Tensor, parts: Mapping[str, Tensor], context: Context) -> Unpacked | None:
        """Whole numbers in 32-bit words, or block floats in bytes."""
        if len(packed.shape) < 2:
            return None
        *outer, columns = packed.shape
        if _block_float(packed, parts.get(".weight_scale")):
            return Unpacked((*outer, columns * 2), "F4", 4, "compressed-tensors")
        if packed.dtype != "I32":
            return None
        bits = context.number("num_bits", "bits") or self._bits(packed, context)
        if not bits or bits > 16:
            return None
        return Unpacked((*outer, columns * 32 // bits), f"I{bits}", bits, "compressed-tensors")

    def _bits(self, packed: Tensor, context: Context) -> int | None:
        """Without a config: the width for which the inputs are the hidden size; 4 is by far the commonest."""
        hidden = context.hidden(packed.name.removesuffix(self.trigger))
        fitting = [bits for bits in (4, 8) if hidden and packed.shape[-1] * 32 // bits == hidden]
        return fitting[0] if fitting else 4


class Scaled:
    """`weight` of a narrow type with scales beside it, or of an FP8 type alone."""

    name = "scaled weights"
    trigger = ".weight"
    types = ("F8_E", "U8", "I8")
    companions = SCALES

    def unpack(self, packed: Tensor, parts: Mapping[str, Tensor], context: Context) -> Unpacked | None:
        """NVFP4 and MXFP4 by their scales, FP8 by its type, INT8 by type and scales."""
        declared = context.text("quant_method")
        compressed = declared == "compressed-tensors"
        block = _block_float(packed, parts.get(".weight_scale"))
        if block:
            shape = (*packed.shape[:-1], packed.shape[-1] * 2)
            return Unpacked(shape, "F4", 4, "compressed-tensors" if compressed else block)
        if packed.dtype.startswith("F8_E"):
            return Unpacked(packed.shape, packed.dtype, 8, "compressed-tensors" if compressed else "fp8")
        if packed.dtype == "I8" and len(packed.shape) >= 2 and _scaled(parts):
            method = declared if declared in {"compressed-tensors", "eetq", "quark", "modelopt"} else "int8"
            scales = parts.get(".weight_scales")
            # EETQ keeps [inputs, outputs] and one scale for each output.
            turned = scales is not None and packed.shape != scales.shape * 2 and scales.shape == packed.shape[-1:]
            return Unpacked(packed.shape[::-1] if turned else packed.shape, "I8", 8, "eetq" if turned else method)
        if packed.dtype == "U8" and len(packed.shape) == 2 and declared == "bitnet" and ".weight_scale" in parts:
            # Four ternary weights to a byte, along the outputs (transformers/integrations/bitnet.py).
            return Unpacked((packed.shape[0] * 4, packed.shape[1]), "I2", 2, "bitnet")
        return None


def _scaled(parts: Mapping[str, Tensor]) -> bool:
    return any(end in parts for end in (".weight_scale", ".weight_scales", ".weight_scale_inv"))


class Experts:
    """Fused experts in FP8: a parameter of its own name with `NAME_scale` or `NAME_scale_inv` (Llama 4, Qwen3)."""

    name = "scaled experts"
    trigger = "_proj"
    types = ("F8_E",)
    companions = ("_proj_scale", "_proj_scale_inv", "_proj_weight_scale", "_proj_input_scale")

    def unpack(self, packed: Tensor, parts: Mapping[str, Tensor], context: Context) -> Unpacked | None:
        """FP8 in logical shape."""
        del parts
        if not packed.dtype.startswith("F8_E"):
            return None
        method = "compressed-tensors" if context.text("quant_method") == "compressed-tensors" else "fp8"
        return Unpacked(packed.shape, packed.dtype, 8, method, self.trigger)
