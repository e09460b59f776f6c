"""Tensor listings as trees of units: what an alignment matches.

A unit is a layer with its tensors by role (`weight`, `bias`, `running_mean` ...). Its mass is the number of elements of
its weight, and the mass of a module is the sum of those below it. Mass survives every change of layout: permuted,
transposed, split, merged and fused tensors hold the same number of elements. Vectors weigh nothing, so that a block
without biases still meets its counterpart.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from clustering.alignment.words import is_training_only
from clustering.blocks.names import Named, split
from clustering.tensors import Tensor, TensorListing

MAX_TENSORS = 200_000
"""More tensors than any published model has by four times; a listing beyond it is refused."""

MAX_DEPTH = 64
_ROLES = ("weight", "bias", "running_mean", "running_var")
_SUFFIXES = ("_weight", "_bias", ".weight", ".bias")

Path_ = tuple[str | int, ...]
Shape = tuple[int, ...]


class AlignmentError(Exception):
    """A listing that cannot be aligned; the message is one line."""


@dataclass(slots=True, eq=False)
class Unit:
    """One layer."""

    path: Path_
    place: int
    """Order of its first tensor."""
    tensors: dict[str, Named] = field(default_factory=dict)

    @property
    def main(self) -> Named:
        """The tensor that makes the layer: its weight, else the largest."""
        found = self.tensors.get("weight")
        return found if found is not None else max(self.tensors.values(), key=lambda named: named.tensor.elements)

    @property
    def mass(self) -> int:
        """Elements of the weight; 0 for vectors and scalars."""
        main = self.main
        return main.tensor.elements if sum(size != 1 for size in main.shape) >= 2 else 0

    @property
    def shape(self) -> Shape:
        """Shape of the weight, outputs first: by the framework's convention, or by the length of the bias."""
        shape, bias = self.main.shape, self.tensors.get("bias")
        if len(shape) == 2 and bias is not None and bias.shape == (shape[1],) and shape[0] != shape[1]:
            return (shape[1], shape[0])
        return shape

    def pieces(self) -> Counter[int]:
        """Masses of the matrices that a fused one is counted as: three squares for (3k, k)."""
        shape = self.main.shape
        if len(shape) == 2 and min(shape) and max(shape) == 3 * min(shape):
            return Counter({min(shape) ** 2: 3})
        return Counter({self.mass: 1})


@dataclass(slots=True, eq=False)
class Node:
    """A module: its path, its layer or its children."""

    path: Path_
    unit: Unit | None = None
    children: dict[str | int, Node] = field(default_factory=dict)
    mass: int = 0

    def units(self) -> list[Unit]:
        """All layers below, in order."""
        found: list[Unit] = []
        stack = [self]
        while stack:
            node = stack.pop()
            if node.unit is not None:
                found.append(node.unit)
            stack.extend(reversed(node.children.values()))
        return found

    def inner(self) -> list[Node]:
        """What the module holds; the layer that it is itself stands beside its children."""
        own = [] if self.unit is None or not self.children else [Node(self.path, self.unit, {}, self.unit.mass)]
        return [*own, *self.children.values()]

    @property
    def is_leaf(self) -> bool:
        """Whether nothing is below."""
        return not self.children


@dataclass(frozen=True, slots=True)
class Forest:
    """One side of an alignment."""

    units: tuple[Unit, ...]
    ignored: tuple[Tensor, ...]
    """Training state and tensors of the loss, which no graph is made of."""


def forest_of(listing: TensorListing) -> Forest:
    """The layers of a listing.

    Raises:
        AlignmentError: when it holds more tensors than any model.
    """
    if len(listing.tensors) > MAX_TENSORS:
        raise AlignmentError(f"{len(listing.tensors):,} tensors: more than the {MAX_TENSORS:,} that are compared")
    units: dict[Path_, Unit] = {}
    ignored: list[Tensor] = []
    for place, tensor in enumerate(listing.tensors):
        named = split(tensor)
        if named is None or is_training_only(named.path):
            ignored.append(tensor)
            continue
        path, role = _place(named)
        unit = units.setdefault(path, Unit(path, place))
        if role in unit.tensors:  # two spellings of one name; kept apart so that none is lost
            path = (*path, tensor.name, place)
            unit = units[path] = Unit(path, place)
        unit.tensors[role] = named
    return Forest(tuple(units.values()), tuple(ignored))


def _place(named: Named) -> tuple[Path_, str]:
    """(module path, role). A bare parameter is a module of its own: `in_proj_weight` -> (`in_proj`, weight)."""
    path = named.path[:MAX_DEPTH]
    if named.leaf in _ROLES or (named.is_buffer and path):
        return path, named.leaf
    for suffix in _SUFFIXES:
        if named.leaf.endswith(suffix) and len(named.leaf) > len(suffix):
            return (*path, named.leaf.removesuffix(suffix)), suffix[1:]
    return (*path, named.leaf), "weight"


def tree_of(units: Sequence[Unit]) -> Node:
    """The module tree over units, with masses."""
    root = Node(())
    for unit in units:
        mass = unit.mass
        node = root
        node.mass += mass
        for depth, token in enumerate(unit.path, start=1):
            child = node.children.get(token)
            if child is None:
                child = node.children[token] = Node(unit.path[:depth])
            child.mass += mass
            node = child
        node.unit = unit
    return root


def pieces_of(node: Node) -> Counter[int]:
    """Masses of all weights below, fused squares taken apart."""
    found: Counter[int] = Counter()
    for unit in node.units():
        if unit.mass:
            found.update(unit.pieces())
    return found


def same_dims(left: Shape, right: Shape) -> int:
    """How many axes two shapes have in common."""
    return sum((Counter(left) & Counter(right)).values())
