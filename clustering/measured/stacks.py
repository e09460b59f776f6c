"""Facts of one stack of blocks: depth, width, feed-forward, heads, experts, stages."""

from __future__ import annotations

from collections.abc import Sequence

from clustering.blocks.names import Named, words
from clustering.blocks.stacks import Stack, contains
from clustering.facts import Fact
from clustering.measured.blocks import attention, experts, intermediate, is_norm, width
from clustering.measured.inputs import window_fact
from clustering.tensors import TensorListing


def layers_of(listing: TensorListing, stack: Stack) -> tuple[int, str]:
    """Blocks of a stack, less trailing multi-token-prediction blocks, with a source that says what was counted."""
    extra = _prediction_blocks(stack)
    depth = (stack.span if listing.incomplete and not stack.depths else stack.depth) - extra
    source = f"{depth} blocks of {stack.dotted or 'the model'}"
    if extra:
        source += f", {extra} prediction blocks behind them not counted"
    if listing.incomplete:
        source += f"; at least, since {len(listing.incomplete)} shards are missing"
    return depth, source


def _prediction_blocks(stack: Stack) -> int:
    """DeepSeek and GLM append multi-token-prediction blocks to the same list; they bear `eh_proj`, `enorm`, `hnorm`."""
    marks = words("mtp_marks")
    return (
        sum(any(set(stack.suffix(named)) & marks for named in tensors) for _, tensors in stack.blocks)
        if not stack.depths
        else 0
    )


def stack_facts(
    listing: TensorListing, stack: Stack, prefix: str = "", *, layers: bool = True, embedding: int | None = None
) -> list[Fact]:
    """Facts of one stack under a prefix.

    Args:
        listing: the whole model: whether it is complete and has shapes.
        stack: the blocks.
        prefix: of the fact kinds (`vision_`).
        layers: whether to state `layers`; not where the caller states depths itself.
        embedding: columns of the token table that feeds the stack, if any.
    """
    convolutional = not listing.names_only and not stack.depths and _convolutional(stack)
    facts = _depth_facts(listing, stack, prefix, layers=layers and not convolutional)
    if listing.names_only or convolutional:
        return facts
    if stack.depths:
        return facts + _stage_facts(stack, prefix)
    return facts + _width_facts(stack, prefix, embedding)


def _depth_facts(listing: TensorListing, stack: Stack, prefix: str, *, layers: bool) -> list[Fact]:
    """How many blocks there are, in the words that fit: layers, stages and blocks, or shared groups."""
    where = stack.dotted or "the model"
    facts: list[Fact] = []

    def add(kind: str, value: object, source: str) -> None:
        facts.append(Fact(prefix + kind, value, "measured", source))

    if stack.depths:
        add("depths", list(stack.depths), f"blocks per stage of {where}")
        add("blocks", stack.depth, f"blocks of all stages of {where}")
    elif contains(stack.prefix, "shared_groups"):
        add("layer_groups", len(stack.blocks), f"{where}: weights shared between layers, whose number no tensor shows")
    elif layers:
        add("layers", *layers_of(listing, stack))
    elif not listing.names_only and _convolutional(stack):
        add("blocks", stack.depth, f"blocks of {where}")  # networks of convolutions count layers in their own ways
    extra = _prediction_blocks(stack)
    if extra:
        add("mtp_layers", extra, f"prediction blocks of {where}")
    return facts


def _width_facts(stack: Stack, prefix: str, embedding: int | None) -> list[Fact]:
    """Sizes inside the blocks."""
    where = stack.dotted or "the model"
    facts: list[Fact] = []

    def add(kind: str, value: object, source: str) -> None:
        facts.append(Fact(prefix + kind, value, "measured", source))

    hidden = width(stack, embedding)
    if hidden is None:
        return facts
    add("hidden_size", hidden, f"norms and matrices of {where}")
    inner = intermediate(stack, hidden)
    if inner is not None:
        add("intermediate_size", inner[0], f"feed-forward matrices of {where}")
        add("gated_mlp", inner[1], f"feed-forward matrices of {where}")
    heads = attention(stack, hidden)
    told = {
        "attention_heads": heads.heads,
        "key_value_heads": heads.key_value_heads,
        "head_dim": heads.head_dim,
        "attention_groups": heads.groups,
    }
    facts += [Fact(prefix + kind, value, "measured", heads.source) for kind, value in told.items() if value is not None]
    mixture = experts(stack, hidden)
    if mixture is not None:
        add("experts", mixture.count, mixture.source)
        if mixture.intermediate_size is not None:
            add("expert_intermediate_size", mixture.intermediate_size, mixture.source)
    return facts


def _convolutional(stack: Stack) -> bool:
    """Whether blocks hold convolutions over places and no matrices; a window of one place is a matrix (SqueezeBERT)."""
    shapes = [named.shape for named in stack.typical if not named.is_buffer]
    return any(max(shape[2:], default=1) > 1 for shape in shapes) and not any(len(shape) == 2 for shape in shapes)


def _stage_facts(stack: Stack, prefix: str) -> list[Fact]:
    """Widths per stage of a hierarchical stack, and the window of its attention."""
    widths = [found for index, tensors in stack.blocks if (found := _stage_width(stack, index, tensors)) is not None]
    facts: list[Fact] = []
    where = stack.dotted or "the model"
    if len(widths) == len(stack.depths):
        facts.append(Fact(prefix + "hidden_sizes", widths, "measured", f"norms and matrices of each stage of {where}"))
        facts.append(Fact(prefix + "hidden_size", widths[-1], "measured", f"last stage of {where}"))
        facts.append(Fact(prefix + "embed_dim", widths[0], "measured", f"first stage of {where}"))
    window = window_fact([named for _, tensors in stack.blocks for named in tensors])
    if window is not None:
        facts.append(Fact(prefix + "window_size", window.value, "measured", window.source))
    return facts


def _stage_width(stack: Stack, index: int, tensors: Sequence[Named]) -> int | None:
    """Width of a stage: that of its blocks; in convolutional blocks the outputs of the last convolution."""
    prefix = (*stack.prefix, index, *stack.place)
    blocks: dict[int, list[Named]] = {}
    for named in tensors:
        token = (
            named.path[len(prefix)] if len(named.path) > len(prefix) and named.path[: len(prefix)] == prefix else None
        )
        if isinstance(token, int):
            blocks.setdefault(token, []).append(named)
    inner = Stack(prefix, tuple((token, tuple(blocks[token])) for token in sorted(blocks)))
    if not inner.blocks:
        return None
    typical = inner.typical
    shapes = [named.shape for named in typical if len(named.shape) == 4]
    mixes = any(shape[1] > 1 and shape[2] > 1 for shape in shapes)  # convolves over places and channels at once
    if not mixes and any(len(named.shape) == 2 for named in typical):
        # batch norms follow every matrix and show no residual width (LeViT)
        return None if any(named.leaf == "running_mean" for named in typical) else width(inner)
    norms = {named.shape[0] for named in typical if len(named.shape) == 1 and is_norm(named)}
    return _convolutional_width(shapes, norms)


def _convolutional_width(shapes: Sequence[tuple[int, ...]], norms: set[int]) -> int | None:
    """Outputs of a block of convolutions: the widest of a bottleneck, the next below the widest of an inverted one."""
    outputs = {shape[0] for shape in shapes}
    outputs = outputs & norms or outputs
    depthwise = [shape[0] for shape in shapes if shape[1] == 1 and shape[2] > 1]
    if depthwise:
        outputs = {size for size in outputs if size < max(depthwise)} or outputs
    return max(outputs, default=None)
