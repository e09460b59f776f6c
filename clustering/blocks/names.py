"""Tensor names as paths, in one spelling for every framework.

`bert/encoder/layer_0/attention/self/query/kernel`, `encoder.layer.0.attention.self.query.weight` and
`tf_bert_model/bert/encoder/layer_._0/attention/self/query/kernel:0` become the same path with the same shape
orientation (outputs first), so that everything that counts blocks and reads widths is written once.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any

import numpy as np

from clustering.columns import Columns
from clustering.tables import table
from clustering.tensors import Tensor, TensorListing

Token = str | int
Path_ = tuple[Token, ...]

MAX_TOKENS = 64
"""Deeper paths are cut; no real checkpoint nests deeper than about twenty modules."""

_TF_SUFFIX = re.compile(r"(/\.ATTRIBUTES/VARIABLE_VALUE|:0)$")
_INDEXED = re.compile(r"^(.*[A-Za-z])(?:[_.-]+)(\d{1,6})$")
_STAGE = re.compile(r"^(layer|res|stage|block)(\d)$")
_CONTAINER_STEMS = frozenset(
    {"layer", "layers", "block", "blocks", "h", "stage", "stages", "encoderblock", "resblocks", "layer_with_weights"}
)


@cache
def roles() -> dict[str, Any]:
    """The words of `data/tensor_roles.json`; they find the place to look, numbers decide."""
    loaded: dict[str, Any] = table("tensor_roles")
    return loaded


@cache
def words(kind: str) -> frozenset[str]:
    """One word list of the data file as a set."""
    return frozenset(roles()[kind])


@dataclass(frozen=True, slots=True)
class Named:
    """A tensor with its path split and its shape turned to `outputs first`."""

    tensor: Tensor
    path: Path_
    """Modules, lower case, with block indices as integers; without the leaf."""
    leaf: str
    """`weight`, `bias`, or the name of a bare parameter."""
    shape: tuple[int, ...]
    is_buffer: bool = False
    """Whether the tensor is state that no optimizer trains: statistics, masks, tables of constants."""
    copies: int = 1
    """How many tensors of the same shape this one stands for: the same matrix of each expert of a block."""
    nbytes: int | None = None
    """Bytes of all copies on disk, where known."""

    @property
    def elements(self) -> int:
        """Elements of all copies."""
        return self.tensor.elements * self.copies

    @property
    def is_kernel(self) -> bool:
        """Whether a TensorFlow or Flax layer wrote it: 3-D kernels are then einsum projections, not convolutions."""
        return _TF_SUFFIX.sub("", self.tensor.name).endswith("kernel")

    @property
    def dotted(self) -> str:
        """The path as text, for messages and patterns."""
        return ".".join(map(str, self.path))

    @property
    def module(self) -> str:
        """The last module word of the path (`query` of `encoder.layer.0.attention.self.query`)."""
        return next((token for token in reversed(self.path) if isinstance(token, str)), "")


_recent: tuple[Sequence[Tensor], tuple[Named, ...]] = ((), ())
"""The last answer of `named_tensors`: facts and parts of one package ask for the same one after another. One tuple,
replaced as a whole, so that threads see the old or the new one."""


def named_tensors(listing: TensorListing) -> tuple[Named, ...]:
    """All tensors of a listing but training state, in order; like tensors of a block's experts stand as one."""
    global _recent  # noqa: PLW0603  # a memory of one, by identity of an immutable sequence
    tensors, known = _recent
    if tensors is listing.tensors:
        return known
    found: list[Named] = []
    columns = Columns.of(listing.tensors)
    for row, copies, nbytes in _fold_experts(columns):
        named = split(columns[row], copies=copies, nbytes=nbytes)
        if named is not None:
            found.append(named)
    _recent = listing.tensors, tuple(found)
    return _recent[1]


def _fold_experts(columns: Columns) -> list[tuple[int, int, int | None]]:
    """(row, copies, bytes): one row for the same matrix of all experts of a block.

    A mixture of 671 billion parameters lists 45,000 matrices of experts in 170 kinds; what is counted and compared
    needs one of each kind and their number.
    """
    patterns = columns.patterns
    places = np.array([_expert_place(texts) for texts in patterns.texts], dtype=np.int64)[patterns.of]
    listed = np.flatnonzero(places >= 0)
    numbers = patterns.numbers[listed]
    numbers[np.arange(len(listed)), places[listed]] = 0  # whichever expert it is
    keys = [patterns.of[listed], columns.shape_of[listed], columns.dtype_of[listed], *numbers.T]
    alike = np.zeros(len(listed), dtype=np.int64)
    for key in keys:
        alike = np.unique(alike * (int(key.max(initial=0)) + 2) + key + 1, return_inverse=True)[1]
    kinds = np.arange(len(columns)) + len(listed)  # every other tensor is a kind of its own
    kinds[listed] = alike
    _, first, kind_of, copies = np.unique(kinds, return_index=True, return_inverse=True, return_counts=True)
    nbytes = np.zeros(len(first), dtype=np.int64)
    np.add.at(nbytes, kind_of, columns.nbytes)
    nbytes[kind_of[columns.nbytes < 0]] = -1
    order = np.argsort(first)
    rows = zip(first[order].tolist(), copies[order].tolist(), nbytes[order].tolist(), strict=True)
    return [(row, many, size if size >= 0 else None) for row, many, size in rows]


def _expert_place(texts: Sequence[str]) -> int:
    """Which number of a name's pattern is that of the expert; -1 where none is."""
    for place, text in enumerate(texts[:-1]):
        start = text.find("experts.") + len("experts.")
        if start >= len("experts."):
            return place if text[start:] in {"", "expert_"} and texts[place + 1].startswith(".") else -1
    return -1


def split(tensor: Tensor, *, copies: int = 1, nbytes: int | None = None) -> Named | None:
    """The tensor as a `Named`, or None for training state (optimizer slots, counters, copies)."""
    name = _TF_SUFFIX.sub("", tensor.name)
    if ".OPTIMIZER_SLOT" in name:
        return None
    slashed = "/" in name
    lowered = [part for part in name.lower().split("/" if slashed else ".") if part][:MAX_TOKENS]
    while len(lowered) > 1 and lowered[0] in words("containers"):
        lowered.pop(0)
    if not lowered or lowered[0] in words("training") or lowered[-1] in words("training"):
        return None
    last = lowered.pop()
    leaf = str(roles()["leaves"].get(last, last))
    tokens: list[Token] = []
    for position, part in enumerate(lowered):
        following = lowered[position + 1] if position + 1 < len(lowered) else last
        tokens.extend(_tokens(part, slashed, following.isdigit()))
    shape = _orient(tensor.shape, last)
    return Named(tensor, tuple(tokens), leaf, shape, _is_buffer(leaf, shape, tensor.dtype), copies, nbytes)


def _is_buffer(leaf: str, shape: tuple[int, ...], dtype: str) -> bool:
    if leaf in words("buffers") or dtype in {"BOOL", "I64", "I32", "I16"}:
        return True
    # gpt2 keeps its causal mask as `attn.bias` of shape [1, 1, n, n]
    return leaf == "bias" and len(shape) == 4 and shape[:2] == (1, 1) and shape[2] == shape[3]


@lru_cache(maxsize=4096)
def _tokens(part: str, slashed: bool, before_index: bool) -> tuple[Token, ...]:
    if part.isdecimal() and len(part) <= 6:
        return (int(part),)
    stage = _STAGE.match(part) if before_index else None
    if stage is not None:
        return (stage[1], int(stage[2]))
    indexed = _INDEXED.match(part)
    if indexed is not None:
        stem = indexed[1].rstrip("_.-") if slashed else indexed[1]
        if stem in _CONTAINER_STEMS:
            return (stem, int(indexed[2]))
    return (part,)


def _orient(shape: tuple[int, ...], leaf: str) -> tuple[int, ...]:
    """TensorFlow and Flax kernels put outputs last; convolutions put the window first."""
    if leaf != "kernel" or len(shape) < 2:
        return shape
    if len(shape) == 2:
        return (shape[1], shape[0])
    if len(shape) in {4, 5}:
        return (shape[-1], shape[-2], *shape[:-2])
    return shape
