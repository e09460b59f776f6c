"""Size-free tokens of a multiset of shapes: what templates are retrieved by before they are verified.

The tokens survive renaming, shuffling and resizing. They need not be exact: verification decides, retrieval only has
to bring the right template among the candidates.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from math import log2

SMALL = 16
"""Dimensions up to this are kernel sizes, channels or type counts and are kept as they are."""
_RATIOS = 16
_SHARE_STEPS = 2.0  # buckets per factor of two of a share
_TOWER_WEIGHT = 0.5
TOWER_VIEW = "t:"
"""What the tokens of towers begin with."""


TOWERS = 3
"""Widths looked at by themselves: those of two towers and of what joins them."""


def main_width(counts: Counter[tuple[int, ...]]) -> int:
    """The dimension above `SMALL` that most tensors have: the hidden size, or the widest stage's."""
    return next(iter(widths(counts, 1)), 1)


def widths(counts: Counter[tuple[int, ...]], most: int) -> list[int]:
    """The dimensions above `SMALL` that most tensors have, most frequent first."""
    use: Counter[int] = Counter()
    for shape, number in counts.items():
        for size in set(shape):
            if size > SMALL:
                use[size] += number
    return [size for size, _ in sorted(use.items(), key=lambda item: (-item[1], item[0]))[:most]]


def _symbol(size: int, width: int) -> str:
    if size == width:
        return "H"
    if size <= SMALL:
        return str(size)
    if size > width:
        factor, rest = divmod(size, width)
        return f"{factor}H" if not rest and factor <= _RATIOS else ("V" if size > 16 * width else "W")
    factor, rest = divmod(width, size)
    return f"H/{factor}" if not rest and factor <= _RATIOS else "w"


def _coarse(symbol: str) -> str:
    if symbol in {"H", "V"} or symbol.isdecimal():
        return symbol
    return "w" if symbol.startswith("H/") or symbol == "w" else "W"


def shape_tokens(sequence: Sequence[tuple[int, ...]]) -> dict[str, float]:
    """Weights of the tokens of a model's shapes.

    Four views: exact ratios to the main width, coarse ratios (wider, narrower) with the share of the tensors in
    buckets, the bare ranks with their shares, and the towers.
    """
    return token_weights(Counter(sequence))


def token_weights(counts: Counter[tuple[int, ...]]) -> dict[str, float]:
    """The same from shapes with their numbers."""
    total = sum(counts.values())
    if not total:
        return {}
    width = main_width(counts)
    exact: Counter[str] = Counter()
    coarse: Counter[str] = Counter()
    ranks: Counter[str] = Counter()
    for shape, number in counts.items():
        symbols = [_symbol(size, width) for size in shape]
        exact["x".join(symbols)] += number
        coarse["x".join(_coarse(s) for s in symbols)] += number
        ranks[str(len(shape))] += number
    tokens = _tower_tokens(counts)
    for view, bag in (("e", exact), ("c", coarse), ("r", ranks)):
        for text, number in bag.items():
            share = number / total
            bucket = round(log2(share) * _SHARE_STEPS)
            tokens[f"{view}:{text}"] = 0.3 + share**0.5
            # neighbouring buckets overlap, so that a share near a border still meets its like
            tokens[f"{view}:{text}@{bucket}"] = 0.3 + share**0.5
            tokens[f"{view}:{text}@{bucket + (1 if log2(share) * _SHARE_STEPS > bucket else -1)}"] = (
                0.15 + 0.5 * share**0.5
            )
    return tokens


def _tower_tokens(counts: Counter[tuple[int, ...]]) -> dict[str, float]:
    """What stands around each of the most frequent widths, counted against the vectors of that width.

    The shares of two towers move with their depths; inside one tower the numbers keep their ratio.
    """
    tokens: dict[str, float] = {}
    for width in widths(counts, TOWERS):
        vectors = counts.get((width,), 0)
        bag: Counter[str] = Counter()
        for shape, number in counts.items():
            if width in shape:
                bag["x".join(_symbol(size, width) for size in shape)] += number
        for text, number in bag.items():
            tokens[f"{TOWER_VIEW}{text}"] = _TOWER_WEIGHT
            step = log2(number / vectors) * _SHARE_STEPS if vectors else 99.0
            near = round(step)
            tokens[f"{TOWER_VIEW}{text}@{near}"] = _TOWER_WEIGHT
            tokens[f"{TOWER_VIEW}{text}@{near + (1 if step > near else -1)}"] = _TOWER_WEIGHT / 2
    return tokens
