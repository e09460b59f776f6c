"""What config.json declares, from any family's spelling, as facts that name the key they were read from.

The model's own facts are those of its main part: for a vision-language model the language part, for a two-tower
model (CLIP and its kin) none of the two. Parts carry theirs under prefixed kinds (`vision_layers`, `text_hidden_size`,
`encoder_vocabulary`). Only what is stated counts: no library default is filled in, and the number of parameters is
never estimated.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from clustering.declared_quantization import read_quantization
from clustering.declared_task import Modality, is_problem_type, task_of_class
from clustering.declared_values import Collector, Scope, first_integer, integer, integers, number, size, text
from clustering.facts import Fact

MAX_PIXELS = 100_000
MAX_CLASSES = 10_000_000
DTYPES = {
    "float32": "F32",
    "float": "F32",
    "float16": "F16",
    "half": "F16",
    "bfloat16": "BF16",
    "float64": "F64",
    "float8_e4m3fn": "F8_E4M3",
    "float8_e5m2": "F8_E5M2",
    "int8": "I8",
    "uint8": "U8",
}
"""torch spellings to those of safetensors, which all dtype facts use."""

_PART_KINDS = frozenset(
    [
        "layers",
        "encoder_layers",
        "decoder_layers",
        "hidden_size",
        "intermediate_size",
        "attention_heads",
        "key_value_heads",
        "head_dim",
        "experts",
        "experts_active",
        "vocabulary",
        "context",
        "positions",
        "patch_size",
        "image_size",
        "window_size",
        "family",
    ]
)
_SIZE_KINDS = frozenset({"patch_size", "image_size", "window_size"})
_OFFSETS = (2, 1)
"""Rows that some families keep beyond the usable positions (roberta: 514 for 512; bart: 1026 for 1024)."""


@dataclass(frozen=True, slots=True)
class Declared:
    """Facts of a config and what was ignored in it."""

    facts: tuple[Fact, ...]
    notes: tuple[str, ...]


@cache
def _keys() -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(
        Path(__file__).with_name("data").joinpath("config_keys.json").read_text("utf-8")
    )
    return loaded


def declared_facts(config: Mapping[str, Any], file: str = "config.json") -> tuple[Fact, ...]:
    """The facts that a config declares; see `read_config` for what was ignored."""
    return read_config(config, file).facts


def read_config(config: Mapping[str, Any], file: str = "config.json") -> Declared:
    """Reads a config of any family; wrong types are ignored with a note and never raise."""
    collector = Collector()
    root = Scope(config, "", file)
    keys = _keys()
    wrapper = root.sub(keys["wrapper_scopes"])
    inner = wrapper if wrapper is not None else root
    language = inner.sub(keys["language_scopes"])
    vision, audio = inner.sub(keys["vision_scopes"]), inner.sub(keys["audio_scopes"])
    modality = _modality(root, vision, audio)
    _identity(root, collector, modality)
    encoder, decoder = root.sub(("encoder",)), root.sub(("decoder",))
    if encoder is not None and decoder is not None:
        _pair(encoder, decoder, root, collector)
    elif language is not None and vision is not None and _is_two_tower(language):
        _dimensions(root, collector, frozenset({"projection_size"}))
        for kind in ("patch_size", "image_size"):
            _dimensions(vision, collector, frozenset({kind}))
        _dimensions(language, collector, frozenset({"vocabulary", "positions"}))
        _part("text", language, collector)
    else:
        _main(root, language, collector)
    if vision is not None:
        _part("vision", vision, collector)
    if audio is not None:
        _part("audio", audio, collector)
    _labels(root, collector)
    _number_format(root, language, collector)
    read_quantization(root, collector)
    if language is not None and collector.value("quantization") is None:
        read_quantization(language, collector)
    _backbone(root, collector)
    return Declared(tuple(collector.facts), tuple(collector.notes))


def _identity(root: Scope, collector: Collector, modality: Modality | None) -> None:
    family = text(root.values.get("model_type"))
    if family is not None:
        collector.add("family", family, root.key("model_type"))
    raw = root.values.get("architectures")
    names = [name for name in raw if text(name)] if isinstance(raw, list | tuple) else []
    if names:
        collector.add("architecture_class", names[0], root.key("architectures"))
        task = task_of_class(names[0], modality)
        if task is not None:
            collector.add("task", task, root.key(f"architectures ({names[0]})"))
    elif raw is not None:
        collector.note(f"{root.key('architectures')} is not a list of class names: ignored")
    diffusers = text(root.values.get("_class_name"))  # diffusers writes its class under this key
    if diffusers is not None and not names:
        collector.add("architecture_class", diffusers, root.key("_class_name"))


def _modality(root: Scope, vision: Scope | None, audio: Scope | None) -> Modality | None:
    """What the model takes in beside text; None where nothing tells an encoder-decoder of text from another model."""
    if vision is not None or any(
        key in root.values
        for key in ("image_token_id", "image_token_index", "mm_vision_tower", "vision_start_token_id")
    ):
        return "vision"
    if audio is not None or any(key in root.values for key in ("audio_token_id", "audio_token_index", "num_mel_bins")):
        return "audio"
    paired = root.values.get("is_encoder_decoder") is True
    return (
        "text"
        if paired or any(key in root.values for key in ("decoder_layers", "num_decoder_layers", "d_kv"))
        else None
    )


def _is_two_tower(language: Scope) -> bool:
    """Contrastive models call their text half `*_text_model`; a language model behind a vision tower is not one."""
    family = text(language.values.get("model_type"))
    return family is not None and family.endswith("_text_model")


def _main(root: Scope, language: Scope | None, collector: Collector) -> None:
    if language is not None:  # first: some roots keep stale copies of the language part's sizes
        _dimensions(language, collector)
        family = text(language.values.get("model_type"))
        if family is not None:
            collector.add("text_family", family, language.key("model_type"))
    _dimensions(root, collector)
    _hierarchical(collector)
    _offsets(collector)
    _encoder_decoder_layers(root, collector)
    _context(root, language, collector)
    _multi_query(root, collector)


def _dimensions(scope: Scope, collector: Collector, only: frozenset[str] | None = None) -> None:
    """Adds every dimension that the scope states and that is not known yet."""
    table = _keys()
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
    for kind, names in _keys()["stage_lists"].items():
        name = next((name for name in names if name in scope.values), None)
        several = integers(scope.values[name], MAX_CLASSES) if name is not None else None
        if name is None or several is None or collector.value(kind) is not None:
            continue
        collector.add(kind, several, scope.key(name))
        if kind == "hidden_sizes" and collector.value("hidden_size") is None:
            collector.add("hidden_size", several[-1], scope.key(name) + " (last stage)")


def _words(scope: Scope, collector: Collector) -> None:
    """Texts and flags, first key of each kind that is set."""
    table = _keys()
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


def _sizes(scope: Scope, kind: str, keys: list[str], collector: Collector) -> None:
    for key in keys:
        value = size(scope.values.get(key), MAX_PIXELS)
        if value is not None:
            collector.add(kind, value, scope.key(key))
            return


def _hierarchical(collector: Collector) -> None:
    """With `depths` stated, `num_layers` counts stages (swin) and `embed_dim` is the width of the first stage."""
    if collector.value("depths") is None:
        return
    for index, fact in enumerate(collector.facts):
        if fact.kind == "layers":
            collector.facts[index] = Fact("stages", fact.value, "declared", fact.source)
        elif fact.kind == "hidden_size" and fact.source.endswith("embed_dim"):
            collector.facts[index] = Fact("embed_dim", fact.value, "declared", fact.source)


def _offsets(collector: Collector) -> None:
    """Mask2Former and OneFormer count the prediction made before the first decoder layer as one more layer."""
    offsets = _keys()["offsets"].get(collector.value("family"), {})
    for index, fact in enumerate(collector.facts):
        if fact.kind in offsets and fact.value + offsets[fact.kind] > 0:
            source = f"{fact.source} ({fact.value}, of which {-offsets[fact.kind]} is the prediction before the layers)"
            collector.facts[index] = Fact(fact.kind, fact.value + offsets[fact.kind], "declared", source)


def _encoder_decoder_layers(root: Scope, collector: Collector) -> None:
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


def _context(root: Scope, language: Scope | None, collector: Collector) -> None:
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
    if factor is not None and factor > 1 and stated is not None and (original is None or stated <= original):
        collector.add("context_scaled", int(stated * factor), scope.key(f"{key}.factor"))


def usable_positions(rows: int) -> int:
    """Positions that can be used: rows one or two beyond a power of two are padding offsets (514 for 512)."""
    for offset in _OFFSETS:
        usable = rows - offset
        if usable >= 64 and usable & (usable - 1) == 0:
            return usable
    return rows


def _multi_query(root: Scope, collector: Collector) -> None:
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


def _pair(encoder: Scope, decoder: Scope, root: Scope, collector: Collector) -> None:
    """vision-encoder-decoder, speech-encoder-decoder, encoder-decoder: two configs, facts of each under its prefix."""
    for prefix, scope in (("encoder", encoder), ("decoder", decoder)):
        _part(prefix, scope, collector)
    for kind, scope in (
        ("patch_size", encoder),
        ("image_size", encoder),
        ("vocabulary", decoder),
        ("positions", decoder),
    ):
        _dimensions(scope, collector, frozenset({kind}))
    for kind in ("layers", "hidden_size", "attention_heads"):
        first, second = collector.value(f"encoder_{kind}"), collector.value(f"decoder_{kind}")
        if first is not None and first == second:
            collector.add(kind, first, root.key(f"encoder and decoder agree on {kind}"))


def _part(prefix: str, scope: Scope, collector: Collector) -> None:
    """Facts of a sub-config under prefixed kinds."""
    own = Collector()
    embed = integer(scope.values.get("embed_dim"), 1_000_000)
    if prefix == "vision" and embed is not None and "depths" not in scope.values:
        own.add("hidden_size", embed, scope.key("embed_dim"))  # qwen2_vl: hidden_size is what leaves the tower
    _dimensions(scope, own)
    family = text(scope.values.get("model_type"))
    if family is not None:
        own.add("family", family, scope.key("model_type"))
    for fact in own.facts:
        if fact.kind in _PART_KINDS:
            kind = f"{prefix}_{fact.kind}"
            if collector.value(kind) is None:
                collector.add(kind, fact.value, fact.source)
    for note in own.notes:
        collector.note(note)


def _labels(root: Scope, collector: Collector) -> None:
    """`num_labels` from an explicit label map or number; transformers' silent default of two is not a statement."""
    names = root.values.get("id2label")
    if isinstance(names, Mapping) and 0 < len(names) <= MAX_CLASSES:
        collector.add("num_labels", len(names), root.key("id2label"))
        shown = [text(label) for label in list(names.values())[:200]]
        stated = [label for label in shown if label is not None]
        if stated and not all(label.startswith("LABEL_") for label in stated):
            collector.add("label_names", stated, root.key("id2label"))
        return
    for key in ("num_labels", "_num_labels", "num_classes"):
        found = integer(root.values.get(key), MAX_CLASSES)
        if found is not None:
            collector.add("num_labels", found, root.key(key))
            return


def _number_format(root: Scope, language: Scope | None, collector: Collector) -> None:
    for scope in (root, language):
        if scope is None:
            continue
        for key in ("dtype", "torch_dtype", "model_dtype"):
            raw = text(scope.values.get(key))
            if raw is None:
                continue
            spelled = DTYPES.get(raw.removeprefix("torch."))
            if spelled is not None:
                collector.add("dtype", spelled, scope.key(key))
                return
            if raw != "auto":
                collector.note(f"{scope.key(key)} is not a known dtype: ignored")


def _backbone(root: Scope, collector: Collector) -> None:
    """`backbone` of a model built on another: the family of `backbone_config`, or the library's name for it."""
    inner = root.sub(("backbone_config", "prior_config"))
    if inner is None:
        return
    family = text(inner.values.get("model_type"))
    if family is None:
        return
    collector.facts[:] = [fact for fact in collector.facts if fact.kind != "backbone"]
    collector.add("backbone", family, inner.key("model_type"))
    _part("backbone", inner, collector)
    own = Collector()
    _dimensions(inner, own)
    for fact in own.facts:
        if fact.kind in {"depths", "hidden_sizes"} or (fact.kind == "hidden_size" and "embed_dim" in inner.values):
            collector.add(f"backbone_{fact.kind}", fact.value, fact.source)
    embed = integer(inner.values.get("embed_dim"), 1_000_000)
    if embed is not None:
        collector.add("backbone_embed_dim", embed, inner.key("embed_dim"))
