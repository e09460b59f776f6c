"""GPTQ and AWQ: several weights to a 32-bit word.

Layouts: AutoGPTQ / GPTQModel `QuantLinear` packs along the inputs (qweight [inputs * bits / 32, outputs]); AutoAWQ's
`WQLinear_GEMM` packs along the outputs (qweight [inputs, outputs * bits / 32]), `WQLinear_GEMV` along the inputs with
rows of outputs. Scales are [groups, outputs] in the first two, [outputs, groups] in the last. The shapes alone tell
which one it is, so that a config that names the wrong one is noticed.
"""

from __future__ import annotations

from collections.abc import Mapping

from clustering.quantization.context import Context
from clustering.quantization.interface import Unpacked
from clustering.tensors import Tensor

WIDTHS = (2, 3, 4, 5, 6, 8)
WORD = 32


class Gptq:
    """`qweight`, `qzeros`, `scales`, `g_idx`."""

    name = "gptq"
    trigger = ".qweight"
    types = ("I32",)
    companions = (".qzeros", ".scales", ".g_idx", ".perm", ".workspace")

    def unpack(self, packed: Tensor, parts: Mapping[str, Tensor], context: Context) -> Unpacked | None:
        """GPTQ when the columns are the outputs, AWQ when the columns are packed."""
        scales = parts.get(".scales")
        if scales is None or len(packed.shape) != 2 or len(scales.shape) != 2:
            return None
        rows, columns = packed.shape
        outputs = scales.shape[1]
        bits = context.number("bits", "w_bit")
        if columns == outputs:
            bits = self._gptq_bits(parts, outputs) or bits
            order = parts.get(".g_idx")
            inputs = order.shape[0] if order is not None and len(order.shape) == 1 and order.shape[0] else 0
            if bits is None and inputs:
                bits = rows * WORD // inputs
            if not bits:
                return None
            inputs = inputs or rows * WORD // bits
            return Unpacked((outputs, inputs), f"I{bits}", bits, "gptq")
        if columns and outputs % columns == 0 and outputs // columns in {WORD // 2, WORD // 4, WORD // 8}:
            bits = WORD * columns // outputs
            return Unpacked((outputs, rows), f"I{bits}", bits, "awq")
        if rows == scales.shape[0]:
            bits = bits or 4
            return Unpacked((rows, columns * WORD // bits), f"I{bits}", bits, "awq")
        return None

    @staticmethod
    def _gptq_bits(parts: Mapping[str, Tensor], outputs: int) -> int | None:
        zeros = parts.get(".qzeros")
        if zeros is None or len(zeros.shape) != 2 or not outputs:
            return None
        return next((bits for bits in WIDTHS if zeros.shape[1] == outputs * bits // WORD), None)


class Marlin:
    """GPTQ repacked for the Marlin kernel: `B` [inputs / 16, outputs * 16 / 8] and `s`, always 4 bits."""

    name = "marlin"
    trigger = ".B"
    types = ("I32",)
    companions = (".s", ".workspace")

    def unpack(self, packed: Tensor, parts: Mapping[str, Tensor], context: Context) -> Unpacked | None:
        """Four bits, tiles of sixteen inputs."""
        del context
        if ".s" not in parts or packed.dtype != "I32" or len(packed.shape) != 2:
            return None
        return Unpacked((packed.shape[1] // 2, packed.shape[0] * 16), "I4", 4, "gptq")
