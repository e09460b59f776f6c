"""Everything that models of a family may hold, by name: the union of its layouts.

A template is one layout, and a family with a dozen options has thousands. A package in a layout that the reference
corpus never built is still told by its names: each is one that the family's code creates, in a shape that agrees with
the others, and nothing is absent that always comes with what is there. That is what a union checks. Structure alone
cannot use it, since without names a union of layouts explains too much.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from itertools import combinations
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from clustering.family.templates import Table, slots_of
from clustering.graphs.layers import Parameter
from clustering.graphs.symbols import MIN_DISTINCT, Column, Expr, express

MOST_MODELS = 32
"""Models of a family whose sizes are compared; further ones are looked at only when they hold names that these lack."""
MOST_NAMES = 1_500
"""Names kept of one family; the largest omni models of the reference corpus have about a thousand."""
_WRAPPED = 0.6
"""Share of a model's names that stand under the prefix of its bare model (`bert.`, `vision_model.`), at least."""
_PASSES = 3
_LEFT_OUT = 0.98
"""What is left of an explanation for each top-level part that is missing though the corpus always has it."""
_WIDTH = 0.5
"""Share of a part's tensors that have a size which is taken for its width."""
ANY = Expr(0)
"""A size of which the corpus shows no relation to others: any number may stand there."""

NO_PARTS: Mapping[str, float] = MappingProxyType({})
_UNLIKE, _PART = 0.5, 6
"""Two parts with fewer names in common (intersection over union) are of unlike families; with fewer names than the
second number they are no models."""

Shape = tuple[int, ...]
Held = tuple[str, Shape, int]
Dims = tuple[Expr, ...]


@dataclass(frozen=True, slots=True)
class Union:
    """The names of a family, what shapes stand under them, and which come together."""

    sizes: int
    """Number of size variables."""
    shapes: Mapping[str, tuple[Dims, ...]]
    """Per starred name (without the prefix of the bare model) the symbolic shapes seen under it."""
    kind: Mapping[str, int]
    """Names that always come together are of one kind."""
    implied: tuple[tuple[int, ...], ...]
    """Per kind the kinds that were there whenever it was, itself included; of a kind that was seen in one or two
    layouts only what all models have, since what came with it may be an accident."""
    parts: tuple[str, ...] = ()
    """First components behind which models of unlike families were seen: `language_model`, `vision_tower` ..."""
    widths: frozenset[int] = frozenset()
    """Size variables that must agree: the widths of the residual streams. Others are asked about in `usual` alone."""
    usual: Mapping[str, tuple[Dims, ...]] = field(default_factory=dict)
    """The same shapes with every relation that held in the corpus, inner widths too (`steady`)."""
    counted: Mapping[str, int] = field(default_factory=dict)
    """Names that occurred equally often in every model that had both share a number: once in each block, say."""

    def find(self, star: str) -> str | None:
        """The name under which the union knows a starred name: as it is, or behind a prefix."""
        if star in self.shapes:
            return star
        rest = star.partition(".")[2]
        return rest if rest in self.shapes else None

    def explained(self, held: Sequence[Held], parts: Mapping[str, float] = NO_PARTS) -> float:
        """How fully a package is explained, 0 to 1.

        Args:
            held: starred name, shape and number of the package's parameters.
            parts: how fully some other family explains what stands behind a component of `parts`; it is not looked at
                again, and the rest is judged by itself.

        Returns:
            The share of the tensors that have a name of the family and a shape that agrees with the others, times the
            share of names that are there of those that should be.
        """
        own = [row for row in held if row[0].partition(".")[0] not in parts] if parts else held
        total = sum(number for _, _, number in own)
        known = [(found, shape, number) for star, shape, number in own if (found := self.find(star)) is not None]
        if not known or not total:
            return 0.0
        present = self._present({star for star, _, _ in known}, frozenset(parts))
        agreeing = sum(number for _, _, number in self._agreeing(known, self.shapes))
        return agreeing / total * present * min(parts.values(), default=1.0)

    def _present(self, there: AbstractSet[str], exchanged: AbstractSet[str]) -> float:
        """Share of the names that should be there; a tower or table that is left out as a whole counts little."""
        needed = {kind for star in there for kind in self.implied[self.kind[star]]}
        heads = {star.partition(".")[0] for star in there} | exchanged
        absent = [star for star, kind in self.kind.items() if kind in needed and star not in there]
        inside = sum(star.partition(".")[0] in heads - exchanged for star in absent)
        whole = {star.partition(".")[0] for star in absent} - heads
        return len(there) / (len(there) + inside) * _LEFT_OUT ** len(whole)

    def steady(self, held: Sequence[Held]) -> float:
        """Share of the names that stand as they always stood in the corpus, 0 to 1; 0 where none is known.

        A new layout of the family mostly keeps these habits, a family that merely uses the same names need not: where
        every inner width follows the others, and one name occurs as often as another.
        """
        known = [(found, shape, number) for star, shape, number in held if (found := self.find(star)) is not None]
        there = {star for star, _, _ in known}
        if not there:
            return 0.0
        odd = {star for star, _, _ in known} - {star for star, _, _ in self._agreeing(known, self.usual)}
        counts: Counter[str] = Counter()
        for star, _, number in known:
            counts[star] += number
        mates: dict[int, Counter[int]] = defaultdict(Counter)
        for star in there & self.counted.keys():
            mates[self.counted[star]][counts[star]] += 1
        most = {group: max(found, key=lambda n: (found[n], n)) for group, found in mates.items()}
        odd |= {star for star in there & self.counted.keys() if counts[star] != most[self.counted[star]]}
        return 1.0 - len(odd) / len(there)

    def _agreeing(
        self, known: Sequence[tuple[str, Shape, int]], shapes: Mapping[str, tuple[Dims, ...]]
    ) -> list[tuple[str, Shape, int]]:
        """Rows whose shapes agree under one assignment of sizes, which the most frequent shapes settle first."""
        sizes: list[int | None] = [None] * self.sizes
        rows = sorted(known, key=lambda row: (len(shapes[row[0]]), -row[2], row[0], row[1]))
        for _ in range(_PASSES):
            votes: dict[int, Counter[int]] = defaultdict(Counter)
            for star, shape, number in rows:
                options = [dims for dims in shapes[star] if _possible(dims, shape, sizes)]
                if len(options) == 1:
                    for variable, value in _settled(options[0], shape, sizes):
                        votes[variable][value] += number
            if not votes:
                break
            for variable, found in votes.items():
                sizes[variable] = min(found, key=lambda value: (-found[value], value))
        return [row for row in rows if any(_possible(dims, row[1], sizes) for dims in shapes[row[0]])]


def _settled(dims: Dims, shape: Shape, sizes: Sequence[int | None]) -> Iterator[tuple[int, int]]:
    """Values that a shape gives to the variables that are still free."""
    for expr, size in zip(dims, shape, strict=True):
        free = [term for term in expr.terms if sizes[term[0]] is None]
        if len(free) == 1:
            rest = size - expr.const - sum(f * (sizes[v] or 0) for v, f in expr.terms if v != free[0][0])
            value, remainder = divmod(rest, free[0][1])
            if not remainder and value > 0:
                yield free[0][0], value


def _possible(dims: Dims, shape: Shape, sizes: Sequence[int | None]) -> bool:
    """Whether a shape can stand there: known sizes agree, free ones can be solved."""
    if len(dims) != len(shape):
        return False
    for expr, size in zip(dims, shape, strict=True):
        if len(expr.terms) == 1:
            variable, factor = expr.terms[0]
            value, rest = divmod(size - expr.const, factor)
            known = sizes[variable]
            if rest or value <= 0 or (known is not None and known != value):
                return False
        elif expr.terms:
            known = expr.value(sizes)
            if known is not None and known != size:
                return False
    return True


def learn_union(models: Sequence[Sequence[Parameter]]) -> Union:
    """The union of a family.

    Args:
        models: the parameters of its classes in their sizes and options, in both spellings.
    """
    plain = {p.star for model in models for p in model}
    prefixes = _prefixes(models, plain)
    tables = [_behind(slots_of(model), prefixes, plain) for model in models]
    presence: dict[str, int] = {}
    slots: dict[tuple[str, int], None] = {}
    chosen: list[Table] = []
    for number, table in enumerate(tables):
        fresh = False
        for slot in table:
            if slot not in slots and len(presence) < MOST_NAMES:
                slots[slot] = None
                fresh = True
            if slot[0] in presence or len(presence) < MOST_NAMES:
                presence[slot[0]] = presence.get(slot[0], 0) | 1 << number
        if fresh or len(chosen) < MOST_MODELS:
            chosen.append(table)
    ranks = {slot: len(next(t[slot][0] for t in tables if slot in t)) for slot in slots}
    places = [(slot, axis) for slot in slots for axis in range(ranks[slot])]
    columns = [
        tuple(t[slot][0][axis] if slot in t and len(t[slot][0]) == ranks[slot] else None for t in chosen)
        for slot, axis in places
    ]
    weights = [next(t[slot][1] for t in tables if slot in t) for slot, _ in places]
    exprs, sizes = express(columns, weights)
    kept = _widths([slot[0] for slot, _ in places], exprs, weights)
    # equal at one or two sizes only may be an accident: with the names known, nothing is lost by not insisting
    exprs = [e if _varied(c) else ANY for e, c in zip(exprs, columns, strict=True)]
    dims: dict[tuple[str, int], list[Expr]] = {slot: [] for slot in slots}
    for (slot, _), expr in zip(places, exprs, strict=True):
        dims[slot].append(expr)
    usual: dict[str, tuple[Dims, ...]] = {}
    for (star, _), found in dims.items():
        usual[star] = tuple(dict.fromkeys((*usual.get(star, ()), tuple(found))))
    patterns = sorted(set(presence.values()))
    numbers = {pattern: n for n, pattern in enumerate(patterns)}
    layouts = {frozenset(star for star, _ in table): number for number, table in enumerate(tables)}
    implied = tuple(tuple(_implied(a, patterns, layouts.values(), len(tables))) for a in patterns)
    kinds = {star: numbers[pattern] for star, pattern in presence.items()}
    return Union(
        sizes,
        _loosened(usual, kept),
        kinds,
        implied,
        _exchanged(layouts),
        frozenset(kept),
        usual,
        _mates(tables, kinds),
    )


def _loosened(usual: Mapping[str, tuple[Dims, ...]], kept: AbstractSet[int]) -> dict[str, tuple[Dims, ...]]:
    """The shapes with nothing insisted on but the kept variables."""
    return {
        star: tuple(
            dict.fromkeys(tuple(e if all(v in kept for v, _ in e.terms) else ANY for e in dims) for dims in options)
        )
        for star, options in usual.items()
    }


def _mates(tables: Sequence[Table], names: Iterable[str]) -> dict[str, int]:
    """Names of one stack that occurred equally often wherever both were, though not always the same number of times."""
    columns: dict[str, list[int]] = {star: [0] * len(tables) for star in names}
    for number, table in enumerate(tables):
        for (star, _), (_, count) in table.items():
            if star in columns:
                columns[star][number] += count
    groups: list[tuple[str, NDArray[np.int32], list[str]]] = []
    counts = {star: np.array(column, dtype=np.int32) for star, column in columns.items() if "*" in star.split(".")}
    for star, column in sorted(counts.items(), key=lambda item: (-int(np.count_nonzero(item[1])), item[0])):
        stack = star.partition("*")[0]
        for other, common, members in groups:
            both = (column > 0) & (common > 0)
            if other == stack and both.any() and bool((column[both] == common[both]).all()):
                np.maximum(column, common, out=common)
                members.append(star)
                break
        else:
            groups.append((stack, column, [star]))
    varied = [
        members for _, common, members in groups if len(members) > 1 and len({*common.tolist(), 0}) > MIN_DISTINCT
    ]
    return {star: number for number, members in enumerate(varied) for star in members}


def is_part(star: str) -> bool:
    """Whether what stands behind the first component may be a model: a list of blocks is none."""
    head, _, rest = star.partition(".")
    return head != "*" and bool(rest) and not rest.startswith("*")


def _exchanged(layouts: Iterable[frozenset[str]]) -> tuple[str, ...]:
    """First components behind which unlike models stand in different layouts."""
    behind: dict[str, set[frozenset[str]]] = defaultdict(set)
    for layout in layouts:
        parts: dict[str, set[str]] = defaultdict(set)
        for star in layout:
            head, _, rest = star.partition(".")
            if is_part(star):
                parts[head].add(rest)
        for head, names in parts.items():
            if len(names) >= _PART:
                behind[head].add(frozenset(names))
    unlike = (
        head
        for head, several in behind.items()
        if any(len(one & other) < _UNLIKE * len(one | other) for one, other in combinations(several, 2))
    )
    return tuple(sorted(unlike))


def _implied(pattern: int, patterns: Sequence[int], layouts: Iterable[int], models: int) -> Iterator[int]:
    """Kinds that come with a kind: those of all models, and what it was seen with in several layouts."""
    known = sum(pattern >> number & 1 for number in layouts) >= MIN_DISTINCT
    always = (1 << models) - 1
    for number, other in enumerate(patterns):
        if other in {pattern, always} or (known and pattern & other == pattern):
            yield number


def _widths(stars: Sequence[str], exprs: Sequence[Expr], weights: Sequence[int]) -> set[int]:
    """The variables that most tensors behind some first component have: the widths of its residual stream.

    Inner widths (of keys, states, shared experts) move together in the corpus more often than in packages.
    """
    use: dict[str, Counter[int]] = defaultdict(Counter)
    whole: Counter[str] = Counter()
    counted: set[tuple[str, int]] = set()
    for star, expr, weight in zip(stars, exprs, weights, strict=True):
        head = star.partition(".")[0]
        whole[head] += weight * ((star, -1) not in counted)
        counted.add((star, -1))
        for variable, _ in expr.terms:
            use[head][variable] += weight * ((star, variable) not in counted)
            counted.add((star, variable))
    return {v for head, found in use.items() for v, number in found.items() if number >= _WIDTH * whole[head]}


def _varied(column: Column) -> bool:
    return len({size for size in column if size is not None}) >= MIN_DISTINCT


def _prefixes(models: Sequence[Sequence[Parameter]], plain: AbstractSet[str]) -> frozenset[str]:
    """First components behind which whole bare models stand: `bert`, `vision_model`."""
    found: set[str] = set()
    for model in models:
        stars = {p.star for p in model}
        heads = Counter(star.partition(".")[0] for star in stars if star.partition(".")[2] in plain)
        found |= {head for head, number in heads.items() if head != "*" and number >= _WRAPPED * len(stars)}
    return frozenset(found)


def _behind(table: Table, prefixes: frozenset[str], plain: AbstractSet[str]) -> Table:
    """The table without those prefixes, where the rest is a name of the bare model."""
    result: Table = {}
    for (star, rank), entry in table.items():
        head, _, rest = star.partition(".")
        result.setdefault((rest if head in prefixes and rest in plain else star, rank), entry)
    return result


def encode_union(union: Union, numbers: Mapping[str, int]) -> bytes:
    """Compact JSON of a union, with names by their numbers in the index."""

    def expr(e: Expr) -> list[int] | int:
        if not e.terms:
            return e.const
        return [e.const, *(n for term in e.terms for n in term)]

    rows = [
        [numbers[star], union.kind[star], [[expr(d) for d in dims] for dims in union.usual[star]]]
        for star in sorted(union.usual, key=numbers.__getitem__)
    ]
    mates = [union.counted.get(star, -1) for star in sorted(union.usual, key=numbers.__getitem__)]
    document = [union.sizes, rows, union.implied, union.parts, sorted(union.widths), mates]
    return json.dumps(document, separators=(",", ":")).encode()


def decode_union(blob: bytes, names: Sequence[str]) -> Union:
    """The union of `encode_union`."""

    def expr(e: list[int] | int) -> Expr:
        if isinstance(e, int):
            return Expr(e)
        return Expr(e[0], tuple(zip(e[1::2], e[2::2], strict=True)))

    sizes, rows, implied, parts, *further = json.loads(blob)
    usual = {names[n]: tuple(tuple(expr(d) for d in dims) for dims in options) for n, _, options in rows}
    kinds = {names[n]: kind for n, kind, _ in rows}
    # an index of an earlier version has no relations beyond the widths
    widths, mates = further or (range(sizes), [-1] * len(rows))
    counted = {names[row[0]]: mate for row, mate in zip(rows, mates, strict=True) if mate >= 0}
    shapes = _loosened(usual, frozenset(widths))
    return Union(
        sizes, shapes, kinds, tuple(tuple(row) for row in implied), tuple(parts), frozenset(widths), usual, counted
    )
