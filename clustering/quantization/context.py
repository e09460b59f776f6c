"""What the rest of a listing and the config tell about a packed layer."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from clustering.tensors import Tensor

_BLOCK = re.compile(r"^(.*?\.\d+)(?=\.)")
_NORM = re.compile(r"(norm|ln|layer_norm|layernorm)[^.]*\.(weight|scale|gamma)$", re.IGNORECASE)
_TAIL = 80
"""Characters at the end of a name that are searched: names of thousands of characters must not cost seconds."""
_WRITES_HIDDEN = re.compile(
    r"(^|[._])(o_proj|out_proj|down_proj|fc2|w2|wo|dense_4h_to_h|c_proj|out_lin|lin2|output\.dense|attention\.dense|"
    r"linear_2|linear2|net\.2|to_out\.0|mlp\.2|proj_out|wo_1|o)$"
)
"""Layers that write back into the residual stream: their output, not their input, has the hidden size."""


class Context:
    """Settings of the packing and the hidden size around each layer."""

    def __init__(self, tensors: Iterable[Tensor], settings: Mapping[str, Any]) -> None:
        self.settings = settings
        self.looked_around = False
        """Whether the surroundings of a layer were asked for since this was last set to False."""
        self._blocks: dict[str, Counter[int]] = {}
        everywhere: Counter[int] = Counter()
        for tensor in tensors:
            if len(tensor.shape) == 1 and _NORM.search(tensor.name, max(0, len(tensor.name) - _TAIL)):
                block = _BLOCK.match(tensor.name)
                everywhere[tensor.shape[0]] += 1
                if block:
                    self._blocks.setdefault(block[1], Counter())[tensor.shape[0]] += 1
        self._everywhere = everywhere

    def number(self, *keys: str) -> int | None:
        """The first of these settings that is a positive whole number (also inside `config_groups`)."""
        for key in keys:
            value = self.settings.get(key)
            if type(value) is int and 0 < value <= 4_096:
                return value
        groups = self.settings.get("config_groups")
        if isinstance(groups, Mapping):
            for group in groups.values():
                weights = group.get("weights") if isinstance(group, Mapping) else None
                if isinstance(weights, Mapping):
                    found = next((weights[key] for key in keys if type(weights.get(key)) is int), None)
                    if found is not None and 0 < found <= 4_096:
                        return int(found)
        return None

    def text(self, key: str) -> str:
        """A setting that is a text, in lower case; empty when it is none."""
        value = self.settings.get(key)
        return value.lower() if isinstance(value, str) else ""

    def hidden(self, layer: str) -> int | None:
        """Hidden size around a layer: the commonest length of the norms in its block, else in the whole model."""
        self.looked_around = True
        block = _BLOCK.match(layer + ".")
        for lengths in (self._blocks.get(block[1]) if block else None, self._everywhere):
            if lengths:
                return max(lengths, key=lambda length: (lengths[length], length))
        return None

    def matrix(self, layer: str, elements: int, bias: Tensor | None) -> tuple[int, ...]:
        """Shape of a weight stored as a flat row of numbers.

        The bias tells the outputs. Without one, the hidden size is one side: the outputs for layers that write to the
        residual stream, the inputs for all others. When that does not divide, the row stays flat: a count can be
        trusted, a shape cannot.
        """
        if bias is not None and len(bias.shape) == 1 and bias.shape[0] and elements % bias.shape[0] == 0:
            return bias.shape[0], elements // bias.shape[0]
        hidden = self.hidden(layer)
        if not hidden or elements % hidden:
            return (elements,)
        other = elements // hidden
        return (hidden, other) if _WRITES_HIDDEN.search(layer) else (other, hidden)
