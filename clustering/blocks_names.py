"""Tensor names as paths, in one spelling for every framework.

`bert/encoder/layer_0/attention/self/query/kernel`, `encoder.layer.0.attention.self.query.weight` and
`tf_bert_model/bert/encoder/layer_._0/attention/self/query/kernel:0` become the same path with the same shape
orientation (outputs first), so that everything that counts blocks and reads widths is written once.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

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
    loaded: dict[str, Any] = json.loads(
        Path(__file__).with_name("data").joinpath("tensor_roles.json").read_text("utf-8")
    )
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

    @property
    def is_kernel(self) -> bool:
        """Whether a TensorFlow or Flax layer wrote it: 3-D kernels are then einsum projections, not convolutions."""
        return _TF_SUFFIX.sub("", self.tensor.name).endswith("kernel")

    @property
    def dotted(self) -> str:
        """The path as text, for messages and patterns."""
        return ".".join(str(token) for token in self.path)

    @property
    def module(self) -> str:
        """The last module word of the path (`query` of `encoder.layer.0.attention.self.query`)."""
        return next((token for token in reversed(self.path) if isinstance(token, str)), "")

    @property
    def is_buffer(self) -> bool:
        """Whether the tensor is state that no optimizer trains: statistics, masks, tables of constants."""
        if self.leaf in words("buffers") or self.tensor.dtype in {"BOOL", "I64", "I32", "I16"}:
            return True
        # gpt2 keeps its causal mask as `attn.bias` of shape [1, 1, n, n]
        return (
            self.leaf == "bias" and len(self.shape) == 4 and self.shape[:2] == (1, 1) and self.shape[2] == self.shape[3]
        )


def split(tensor: Tensor) -> Named | None:
    """The tensor as a `Named`, or None for training state (optimizer slots, counters, copies)."""
    name = _TF_SUFFIX.sub("", tensor.name)
    if ".OPTIMIZER_SLOT" in name:
        return None
    slashed = "/" in name
    raw = [part for part in (name.split("/") if slashed else name.split(".")) if part][:MAX_TOKENS]
    while len(raw) > 1 and raw[0] in words("containers"):
        raw.pop(0)
    lowered = [part.lower() for part in raw]
    if not raw or any(part in words("training") for part in (lowered[0], lowered[-1])):
        return None
    renamed: dict[str, str] = roles()["leaves"]
    leaf = renamed.get(lowered[-1], lowered[-1])
    tokens: list[Token] = []
    for position, part in enumerate(lowered[:-1]):
        following = lowered[position + 1]
        tokens.extend(_tokens(part, slashed=slashed, before_index=following.isdigit()))
    return Named(tensor, tuple(tokens), leaf, _orient(tensor.shape, lowered[-1]))


def _tokens(part: str, *, slashed: bool, before_index: bool) -> list[Token]:
    if part.isdigit() and len(part) <= 6:
        return [int(part)]
    stage = _STAGE.match(part) if before_index else None
    if stage is not None:
        return [stage[1], int(stage[2])]
    indexed = _INDEXED.match(part)
    if indexed is not None and (
        indexed[1] in _CONTAINER_STEMS or (slashed and indexed[1].rstrip("_.-") in _CONTAINER_STEMS)
    ):
        return [indexed[1].rstrip("_.-"), int(indexed[2])]
    return [part]


def _orient(shape: tuple[int, ...], leaf: str) -> tuple[int, ...]:
    """TensorFlow and Flax kernels put outputs last; convolutions put the window first."""
    if leaf != "kernel" or len(shape) < 2:
        return shape
    if len(shape) == 2:
        return (shape[1], shape[0])
    if len(shape) in {4, 5}:
        return (shape[-1], shape[-2], *shape[:-2])
    return shape


def named_tensors(listing: TensorListing) -> tuple[Named, ...]:
    """All tensors of a listing but training state, in order, with a common outer wrapper removed."""
    return tuple(named for named in (split(tensor) for tensor in listing.tensors) if named is not None)
