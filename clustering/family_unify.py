"""Unification: finds the sizes at which a template explains the observed shapes, without looking at any name.

The search is a beam over assignments of the template's size variables. A state is scored by the observed tensors that
its groups reach; afterwards the depth variables are solved and predicted and observed multisets are compared. Equal
multisets give 1.0: at these sizes the class has exactly these parameters.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from clustering.family_templates import Group, Template
from clustering.symbols import Expr

Shape = tuple[int, ...]

BEAM = 8
"""States kept per step; wider beams changed no answer on held-out sizes of the reference corpus."""
_BRANCH = 12
_USUAL = 0.02  # share of a group's weight that agreeing with the library's default size adds: only breaks ties


class Observed:
    """The multiset of shapes of one package, arranged for the search."""

    __slots__ = ("by_rank", "counts", "follows", "index", "shapes", "total")

    def __init__(self, sequence: Sequence[Shape]) -> None:
        counted = Counter(sequence)
        self.shapes: list[Shape] = list(counted)
        self.counts: list[int] = list(counted.values())
        self.total = sum(self.counts)
        self.index = {shape: number for number, shape in enumerate(self.shapes)}
        self.by_rank: dict[int, list[int]] = {}
        for number in sorted(range(len(self.shapes)), key=lambda n: -self.counts[n]):
            self.by_rank.setdefault(len(self.shapes[number]), []).append(number)
        pairs = Counter((self.index[a], self.index[b]) for a, b in zip(sequence, sequence[1:], strict=False))
        self.follows: dict[tuple[int, int], float] = {k: n / max(1, len(sequence) - 1) for k, n in pairs.items()}


@dataclass(frozen=True, slots=True)
class Fit:
    """How well a template explains a package."""

    overlap: float
    """1 - sum|predicted - observed| / sum(predicted + observed) over shapes: 1.0 is an exact explanation."""
    order: float
    """Share of adjacent pairs that the template's order predicts, both directions; meaningless after shuffling."""
    sizes: tuple[int | None, ...]
    usual: float
    """Share of the size variables that have the library's default value."""
    unexplained: int
    """Observed tensors beyond the predicted ones."""
    missing: int
    """Predicted tensors that were not observed."""


def plan(template: Template) -> list[int]:
    """Order in which groups are matched: few new variables first, heavy first."""
    left = list(range(len(template.groups)))
    known: set[int] = set()
    order: list[int] = []
    variables = [{v for d in g.dims for v, _ in d.terms} for g in template.groups]
    while left:

        def cost(number: int) -> tuple[int, float, int]:
            fresh = len(variables[number] - known)
            return (fresh if known or fresh else 9, -template.groups[number].typical, number)

        best = min(left, key=cost)
        left.remove(best)
        known |= variables[best]
        order.append(best)
    return order


def _solve(expr: Expr, size: int, sizes: list[int | None]) -> bool:
    """Makes `expr` equal `size` by assigning its one free variable; False when that is impossible."""
    rest = size - expr.const
    free: tuple[int, int] | None = None
    for variable, factor in expr.terms:
        known = sizes[variable]
        if known is None:
            if free is not None:
                return True  # two unknowns: undetermined by this group alone
            free = (variable, factor)
        else:
            rest -= factor * known
    if free is None:
        return rest == 0
    value, remainder = divmod(rest, free[1])
    if remainder or value <= 0:
        return False
    sizes[free[0]] = value
    return True


_State = tuple[float, tuple[int | None, ...], frozenset[int]]


def _extend(state: _State, group: Group, observed: Observed, usual: Sequence[int]) -> list[_State]:
    score, sizes, reached = state
    values = [d.value(sizes) for d in group.dims]
    if None not in values:
        number = observed.index.get(tuple(v for v in values if v is not None))
        if number is None:
            return [(score - group.typical, sizes, reached)]
        gain = observed.counts[number] / observed.total if number not in reached else 0.0
        return [(score + gain, sizes, reached | {number})]
    result: list[_State] = [(score - group.typical, sizes, reached)]
    found = 0
    for number in observed.by_rank.get(len(group.dims), ()):
        shape = observed.shapes[number]
        if any(v is not None and v != s for v, s in zip(values, shape, strict=True)):
            continue
        trial = list(sizes)
        if not all(_solve(d, s, trial) for d, s in zip(group.dims, shape, strict=True)):
            continue
        # a second pass catches a variable that stands on two axes with different factors
        if not all(_solve(d, s, trial) for d, s in zip(group.dims, shape, strict=True)):
            continue
        gain = observed.counts[number] / observed.total if number not in reached else 0.0
        fresh = [n for n, (a, b) in enumerate(zip(sizes, trial, strict=True)) if a is None and b is not None]
        gain += _USUAL * group.typical * sum(trial[n] == usual[n] for n in fresh)
        result.append((score + gain, tuple(trial), reached | {number}))
        found += 1
        if found >= _BRANCH:
            break
    return result


def unify(template: Template, order: Sequence[int], observed: Observed, beam: int = BEAM) -> Fit:
    """The best explanation of `observed` by `template`."""
    states: list[_State] = [(0.0, (None,) * template.sizes, frozenset())]
    for number in order:
        group = template.groups[number]
        grown: dict[tuple[int | None, ...], _State] = {}
        for state in states:
            for new in _extend(state, group, observed, template.usual):
                old = grown.get(new[1])
                if old is None or new[0] > old[0]:
                    grown[new[1]] = new
        states = sorted(grown.values(), key=lambda s: -s[0])[:beam]
    return max((_judge(template, state[1], observed) for state in states[:4]), key=lambda f: (f.overlap, f.order))


def _judge(template: Template, sizes: tuple[int | None, ...], observed: Observed) -> Fit:
    places: list[int | None] = []
    for group in template.groups:
        values = [d.value(sizes) for d in group.dims]
        places.append(None if None in values else observed.index.get(tuple(v for v in values if v is not None)))
    depths = _depths(template, places, observed)
    predicted = [0] * len(observed.shapes)
    missing = 0
    for group, place in zip(template.groups, places, strict=True):
        amount = group.count.value(depths) or 0
        if place is None:
            missing += amount
        else:
            predicted[place] += amount
    unexplained = 0
    for number, amount in enumerate(predicted):
        difference = observed.counts[number] - amount
        unexplained += max(0, difference)
        missing += max(0, -difference)
    whole = sum(predicted) + observed.total
    absent = sum(g.count.value(depths) or 0 for g, p in zip(template.groups, places, strict=True) if p is None)
    overlap = 1.0 - (unexplained + missing) / max(1, whole + absent)
    known = [(s, u) for s, u in zip(sizes, template.usual, strict=True) if s is not None]
    usual = sum(s == u for s, u in known) / max(1, len(template.usual))
    return Fit(overlap, _order(template, places, observed), sizes, usual, unexplained, missing)


def _depths(template: Template, places: Sequence[int | None], observed: Observed) -> list[int | None]:
    """Depth variables from the counts: the equation with one unknown that explains most tensors decides, repeatedly."""
    depths: list[int | None] = [None] * template.depths
    equations: dict[int, tuple[Counter[int], int]] = {}
    for group, place in zip(template.groups, places, strict=True):
        if place is None:
            continue
        terms, const = equations.get(place, (Counter(), 0))
        terms = Counter(terms)
        for variable, factor in group.count.terms:
            terms[variable] += factor
        equations[place] = (terms, const + group.count.const)
    for _ in range(template.depths):
        votes: dict[int, Counter[int]] = {}
        for place, (terms, const) in equations.items():
            free = [v for v in terms if depths[v] is None]
            if len(free) != 1:
                continue
            rest = observed.counts[place] - const - sum(f * (depths[v] or 0) for v, f in terms.items() if v not in free)
            value = round(rest / terms[free[0]])
            if value >= 0:
                votes.setdefault(free[0], Counter())[value] += terms[free[0]]
        if not votes:
            break
        variable = max(votes, key=lambda v: (max(votes[v].values()), -v))
        depths[variable] = max(votes[variable].items(), key=lambda item: (item[1], item[0]))[0]
    # what no equation determines alone: share what is left of the first equation that holds it
    for place, (terms, const) in equations.items():
        free = [v for v in terms if depths[v] is None]
        if free:
            rest = observed.counts[place] - const - sum(f * (depths[v] or 0) for v, f in terms.items())
            share = max(0, rest) // sum(terms[v] for v in free)
            for variable in free:
                depths[variable] = share
    return [d if d is not None else 0 for d in depths]


def _order(template: Template, places: Sequence[int | None], observed: Observed) -> float:
    """Overlap of adjacent pairs, as shares: mean of both directions."""
    predicted: dict[tuple[int, int], float] = {}
    whole = 0.0
    for left, right, share in template.follows:
        whole += share
        a, b = places[left], places[right]
        if a is not None and b is not None:
            predicted[a, b] = predicted.get((a, b), 0.0) + share
    if not whole or not observed.follows:
        return 0.0
    forward = sum(share for pair, share in predicted.items() if pair in observed.follows) / whole
    backward = sum(share for pair, share in observed.follows.items() if pair in predicted)
    return (forward + backward) / 2
