"""How deep a template must be: its depth variables from the counts of the shapes that its groups have found.

A count is a constant plus multiples of depth variables, and must be what was observed. Most variables share no shape
with another one, so the system falls into small parts that are solved, and remembered, by themselves.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

Row = tuple[float, tuple[tuple[int, int], ...]]
"""Observed count without the constants, and (variable, factor) ascending; at least one."""

_REWEIGHTINGS = 3
_RIDGE = 1e-9
_EXACT = 1e-4
_LEAST = 0.1  # residues below this weigh alike
_ROUNDS = 3


def solve_depths(rows: Sequence[Row], depths: int, remembered: dict[Any, tuple[float, ...]]) -> tuple[float, ...]:
    """Values of the depth variables, by reweighted least squares (towards least absolute differences).

    Counts need no rounding: an exact explanation is a solution without residue, and only the residue is judged.

    Args:
        rows: one per observed shape that a group with a depth has found.
        depths: number of variables.
        remembered: solutions of systems that were met before; added to.

    Returns:
        (depths,), each at least 1: a class has at least one block of each kind that its layout has.
    """
    system = (depths, *rows)
    known = remembered.get(system)
    if known is None:
        known = remembered[system] = _solved(rows, depths, remembered)
    return known


def _solved(rows: Sequence[Row], depths: int, remembered: dict[Any, tuple[float, ...]]) -> tuple[float, ...]:
    """Solves the parts of a system one by one, for what each variable is beyond its least value of 1.

    Where variables are not determined, that prefers few blocks of each kind to none of one and many of another.
    """
    solution = [1.0] * depths
    alone: dict[int, list[tuple[int, float]]] = {}
    joined: list[Row] = []
    for wanted, terms in rows:
        beyond = wanted - sum([factor for _, factor in terms])
        if len(terms) == 1:
            alone.setdefault(terms[0][0], []).append((terms[0][1], beyond))
        else:
            joined.append((beyond, terms))
    for variables, together in _parts(joined):
        for variable in variables:
            together += [(wanted, ((variable, factor),)) for factor, wanted in alone.pop(variable, ())]
        number = {variable: n for n, variable in enumerate(variables)}
        # most rows are said several times over: by the weights and norms of one block
        said = Counter([(wanted, tuple([(number[v], factor) for v, factor in terms])) for wanted, terms in together])
        key = tuple(sorted(said.items()))
        found = remembered.get(key)
        if found is None:
            found = remembered[key] = _several(key, len(variables))
        for variable, value in zip(variables, found, strict=True):
            solution[variable] = 1.0 + max(0.0, value)
    for variable, points in alone.items():
        value = points[0][1] / points[0][0]
        if len(points) > 1 and any(wanted != factor * value for factor, wanted in points):
            one = tuple(sorted(Counter(points).items()))
            known = remembered.get(one)
            if known is None:
                known = remembered[one] = (_single(one),)
            value = known[0]
        solution[variable] = 1.0 + max(0.0, value)
    return tuple(solution)


def _parts(joined: Sequence[Row]) -> list[tuple[tuple[int, ...], list[Row]]]:
    """Rows that share variables, with these variables ascending."""
    parts: list[tuple[set[int], list[Row]]] = []
    for row in joined:
        variables = {variable for variable, _ in row[1]}
        rows = [row]
        apart: list[tuple[set[int], list[Row]]] = []
        for known, members in parts:
            if known & variables:
                variables |= known
                rows = members + rows
            else:
                apart.append((known, members))
        parts = [*apart, (variables, rows)]
    return [(tuple(sorted(variables)), rows) for variables, rows in parts]


def _single(points: Sequence[tuple[tuple[int, float], int]]) -> float:
    """The value of one variable from (factor, wanted), each with how often it is said."""
    weights = [float(times) for _, times in points]
    value = 0.0
    for turn in range(_REWEIGHTINGS + 1):
        square, product = _RIDGE, 0.0
        for weight, ((factor, wanted), _) in zip(weights, points, strict=True):
            square += weight * factor * factor
            product += weight * factor * wanted
        value = product / square
        if value < -_EXACT:
            value = 0.0
        if turn == _REWEIGHTINGS:
            break
        whole = 0.0
        for n, ((factor, wanted), times) in enumerate(points):
            residue = abs(wanted - factor * value)
            whole += times * residue
            weights[n] = times / max(residue, _LEAST)
        if whole < _EXACT:
            break
    return value


def _several(rows: Sequence[tuple[Row, int]], variables: int) -> tuple[float, ...]:
    """The values of variables that share shapes."""
    weights = [float(times) for _, times in rows]
    solution = [0.0] * variables
    for turn in range(_REWEIGHTINGS + 1):
        free = list(range(variables))
        for _ in range(_ROUNDS):
            solution = [0.0] * variables
            if not free:
                break
            for variable, value in zip(free, _least_squares(rows, weights, free), strict=True):
                solution[variable] = value
            if min(solution) >= -_EXACT:
                break
            free = [variable for variable in free if solution[variable] > 0]
        if turn == _REWEIGHTINGS:
            break
        whole = 0.0
        for n, ((wanted, terms), times) in enumerate(rows):
            residue = abs(wanted - sum([factor * solution[variable] for variable, factor in terms]))
            whole += times * residue
            weights[n] = times / max(residue, _LEAST)
        if whole < _EXACT:
            break
    return tuple(solution)


def _least_squares(rows: Sequence[tuple[Row, int]], weights: Sequence[float], free: Sequence[int]) -> list[float]:
    """Solution for the free variables, by normal equations with a trace of ridge.

    The systems have two to five variables: elimination written out takes a fifth of the time of a call to LAPACK.
    """
    place = {variable: n for n, variable in enumerate(free)}
    size = len(free)
    square = [[0.0] * (size + 1) for _ in free]  # with the right-hand side in the last column
    for n in range(size):
        square[n][n] = _RIDGE
    for weight, ((wanted, terms), _) in zip(weights, rows, strict=True):
        kept = [(place[variable], factor) for variable, factor in terms if variable in place]
        for n, factor in kept:
            line, weighted = square[n], weight * factor
            for m, other_factor in kept:
                line[m] += weighted * other_factor
            line[size] += weighted * wanted
    for n in range(size):  # no pivoting: the matrix is symmetric and positive
        line = square[n]
        for other in square[n + 1 :]:
            if other[n]:
                share = other[n] / line[n]
                for m in range(n, size + 1):
                    other[m] -= share * line[m]
    found = [0.0] * size
    for n in reversed(range(size)):
        line = square[n]
        rest = line[size]
        for m in range(n + 1, size):
            rest -= line[m] * found[m]
        found[n] = rest / line[n]
    return found
