"""Words of tensor names, for telling apart what shapes leave open."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any

from clustering.tables import table

if TYPE_CHECKING:
    from numpy.typing import NDArray

_PIECES = re.compile(r"[a-z]+(?:\dd(?![a-z]))?|\d+")
_INDEX_WEIGHT = 0.5
"""An index alone says less than a word: two frameworks count from different starts."""

PROJECTIONS = frozenset({"q", "k", "v", "gate", "up", "down"})
"""Canonical words that say which of several like matrices one is."""

Path_ = Sequence[str | int]


@cache
def _data() -> dict[str, Any]:
    loaded: dict[str, Any] = table("alignment_words")
    return loaded


@cache
def _canonical() -> dict[str, str]:
    return {word: name for name, several in _data()["synonyms"].items() for word in several}


@cache
def _stages() -> dict[str, int]:
    return {word: place for place, several in enumerate(_data()["stages"]) for word in several}


def fused_orders() -> list[list[str]]:
    """Orders in which projections are stacked in one matrix: query, key, value; gate, up."""
    orders: list[list[str]] = _data()["fused"]
    return orders


def is_training_only(path: Path_) -> bool:
    """Whether a tensor belongs to the loss rather than to the model."""
    return any(token in _data()["training_only"] for token in path)


@lru_cache(maxsize=65536)
def _pieces(token: str) -> tuple[str, ...]:
    return tuple(_canonical().get(piece, piece) for piece in _PIECES.findall(token[:256].lower()))


def tokens_of(path: Path_) -> tuple[str, ...]:
    """Canonical words, and indices with the word before them: `layer_norm1` -> block, norm, norm#1, #1."""
    found: list[str] = []
    word = ""
    for part in path:
        for piece in (str(part),) if isinstance(part, int) else _pieces(part):
            if piece.isdecimal():
                found += [f"{word}#{int(piece)}", f"#{int(piece)}"]
            else:
                word = piece
                found.append(piece)
    return tuple(dict.fromkeys(found))


def star_of(path: Path_) -> tuple[str, ...]:
    """The path with every number replaced, also those inside words."""
    return tuple("*" if isinstance(part, int) else re.sub(r"\d+", "*", part) for part in path)


def indices_of(path: Path_) -> tuple[int, ...]:
    """All numbers of a path, outermost first."""
    return tuple(int(piece[:9]) for part in path for piece in re.findall(r"\d+", str(part)))


def stage_of(path: Path_) -> float:
    """Place in a block where the words of a path put it; 0 input norm, 6 output; -1 where they say nothing.

    `post_x` and `pre_x` stand just behind and before x.
    """
    best = -1.0
    shift = 0.0
    for part in path:
        if isinstance(part, int):
            continue
        for piece in _pieces(part):
            if piece == "post":
                shift = 0.5
            elif piece in _stages():
                place = float(_stages()[piece])
                if piece == "pre":
                    shift = -0.5
                # the first place word decides: `attention.output.LayerNorm` belongs to the attention
                best = place if best < 0 or (best == 0 and shift < 0) else best
                if best == 2 and piece == "cross":
                    best = place
    return best + shift if best >= 0 else best


def similarity(left: Sequence[tuple[str, ...]], right: Sequence[tuple[str, ...]]) -> NDArray[Any]:
    """Weighted Jaccard similarity of bags of tokens, float (left, right).

    Words that all rows share say nothing about which belongs to which and weigh little.
    """
    import numpy as np

    vocabulary: dict[str, int] = {}
    for row in (*left, *right):
        for token in row:
            vocabulary.setdefault(token, len(vocabulary))
    if not vocabulary:
        return np.zeros((len(left), len(right)))
    rows = np.zeros((len(left) + len(right), len(vocabulary)))
    for number, row in enumerate((*left, *right)):
        for token in row:
            rows[number, vocabulary[token]] = 1.0
    share = rows.mean(axis=0)
    weight = 0.15 + np.log(1.0 / share) / np.log(1.0 + len(rows))
    weight[[number for token, number in vocabulary.items() if token.startswith("#")]] *= _INDEX_WEIGHT
    one, other = rows[: len(left)], rows[len(left) :]
    common = (one * weight) @ other.T
    total = (one @ weight)[:, None] + (other @ weight)[None, :] - common
    return np.asarray(common / np.where(total > 0, total, 1.0))
