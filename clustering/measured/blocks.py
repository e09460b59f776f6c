"""Dimensions of a stack, read off the shapes of its blocks: width, feed-forward, attention heads, experts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from clustering.blocks.names import Named, Path_, words
from clustering.blocks.stacks import Stack, contains

_ATTENTION_ONLY = frozenset(
    {
        "q_proj",
        "k_proj",
        "v_proj",
        "o_proj",
        "wq",
        "wk",
        "wv",
        "q",
        "k",
        "v",
        "qkv_proj",
        "out_lin",
        "q_lin",
        "k_lin",
        "v_lin",
    }
)
"""Projections that are attention wherever they stand (Nemotron-H calls every kind of block `mixer`)."""
_STATE_SPACE = frozenset(
    {"in_proj", "out_proj", "x_proj", "dt_proj", "in_proj_qkvz", "in_proj_ba", "ssm_in", "ssm_out"}
)
"""Projections of state-space and linear-attention mixers."""


@dataclass(frozen=True, slots=True)
class Attention:
    """What the projections of an attention layer tell; None where the shapes leave it open."""

    heads: int | None = None
    key_value_heads: int | None = None
    head_dim: int | None = None
    groups: int | None = None
    """Query heads per key/value head: known even where the number of heads is not."""
    source: str = ""


@dataclass(frozen=True, slots=True)
class Experts:
    """A mixture of experts."""

    count: int
    elements: int
    """Parameters in all routed experts of the stack."""
    intermediate_size: int | None
    source: str


def width(stack: Stack, embedding: int | None = None) -> int | None:
    """The residual width: the length of a block's outermost norms, confirmed by the matrices around them.

    Norms of queries, keys and latents sit deeper or bear their names; blocks without norm weights (OLMo) fall back to
    the dimension that most matrices share.

    Args:
        stack: the blocks.
        embedding: columns of the token table that feeds them. Where norms of the blocks have this length, or
            most matrices have such a side, it is the width, whatever wider streams a block has (hyper-connections).
    """
    tensors = [named for named in stack.typical if not named.is_buffer]
    matrices = [named.shape for named in tensors if len(named.shape) == 2]
    sharing = Counter(size for shape in matrices for size in set(shape))
    norms = [named for named in tensors if len(named.shape) == 1 and named.leaf == "weight" and _is_norm(named.module)]
    if norms and any("bottleneck" in str(token) for named in tensors for token in stack.suffix(named)):
        return max(named.shape[0] for named in norms)  # blocks that narrow inside (MobileBERT)
    if embedding is not None and (
        any(named.shape[0] == embedding for named in norms) or 2 * sharing[embedding] > len(matrices)
    ):
        return embedding
    if norms:
        least = min(len(stack.suffix(named)) for named in norms)
        lengths = Counter(named.shape[0] for named in norms if len(stack.suffix(named)) == least)
        return max(lengths, key=lambda length: (sharing[length], lengths[length], length))
    if not sharing:
        return None
    return max(sharing, key=lambda size: (sharing[size], -size))


def _is_norm(module: str) -> bool:
    if any(
        mark in module
        for mark in (
            "q_norm",
            "k_norm",
            "q_a_",
            "kv_a_",
            "q_layernorm",
            "k_layernorm",
            "qk_norm",
            "query_norm",
            "key_norm",
        )
    ):
        return False
    return (
        any(word in module for word in ("norm", "layernorm"))
        or module.startswith(("ln", "bn"))
        or module.endswith("_ln")
    )


def is_norm(named: Named) -> bool:
    """Whether a tensor belongs to a normalisation layer on the residual path."""
    return _is_norm(named.module)


def _attends(path: Iterable[object]) -> bool:
    return any(
        isinstance(token, str) and ("attn" in token or "attention" in token or token in {"att", "self", "mha"})
        for token in path
    )


def _is_expert(path: Iterable[object]) -> bool:
    tokens = list(path)
    if set(tokens) & words("shared_experts"):
        return False
    return bool(set(tokens) & (words("experts") | words("fused_experts")))


def intermediate(stack: Stack, hidden: int) -> tuple[int, bool] | None:
    """(feed-forward width, gated?) of the dense blocks: inner size of the matrices outside of attention and experts.

    None where blocks of one stack have different widths: then there is no one number.
    """
    found = _dense(stack, hidden, _ATTENTION_ONLY | _STATE_SPACE)
    if found is None and not stack.has_word("attention") and experts(stack, hidden) is None:
        found = _dense(
            stack, hidden, _ATTENTION_ONLY
        )  # pure state-space models: the inner width of their one projection
    return found


def _dense(stack: Stack, hidden: int, ignored: frozenset[str]) -> tuple[int, bool] | None:
    seen: set[tuple[int, bool]] = set()
    for tensors in stack.kinds:
        inner: Counter[int] = Counter()
        for named in tensors:
            suffix = stack.suffix(named)
            mixing = _attends(suffix) or _is_expert(suffix) or _is_router(suffix) or named.module in ignored
            if len(named.shape) != 2 or named.is_buffer or mixing or set(suffix) & words("shared_experts"):
                continue
            if hidden in named.shape:
                inner[named.shape[1] if named.shape[0] == hidden else named.shape[0]] += 1
        found = _inner_size(inner, hidden)
        if found is not None and 2 * found[0] >= hidden:  # narrower pairs are latent projections and adapters
            seen.add(found)
    return seen.pop() if len(seen) == 1 else None


def _inner_size(inner: Counter[int], hidden: int) -> tuple[int, bool] | None:
    """`{F: 2}` is a plain, `{F: 3}` a gated and `{2F: 1, F: 1}` a fused gated feed-forward."""
    pairs = {size: count for size, count in inner.items() if count >= 2 and size != hidden}
    if pairs:
        size = max(pairs, key=lambda item: (pairs[item] >= 2, item))
        return size, pairs[size] >= 3
    for size in sorted(inner, reverse=True):
        if inner.get(2 * size) and size != hidden * 2:
            return size, True
    return (hidden, inner[hidden] >= 3) if inner.get(hidden, 0) >= 2 and len(inner) == 1 else None


def _is_router(path: Path_) -> bool:
    tokens = set(path)
    return bool(tokens & {"router", "ffn_gate_inp", "gate", "gating", "wg"}) and not tokens & words("experts")


def experts(stack: Stack, hidden: int | None) -> Experts | None:
    """Counts routed experts: members of lists called experts, else the leading size of stacked expert weights."""
    counts: Counter[int] = Counter()
    elements = 0
    widths: Counter[int] = Counter()
    for _, tensors in stack.blocks:
        inner: Counter[int] = Counter()
        listed: Counter[tuple[Path_, str]] = Counter()
        stacked: Counter[int] = Counter()
        for named in tensors:
            suffix = stack.suffix(named)
            if not _is_expert(suffix) or named.is_buffer:
                continue
            elements += named.elements
            places = [place + 1 for place, token in enumerate(suffix) if token in words("experts")]
            rest = suffix[places[-1] :] if places else ()
            if rest and isinstance(rest[0], int):
                listed[rest[1:], named.leaf] += named.copies
                inner.update(size for size in named.shape if len(named.shape) == 2 and size != hidden)
            elif len(named.shape) == 3:
                stacked[named.shape[0]] += 1
                inner.update(size for size in named.shape[1:] if size != hidden)
        if inner and not widths:
            widths = inner  # one block tells; later ones repeat it
        if listed:
            counts[max(listed.values())] += 1
        elif stacked:
            counts[stacked.most_common(1)[0][0]] += 1
    if not counts:
        routed = _router_rows(stack, hidden) if elements else None
        return Experts(routed, elements, None, "rows of the router") if routed else None
    count = counts.most_common(1)[0][0]
    if count < 2:
        return None
    found = _inner_size(widths, hidden or 0) if widths else None
    source = f"{count} experts in each of {sum(counts.values())} blocks of {stack.dotted or 'the model'}"
    return Experts(count, elements, found[0] if found else None, source)


def _router_rows(stack: Stack, hidden: int | None) -> int | None:
    rows = Counter(
        min(named.shape)
        for tensors in stack.kinds
        for named in tensors
        if len(named.shape) == 2 and hidden in named.shape and _is_router(stack.suffix(named))
    )
    return rows.most_common(1)[0][0] if rows else None


def attention(stack: Stack, hidden: int | None) -> Attention:
    """Heads as far as shapes tell: einsum kernels, head norms, relative-position tables, sinks, latent attention."""
    best = Attention()
    known: set[tuple[int | None, int | None]] = set()
    for tensors in stack.kinds:
        inside = [named for named in tensors if _self_attends(stack.suffix(named)) and not named.is_buffer]
        if not inside:
            continue
        found = _heads(stack, inside, hidden)
        if found.heads is not None:
            known.add((found.heads, found.key_value_heads))
            best = found if best.heads is None else best  # kinds come most frequent first
        elif best.heads is None and best.groups is None:
            best = found
    return best if len(known) < 2 else Attention()


def _self_attends(suffix: Path_) -> bool:
    return (_attends(suffix) or any(token in words("attention") for token in suffix)) and not contains(
        suffix, "cross_attention"
    )


def _heads(stack: Stack, inside: Sequence[Named], hidden: int | None) -> Attention:
    kernels = [named for named in inside if len(named.shape) == 3 and named.is_kernel]
    einsum = next((named for named in kernels if named.module in words("query")), None)
    if einsum is not None:
        _, many, size = einsum.shape
        other = next((named for named in kernels if named.module in words("key")), einsum)
        kept = max(1, other.shape[1])
        return Attention(many, kept, size, many // kept, f"kernel shape of {einsum.dotted}")
    widths = {part: _projection(inside, part) for part in ("query", "key", "value", "output", "fused")}
    query, key = _widths(widths, hidden)
    latent = _latent(inside)
    if latent is not None:
        return latent
    groups = query // key if query and key and query % key == 0 else None
    norm_size, source = _head_size(inside, query)
    heads_in = widths["output"].shape[1] if widths["output"] is not None else query
    if norm_size is None or heads_in is None or heads_in % norm_size:
        heads, source = _table_heads(stack, query)
        if heads is None or query is None or query % heads:
            return Attention(groups=groups, source="widths of query and key projections" if groups else "")
        return Attention(heads, heads // groups if groups else None, query // heads, groups, source)
    kv_heads = key // norm_size if key and key % norm_size == 0 else None
    heads = heads_in // norm_size
    return Attention(
        heads, kv_heads, norm_size, heads // kv_heads if kv_heads and heads % kv_heads == 0 else groups, source
    )


def _projection(inside: Sequence[Named], part: str) -> Named | None:
    """The matrix of a projection; several names may match, the widest path wins by order in the block."""
    wanted = words(part)
    for named in inside:
        if (
            len(named.shape) == 2
            and (named.module in wanted or named.leaf in wanted)
            and not named.leaf.endswith("bias")
        ):
            return named
    return None


def _widths(parts: dict[str, Named | None], hidden: int | None) -> tuple[int | None, int | None]:
    """Widths of queries and of keys, from separate or fused projections."""
    query, key, fused, output = (parts[name] for name in ("query", "key", "fused", "output"))
    if query is not None and key is not None:
        return _outputs(query, hidden), _outputs(key, hidden)
    if fused is None:
        return (_outputs(query, hidden), None) if query is not None else (None, None)
    total = _outputs(fused, hidden)
    own = (output.shape[1] if output is not None else None) or hidden
    if own is None or total is None or total <= own or (total - own) % 2:
        return None, None
    return own, (total - own) // 2


def _outputs(named: Named, hidden: int | None) -> int | None:
    """The output size of a projection; gpt2's Conv1D keeps outputs last, told by which side is the residual width."""
    first, second = named.shape
    if hidden is not None and second != hidden and first == hidden:
        return second
    return first


def _head_size(inside: Sequence[Named], query: int | None) -> tuple[int | None, str]:
    """Size of a head from a norm over single heads (`q_norm`), or from a per-head scale."""
    for named in inside:
        if named.leaf != "weight" or not any(
            word in named.module for word in ("q_norm", "query_norm", "q_layernorm", "query_layernorm")
        ):
            continue
        length = named.shape[-1] if named.shape else 0
        if query and 8 <= length < query and query % length == 0:
            return length, f"shape of {named.dotted}.{named.leaf}"
    return None, ""


def _latent(inside: Sequence[Named]) -> Attention | None:
    """Heads of latent attention (DeepSeek), from the sums that its projections are.

    With n, r, v the sizes of a head's parts, q = h(n + r), kv_b = h(n + v), o = hv and r = kv_a - latent rank, so
    h = (q - kv_b + o) / r.
    """
    shapes = {named.module: named.shape for named in inside if len(named.shape) == 2}
    kv_a, kv_b = shapes.get("kv_a_proj_with_mqa"), shapes.get("kv_b_proj")
    query, output = shapes.get("q_b_proj") or shapes.get("q_proj"), shapes.get("o_proj")
    if kv_a is None or kv_b is None or query is None or output is None:
        return None
    rotary = kv_a[0] - kv_b[1]
    rest = query[0] - kv_b[0] + output[1]
    if rotary <= 0 or rest <= 0 or rest % rotary:
        return None
    heads = rest // rotary
    if any(size % heads for size in (query[0], kv_b[0], output[1])):
        return None
    return Attention(heads, None, None, None, "shapes of the latent attention's projections")


def _table_heads(stack: Stack, query: int | None) -> tuple[int | None, str]:
    """Heads from what is kept per head: relative-position tables, attention sinks, gates."""
    for _, tensors in stack.blocks:
        for named in tensors:
            place = (*stack.suffix(named), named.leaf)
            if not _self_attends(stack.suffix(named)):
                continue
            if (
                "relative_attention_bias" in place
                or "relative_position_bias_table" in place
                or "rel_attn_embed" in place
            ):
                heads = named.shape[-1] if len(named.shape) == 2 else None
            elif named.leaf in {"sinks", "sink", "attn_sinks"} or "attn_sinks" in place:
                heads = named.shape[0] if len(named.shape) == 1 else None
            elif named.leaf == "gru_rel_pos_const" and len(named.shape) == 4:
                heads = named.shape[1]
            else:
                continue
            if heads and query and query % heads == 0 and heads < query:
                return heads, f"shape of {named.dotted}.{named.leaf}".rstrip(".")
    return None, ""
