"""What mass alone does not match inside a scope: vectors by their company, fused matrices, and other sizes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import combinations
from typing import TYPE_CHECKING, Any

from clustering.alignment.match import COMPANY, MAX_CELLS, Scope, order_score, solve
from clustering.alignment.units import Unit, same_dims
from clustering.alignment.words import fused_orders, indices_of, similarity, stage_of, star_of, tokens_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

_MAX_PARTS = 4
_MAX_CLASSES = 10
MIN_RESIZED = 1.0
"""Score from which two layers of different sizes count as the same place: words that agree, or a shared dimension and
no other candidate."""


@dataclass(frozen=True, slots=True)
class Fusion:
    """One layer that holds what is several on the other side."""

    whole: Unit
    parts: tuple[Unit, ...]
    """In the order in which they are stacked."""
    on_left: bool
    """Whether the whole is on the left side."""


@dataclass(slots=True)
class Rest:
    """Pairs what is left of a scope; remembers the fused layers."""

    fusions: list[Fusion] = field(default_factory=list)

    def __call__(self, scope: Scope) -> list[tuple[Unit, Unit]]:
        """Pairs what a scope leaves over."""
        pairs = _vectors(scope)
        loose = not any(scope.depths)
        self.fusions += _fused(scope.left, scope.right, on_left=True, loose=loose)
        self.fusions += _fused(scope.right, scope.left, on_left=False, loose=loose)
        return pairs


def _paths(units: Sequence[Unit], depth: int) -> list[tuple[str | int, ...]]:
    return [unit.path[depth:] for unit in units]


def _vectors(scope: Scope) -> list[tuple[Unit, Unit]]:
    """Layers of one shape: by the company they keep, by words, by place."""
    left: dict[int, list[Unit]] = {}
    right: dict[int, list[Unit]] = {}
    for units, groups in ((scope.left, left), (scope.right, right)):
        for unit in units:
            groups.setdefault(unit.main.tensor.elements, []).append(unit)
    pairs: list[tuple[Unit, Unit]] = []
    known: set[tuple[tuple[str, ...], tuple[str, ...]]] = set()
    for size in sorted(set(left) & set(right), key=lambda n: (len(left[n]) * len(right[n]), n)):
        pairs += _assign(left[size], right[size], scope, known)
        known |= {_stars(scope, *pair) for pair in pairs}
    taken = {id(unit) for pair in pairs for unit in pair}
    scope.left[:] = [unit for unit in scope.left if id(unit) not in taken]
    scope.right[:] = [unit for unit in scope.right if id(unit) not in taken]
    return pairs


def _stars(scope: Scope, one: Unit, other: Unit) -> tuple[tuple[str, ...], tuple[str, ...]]:
    return star_of(one.path[scope.depths[0] :]), star_of(other.path[scope.depths[1] :])


def _assign(
    ours: list[Unit], theirs: list[Unit], scope: Scope, known: set[tuple[tuple[str, ...], tuple[str, ...]]]
) -> list[tuple[Unit, Unit]]:
    ours.sort(key=lambda unit: unit.place)
    theirs.sort(key=lambda unit: unit.place)
    if len(ours) * len(theirs) > MAX_CELLS:
        return _by_class(ours, theirs, scope)
    score = 2.0 * _company(ours, theirs, scope)
    paths = _paths(ours, scope.depths[0]), _paths(theirs, scope.depths[1])
    score += similarity([tokens_of(path) for path in paths[0]], [tokens_of(path) for path in paths[1]])
    score += order_score(*paths)
    for i, one in enumerate(ours):
        for j, other in enumerate(theirs):
            roles = set(one.tensors), set(other.tensors)
            score[i, j] += 0.5 * len(roles[0] & roles[1]) / len(roles[0] | roles[1])
            score[i, j] += _stars(scope, one, other) in known  # a run whose other members are matched goes on
    return [(ours[i], theirs[j]) for i, j in solve(score)]


def _by_class(ours: Sequence[Unit], theirs: Sequence[Unit], scope: Scope) -> list[tuple[Unit, Unit]]:
    """Too many for a matrix: runs of one name in the order of their indices."""
    runs: list[dict[tuple[str, ...], list[Unit]]] = [{}, {}]
    for side, units in enumerate((ours, theirs)):
        for unit in units:
            runs[side].setdefault(star_of(unit.path[scope.depths[side] :]), []).append(unit)
        for several in runs[side].values():
            several.sort(key=lambda unit: indices_of(unit.path))
    keys = [sorted(run, key=lambda key: (stage_of(key), key)) for run in runs]
    score = similarity([tokens_of(key) for key in keys[0]], [tokens_of(key) for key in keys[1]])
    score += order_score(keys[0], keys[1])
    pairs: list[tuple[Unit, Unit]] = []
    for i, j in solve(score):
        pairs += zip(runs[0][keys[0][i]], runs[1][keys[1][j]], strict=False)
    return pairs


def _company(ours: Sequence[Unit], theirs: Sequence[Unit], scope: Scope) -> NDArray[Any]:
    """A norm belongs to the matrix it is named with: x is to p as y is to q, for a matched pair (p, q)."""
    import numpy as np

    known = scope.pairs[:COMPANY]
    best = np.zeros((len(ours), len(theirs)))
    if not known or len(known) * best.size > 50 * MAX_CELLS:
        return best
    one = similarity(
        [tokens_of(path) for path in _paths(ours, scope.depths[0])],
        [tokens_of(path) for path in _paths([p for p, _ in known], scope.depths[0])],
    )
    other = similarity(
        [tokens_of(path) for path in _paths(theirs, scope.depths[1])],
        [tokens_of(path) for path in _paths([q for _, q in known], scope.depths[1])],
    )
    for number in range(len(known)):
        np.maximum(best, np.sqrt(np.outer(one[:, number], other[:, number])), out=best)
    # whoever has the nearest relative, and the same distances to all others
    profiles = [rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-9) for rows in (one, other)]
    return best + 0.2 * np.asarray(profiles[0] @ profiles[1].T)


def _fused(wholes: list[Unit], pool: list[Unit], *, on_left: bool, loose: bool) -> list[Fusion]:
    """Layers whose mass several runs of the other side have together; both are taken out of the lists.

    With `loose` no matched module holds them together, and only words make them one: queries, keys and values.
    """
    found: list[Fusion] = []
    for whole in [unit for unit in wholes if unit.mass]:
        classes: dict[tuple[str, ...], list[Unit]] = {}
        depth = _shared_depth(pool)
        for unit in pool:
            if 0 < unit.mass < whole.mass:
                classes.setdefault(star_of(unit.path[depth:]), []).append(unit)
        parts = _parts(whole, classes, loose=loose)
        if parts is None:
            continue
        ordered = _stacked(parts)
        found.append(Fusion(whole, tuple(ordered), on_left))
        taken = {id(unit) for unit in ordered}
        pool[:] = [unit for unit in pool if id(unit) not in taken]
        wholes.remove(whole)
    return found


def _shared_depth(units: Sequence[Unit]) -> int:
    if not units:
        return 0
    paths = [unit.path for unit in units]
    depth = 0
    while all(len(path) > depth + 1 and path[depth] == paths[0][depth] for path in paths):
        depth += 1
    return depth


def _parts(whole: Unit, classes: dict[tuple[str, ...], list[Unit]], *, loose: bool) -> list[Unit] | None:
    """The runs that together have the whole's mass and fit its shape; those with telling words first."""
    fitting = {
        key: units
        for key, units in classes.items()
        if all(same_dims(unit.shape, whole.shape) or len(unit.shape) > 2 for unit in units)
    }
    keys = sorted(fitting)[:_MAX_CLASSES]
    options: list[tuple[float, tuple[tuple[str, ...], ...]]] = []
    for number in range(1, _MAX_PARTS + 1):
        for several in combinations(keys, number):
            units = [unit for key in several for unit in fitting[key]]
            if len(units) < 2 or sum(unit.mass for unit in units) != whole.mass:
                continue
            if not set(whole.shape).intersection(*(unit.shape for unit in units)):
                continue  # what is stacked shares the axis along which it is not stacked
            score = _plausible(whole, units, several)
            if score >= 2.0 or not loose:
                options.append((score, several))
    if not options:
        return None
    best = max(options, key=lambda option: (option[0], [str(key) for key in option[1]]))
    return [unit for key in best[1] for unit in fitting[key]]


def _plausible(whole: Unit, parts: Sequence[Unit], keys: Sequence[tuple[str, ...]]) -> float:
    words = [set(tokens_of(key)) for key in keys]
    roles = any(
        len(order) == len(words) and all(any(role in own for own in words) for role in order)
        for order in fused_orders()
    )
    # one run of like matrices in one tensor: the experts of a block
    roles = roles or (len(keys) == 1 and bool(set(tokens_of(whole.path[-1:])) & set(tokens_of(keys[0][-1:]))))
    near = similarity([tokens_of(whole.path)], [tokens_of(unit.path) for unit in parts[:64]])
    return 2.0 * roles + float(near.mean())


def _stacked(parts: Sequence[Unit]) -> list[Unit]:
    """Query, key, value; gate, up; else as stored."""
    for order in fused_orders():
        ranks = [
            next((place for place, role in enumerate(order) if role in tokens_of(unit.path[-2:])), None)
            for unit in parts
        ]
        if None not in ranks and len(set(ranks)) == len(order):
            return [unit for _, _, unit in sorted(zip(ranks, (unit.place for unit in parts), parts, strict=True))]
    return sorted(parts, key=lambda unit: unit.place)


def resized(scope: Scope) -> list[tuple[Unit, Unit]]:
    """Layers in the same place with other sizes: another number of classes, another vocabulary."""
    import numpy as np

    pairs: list[tuple[Unit, Unit]] = []
    for vectors in (False, True):
        ours = [unit for unit in scope.left if (unit.mass == 0) == vectors]
        theirs = [unit for unit in scope.right if (unit.mass == 0) == vectors]
        if not ours or not theirs or len(ours) * len(theirs) > MAX_CELLS:
            continue
        score = 2.0 * similarity([tokens_of(unit.path) for unit in ours], [tokens_of(unit.path) for unit in theirs])
        shared = np.zeros(score.shape, dtype=bool)
        for i, one in enumerate(ours):
            for j, other in enumerate(theirs):
                if len(one.shape) != len(other.shape) or set(one.tensors) ^ set(other.tensors) > {"weight"}:
                    score[i, j] = 0.0
                elif not vectors:
                    score[i, j] += 0.6 * same_dims(one.shape, other.shape) / len(one.shape)
                    shared[i, j] = same_dims(one.shape, other.shape) > 0
        alone = shared & (shared.sum(axis=1) == 1)[:, None] & (shared.sum(axis=0) == 1)[None, :]
        score[alone] += 0.6
        pairs += [(ours[i], theirs[j]) for i, j in solve(score) if score[i, j] >= MIN_RESIZED]
    taken = {id(unit) for pair in pairs for unit in pair}
    scope.left[:] = [unit for unit in scope.left if id(unit) not in taken]
    scope.right[:] = [unit for unit in scope.right if id(unit) not in taken]
    return pairs
