"""What a packing scheme is: how to recognise one layer's packed tensors and what they stand for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from clustering.quantization.context import Context
from clustering.tensors import Tensor


@dataclass(frozen=True, slots=True)
class Unpacked:
    """One layer's weight in logical form."""

    shape: tuple[int, ...]
    dtype: str
    """I2, I3, I4, I8 for whole numbers, NF4, F4, F8_E4M3 ... for the rest."""
    bits: float | None
    method: str
    suffix: str = ".weight"
    """Replaces the trigger in the tensor's name."""


class Scheme(Protocol):
    """One way of packing; methods are pure functions of shapes, types and the config."""

    @property
    def name(self) -> str:
        """For people."""

    @property
    def trigger(self) -> str:
        """End of the packed tensor's name; what stands before it is the layer."""

    @property
    def types(self) -> tuple[str, ...]:
        """Beginnings of the element types that the packed tensor can have."""

    @property
    def companions(self) -> tuple[str, ...]:
        """Ends of the layer's other tensors that belong to the packing; they are no parameters."""

    def unpack(self, packed: Tensor, parts: Mapping[str, Tensor], context: Context) -> Unpacked | None:
        """The logical weight, or None when these tensors are something else.

        Args:
            packed: the tensor whose name ends with the trigger.
            parts: the companions that are there, by their end.
            context: the config and what other tensors tell.
        """


def scheme_settings(config: Mapping[str, Any] | None) -> Mapping[str, Any]:
    """The quantization settings of a config.json (transformers, MLX, or nested below text_config), or nothing."""
    if not isinstance(config, Mapping):
        return {}
    for key in ("quantization_config", "compression_config", "quantization"):
        found = config.get(key)
        if isinstance(found, Mapping):
            return found
    inner = config.get("text_config") or config.get("llm_config") or config.get("language_config")
    return scheme_settings(inner) if isinstance(inner, Mapping) else {}
