"""bitsandbytes: 4-bit weights as a column of bytes, 8-bit weights with a row of scales.

Layouts: bitsandbytes `Params4bit` / `QuantState.as_dict(packed=True)` and `Int8Params`. The logical shape of a 4-bit
weight is only in the quantization state's data, which is not read; it is inferred from what is around.
"""

from __future__ import annotations

from collections.abc import Mapping

from clustering.quantization.context import Context
from clustering.quantization.interface import Unpacked
from clustering.tensors import Tensor

_STATES = {
    ".weight.quant_state.bitsandbytes__nf4": "NF4",
    ".weight.quant_state.bitsandbytes__fp4": "F4",
}


class FourBit:
    """`weight` U8 [n / 2, 1] with `weight.absmax`, `weight.quant_map` and a state."""

    name = "bitsandbytes 4 bit"
    trigger = ".weight"
    types = ("U8",)
    companions = (
        ".weight.absmax", ".weight.quant_map", ".weight.nested_absmax", ".weight.nested_quant_map", *_STATES, ".bias",
    )  # fmt: skip

    def unpack(self, packed: Tensor, parts: Mapping[str, Tensor], context: Context) -> Unpacked | None:
        """Two weights to a byte."""
        state = next((kind for end, kind in _STATES.items() if end in parts), None)
        if packed.dtype != "U8" or (state is None and ".weight.absmax" not in parts):
            return None
        dtype = state or ("F4" if context.text("bnb_4bit_quant_type") == "fp4" else "NF4")
        layer = packed.name.removesuffix(self.trigger)
        shape = context.matrix(layer, packed.elements * 2, parts.get(".bias"))
        return Unpacked(shape, dtype, 4, "bitsandbytes")


class EightBit:
    """`weight` I8 [outputs, inputs] with `SCB` [outputs]."""

    name = "bitsandbytes 8 bit"
    trigger = ".weight"
    types = ("I8",)
    companions = (".SCB", ".weight_format", ".weight.SCB")

    def unpack(self, packed: Tensor, parts: Mapping[str, Tensor], context: Context) -> Unpacked | None:
        """Already in logical shape."""
        del context
        if packed.dtype != "I8" or not ({".SCB", ".weight.SCB"} & parts.keys()):
            return None
        return Unpacked(packed.shape, "I8", 8, "bitsandbytes")
