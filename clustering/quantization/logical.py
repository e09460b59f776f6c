"""Undoes packed quantization: every weight with the shape that its layer computes with, companions left out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from itertools import repeat
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clustering.columns import Columns
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
    if not packing.groups:
        return listing
    tensors, weights = packing.unpacked(), packing.weights
    method, bits, trigger = max(weights, key=lambda key: (weights[key], str(key)))
    source = f"tensors ending in {trigger} ({packing.found} of {len(tensors)})"
    return replace(listing, tensors=tensors, quantization=Quantization(method, bits, source))


@dataclass(frozen=True, slots=True)
class _Group:
    """Packed weights that are one thing."""

    rows: NDArray[np.int64]
    trigger: str
    weight: Unpacked


class _Packing:
    """The packed layers of one listing. What a scheme says is asked for once per combination of shapes and types."""

    def __init__(self, columns: Columns, config: Mapping[str, Any] | None, *, names_only: bool) -> None:
        self._columns = columns
        self._config = config
        self._names_only = names_only
        self.groups: list[_Group] = []
        self._dropped = np.zeros(len(columns), dtype=np.bool_)
        """Tensors that belong to a packing."""
        self._lasts, self._last_of = _lasts(columns)
        self._kinds = columns.shape_of * np.int64(len(columns.dtypes)) + columns.dtype_of
        self._layers: dict[str, int] = {}
        """Layer that has companions -> number."""
        self._companions: dict[str, NDArray[np.int64]] = {}
        """End -> (layers + 1,) row of the layer's companion, -1 where it has none; the last is of no layer."""

    @property
    def found(self) -> int:
        """Number of packed weights."""
        return sum(len(group.rows) for group in self.groups)

    @property
    def weights(self) -> Counter[tuple[str, float | None, str]]:
        """(method, bits, trigger) -> elements."""
        counted: Counter[tuple[str, float | None, str]] = Counter()
        for group in self.groups:
            weight = group.weight
            counted[weight.method, weight.bits, group.trigger] += len(group.rows) * max(prod(weight.shape), 1)
        return counted

    def undo(self) -> None:
        """Finds the packed weights and what belongs to them."""
        columns = self._columns
        if not any(_schemes_of(last, self._type(dtype)) for last in self._lasts for dtype in columns.dtypes):
            return
        self._find_companions()
        alike = self._last_of * np.int64(len(columns.dtypes)) + columns.dtype_of
        for kind in sorted(set(alike.tolist())):
            last, dtype = divmod(kind, len(columns.dtypes))
            schemes = _schemes_of(self._lasts[last], self._type(columns.dtypes[dtype]))
            rows = np.flatnonzero(alike == kind) if schemes else np.zeros(0, dtype=np.int64)
            for scheme in schemes:
                if len(rows):
                    rows = self._unpack(scheme, rows)

    def _type(self, dtype: str) -> str | None:
        return None if self._names_only else dtype

    def _find_companions(self) -> None:
        names, known = self._columns.names, self._layers
        found: list[tuple[str, list[int], NDArray[np.int64]]] = []
        for number, last in enumerate(self._lasts):
            for end in _ends_of(last):
                rows = self._ending(end, np.flatnonzero(self._last_of == number))
                size = -len(end)
                layers = [names[row][:size] for row in rows]
                fresh = [layer for layer in dict.fromkeys(layers) if layer not in known]
                known.update(zip(fresh, range(len(known), len(known) + len(fresh)), strict=True))
                found.append((end, rows, np.fromiter(map(known.__getitem__, layers), np.int64, len(layers))))
        for end, rows, numbers in found:
            of_layer = self._companions.setdefault(end, np.full(len(known) + 1, -1, dtype=np.int64))
            of_layer[numbers] = rows

    def _ending(self, end: str, rows: NDArray[np.int64]) -> list[int]:
        """Those of some rows with one last part whose names end so."""
        names, several = self._columns.names, rows.tolist()
        if several and len(end) <= len(self._lasts[self._last_of[several[0]]]):
            return several if names[several[0]].endswith(end) else []
        return [row for row in several if names[row].endswith(end)]

    def _unpack(self, scheme: Scheme, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Adds the groups of weights that a scheme recognises; returns the rows of the others."""
        names, size = self._columns.names, len(scheme.trigger)
        named = self._ending(scheme.trigger, rows)
        asked = np.array(named, dtype=np.int64)
        own = [names[row][:-size] for row in named]
        layers = np.fromiter(map(self._layers.get, own, repeat(-1)), np.int64, len(own))
        parts = {end: self._companions[end][layers] for end in scheme.companions if end in self._companions}
        alike = self._kinds[asked]
        for companions in parts.values():
            code = np.where(companions < 0, 0, self._kinds[companions] + 1)
            alike = np.unique(alike * (int(code.max(initial=0)) + 1) + code, return_inverse=True)[1]
        left: list[NDArray[np.int64]] = [np.setdiff1d(rows, asked)]
        for kind in sorted(set(alike.tolist())):
            places = np.flatnonzero(alike == kind)
            left += self._unpack_alike(scheme, asked[places], {end: found[places] for end, found in parts.items()})
        return np.sort(np.concatenate(left))

    def _unpack_alike(
        self, scheme: Scheme, rows: NDArray[np.int64], parts: Mapping[str, NDArray[np.int64]]
    ) -> list[NDArray[np.int64]]:
        """The same for weights whose companions have the same shapes and types."""
        there = {end: found for end, found in parts.items() if found[0] >= 0}
        weight, everywhere = self._said(scheme, rows, there, 0)
        pieces = [(weight, slice(None))]
        if not everywhere:
            pieces = [(self._said(scheme, rows, there, n)[0], slice(n, n + 1)) for n in range(len(rows))]
        left: list[NDArray[np.int64]] = []
        for weight, which in pieces:
            if weight is None:
                left.append(rows[which])
                continue
            self.groups.append(_Group(rows[which], scheme.trigger, weight))
            for end, found in there.items():
                if end not in KEPT:
                    self._dropped[found[which]] = True
        return left

    def _said(
        self, scheme: Scheme, rows: NDArray[np.int64], parts: Mapping[str, NDArray[np.int64]], place: int
    ) -> tuple[Unpacked | None, bool]:
        """What a scheme says about one of some weights, and whether it says so wherever such a weight stands."""
        if self._names_only:
            return _named(scheme, parts.keys()), True
        columns, context = self._columns, self._context
        context.looked_around = False
        around = {end: columns[int(found[place])] for end, found in parts.items()}
        found = scheme.unpack(columns[int(rows[place])], around, context)
        return found, not context.looked_around

    @cached_property
    def _context(self) -> Context:
        columns = self._columns
        vectors = np.array([len(shape) == 1 for shape in columns.shapes], dtype=np.bool_)
        rows = np.flatnonzero(vectors[columns.shape_of]).tolist()
        return Context((columns[row] for row in rows), scheme_settings(self._config))

    def unpacked(self) -> Columns:
        """The tensors in logical form, without what belongs to the packing."""
        columns = self._columns
        gone = np.array([last in LEFTOVERS for last in self._lasts], dtype=np.bool_)[self._last_of] | self._dropped
        for group in self.groups:
            gone[group.rows] = False
        place = np.cumsum(~gone) - 1
        changed: dict[int, Tensor] = {}
        for group in self.groups:
            weight, size = group.weight, len(group.trigger)
            first = columns[int(group.rows[0])]
            if (weight.suffix, weight.shape, weight.dtype) != (group.trigger, first.shape, first.dtype):
                for row in group.rows.tolist():
                    name = columns.names[row][:-size] + weight.suffix
                    changed[int(place[row])] = Tensor(name, weight.shape, weight.dtype)
        return columns.take(np.flatnonzero(~gone)).changed(changed)


def _lasts(columns: Columns) -> tuple[list[str], NDArray[np.int32]]:
    """What follows the last dot of each name, pattern by pattern where the last number stands before it."""
    patterns, names = columns.patterns, columns.names
    table: dict[str, int] = {}
    ends = [texts[-1] if len(texts) == 1 or "." in texts[-1] else None for texts in patterns.texts]
    fixed = [-1 if end is None else table.setdefault(_last(end), len(table)) for end in ends]
    last_of = np.array(fixed, dtype=np.int32)[patterns.of]
    for row in np.flatnonzero(last_of < 0).tolist():
        last_of[row] = table.setdefault(_last(names[row]), len(table))
    return list(table), last_of


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
