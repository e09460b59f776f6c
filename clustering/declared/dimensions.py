"""Dimensions that a config states, and the habits of families that must be known to read them right."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

from clustering.declared.task import is_problem_type
from clustering.declared.values import Collector, Scope, first_integer, integer, integers, number, size, text
from clustering.facts import Fact
from clustering.tables import table

MAX_PIXELS = 100_000
MAX_STAGE = 10_000_000
_SIZE_KINDS = frozenset({"patch_size", "image_size", "window_size"})
_OFFSETS = (2, 1)
"""Rows that some families keep beyond the usable positions (roberta: 514 for 512; bart: 1026 for 1024)."""


@cache
def keys() -> dict[str, Any]:
    """The table of spellings (`data/config_keys.json`)."""
    loaded: dict[str, Any] = table("config_keys")
    return loaded


def dimensions(scope: Scope, collector: Collector, only: frozenset[str] | None = None) -> None:
    """Adds every dimension that the scope states and that is not known yet."""
    table = keys()
    for kind, rule in table["integers"].items():
        if (only is not None and kind not in only) or collector.value(kind) is not None:
            continue
        found = first_integer(scope, rule["keys"], rule["max"], collector)
        if found is not None:
            collector.add(kind, *found)
        elif kind in _SIZE_KINDS:
            _sizes(scope, kind, rule["keys"], collector)
    if only is None:
        _stage_lists(scope, collector)
        _words(scope, collector)


def _stage_lists(scope: Scope, collector: Collector) -> None:
    for kind, names in keys()["stage_lists"].items():
        name = next((name for name in names if name in scope.values), None)
        several = integers(scope.values[name], MAX_STAGE) if name is not None else None
        if name is None or several is None or collector.value(kind) is not None:
            continue
        collector.add(kind, several, scope.key(name))
        if kind == "hidden_sizes" and collector.value("hidden_size") is None:
            collector.add("hidden_size", several[-1], scope.key(name) + " (last stage)")


def _words(scope: Scope, collector: Collector) -> None:
    """Texts and flags, first key of each kind that is set."""
    table = keys()
    for kind, names in table["texts"].items():
        for name in names:
            value = text(scope.values.get(name))
            usable = value is not None and (kind != "problem_type" or is_problem_type(value))
            if usable and collector.value(kind) is None:
                collector.add(kind, value, scope.key(name))
    for kind, names in table["flags"].items():
        for name in names:
            if isinstance(scope.values.get(name), bool) and collector.value(kind) is None:
                collector.add(kind, scope.values[name], scope.key(name))


def _sizes(scope: Scope, kind: str, names: list[str], collector: Collector) -> None:
    for key in names:
        value = size(scope.values.get(key), MAX_PIXELS)
        if value is not None:
            collector.add(kind, value, scope.key(key))
            return


def hierarchical(collector: Collector) -> None:
    """With `depths` stated, `num_layers` counts stages (swin) and `embed_dim` is the width of the first stage."""
    if collector.value("depths") is None:
        return
    for index, fact in enumerate(collector.facts):
        if fact.kind == "layers":
            collector.facts[index] = Fact("stages", fact.value, "declared", fact.source)
        elif fact.kind == "hidden_size" and fact.source.endswith("embed_dim"):
            collector.facts[index] = Fact("embed_dim", fact.value, "declared", fact.source)


def offsets(collector: Collector) -> None:
    """Mask2Former and OneFormer count the prediction made before the first decoder layer as one more layer."""
    shifts = keys()["offsets"].get(collector.value("family"), {})
    for index, fact in enumerate(collector.facts):
        if fact.kind in shifts and fact.value + shifts[fact.kind] > 0:
            source = f"{fact.source} ({fact.value}, of which {-shifts[fact.kind]} is the prediction before the layers)"
            collector.facts[index] = Fact(fact.kind, fact.value + shifts[fact.kind], "declared", source)


def encoder_decoder_layers(root: Scope, collector: Collector) -> None:
    """T5 states its stacks as `num_layers` and `num_decoder_layers`; others as `encoder_layers` and `decoder_layers`.

    `layers` stays only where both stacks have the same number: with 12 and 6 there is no one number that people mean.
    """
    paired = collector.value("encoder_decoder") is True
    layers, encoder, decoder = (collector.value(kind) for kind in ("layers", "encoder_layers", "decoder_layers"))
    if encoder is None and decoder is not None and "num_layers" in root.values and layers is not None:
        collector.add("encoder_layers", layers, root.key("num_layers"))
        encoder = layers
    elif paired and encoder is None and decoder is None and "d_kv" in root.values and layers is not None:
        # T5Config without num_decoder_layers: its own documentation says that the decoder then has num_layers too
        for kind in ("encoder_layers", "decoder_layers"):
            collector.add(kind, layers, root.key("num_layers"))
        encoder = decoder = layers
    if encoder is not None and decoder is not None and encoder != decoder:
        collector.facts[:] = [fact for fact in collector.facts if fact.kind != "layers"]


def context(root: Scope, language: Scope | None, collector: Collector) -> None:
    """`context`: what a user may feed in; `positions` keeps the number of the config."""
    positions = next((fact for fact in collector.facts if fact.kind == "positions"), None)
    if positions is not None:
        collector.add("context", usable_positions(positions.value), positions.source)
    for scope in (root, language):
        if scope is None:
            continue
        theta = number(scope.values.get("rope_theta") or scope.values.get("rotary_emb_base"), 0.0, 1e15)
        for key in ("rope_scaling", "rope_parameters"):
            rope = scope.values.get(key)
            if not isinstance(rope, Mapping):
                continue
            theta = theta or number(rope.get("rope_theta"), 0.0, 1e15)
            _scaling(scope, key, rope, collector)
        if theta and collector.value("rope_theta") is None:
            collector.add("rope_theta", theta, scope.key("rope_theta"))


def _scaling(scope: Scope, key: str, rope: Mapping[str, Any], collector: Collector) -> None:
    original = integer(
        rope.get("original_max_position_embeddings") or scope.values.get("original_max_position_embeddings"), 10**9
    )
    factor = number(rope.get("factor"), 1.0, 1e6)
    kind = text(rope.get("rope_type")) or text(rope.get("type"))
    if kind is not None and kind != "default" and collector.value("rope_scaling") is None:
        collector.add("rope_scaling", {"type": kind, "factor": factor}, scope.key(key))
    if original is not None and collector.value("context_original") is None:
        collector.add("context_original", original, scope.key(f"{key}.original_max_position_embeddings"))
    stated = collector.value("positions")
    if factor is None or factor <= 1 or stated is None:
        return
    # The factor scales the original length; where the stated one is longer it may already be the scaled one, or a part.
    scaled = int((stated if original is None else min(stated, original)) * factor)
    if scaled > stated:
        collector.add("context_scaled", scaled, scope.key(f"{key}.factor"))


def usable_positions(rows: int) -> int:
    """Positions that can be used: rows one or two beyond a power of two are padding offsets (514 for 512)."""
    for offset in _OFFSETS:
        usable = rows - offset
        if usable >= 64 and usable & (usable - 1) == 0:
            return usable
    return rows


def multi_query(root: Scope, collector: Collector) -> None:
    """Key/value heads of the families that state them as a flag (falcon, gpt_bigcode, chatglm)."""
    if collector.value("key_value_heads") is not None and not root.values.get("multi_query"):
        return
    if root.values.get("multi_query_attention") is True:
        groups = integer(root.values.get("multi_query_group_num"), 100_000)
        if groups is not None:
            collector.add("key_value_heads", groups, root.key("multi_query_group_num"))
    elif root.values.get("multi_query") is True and root.values.get("new_decoder_architecture") is not True:
        collector.facts[:] = [fact for fact in collector.facts if fact.kind != "key_value_heads"]
        collector.add("key_value_heads", 1, root.key("multi_query"))
    inner = root.sub(("attn_config",))
    if inner is not None and collector.value("key_value_heads") is None:
        found = integer(inner.values.get("kv_n_heads"), 100_000)
        if found is not None:
            collector.add("key_value_heads", found, inner.key("kv_n_heads"))
