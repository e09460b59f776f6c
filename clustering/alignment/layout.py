"""How one shape becomes another without changing a number: permuted, merged, split and dropped axes."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import permutations

MAX_RANK = 5
"""Axes that are permuted in search of a relation: 120 orders. Kernels of three-dimensional convolutions have five."""

Shape = tuple[int, ...]
_NAMES: dict[tuple[int, ...], str] = {(3, 2, 0, 1): "HWIO->OIHW", (2, 3, 1, 0): "OIHW->HWIO"}
_CONVOLUTIONS: dict[tuple[int, ...], tuple[bool, bool]] = {(3, 2, 0, 1): (True, False), (2, 3, 1, 0): (False, True)}


def _boundaries(shape: Sequence[int]) -> list[int]:
    """Products of the leading axes, singletons left out."""
    product, found = 1, []
    for size in shape:
        if size != 1:
            product *= size
            found.append(product)
    return found


def regrouped(left: Sequence[int], right: Sequence[int]) -> bool:
    """Whether merging neighbouring axes of one gives the other."""
    one, other = _boundaries(left), _boundaries(right)
    if not one or not other:
        return one == other
    return one[-1] == other[-1] and (set(one) <= set(other) or set(other) <= set(one))


def _core(shape: Shape) -> Shape:
    return tuple(size for size in shape if size != 1)


def layout_change(left: Shape, right: Shape, *, kernels: tuple[bool, bool] = (False, False)) -> str | None:
    """Names the change of layout from `left` to `right`.

    Args:
        left: shape as stored.
        right: shape as stored.
        kernels: which sides keep kernels with outputs last, as TensorFlow and Flax do: a square matrix is then
            transposed although its shape is not.

    Returns:
        `same`, `transpose`, `HWIO->OIHW`, `permute 2,0,1`, `squeeze`, `merge axes`, `transpose and merge axes` or
        `permute 1,0,2 and merge axes`; None when no order of axes leads from one to the other.
    """
    turned = kernels[0] != kernels[1]
    if left == right and not (turned and len(left) == 2):
        return "same"
    if turned and len(left) == 2 and left[::-1] == right:
        return "transpose"
    if len(left) == len(right) <= MAX_RANK:
        orders = [order for order in permutations(range(len(left))) if tuple(left[axis] for axis in order) == right]
        if orders:
            order = min(orders, key=lambda found: (_CONVOLUTIONS.get(found) != kernels, found))
            if order == (1, 0):
                return "transpose"
            return _NAMES.get(order, "permute " + ",".join(map(str, order)))
    if _core(left) == _core(right):
        return "squeeze"
    if turned and len(left) != len(right):
        kernel, flat = (left, right) if len(left) > len(right) else (right, left)
        if len(flat) == 2 and regrouped(kernel, flat[::-1]):
            return "transpose and merge axes"
    if regrouped(left, right):
        return "merge axes"
    return _permuted_and_merged(_core(left), _core(right))


def _permuted_and_merged(left: Shape, right: Shape) -> str | None:
    if max(len(left), len(right)) > MAX_RANK:
        return None
    for order in permutations(range(len(left))):
        if regrouped([left[axis] for axis in order], right):
            return "permute " + ",".join(map(str, order)) + " and merge axes"
    for order in permutations(range(len(right))):
        if regrouped(left, [right[axis] for axis in order]):
            return "split axes and permute to " + ",".join(map(str, order))
    return None
