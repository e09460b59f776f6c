"""All packing schemes, the most specific first: a layer is unpacked by the first that recognises it."""

from __future__ import annotations

from clustering.quantization.bitsandbytes import EightBit, FourBit
from clustering.quantization.codebooks import Aqlm, Exl2, Exl3, Hqq, Quanto, QuantoPacked, Quip
from clustering.quantization.compressed import Experts, Packed, Scaled
from clustering.quantization.gptq import Gptq, Marlin
from clustering.quantization.interface import Scheme
from clustering.quantization.mlx import Mlx
from clustering.quantization.mxfp4 import Mxfp4

SCHEMES: tuple[Scheme, ...] = (
    Gptq(),
    Marlin(),
    Aqlm(),
    Hqq(),
    Exl2(),
    Exl3(),
    Quip(),
    QuantoPacked(),
    Quanto(),
    Mxfp4(),
    Packed(),
    FourBit(),
    EightBit(),
    Mlx(),
    Scaled(),
    Experts(),
)
