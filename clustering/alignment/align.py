"""A one-to-one pairing of the tensors of two models whose names and layouts may differ.

The pairing is by structure: two modules are the same when they hold equally many elements and their insides agree;
words of names only settle what shapes leave open. Where both sides use the same names, names come first.

A pair says how one tensor becomes the other: `same`, `transpose`, `HWIO->OIHW`, merged heads, rows of a fused matrix,
or `resized` for the same place with other sizes. What no pair explains stands alone, as a parameter (the graphs then
differ) or as a buffer (they do not).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from clustering.alignment.layout import layout_change
from clustering.alignment.match import Scope, match_trees
from clustering.alignment.rest import Fusion, Rest, resized
from clustering.alignment.units import AlignmentError, Forest, Unit, forest_of, tree_of
from clustering.blocks.names import Named
from clustering.tensors import TensorListing

__all__ = ["Alignment", "AlignmentError", "Lone", "Pair", "align"]

Kind = Literal["parameter", "buffer", "copy", "training"]
Change = Literal["same", "layout", "fused", "resized"]

SAME_NAMES = 0.6
"""Share of the smaller side's layers that must agree in name and shape before names decide."""


@dataclass(frozen=True, slots=True)
class Pair:
    """A tensor of one side and the tensor, or the rows of it, that plays its part on the other."""

    left: str
    right: str
    left_shape: tuple[int, ...]
    right_shape: tuple[int, ...]
    change: Change
    layout: str
    """What leads from left to right: `same`, `transpose`, `HWIO->OIHW`, `rows 0:768 of right` ..."""
    buffer: bool = False


@dataclass(frozen=True, slots=True)
class Lone:
    """A tensor without counterpart."""

    name: str
    shape: tuple[int, ...]
    kind: Kind
    """`parameter`: part of the graph. `buffer`: state that no graph is made of. `copy`: a second copy of a table that
    is stored once on the other side. `training`: of the loss or the optimizer."""


@dataclass(frozen=True, slots=True)
class Alignment:
    """The pairing of two models."""

    pairs: tuple[Pair, ...]
    left_only: tuple[Lone, ...]
    right_only: tuple[Lone, ...]
    modules: tuple[tuple[str, str], ...] = ()
    """Outermost matched modules, by path."""

    @property
    def same(self) -> bool:
        """Whether the graphs are the same once layout is set aside."""
        return (
            bool(self.pairs)
            and not any(pair.change == "resized" and not pair.buffer for pair in self.pairs)
            and not any(lone.kind == "parameter" for lone in (*self.left_only, *self.right_only))
        )


def align(left: TensorListing, right: TensorListing) -> Alignment:
    """Pairs the tensors of two listings.

    Raises:
        AlignmentError: a listing without shapes, of an adapter, or with more tensors than any model.
    """
    for listing in (left, right):
        if listing.names_only:
            raise AlignmentError("only an index was there: names without shapes cannot be paired")
        if listing.adapter is not None:
            raise AlignmentError(f"an adapter ({listing.adapter}) has no graph of its own to compare")
    forests = forest_of(left), forest_of(right)
    named = _by_name(*forests)
    taken = {id(unit) for pair in named for unit in pair}
    trees = [tree_of([unit for unit in forest.units if id(unit) not in taken]) for forest in forests]
    rest = Rest()
    scope, found = match_trees(trees[0], trees[1], rest)
    others = resized(scope)
    builder = _Builder(left, right)
    for one, other in (*named, *found, *others):
        builder.unit(one, other)
    for fusion in rest.fusions:
        builder.fusion(fusion)
    return builder.build(forests, scope, rest)


def _by_name(left: Forest, right: Forest) -> list[tuple[Unit, Unit]]:
    """Layers of equal names, where names are those of one library: most of them agree in shape too."""
    best: list[tuple[Unit, Unit]] = []
    for cut_left, cut_right in ((0, 0), (1, 0), (0, 1)):
        ours = {unit.path[cut_left:]: unit for unit in left.units if unit.path[cut_left:]}
        theirs = {unit.path[cut_right:]: unit for unit in right.units if unit.path[cut_right:]}
        pairs = [(unit, theirs[path]) for path, unit in ours.items() if path in theirs]
        if sum(a.main.tensor.shape == b.main.tensor.shape for a, b in pairs) > len(best):
            best = [(a, b) for a, b in pairs if len(a.main.tensor.shape) == len(b.main.tensor.shape)]
    agreeing = sum(a.main.tensor.shape == b.main.tensor.shape for a, b in best)
    smaller = min(len(left.units), len(right.units))
    return best if smaller and agreeing >= SAME_NAMES * smaller else []


class _Builder:
    """Turns pairs of layers into pairs of tensors."""

    def __init__(self, left: TensorListing, right: TensorListing) -> None:
        self.places = [
            {tensor.name: place for place, tensor in enumerate(listing.tensors)} for listing in (left, right)
        ]
        self.pairs: list[Pair] = []

    def unit(self, one: Unit, other: Unit) -> None:
        """Pairs the tensors of two layers by role."""
        for role in one.tensors.keys() & other.tensors.keys():
            self.pairs.append(_pair(one.tensors[role], other.tensors[role]))

    def fusion(self, fusion: Fusion) -> None:
        """Pairs each part with its rows of the whole."""
        for role, whole in fusion.whole.tensors.items():
            start = 0
            for part in fusion.parts:
                named = part.tensors.get(role)
                if named is None:
                    continue
                rows = named.tensor.elements * whole.shape[0] // max(1, whole.tensor.elements) if whole.shape else 0
                side = "left" if fusion.on_left else "right"
                text = f"rows {start}:{start + rows} of {side}"
                start += rows
                one, other = (whole, named) if fusion.on_left else (named, whole)
                self.pairs.append(
                    Pair(
                        one.tensor.name,
                        other.tensor.name,
                        one.tensor.shape,
                        other.tensor.shape,
                        "fused",
                        text,
                        one.is_buffer and other.is_buffer,
                    )
                )

    def build(self, forests: Sequence[Forest], scope: Scope, rest: Rest) -> Alignment:
        """The alignment, in the order of the left side."""
        del rest
        lone: list[tuple[Lone, ...]] = []
        for side, forest in enumerate(forests):
            paired = {pair.left if side == 0 else pair.right for pair in self.pairs}
            alone = [
                named for unit in forest.units for named in unit.tensors.values() if named.tensor.name not in paired
            ]
            rows = [Lone(named.tensor.name, named.tensor.shape, _kind(named, forest)) for named in alone]
            rows = _copies(rows, forest, paired)
            rows += [Lone(tensor.name, tensor.shape, "training") for tensor in forest.ignored]
            lone.append(tuple(sorted(rows, key=lambda row: self.places[side][row.name])))
        order = sorted(self.pairs, key=lambda pair: (self.places[0][pair.left], self.places[1][pair.right]))
        modules = tuple((_dotted(one), _dotted(other)) for one, other in scope.modules)
        return Alignment(tuple(order), lone[0], lone[1], modules)


def _pair(one: Named, other: Named) -> Pair:
    shapes = one.tensor.shape, other.tensor.shape
    layout = layout_change(*shapes, kernels=(one.is_kernel, other.is_kernel))
    change: Change = "resized" if layout is None else "same" if layout == "same" else "layout"
    return Pair(
        one.tensor.name,
        other.tensor.name,
        *shapes,
        change,
        layout or "resized",
        one.is_buffer or other.is_buffer,
    )


def _kind(named: Named, forest: Forest) -> Kind:
    if named.is_buffer:
        return "buffer"
    storage = named.tensor.storage
    if storage is not None and any(
        other.tensor.storage == storage and other is not named
        for unit in forest.units
        for other in unit.tensors.values()
    ):
        return "copy"
    return "parameter"


def _copies(rows: list[Lone], forest: Forest, paired: set[str]) -> list[Lone]:
    """Marks further copies of the token table: whether a tied output matrix is saved depends on the exporter.

    As in fingerprints, the table is the tallest matrix, at least twice as tall as wide; nothing tells a tied output
    matrix from one that was trained apart.
    """
    tall = [
        unit.main
        for unit in forest.units
        if len(unit.main.shape) == 2 and unit.main.shape[0] >= 2 * unit.main.shape[1] > 2
    ]
    table = max((named.shape for named in tall), default=None)
    if table is None or not any(named.shape == table and named.tensor.name in paired for named in tall):
        return rows
    return [
        replace(row, kind="copy") if row.kind == "parameter" and row.shape in {table, table[::-1]} else row
        for row in rows
    ]


def _dotted(path: Iterable[str | int]) -> str:
    return ".".join(map(str, path))
