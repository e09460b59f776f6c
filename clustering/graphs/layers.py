"""From a tensor listing to the parameters that make up the graph: buffers dropped, spellings joined, indices starred.

What is saved beside the parameters differs between library versions, frameworks and export tools: masks, position
ids, rotary frequencies, counters, container prefixes, tied copies. None of it says what the model is, so everything
after this module works on `Parameter` records only.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from functools import lru_cache

from clustering.collecting import no_collection
from clustering.tensors import Tensor, TensorListing

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
_FIRST_OF_WRAPPERS = frozenset(wrapper.partition(".")[0] for wrapper in _WRAPPERS)
_DIGITS = re.compile(r"(\d{1,9})")
_SPLIT = re.compile(r"[./]")
_MAX_COPIES = 4  # encoder, decoder, shared and head of an encoder-decoder
_TABLE_RATIO = 8
_MIN_MASK = 32  # a causal mask (1, 1, n, n) is never smaller in a published package


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter (or running statistic) of the model."""

    star: str
    """Name without containers and with indices replaced by `*`: `layers.*.self_attn.q_proj.weight`."""
    indices: tuple[int, ...]
    """The replaced indices, outermost first."""
    shape: tuple[int, ...]
    """Logical shape in PyTorch's axis order (out, in, kernel ...)."""
    name: str
    """Name as stored."""


def _is_buffer(tensor: Tensor, last: str) -> bool:
    if tensor.dtype in BUFFER_DTYPES or last in BUFFER_NAMES:
        return True
    shape = tensor.shape
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


_patterns: dict[tuple[str, ...], tuple[str, tuple[int, ...], tuple[int, ...]]] = {}
"""What `star_name` makes of names with the same texts between their numbers: a format of the star, the places of the
numbers that stay in it, and of those that are indices."""
_MOST_PATTERNS, _MOST_NUMBERS = 4_096, 16
_PROBE = 10**8


def _star_by_pattern(name: str) -> tuple[str, tuple[int, ...]]:
    """`star_name`, remembered for names that differ in numbers only: 100,000 names of experts are twenty patterns."""
    pieces = _DIGITS.split(name)
    texts = tuple(pieces[::2])
    found = _patterns.get(texts)
    if found is None:
        # `:0` is a suffix of one value, and two numbers side by side are one that is too long
        if len(texts) > _MOST_NUMBERS or ":" in name or "" in texts[1:-1] or "{" in name or "}" in name:
            return star_name(name)
        # which numbers are indices does not depend on their values
        probe = "".join(f"{text}{_PROBE + place}" for place, text in enumerate(texts[:-1])) + texts[-1]
        star, indices = star_name(probe)
        kept = _DIGITS.split(star)
        form = "".join("{}" if place % 2 else text for place, text in enumerate(kept))
        found = (form, tuple(int(n) - _PROBE for n in kept[1::2]), tuple(n - _PROBE for n in indices))
        if len(_patterns) >= _MOST_PATTERNS:
            _patterns.clear()
        _patterns[texts] = found
    form, kept_places, places = found
    star = form.format(*[pieces[2 * place + 1] for place in kept_places]) if kept_places else form
    return star, tuple([int(pieces[2 * place + 1]) for place in places])


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


def roots_of(parameters: tuple[Parameter, ...]) -> frozenset[str]:
    """First path components behind training wrappers, marked with `^`: `^model`, `^lm_head`, `^bert`.

    What `star_name` strips tells the bare model from one with a head, so it is kept here.
    """
    roots: set[str] = set()
    plain: set[str] = set()  # first components that are no wrapper: told once
    for parameter in parameters:
        name = parameter.name
        first = name.partition(".")[0]
        if first in plain:
            continue
        if first not in _FIRST_OF_WRAPPERS:
            plain.add(first)
        for wrapper in _WRAPPERS:
            name = name.removeprefix(wrapper)
        first = _SPLIT.split(name, maxsplit=1)[0]
        roots.add("^*" if first.isdecimal() else "^" + first)
    return frozenset(roots)


def _torch_axes(tensor: Tensor, form: str) -> tuple[int, ...]:
    """TensorFlow and Flax keep kernels as (..., in, out); PyTorch as (out, in, ...)."""
    shape = tensor.shape
    if form not in {"hdf5", "tensorflow", "flax"} or len(shape) < 2:
        return shape
    last = _SPLIT.split(tensor.name.removesuffix(":0"))[-1]
    if last == "kernel" and len(shape) in {2, 3, 4, 5}:
        return (shape[-1], shape[-2], *shape[:-2])
    return shape


_recent: tuple[tuple[Tensor, ...], str, tuple[Parameter, ...]] = ((), "", ())
"""The last answer of `parameters_of`: fingerprint, family and parts of one package ask for the same one after another.
One tuple, replaced as a whole, so that threads see the old or the new one."""


def parameters_of(listing: TensorListing) -> tuple[Parameter, ...]:
    """The listing's parameters in their stored order; buffers and further names of one storage are left out."""
    global _recent  # noqa: PLW0603  # a memory of one, by identity of an immutable tuple
    tensors, form, known = _recent
    if tensors is listing.tensors and form == listing.format:
        return known
    with no_collection():
        found = _in_block_order(_parameters(listing))
    _recent = listing.tensors, listing.format, found
    return found


def _parameters(listing: TensorListing) -> list[Parameter]:
    found: list[Parameter] = []
    storages: set[str] = set()
    for tensor in listing.tensors:
        if tensor.storage is not None:
            if tensor.storage in storages:
                continue
            storages.add(tensor.storage)
        star, indices = _star_by_pattern(tensor.name)
        if _is_buffer(tensor, star[star.rfind(".") + 1 :]):
            continue
        found.append(Parameter(star, indices, _torch_axes(tensor, listing.format), tensor.name))
    return found


def _natural(name: str) -> list[str | int]:
    """Text and numbers by turns, always beginning with a text, so that equal places hold equal types."""
    pieces: list[str | int] = list(_DIGITS.split(name[:512]))
    pieces[1::2] = map(int, pieces[1::2])
    return pieces


def _in_block_order(parameters: list[Parameter]) -> tuple[Parameter, ...]:
    """Files sorted by name put block 10 before block 2; such an order is replaced by the natural one."""
    names = [p.name for p in parameters]
    if names != sorted(names):
        return tuple(parameters)
    return tuple(sorted(parameters, key=lambda p: _natural(p.name)))


def fold_tied(parameters: tuple[Parameter, ...]) -> tuple[Parameter, ...]:
    """Counts the copies of the input embedding once.

    Whether `lm_head`, `shared` and `embed_tokens` are stored separately depends on the exporter and on the
    `tie_word_embeddings` flag, not on the family. The embedding is the tallest matrix, at least twice as tall as wide,
    that occurs at most four times (with its transpose); all occurrences but one are dropped.
    """
    counts = Counter(p.shape for p in parameters if len(p.shape) == 2)
    tall = [
        s
        for s in counts
        if s[0] >= 2 * s[1] > 2
        and counts[s] + counts[s[::-1]] <= _MAX_COPIES
        and (s[::-1] not in counts or s[0] >= _TABLE_RATIO * s[1])  # else the two halves of a shallow feed-forward
    ]
    if not tall:
        return parameters
    table = max(tall)
    both = {table, table[::-1]}
    copies = [p for p in parameters if p.shape in both]
    # the kept copy must not depend on the stored order: the one named as an embedding, else the first by name
    kept = min(copies, key=lambda p: (p.shape != table, not any(w in p.star for w in EMBEDDING_WORDS), p.name))
    dropped = {id(p) for p in copies if p is not kept}
    if not dropped:
        return parameters
    return tuple(p for p in parameters if id(p) not in dropped)
