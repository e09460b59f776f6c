"""Schemes with codebooks or layouts of their own: AQLM, HQQ, EXL2, EXL3, QuIP#, Quanto."""

from __future__ import annotations

from collections.abc import Mapping

from clustering.quantization.context import Context
from clustering.quantization.interface import Unpacked
from clustering.tensors import Tensor


class Aqlm:
    """aqlm's QuantizedLinear: `codes` [outputs / og, inputs / ig, books], `codebooks` [books, 2^bits, og, ig]."""

    name = "aqlm"
    trigger = ".codes"
    types = ("I8", "I16", "I32", "U8", "U16")
    companions = (".codebooks", ".scales")

    def unpack(self, packed: Tensor, parts: Mapping[str, Tensor], context: Context) -> Unpacked | None:
        """Groups of weights replaced by sums of codebook entries."""
        del context
        books = parts.get(".codebooks")
        if books is None or len(books.shape) != 4 or len(packed.shape) != 3:
            return None
        number, entries, outer, inner = books.shape
        if not outer * inner or entries < 2:
            return None
        bits = number * (entries - 1).bit_length() / (outer * inner)
        return Unpacked((packed.shape[0] * outer, packed.shape[1] * inner), f"I{max(1, round(bits))}", bits, "aqlm")


class Hqq:
    """`W_q` with `scale` and `zero` (hqq's HQQLinear.state_dict); packed along the first side."""

    name = "hqq"
    trigger = ".W_q"
    types = ("U8", "I32", "F16", "BF16", "F32", "I8")
    companions = (
        ".scale", ".zero", ".nbits", ".group_size", ".axis", ".shape", ".packing", ".optimize", ".round_zero",
        ".channel_wise", ".view_as_float", ".unpack_view_dtype", ".stores_quant_config", ".offload_meta",
        ".compute_dtype", ".encoded_state_dict", ".quant_scale", ".quant_zero", ".bias",
    )  # fmt: skip

    def unpack(self, packed: Tensor, parts: Mapping[str, Tensor], context: Context) -> Unpacked | None:
        """The number of weights is exact, the shape is inferred."""
        if ".scale" not in parts:
            return None
        bits = context.number("nbits", "bits") or self._nested(context) or 4
        if bits not in {1, 2, 3, 4, 8}:
            return None
        per_item = 10 if bits == 3 else 8 // bits
        layer = packed.name.removesuffix(self.trigger)
        shape = context.matrix(layer, packed.elements * per_item, parts.get(".bias"))
        return Unpacked(shape, f"I{bits}", bits, "hqq")

    @staticmethod
    def _nested(context: Context) -> int | None:
        """Transformers keeps the width at quant_config.weight_quant_params.nbits."""
        inner = context.settings.get("quant_config")
        weights = inner.get("weight_quant_params") if isinstance(inner, Mapping) else None
        bits = weights.get("nbits") if isinstance(weights, Mapping) else None
        return bits if type(bits) is int else None


class Exl2:
    """`q_weight` with `q_scale` [groups, outputs / 8] and `q_invperm` [inputs] (exllamav2)."""

    name = "exl2"
    trigger = ".q_weight"
    types = ("I32",)
    companions = (".q_scale", ".q_scale_max", ".q_groups", ".q_group_map", ".q_perm", ".q_invperm")

    def unpack(self, packed: Tensor, parts: Mapping[str, Tensor], context: Context) -> Unpacked | None:
        """Mixed widths: the mean is given."""
        del context
        order, scale = parts.get(".q_invperm") or parts.get(".q_perm"), parts.get(".q_scale")
        if order is None or scale is None or len(order.shape) != 1 or len(scale.shape) != 2:
            return None
        shape = (scale.shape[1] * 8, order.shape[0])
        if not shape[0] * shape[1]:
            return None
        bits = round(packed.elements * 32 / (shape[0] * shape[1]), 2)
        return Unpacked(shape, f"I{max(1, round(bits))}", bits, "exl2")


class Exl3:
    """`trellis` [inputs / 16, outputs / 16, 16 * bits] with `suh` and `svh` (exllamav3)."""

    name = "exl3"
    trigger = ".trellis"
    types = ("I16", "U16")
    companions = (".suh", ".svh", ".su", ".sv", ".mcg", ".mul1", ".mcg_multiplier")

    def unpack(self, packed: Tensor, parts: Mapping[str, Tensor], context: Context) -> Unpacked | None:
        """Tiles of 16 by 16 weights."""
        del parts, context
        if len(packed.shape) != 3 or packed.shape[2] % 16 or not packed.shape[2]:
            return None
        bits = packed.shape[2] // 16
        return Unpacked((packed.shape[1] * 16, packed.shape[0] * 16), f"I{bits}", bits, "exl3")


class Quip:
    """QuIP#: `Qidxs` (indices into a lattice codebook) with `SU` [inputs] and `SV` [outputs]."""

    name = "quip"
    trigger = ".Qidxs"
    types = ("I64", "I32", "I16", "U8")
    companions = (".SU", ".SV", ".Wscale", ".codebook_id", ".A", ".B", ".fuse_scales", ".rcp", ".ocs_dupe_inds")

    def unpack(self, packed: Tensor, parts: Mapping[str, Tensor], context: Context) -> Unpacked | None:
        """Both sides are told by the sign vectors."""
        del context
        inputs, outputs = parts.get(".SU"), parts.get(".SV")
        if inputs is None or outputs is None or len(inputs.shape) != 1 or len(outputs.shape) != 1:
            return None
        shape = (outputs.shape[0], inputs.shape[0])
        if not shape[0] * shape[1]:
            return None
        width = {"I64": 64, "I32": 32, "I16": 16, "U8": 8}[packed.dtype]
        bits = round(packed.elements * width / (shape[0] * shape[1]), 2)
        return Unpacked(shape, f"I{max(1, round(bits))}", bits, "quip")


class Quanto:
    """optimum-quanto, 8 bits: `weight._data` in logical shape with `weight._scale`."""

    name = "quanto"
    trigger = ".weight._data"
    types = ("I8", "F8_E")
    companions = (".weight._scale", ".weight._shift", ".weight._zeropoint", ".input_scale", ".output_scale")

    def unpack(self, packed: Tensor, parts: Mapping[str, Tensor], context: Context) -> Unpacked | None:
        """Eight bits."""
        del context
        if ".weight._scale" not in parts or packed.dtype not in {"I8", "F8_E4M3", "F8_E5M2", "F8_E4M3FNUZ"}:
            return None
        return Unpacked(packed.shape, packed.dtype, 8, "quanto")


class QuantoPacked:
    """`weight._data._data` U8: 4-bit (two to a byte) or 2-bit weights of optimum-quanto."""

    name = "quanto, packed"
    trigger = ".weight._data._data"
    types = ("U8",)
    companions = (".weight._scale", ".weight._shift", ".weight._zeropoint", ".input_scale", ".output_scale", ".bias")

    def unpack(self, packed: Tensor, parts: Mapping[str, Tensor], context: Context) -> Unpacked | None:
        """The number of weights is exact, the shape is inferred."""
        if ".weight._scale" not in parts or packed.dtype != "U8":
            return None
        bits = 2 if context.text("weights") == "int2" else 4
        layer = packed.name.removesuffix(self.trigger)
        shape = context.matrix(layer, packed.elements * (8 // bits), parts.get(".bias"))
        return Unpacked(shape, f"I{bits}", bits, "quanto")
