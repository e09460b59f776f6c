"""Undoes packed quantization: every weight with the shape that its layer computes with, companions left out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import replace
from functools import cached_property, lru_cache
from math import prod
from typing import Any

import numpy as np

from clustering.columns import Columns, coded
from clustering.quantization.context import Context
from clustering.quantization.interface import Scheme, Unpacked, scheme_settings
from clustering.quantization.registry import SCHEMES
from clustering.tensors import Quantization, Tensor, TensorListing

KEPT = frozenset({".bias"})
"""Companions that tell a shape and are parameters themselves."""
LEFTOVERS = (".k_scale", ".v_scale", ".q_scale", ".prob_output_scale", ".input_scale", ".output_scale", ".weight_scale")
"""Calibration values beside layers that are not packed themselves (scales of the key and value caches)."""


def logical(listing: TensorListing, config: Mapping[str, Any] | None = None) -> TensorListing:
    """`listing` with packed weights in logical form and `quantization` filled in.

    What is measured decides; the config only helps where shapes are ambiguous. Applying it twice changes nothing.

    Args:
        listing: tensors as a reader found them.
        config: the package's config.json, if there is one.
    """
    if listing.quantization is not None or not listing.tensors:
        return listing
    packing = _Packing(Columns.of(listing.tensors), config, names_only=listing.names_only)
    packing.undo()
    if not packing.found:
        return listing
    tensors = packing.unpacked()
    method, bits, trigger = max(packing.weights, key=lambda key: (packing.weights[key], str(key)))
    source = f"tensors ending in {trigger} ({len(packing.found)} of {len(tensors)})"
    return replace(listing, tensors=tensors, quantization=Quantization(method, bits, source))


class _Packing:
    """The packed layers of one listing. What a scheme says is asked for once per combination of shapes and types."""

    def __init__(self, columns: Columns, config: Mapping[str, Any] | None, *, names_only: bool) -> None:
        self._columns = columns
        self._config = config
        self._names_only = names_only
        self.found: dict[int, tuple[str, Unpacked]] = {}
        """Row of a packed weight -> (layer, what it is)."""
        self.weights: Counter[tuple[str, float | None, str]] = Counter()
        """(method, bits, trigger) -> elements."""
        self._dropped: list[int] = []
        self._lasts, self._last_of = coded([_last(name) for name in columns.names])
        self._remembered: dict[Any, Unpacked | None] = {}

    def undo(self) -> None:
        """Finds the packed weights and what belongs to them."""
        columns = self._columns
        schemes = [
            [_schemes_of(last, None if self._names_only else dtype) for dtype in columns.dtypes] for last in self._lasts
        ]
        packed = np.array([[bool(several) for several in of_type] for of_type in schemes])
        rows = np.flatnonzero(packed[self._last_of, columns.dtype_of]).tolist()
        if not rows:
            return
        layers = self._companions()
        for row in rows:
            name = columns.names[row]
            for scheme in schemes[self._last_of[row]][columns.dtype_of[row]]:
                if not name.endswith(scheme.trigger):
                    continue
                layer = name[: -len(scheme.trigger)]
                around = layers.get(layer, _NOTHING)
                parts = {end: around[end] for end in around if end in scheme.companions} if around else _NOTHING
                found = self._asked(scheme, row, parts)
                if found is not None:
                    self.found[row] = layer, found
                    self._dropped += [part for end, part in parts.items() if end not in KEPT]
                    self.weights[found.method, found.bits, scheme.trigger] += max(prod(found.shape), 1)
                    break

    def _companions(self) -> dict[str, dict[str, int]]:
        """Layer -> end -> row, for every tensor that could be a companion."""
        ends = [_ends_of(last) for last in self._lasts]
        possible = np.array([bool(several) for several in ends])
        found: dict[str, dict[str, int]] = {}
        for row in np.flatnonzero(possible[self._last_of]).tolist():
            name = self._columns.names[row]
            for end in ends[self._last_of[row]]:
                if name.endswith(end):
                    found.setdefault(name[: -len(end)], {})[end] = row
        return found

    @cached_property
    def _context(self) -> Context:
        columns = self._columns
        vectors = np.array([len(shape) == 1 for shape in columns.shapes], dtype=np.bool_)
        rows = np.flatnonzero(vectors[columns.shape_of]).tolist()
        return Context((columns[row] for row in rows), scheme_settings(self._config))

    def _asked(self, scheme: Scheme, row: int, parts: Mapping[str, int]) -> Unpacked | None:
        """What a scheme says about a packed weight, remembered unless it looked at where the weight stands."""
        if self._names_only:
            return _named(scheme, parts.keys())
        kinds = self._kinds
        key = (scheme.name, kinds[row], *[(end, kinds[part]) for end, part in parts.items()])
        if key in self._remembered:
            return self._remembered[key]
        columns, context = self._columns, self._context
        context.looked_around = False
        found = scheme.unpack(columns[row], {end: columns[part] for end, part in parts.items()}, context)
        if not context.looked_around:
            self._remembered[key] = found
        return found

    @cached_property
    def _kinds(self) -> list[int]:
        """One number for shape and type of each tensor."""
        columns = self._columns
        kinds: list[int] = (columns.shape_of * np.int64(len(columns.dtypes)) + columns.dtype_of).tolist()
        return kinds

    def unpacked(self) -> Columns:
        """The tensors in logical form, without what belongs to the packing."""
        columns = self._columns
        left_over = np.array([last in LEFTOVERS for last in self._lasts], dtype=np.bool_)
        gone = left_over[self._last_of]
        gone[self._dropped] = True
        gone[list(self.found)] = False
        kept = columns.take(np.flatnonzero(~gone))
        place = (np.cumsum(~gone) - 1).tolist()
        changed = {
            place[row]: Tensor(layer + found.suffix, found.shape, found.dtype)
            for row, (layer, found) in self.found.items()
            if found.suffix != columns.names[row][len(layer) :]
            or found.shape != columns.shapes[columns.shape_of[row]]
            or found.dtype != columns.dtypes[columns.dtype_of[row]]
        }
        return kept.changed(changed)


_NOTHING: dict[str, int] = {}


def _last(name: str) -> str:
    """What follows the last dot, with it; the whole of a name without dots."""
    return name[max(name.rfind("."), 0) :]


def _by_last(ends: Iterable[str]) -> dict[str, tuple[str, ...]]:
    grouped: dict[str, list[str]] = {}
    for end in dict.fromkeys(ends):
        grouped.setdefault(_last(end), []).append(end)
    return {last: tuple(several) for last, several in grouped.items()}


_ENDS = {end for scheme in SCHEMES for end in scheme.companions}
_DOTTED_ENDS = _by_last(sorted(end for end in _ENDS if end.startswith(".")))
_JOINED_ENDS = tuple(sorted(end for end in _ENDS if not end.startswith(".")))
_SCHEMES_BY_LAST = {
    last: tuple(scheme for scheme in SCHEMES if scheme.trigger in triggers)
    for last, triggers in _by_last(scheme.trigger for scheme in SCHEMES if scheme.trigger.startswith(".")).items()
}
_JOINED_SCHEMES = tuple(scheme for scheme in SCHEMES if not scheme.trigger.startswith("."))
_JOINED_TRIGGERS = tuple(scheme.trigger for scheme in _JOINED_SCHEMES)


@lru_cache(maxsize=4_096)
def _ends_of(last: str) -> tuple[str, ...]:
    """Ends of companions that a name with this last part may have; no joined end holds a dot."""
    ends = _DOTTED_ENDS.get(last, ())
    return (*ends, *_JOINED_ENDS) if last.endswith(_JOINED_ENDS) else ends


@lru_cache(maxsize=4_096)
def _schemes_of(last: str, dtype: str | None) -> tuple[Scheme, ...]:
    """Schemes that pack a tensor whose name has this last part and whose type is this one (None: unknown)."""
    schemes = _SCHEMES_BY_LAST.get(last, ())
    if last.endswith(_JOINED_TRIGGERS):
        schemes = (*schemes, *_JOINED_SCHEMES)
    return tuple(scheme for scheme in schemes if dtype is None or dtype.startswith(scheme.types))


_BY_NAMES: Mapping[str, str] = {
    ".qweight": "gptq", ".codes": "aqlm", ".W_q": "hqq", ".q_weight": "exl2", ".trellis": "exl3", "_blocks": "mxfp4",
    ".weight_packed": "compressed-tensors",
}  # fmt: skip
"""Triggers that are telling without shapes."""


def _named(scheme: Scheme, parts: AbstractSet[str]) -> Unpacked | None:
    """The method when only names are known; widths and shapes stay unknown."""
    ends = parts - KEPT
    if scheme.trigger in _BY_NAMES and ends:
        method = "awq" if scheme.trigger == ".qweight" and ".g_idx" not in ends else _BY_NAMES[scheme.trigger]
        return Unpacked((), "", None, method, "" if scheme.trigger == "_blocks" else ".weight")
    if scheme.name == "mlx" and {".scales", ".biases"} <= ends:
        return Unpacked((), "", None, "mlx")
    if scheme.name.startswith("bitsandbytes") and ends:
        return Unpacked((), "", 4 if "4" in scheme.name else 8, "bitsandbytes")
    if scheme.name == "scaled weights" and ".weight_scale_inv" in ends:
        return Unpacked((), "", 8, "fp8")
    return None
