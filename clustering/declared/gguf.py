"""What the key-values of a GGUF header declare.

The keys are those of the GGUF specification (docs/gguf.md of ggml). `general.architecture` names the code that runs
the model, not its family (Mistral and Mixtral files say `llama`), so it is a fact of its own kind; and
`general.file_type` misreports mixed quantizations, so bits are measured from the tensors instead.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from clustering.declared.values import Collector, Scope, integer, number, text
from clustering.facts import Fact

_SIZES = {
    "layers": ("block_count", 10_000),
    "context": ("context_length", 10**9),
    "hidden_size": ("embedding_length", 10**6),
    "intermediate_size": ("feed_forward_length", 10**7),
    "expert_intermediate_size": ("expert_feed_forward_length", 10**7),
    "attention_heads": ("attention.head_count", 10**5),
    "key_value_heads": ("attention.head_count_kv", 10**5),
    "head_dim": ("attention.key_length", 10**5),
    "experts": ("expert_count", 10**6),
    "experts_active": ("expert_used_count", 10**6),
    "experts_shared": ("expert_shared_count", 10**6),
    "vocabulary": ("vocab_size", 10**8),
    "sliding_window": ("attention.sliding_window", 10**9),
    "context_original": ("rope.scaling.original_context_length", 10**9),
    "mtp_layers": ("nextn_predict_layers", 1000),
}
_TEXTS = {
    "gguf_architecture": "general.architecture",
    "gguf_name": "general.name",
    "gguf_basename": "general.basename",
    "gguf_size_label": "general.size_label",
    "license": "general.license",
    "base_model": "general.base_model.0.name",
}


def gguf_facts(metadata: Mapping[str, Any], file: str) -> tuple[Fact, ...]:
    """Facts of a GGUF header.

    Args:
        metadata: key-values as the reader keeps them; arrays too long to keep are `{"type", "length"}`.
        file: path shown in sources.
    """
    scope, found = Scope(metadata, "", file), Collector()
    for kind, key in _TEXTS.items():
        value = text(metadata.get(key))
        if value is not None:
            found.add(kind, value, scope.key(key))
    architecture = found.value("gguf_architecture")
    for kind, (key, most) in _SIZES.items() if architecture is not None else ():
        size = integer(metadata.get(f"{architecture}.{key}"), most)
        if size is not None:
            found.add(kind, size, scope.key(f"{architecture}.{key}"))
    _prediction_layers(found)
    theta = number(metadata.get(f"{architecture}.rope.freq_base"), 0.0, 1e15)
    if theta is not None:
        found.add("rope_theta", theta, scope.key(f"{architecture}.rope.freq_base"))
    tokens = metadata.get("tokenizer.ggml.tokens")
    length = tokens.get("length") if isinstance(tokens, Mapping) else len(tokens) if isinstance(tokens, list) else None
    known = integer(length, 10**8)
    if known is not None and found.value("vocabulary") is None:
        found.add("vocabulary", known, scope.key("tokenizer.ggml.tokens"))
    return tuple(found.facts)


def _prediction_layers(found: Collector) -> None:
    """`block_count` includes the blocks that predict further tokens."""
    extra = found.value("mtp_layers")
    for index, fact in enumerate(found.facts):
        if extra is not None and fact.kind == "layers" and fact.value > extra:
            source = f"{fact.source} less {extra} prediction blocks"
            found.facts[index] = Fact("layers", fact.value - extra, "declared", source)
