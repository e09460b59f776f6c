"""From a tensor listing to the parameters that make up the graph: buffers dropped, spellings joined, indices starred.

What is saved beside the parameters differs between library versions, frameworks and export tools: masks, position
ids, rotary frequencies, counters, container prefixes, tied copies. None of it says what the model is, so everything
after this module works on `Parameter` records only.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from clustering.collecting import no_collection
from clustering.columns import Columns
from clustering.graphs.parameters import Parameter, Parameters, Shape
from clustering.patterns import Patterns, Texts, coded, natural_order
from clustering.tensors import Tensor, TensorListing

__all__ = ["Parameter", "Parameters", "fold_tied", "parameters_of", "roots_of", "star_name", "star_names"]

BUFFER_NAMES = frozenset(
    {
        "position_ids",
        "token_type_ids",
        "inv_freq",
        "original_inv_freq",
        "masked_bias",
        "num_batches_tracked",
        "relative_position_index",
        "relative_coords_table",
        "cos_cached",
        "sin_cached",
        "attn_mask",
        "causal_mask",
        "original_max_seq_len",
        "rope_freqs",
    }
)
"""Last path components of registered buffers in transformers, timm and the original releases (library sources)."""

BUFFER_DTYPES = frozenset({"I64", "BOOL"})
"""Index tensors and masks; no parameter of any reference class has these types."""

CONTAINERS = frozenset({"module", "model", "base_model", "_orig_mod", "_fsdp_wrapped_module", "params"})
"""Path components that wrap a model without belonging to it (DDP, FSDP, compile, PEFT, `model.` of heads, Flax)."""

EMBEDDING_WORDS = ("embed", "wte", "wpe", "shared", "token_embd")
"""Parts of module names that say embedding, in the spellings of transformers, OpenAI and GGUF."""

_WORDS = {
    "gamma": "weight",
    "beta": "bias",
    "kernel": "weight",
    "embedding": "weight",
    "embeddings": "embeddings",
    "moving_mean": "running_mean",
    "moving_variance": "running_var",
}
_TF_WRAPPER = re.compile(r"^tf_\w+$")
_TRAILING_INDEX = re.compile(r"(?:_|(?<=layer)|(?<=block)|(?<=blocks)|(?<=layers)|(?<=stage)|(?<=stages))(\d+)$")
_WRAPPERS = ("module.", "_orig_mod.", "_fsdp_wrapped_module.", "base_model.model.")
_DIGITS = re.compile(r"(\d{1,9})")
_SPLIT = re.compile(r"[./]")
_MAX_COPIES = 4  # encoder, decoder, shared and head of an encoder-decoder
_TABLE_RATIO = 8
_MIN_MASK = 32  # a causal mask (1, 1, n, n) is never smaller in a published package


def _is_mask(shape: Shape) -> bool:
    return len(shape) == 4 and shape[:2] == (1, 1) and shape[2] == shape[3] and shape[2] >= _MIN_MASK


def star_name(name: str) -> tuple[str, tuple[int, ...]]:
    """The name with containers removed and indices starred, and the indices."""
    name = name.removesuffix(":0").replace("_._", ".")  # TensorFlow writes `layer_._3`
    pieces = name.replace("/", ".").split(".")
    if _TF_WRAPPER.match(pieces[0]):
        del pieces[0]
    parts: list[str] = []
    indices: list[int] = []
    for piece in pieces:
        kept, index = _star_piece(piece)
        parts += kept
        if index is not None:
            indices.append(index)
    if parts:
        parts[-1] = _WORDS.get(parts[-1], parts[-1])
    return ".".join(parts), tuple(indices)


_PROBE = 10**8


@lru_cache(maxsize=4_096)
def _form(texts: Texts) -> tuple[str, tuple[int, ...], tuple[int, ...]] | None:
    """What `star_name` makes of names with these texts between their numbers.

    Returns:
        A format of the star, the places of the numbers that stay in it, and of those that are indices; None where that
        depends on more than the texts.
    """
    name = "".join(texts)
    # `:0` is a suffix of one value, and two numbers side by side are one that is too long
    if ":" in name or "" in texts[1:-1] or "{" in name or "}" in name or _DIGITS.search(texts[-1]):
        return None
    # which numbers are indices does not depend on their values
    probe = "".join(f"{text}{_PROBE + place}" for place, text in enumerate(texts[:-1])) + texts[-1]
    star, indices = star_name(probe)
    kept = _DIGITS.split(star)
    form = "".join("{}" if place % 2 else text for place, text in enumerate(kept))
    return form, tuple(int(n) - _PROBE for n in kept[1::2]), tuple(n - _PROBE for n in indices)


def star_names(names: Sequence[str], patterns: Patterns) -> tuple[list[str], NDArray[np.int32], NDArray[np.int32]]:
    """`star_name` of many names at a time, pattern by pattern.

    Returns:
        The different stars, the number of each name's star, and its indices: (names, most indices), -1 where it has
        fewer.
    """
    table: dict[str, int] = {}
    forms = [_form(texts) for texts in patterns.texts]
    fixed = np.array([table.setdefault(f[0], len(table)) if f and not f[1] else -1 for f in forms], dtype=np.int32)
    star_of = fixed[patterns.of]
    alone: dict[int, tuple[int, ...]] = {}
    for row in np.flatnonzero(star_of < 0).tolist():
        form = forms[patterns.of[row]]
        if form is None:
            star, alone[row] = star_name(names[row])
        else:
            digits = _DIGITS.findall(names[row])
            star = form[0].format(*[digits[place] for place in form[1]])
        star_of[row] = table.setdefault(star, len(table))
    most = max((*(len(f[2]) for f in forms if f), *map(len, alone.values())), default=0)
    places = np.array([(*f[2], *[-1] * (most - len(f[2]))) if f else [-1] * most for f in forms], dtype=np.int64)
    indices = np.full((len(names), most), -1, dtype=np.int32)
    for column in range(most):
        place = places[patterns.of, column]
        rows = np.flatnonzero(place >= 0)
        indices[rows, column] = patterns.numbers[rows, place[rows]]
    for row, found in alone.items():
        indices[row, : len(found)] = found
    return list(table), star_of, indices


@lru_cache(maxsize=16_384)
def _star_piece(piece: str) -> tuple[tuple[str, ...], int | None]:
    """What one path component becomes, and its index; remembered, since 100,000 names are made of few words."""
    if piece.isdecimal():
        return ("*",), int(piece[:9])
    if piece in CONTAINERS:
        return (), None
    found = _TRAILING_INDEX.search(piece)
    if found:
        return (piece[: found.start()], "*"), int(found.group(1)[:9])
    return (piece,), None


def roots_of(parameters: Sequence[Parameter]) -> frozenset[str]:
    """First path components behind training wrappers, marked with `^`: `^model`, `^lm_head`, `^bert`.

    What `star_name` strips tells the bare model from one with a head, so it is kept here.
    """
    columns = Parameters.of(parameters)
    patterns = columns.patterns
    roots: set[str] = set()
    for number in sorted(set(patterns.of.tolist())):
        begin = _unwrapped(patterns.texts[number][0])
        if "." in begin or "/" in begin:  # the first component is the same in all of them
            roots.add(_root(begin))
        else:
            rows = np.flatnonzero(patterns.of == number).tolist()
            roots |= {_root(_unwrapped(columns.names[row])) for row in rows}
    return frozenset(roots)


def _unwrapped(name: str) -> str:
    for wrapper in _WRAPPERS:
        name = name.removeprefix(wrapper)
    return name


def _root(name: str) -> str:
    first = _SPLIT.split(name, maxsplit=1)[0]
    return "^*" if first.isdecimal() else "^" + first


def _torch_axes(shape: Shape, name: str) -> Shape:
    """TensorFlow and Flax keep kernels as (..., in, out); PyTorch as (out, in, ...)."""
    if len(shape) < 2:
        return shape
    last = _SPLIT.split(name.removesuffix(":0"))[-1]
    if last == "kernel" and len(shape) in {2, 3, 4, 5}:
        return (shape[-1], shape[-2], *shape[:-2])
    return shape


_recent: tuple[Sequence[Tensor], str, Parameters | None] = ((), "", None)
"""The last answer of `parameters_of`: fingerprint, family and parts of one package ask for the same one after another.
One tuple, replaced as a whole, so that threads see the old or the new one."""


def parameters_of(listing: TensorListing) -> Parameters:
    """The listing's parameters in their stored order; buffers and further names of one storage are left out."""
    global _recent  # noqa: PLW0603  # a memory of one, by identity of an immutable sequence
    tensors, form, known = _recent
    if known is not None and tensors is listing.tensors and form == listing.format:
        return known
    with no_collection():
        found = _in_block_order(_parameters(Columns.of(listing.tensors), listing.format))
    _recent = listing.tensors, listing.format, found
    return found


def _parameters(columns: Columns, form: str) -> Parameters:
    stars, star_of, indices = star_names(columns.names, columns.patterns)
    shapes, shape_of = columns.shapes, columns.shape_of
    left_out = np.array([star[star.rfind(".") + 1 :] in BUFFER_NAMES for star in stars], dtype=np.bool_)[star_of]
    left_out |= np.array([dtype in BUFFER_DTYPES for dtype in columns.dtypes], dtype=np.bool_)[columns.dtype_of]
    left_out |= np.array([_is_mask(shape) for shape in shapes], dtype=np.bool_)[shape_of]
    left_out |= columns.further_names()
    if form in {"hdf5", "tensorflow", "flax"}:
        shapes, shape_of = coded(
            [_torch_axes(shapes[of], name) for of, name in zip(shape_of.tolist(), columns.names, strict=True)]
        )
    whole = Parameters(columns.names, (stars, star_of), indices, (shapes, shape_of), columns.patterns)
    return whole.take(np.flatnonzero(~left_out)) if left_out.any() else whole


def _in_block_order(parameters: Parameters) -> Parameters:
    """Files sorted by name put block 10 before block 2; such an order is replaced by the natural one."""
    if parameters.names != sorted(parameters.names):
        return parameters
    patterns = parameters.patterns
    order = natural_order(patterns.texts, patterns.of, patterns.numbers)
    return parameters.take(order) if (np.diff(order) < 0).any() else parameters


def fold_tied(parameters: Sequence[Parameter]) -> Parameters:
    """Counts the copies of the input embedding once.

    Whether `lm_head`, `shared` and `embed_tokens` are stored separately depends on the exporter and on the
    `tie_word_embeddings` flag, not on the family. The embedding is the tallest matrix, at least twice as tall as wide,
    that occurs at most four times (with its transpose); all occurrences but one are dropped.
    """
    columns = Parameters.of(parameters)
    counts = columns.shape_counts
    tall = [
        s
        for s in counts
        if len(s) == 2
        and s[0] >= 2 * s[1] > 2
        and counts[s] + counts[s[::-1]] <= _MAX_COPIES
        and (s[::-1] not in counts or s[0] >= _TABLE_RATIO * s[1])  # else the two halves of a shallow feed-forward
    ]
    if not tall:
        return columns
    table = max(tall)
    both = np.array([shape in {table, table[::-1]} for shape in columns.shapes], dtype=np.bool_)
    copies = np.flatnonzero(both[columns.shape_of]).tolist()

    def place(row: int) -> tuple[bool, bool, str]:
        """The kept copy must not depend on the stored order: the one named as an embedding, else the first by name."""
        star = columns.stars[columns.star_of[row]]
        other = columns.shapes[columns.shape_of[row]] != table
        return other, not any(word in star for word in EMBEDDING_WORDS), columns.names[row]

    if len(copies) == 1:
        return columns
    kept = np.ones(len(columns), dtype=np.bool_)
    kept[copies] = False
    kept[min(copies, key=place)] = True
    return columns.take(np.flatnonzero(kept))
