"""Repeated blocks: the stacks of a model, found from runs of indices in tensor names.

A *stack* is a module list whose members are modules with weights of their own: `encoder.layer.0 ... encoder.layer.11`.
Nested lists are told apart by their members, not by their names:

- members of one width whose inner lists hold unlike things (T5's sublayers) or experts: the outer list is the depth;
- members whose width changes from one to the next and whose inner lists repeat (Swin, ResNet, SegFormer): stages, and
  the depth of each is the length of its inner list.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

from clustering.blocks.names import Named, Path_, words

MIN_BLOCK_WEIGHTS = 2
"""Weights of two or more dimensions that a member needs to count as a block: a lone projection is not a layer."""
_NORM = re.compile(r"norm|(^|_)ln(_|\d|$)")
MAX_NESTING = 8
"""Indices of a path that are looked at; real models nest lists three or four deep."""


@dataclass(frozen=True)
class Stack:
    """One list of repeated blocks."""

    prefix: Path_
    """Path of the list, without indices of its own."""
    blocks: tuple[tuple[int, tuple[Named, ...]], ...]
    """(index, tensors of the block), by index. The tensors keep their whole paths."""
    depths: tuple[int, ...] = ()
    """Blocks per stage, for hierarchical models; else empty."""
    place: Path_ = ()
    """Path from a stage to its inner list, for hierarchical models."""

    @property
    def depth(self) -> int:
        """Number of blocks, over all stages."""
        if self.depths:
            return sum(self.depths)
        # a pruned block leaves a gap in the numbers and is still a layer; a sequence of other things leaves many
        return self.span if 4 * (self.span - len(self.blocks)) <= self.span else len(self.blocks)

    @property
    def span(self) -> int:
        """Blocks there would be without gaps in the numbering, if it starts at zero; else their number."""
        first, last = self.blocks[0][0], self.blocks[-1][0]
        return last + 1 if first == 0 else len(self.blocks)

    @cached_property
    def elements(self) -> int:
        """Parameters in all blocks."""
        return sum(named.elements for _, tensors in self.blocks for named in tensors if not named.is_buffer)

    @property
    def dotted(self) -> str:
        """The list's path as text."""
        return ".".join(str(token) for token in self.prefix)

    def suffix(self, named: Named) -> Path_:
        """The path of a tensor inside its block."""
        return named.path[len(self.prefix) + 1 :]

    @cached_property
    def typical(self) -> tuple[Named, ...]:
        """Tensors of the most frequent kind of block; of equal ones the later, since first blocks are often special."""
        layouts = Counter(self._layout(tensors) for _, tensors in self.blocks)
        most = max(layouts.values())
        for _, tensors in reversed(self.blocks):
            if layouts[self._layout(tensors)] == most:
                return tensors
        return ()

    @cached_property
    def kinds(self) -> tuple[tuple[Named, ...], ...]:
        """One block of each layout that occurs (hybrid models have several), most frequent first."""
        seen: dict[frozenset[tuple[Path_, str, tuple[int, ...]]], list[tuple[Named, ...]]] = {}
        for _, tensors in self.blocks:
            seen.setdefault(self._layout(tensors), []).append(tensors)
        return tuple(several[-1] for several in sorted(seen.values(), key=len, reverse=True))

    def _layout(self, tensors: Sequence[Named]) -> frozenset[tuple[Path_, str, tuple[int, ...]]]:
        return frozenset(
            (tuple("*" if isinstance(token, int) else token for token in self.suffix(named)), named.leaf, named.shape)
            for named in tensors
        )

    def has_word(self, kind: str) -> bool:
        """Whether a word of a list of `tensor_roles.json` occurs inside the blocks."""
        wanted = words(kind)
        return any(
            token in wanted
            for tensors in self.kinds
            for named in tensors
            for token in (*self.suffix(named), named.leaf)
        )


class _Lists:
    """All module lists of a model by path, and which lists lie inside which member."""

    def __init__(self, tensors: Iterable[Named]) -> None:
        self.members: dict[Path_, dict[int, list[Named]]] = {}
        self.inner: dict[Path_, list[Path_]] = {}
        for named in tensors:
            outer: Path_ | None = None
            for position in [place for place, token in enumerate(named.path) if isinstance(token, int)][:MAX_NESTING]:
                prefix, index = named.path[:position], named.path[position]
                if not isinstance(index, int):
                    continue
                if prefix not in self.members:
                    self.members[prefix] = {}
                    if outer is not None:
                        self.inner.setdefault(outer, []).append(prefix)
                self.members[prefix].setdefault(index, []).append(named)
                outer = (*prefix, index)

    def wraps(self, member: Path_) -> bool:
        """Whether a longer list lies anywhere inside a member."""
        return any(
            len(self.members[prefix]) > 1 or any(self.wraps((*prefix, index)) for index in self.members[prefix])
            for prefix in self.inner.get(member, ())
        )


def find_stacks(tensors: Iterable[Named], *, names_only: bool = False) -> tuple[Stack, ...]:
    """Outermost stacks of a model, largest first (by parameters, then by name).

    Lists of one member around the rest of the model (`0.auto_model...` of sentence-transformers) are seen through.
    """
    lists = _Lists(tensors)
    accepted: dict[Path_, Stack] = {}
    for prefix in sorted(lists.members, key=lambda path: (len(path), tuple(map(str, path)))):
        if any(isinstance(token, int) and prefix[:place] in accepted for place, token in enumerate(prefix)):
            continue
        stack = _as_stack(prefix, lists, names_only=names_only)
        if stack is not None:
            accepted[prefix] = stack
    return tuple(sorted(accepted.values(), key=lambda stack: (-stack.elements, -stack.depth, stack.dotted)))


def _weights(tensors: Iterable[Named], *, names_only: bool) -> int:
    if names_only:
        return sum(named.leaf.endswith("weight") and not _NORM.search(named.module) for named in tensors)
    return sum(len(named.shape) >= 2 and not named.is_buffer for named in tensors)


def _as_stack(prefix: Path_, lists: _Lists, *, names_only: bool) -> Stack | None:
    members = lists.members[prefix]
    blocks = tuple((index, tuple(members[index])) for index in sorted(members))
    big = {index for index, tensors in blocks if _weights(tensors, names_only=names_only) >= MIN_BLOCK_WEIGHTS}
    if not big or (len(big) == 1 and lists.wraps((*prefix, *big))):
        return None
    stages = _stages(prefix, blocks, lists, names_only=names_only)
    if stages is not None:
        return Stack(prefix, blocks, *stages)
    if len(big) < len(blocks):  # stems, norms and projections that share the list with the blocks (nn.Sequential)
        blocks = tuple(block for block in blocks if block[0] in big)
    if _unlike(prefix, blocks):
        return None
    return Stack(prefix, blocks)


def _unlike(prefix: Path_, blocks: Sequence[tuple[int, Sequence[Named]]]) -> bool:
    """Whether members have nothing in common: an nn.Sequential of different things is no stack."""
    if len(blocks) < 2:
        return False
    start = len(prefix) + 1
    layouts = [frozenset((named.path[start:], named.leaf) for named in tensors) for _, tensors in blocks]
    shared = Counter(item for layout in layouts for item in layout)
    return max(shared.values()) < max(2, len(blocks) // 2)


def _stages(
    prefix: Path_, blocks: Sequence[tuple[int, Sequence[Named]]], lists: _Lists, *, names_only: bool
) -> tuple[tuple[int, ...], Path_] | None:
    """Depths per stage and the place of the inner list when the members are stages, else None.

    Members are stages when each has, at the same place, an inner list of blocks, and the widths of the blocks change
    from member to member.
    """
    if len(blocks) < 2:
        return None
    places: Counter[Path_] = Counter()
    for index, _ in blocks:
        for path in lists.inner.get((*prefix, index), ()):
            place = path[len(prefix) + 1 :]
            if not set(place) & words("experts") and all(
                _weights(tensors, names_only=names_only) >= MIN_BLOCK_WEIGHTS
                for tensors in lists.members[path].values()
            ):
                places[place] += 1
    best = [place for place, count in places.items() if count == len(blocks)]
    if not best:
        return None
    place = min(best, key=lambda path: (len(path), tuple(map(str, path))))
    stages = [lists.members[(*prefix, index, *place)] for index, _ in blocks]
    depths = tuple(len(inner) for inner in stages)
    widths = set(depths) if names_only else {_width(inner[max(inner)]) for inner in stages}
    return (depths, place) if len(widths) > 1 else None


def _width(tensors: Iterable[Named]) -> int:
    """The most frequent length of one-dimensional weights: the width of a block."""
    lengths = Counter(named.shape[0] for named in tensors if len(named.shape) == 1 and not named.is_buffer)
    if not lengths:
        lengths = Counter(named.shape[0] for named in tensors if named.shape)
    return max(lengths.items(), key=lambda item: (item[1], item[0]))[0] if lengths else 0


def contains(path: Path_, kind: str) -> bool:
    """Whether any word of a path is in a word list of `tensor_roles.json`."""
    wanted = words(kind)
    return any(token in wanted for token in path)
