"""MLX: `weight` U32 [outputs, inputs * bits / 32] with `scales` and `biases` [outputs, inputs / group].

Layout: mlx.core.quantize. The group size is in the config; the width follows from it layer by layer, since mixed
quantizations differ between layers.
"""

from __future__ import annotations

from collections.abc import Mapping

from clustering.quantization.context import Context
from clustering.quantization.interface import Unpacked
from clustering.tensors import Tensor

DEFAULT_GROUP = 64
WIDTHS = frozenset({2, 3, 4, 5, 6, 8})


class Mlx:
    """`weight`, `scales`, `biases`."""

    name = "mlx"
    trigger = ".weight"
    types = ("U32",)
    companions = (".scales", ".biases")

    def unpack(self, packed: Tensor, parts: Mapping[str, Tensor], context: Context) -> Unpacked | None:
        """Whole numbers (or MXFP4, without biases) in 32-bit words."""
        scales = parts.get(".scales")
        if packed.dtype != "U32" or scales is None or len(packed.shape) < 2 or len(scales.shape) != len(packed.shape):
            return None
        groups, words = scales.shape[-1], packed.shape[-1]
        for group in (context.number("group_size"), self._by_hidden(packed, groups, context), DEFAULT_GROUP, 32, 128):
            if group and groups and words * 32 % (groups * group) == 0 and words * 32 // (groups * group) in WIDTHS:
                bits = words * 32 // (groups * group)
                dtype = f"I{bits}" if ".biases" in parts else f"F{bits}"
                return Unpacked((*packed.shape[:-1], groups * group), dtype, bits, "mlx")
        return None

    def _by_hidden(self, packed: Tensor, groups: int, context: Context) -> int | None:
        hidden = context.hidden(packed.name.removesuffix(self.trigger))
        return next((group for group in (64, 32, 128) if hidden and groups * group == hidden), None)
