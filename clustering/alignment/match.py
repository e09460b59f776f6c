"""Matching of two module trees by mass, from the largest module down.

Modules of equal mass are matched and taken apart together; a module whose mass the other side lacks is replaced by its
children. What shapes leave open is settled by class first (which run of modules is which, by words) and by index inside
a class, in the direction in which modules that shapes did settle run.
"""

from __future__ import annotations

import heapq
import itertools
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from clustering.alignment.units import Node, Path_, Unit, pieces_of
from clustering.alignment.words import PROJECTIONS, indices_of, similarity, stage_of, star_of, tokens_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

COMPANY = 400
"""Matched layers that a scope remembers; the rest of it is compared with them."""

MAX_CELLS = 250_000
"""Cells of a score matrix; larger groups are matched in their order."""

_FORBIDDEN = -1e6
_MIN_PIECES = 3
"""Modules of fewer layers must share one of their masses: 4 H² are an attention or half a feed-forward network."""


_Group = tuple[list[Node], list[Node]]


@dataclass(slots=True)
class Scope:
    """Two matched modules, or the two models."""

    depths: tuple[int, int]
    """How much of the paths the scope itself takes."""
    trend: int = 1
    """-1 where layers around the scope run against each other."""
    pairs: list[tuple[Unit, Unit]] = field(default_factory=list)
    """Layers matched directly in this scope, then those of the modules inside."""
    left: list[Unit] = field(default_factory=list)
    right: list[Unit] = field(default_factory=list)
    """Layers still without a counterpart."""
    modules: list[tuple[Path_, Path_]] = field(default_factory=list)
    """Matched modules directly below."""


Finish = Callable[[Scope], list[tuple[Unit, Unit]]]


def match_trees(left: Node, right: Node, finish: Finish) -> tuple[Scope, list[tuple[Unit, Unit]]]:
    """Matches two trees.

    Args:
        left: one model.
        right: the other.
        finish: called with every scope once its modules are matched; pairs what is left there (vectors, fused
            matrices) and takes it out of `left` and `right`.

    Returns:
        The outermost scope with what stayed alone, and all pairs of layers.
    """
    everything: list[tuple[Unit, Unit]] = []
    scope = _match(left, right, finish, everything, 1)
    return scope, everything


def _match(left: Node, right: Node, finish: Finish, everything: list[tuple[Unit, Unit]], trend: int) -> Scope:
    scope = Scope((len(left.path), len(right.path)), trend)
    ours, theirs = left.inner() or [left], right.inner() or [right]
    for _ in range(3):  # what a group leaves over is taken apart and tried again
        ours, theirs = _round(scope, ours, theirs, finish, everything)
        if not ours or not theirs:
            break
    for side, rest in ((scope.left, ours), (scope.right, theirs)):
        for node in rest:
            side.extend(node.units())
    pairs = finish(scope)
    everything += pairs
    return scope


def _round(
    scope: Scope, ours: Sequence[Node], theirs: Sequence[Node], finish: Finish, everything: list[tuple[Unit, Unit]]
) -> tuple[list[Node], list[Node]]:
    sweep = _Sweep(scope)
    for side, nodes in enumerate((ours, theirs)):
        for node in nodes:
            sweep.push(side, node)
    groups = sweep.groups()
    matched: list[tuple[Node, Node]] = []
    again: tuple[list[Node], list[Node]] = ([], [])
    for group in sorted(groups, key=lambda found: len(found[0]) + len(found[1])):  # what is certain comes first
        pairs = assign(group[0], group[1], scope, matched)
        taken = {id(node) for pair in pairs for node in pair}
        matched += pairs
        for side, nodes in enumerate(group):
            for node in nodes:
                if id(node) in taken:
                    continue
                if node.is_leaf:
                    (scope.left, scope.right)[side].extend(node.units())
                else:
                    again[side].extend(node.inner())
    trend = direction(matched, scope.depths)
    nested: list[tuple[Unit, Unit]] = []
    for one, other in matched:
        if one.is_leaf and other.is_leaf and one.unit is not None and other.unit is not None:
            scope.pairs.append((one.unit, other.unit))
            everything.append((one.unit, other.unit))
            continue
        scope.modules.append((one.path, other.path))
        inner = _match(one, other, finish, everything, trend)
        scope.left += inner.left
        scope.right += inner.right
        if not inner.modules:
            nested += inner.pairs
    scope.pairs += nested[: max(0, COMPANY - len(scope.pairs))]
    return again


class _Sweep:
    """Modules of two sides by falling mass; one without an equal on the other side is replaced by its children."""

    def __init__(self, scope: Scope) -> None:
        self.alone = (scope.left, scope.right)
        self.waiting: dict[int, tuple[list[Node], list[Node]]] = {}
        self.heap: list[int] = []

    def push(self, side: int, node: Node) -> None:
        """Adds a module; vectors go to what stays alone."""
        node = _unwrapped(node)
        lone = _only_weight(node)
        if lone is not None and not node.is_leaf:  # a convolution with its norm inside, a linear layer with its scale
            self.alone[side].extend(unit for unit in node.units() if unit is not lone)
            node = Node(lone.path, lone, {}, lone.mass)
        if not node.mass:
            self.alone[side].extend(node.units())
            return
        if node.mass not in self.waiting:
            self.waiting[node.mass] = ([], [])
            heapq.heappush(self.heap, -node.mass)
        self.waiting[node.mass][side].append(node)

    def open(self, side: int, nodes: Sequence[Node]) -> None:
        """Replaces modules by their children; a layer has none and stays alone."""
        for node in nodes:
            if node.is_leaf:
                self.alone[side].extend(node.units())
            else:
                for child in node.inner():
                    self.push(side, child)

    def groups(self) -> list[_Group]:
        """Groups of equal mass."""
        found: list[_Group] = []
        while self.heap:
            group = self.waiting.pop(-heapq.heappop(self.heap))
            if group[0] and group[1]:
                found += self.by_shape(group)
            else:
                self.open(0, group[0])
                self.open(1, group[1])
        return found

    def by_shape(self, group: _Group) -> list[_Group]:
        """Layers apart from modules, and layers by shape where both sides have the same shapes."""
        leaves = ([n for n in group[0] if n.is_leaf], [n for n in group[1] if n.is_leaf])
        inner = ([n for n in group[0] if not n.is_leaf], [n for n in group[1] if not n.is_leaf])
        found: list[_Group] = []
        for kind in (inner, leaves):  # a layer never stands for a module; the module's own layers may
            if kind[0] and kind[1]:
                found.append(kind)
            else:
                self.open(0, kind[0])
                self.open(1, kind[1])
        shapes = tuple(Counter(_shape(node) for node in nodes) for nodes in leaves)
        if not shapes[0] or shapes[0] != shapes[1]:
            return found
        by_shape = [tuple([n for n in nodes if _shape(n) == shape] for nodes in leaves) for shape in shapes[0]]
        return [*found[:-1], *((one, other) for one, other in by_shape)]


def _unwrapped(node: Node) -> Node:
    while node.unit is None and len(node.children) == 1:
        node = next(iter(node.children.values()))
    return node


def _only_weight(node: Node) -> Unit | None:
    """The layer that holds all of a module's mass."""
    while node.mass:
        if node.unit is not None and node.unit.mass == node.mass:
            return node.unit
        heaviest = max(node.children.values(), key=lambda child: child.mass, default=node)
        if heaviest.mass != node.mass:
            return None
        node = heaviest
    return None


def _shape(node: Node) -> tuple[int, ...]:
    return node.unit.shape if node.unit is not None else ()


def assign(
    ours: Sequence[Node],
    theirs: Sequence[Node],
    scope: Scope,
    matched: Sequence[tuple[Node, Node]] = (),
) -> list[tuple[Node, Node]]:
    """One-to-one pairs of two groups of equal mass."""
    depths = scope.depths
    classes = tuple(_classes(nodes, depth) for nodes, depth in zip((ours, theirs), depths, strict=True))
    pairs: list[tuple[Node, Node]] = []
    rest: tuple[list[Node], list[Node]] = ([], [])
    keys = (list(classes[0]), list(classes[1]))
    chosen = _assign_classes(classes, keys, depths)
    for i, j in chosen:
        one, other = classes[0][keys[0][i]], classes[1][keys[1][j]]
        turned = one[0].is_leaf and len(one) > 1 and (direction(matched, depths) or scope.trend) < 0
        ordered = list(reversed(one)) if turned else one  # stages of a pyramid; stacks of blocks never run backwards
        found = list(zip(ordered, other, strict=False))
        pairs += found
        rest[0].extend(ordered[len(found) :])
        rest[1].extend(other[len(found) :])
    for side in (0, 1):
        used = {pair[side] for pair in chosen}
        for number, key in enumerate(keys[side]):
            if number not in used:
                rest[side].extend(classes[side][key])
    if rest[0] and rest[1]:
        pairs += [(a, b) for a, b in zip(*rest, strict=False) if alike(a, b)]
    return pairs


def alike(one: Node, other: Node) -> bool:
    """Whether two modules of one mass may be the same."""
    if one.is_leaf and other.is_leaf:
        return True
    left, right = pieces_of(one), pieces_of(other)
    return bool(left & right) or min(left.total(), right.total()) >= _MIN_PIECES


def _classes(nodes: Sequence[Node], depth: int) -> dict[tuple[str, ...], list[Node]]:
    found: dict[tuple[str, ...], list[Node]] = {}
    for node in nodes:
        found.setdefault(star_of(node.path[depth:]), []).append(node)
    for several in found.values():
        several.sort(key=lambda node: indices_of(node.path[depth:]))
    return found


def _assign_classes(
    classes: tuple[dict[tuple[str, ...], list[Node]], dict[tuple[str, ...], list[Node]]] | tuple[Any, ...],
    keys: tuple[list[tuple[str, ...]], list[tuple[str, ...]]],
    depths: tuple[int, int],
) -> list[tuple[int, int]]:
    if len(keys[0]) == len(keys[1]) == 1:
        return [(0, 0)] if alike(classes[0][keys[0][0]][0], classes[1][keys[1][0]][0]) else []
    if len(keys[0]) * len(keys[1]) > MAX_CELLS:
        return []
    firsts = tuple([classes[side][key][0] for key in keys[side]] for side in (0, 1))
    score = 2.0 * similarity(
        [tokens_of(node.path[depths[0] :]) for node in firsts[0]],
        [tokens_of(node.path[depths[1] :]) for node in firsts[1]],
    )
    score += order_score([node.path[depths[0] :] for node in firsts[0]], [node.path[depths[1] :] for node in firsts[1]])
    for i, one in enumerate(firsts[0]):
        for j, other in enumerate(firsts[1]):
            if len(classes[0][keys[0][i]]) == len(classes[1][keys[1][j]]):
                score[i, j] += 0.5
            score[i, j] += _likeness(one, other)
    return [(i, j) for i, j in solve(score) if score[i, j] > _FORBIDDEN / 2]


def _likeness(one: Node, other: Node) -> float:
    """How far the insides of two modules of one mass agree; very negative where they cannot be the same."""
    if one.is_leaf and other.is_leaf:
        if one.unit is None or other.unit is None:
            return 0.0
        roles = (set(one.unit.tensors), set(other.unit.tensors))
        projections = [set(tokens_of(node.path[-1:])) & PROJECTIONS for node in (one, other)]
        agree = len(roles[0] & roles[1]) / len(roles[0] | roles[1]) + (one.unit.shape == other.unit.shape)
        # queries, keys and values that the other side fuses leave the output projection behind, whatever it is called
        return agree - (projections[0] != projections[1])
    left, right = pieces_of(one), pieces_of(other)
    if not alike(one, other):
        return _FORBIDDEN
    return 3.0 * (left & right).total() / (left | right).total()


def order_score(left: Sequence[Path_], right: Sequence[Path_]) -> NDArray[Any]:
    """Agreement of the ranks of paths; float (left, right).

    Words that say where in a block a layer stands (`self`, `cross`, `final`) count three times as much as indices and
    places: files sorted by name have lost their order.
    """
    import numpy as np

    ranks, telling = [], False
    for paths in (left, right):
        stages = [stage_of(path) for path in paths]
        speaks = len(set(stages)) == len(stages) > 1 and min(stages) >= 0
        telling |= speaks
        rank = np.zeros(len(paths))
        rank[sorted(range(len(paths)), key=lambda n: (stages[n] if speaks else 0.0, indices_of(paths[n]), n))] = (
            np.arange(len(paths))
        )
        ranks.append(rank)
    span = max(len(left), len(right), 2) - 1
    # where one side has more, ranks say less: the first of two need not be the first of three
    weight = 1.5 if telling and len(left) == len(right) else 0.5
    return np.asarray(weight * (1.0 - np.abs(ranks[0][:, None] - ranks[1][None, :]) / span))


def direction(matched: Sequence[tuple[Node, Node]], depths: tuple[int, int]) -> int:
    """-1 when layers already matched run against each other, as stages of a pyramid do in some libraries; 0 unknown."""
    runs: dict[tuple[tuple[str, ...], tuple[str, ...]], list[tuple[tuple[int, ...], tuple[int, ...]]]] = {}
    for one, other in matched:
        paths = (one.path[depths[0] :], other.path[depths[1] :])
        indices = (indices_of(paths[0]), indices_of(paths[1]))
        if indices[0] and indices[1]:
            runs.setdefault((star_of(paths[0]), star_of(paths[1])), []).append(indices)
    votes = 0
    for several in runs.values():
        several.sort()
        votes += sum((a[1] < b[1]) - (a[1] > b[1]) for a, b in itertools.pairwise(several))
    return (votes > 0) - (votes < 0)


def solve(score: NDArray[Any]) -> list[tuple[int, int]]:
    """The assignment with the greatest sum."""
    from scipy.optimize import linear_sum_assignment

    if not score.size:
        return []
    rows, columns = linear_sum_assignment(score, maximize=True)
    return list(zip(rows.tolist(), columns.tolist(), strict=True))
