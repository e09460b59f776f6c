"""MXFP4 as gpt-oss publishes it: `NAME_blocks` U8 [experts, outputs, inputs / 32, 16] and `NAME_scales`.

transformers (integrations/mxfp4.py) unpacks to a parameter NAME of shape [experts, inputs, outputs].
"""

from __future__ import annotations

from collections.abc import Mapping

from clustering.quantization.context import Context
from clustering.quantization.interface import Unpacked
from clustering.tensors import Tensor


class Mxfp4:
    """`_blocks` and `_scales`."""

    name = "mxfp4"
    trigger = "_blocks"
    types = ("U8",)
    companions = ("_scales",)

    def unpack(self, packed: Tensor, parts: Mapping[str, Tensor], context: Context) -> Unpacked | None:
        """Two weights to a byte, 32 to a block, inputs and outputs exchanged."""
        del context
        scales = parts.get("_scales")
        if scales is None or packed.dtype != "U8" or len(packed.shape) < 3 or packed.shape[:-1] != scales.shape:
            return None
        *outer, outputs, blocks, width = packed.shape
        return Unpacked((*outer, blocks * width * 2, outputs), "F4", 4, "mxfp4", "")
