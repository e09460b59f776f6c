"""What config.json declares, from any family's spelling, as facts that name the key they were read from.

The model's own facts are those of its main part: for a vision-language model the language part, for a two-tower
model (CLIP and its kin) none of the two. Parts carry theirs under prefixed kinds (`vision_layers`, `text_hidden_size`,
`encoder_vocabulary`). Only what is stated counts: no library default is filled in, and the number of parameters is
never estimated.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from clustering.declared.dimensions import (
    context,
    dimensions,
    encoder_decoder_layers,
    hierarchical,
    keys,
    multi_query,
    offsets,
)
from clustering.declared.quantization import read_quantization
from clustering.declared.task import Modality, task_of_class
from clustering.declared.values import Collector, Scope, integer, text
from clustering.facts import Fact

MAX_CLASSES = 10_000_000
MAX_STACK = 10_000_000
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


@dataclass(frozen=True, slots=True)
class Declared:
    """Facts of a config and what was ignored in it."""

    facts: tuple[Fact, ...]
    notes: tuple[str, ...]


def declared_facts(config: Mapping[str, Any], file: str = "config.json") -> tuple[Fact, ...]:
    """The facts that a config declares; see `read_config` for what was ignored."""
    return read_config(config, file).facts


def read_config(config: Mapping[str, Any], file: str = "config.json") -> Declared:
    """Reads a config of any family; wrong types are ignored with a note and never raise."""
    collector = Collector()
    root = Scope(config, "", file)
    table = keys()
    wrapper = root.sub(table["wrapper_scopes"])
    inner = wrapper if wrapper is not None else root
    language = inner.sub(table["language_scopes"])
    vision, audio = inner.sub(table["vision_scopes"]), inner.sub(table["audio_scopes"])
    modality = _modality(root, vision, audio)
    _identity(root, collector, modality)
    encoder, decoder = root.sub(("encoder",)), root.sub(("decoder",))
    if encoder is not None and decoder is not None:
        _pair(encoder, decoder, root, collector)
    elif language is not None and vision is not None and _is_two_tower(language):
        dimensions(root, collector, frozenset({"projection_size"}))
        for kind in ("patch_size", "image_size"):
            dimensions(vision, collector, frozenset({kind}))
        dimensions(language, collector, frozenset({"vocabulary", "positions"}))
        _part("text", language, collector)
    elif language is not None and _has_own_stacks(root):
        _main(root, None, collector)  # detectors that read a prompt with a text model (grounding-dino)
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
    elif family is None:
        _timm(root, collector)
    diffusers = text(root.values.get("_class_name"))  # diffusers writes its class under this key
    if diffusers is not None and not names:
        collector.add("architecture_class", diffusers, root.key("_class_name"))


def _timm(root: Scope, collector: Collector) -> None:
    """The net of a config.json in timm's own form, which has neither model_type nor classes: `vit_base_patch16_224`.

    Other libraries use the key `architecture` too, so one of timm's own has to stand beside it.
    """
    net = text(root.values.get("architecture"))
    if net is not None and ("num_features" in root.values or isinstance(root.values.get("pretrained_cfg"), Mapping)):
        collector.add("timm_architecture", net, root.key("architecture"))


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


def _has_own_stacks(root: Scope) -> bool:
    """Whether the root states stacks of its own beside sub-models."""
    return any(integer(root.values.get(key), 10_000) is not None for key in ("encoder_layers", "decoder_layers"))


def _main(root: Scope, language: Scope | None, collector: Collector) -> None:
    if language is not None:  # first: some roots keep stale copies of the language part's sizes
        dimensions(language, collector)
        family = text(language.values.get("model_type"))
        if family is not None:
            collector.add("text_family", family, language.key("model_type"))
    dimensions(root, collector)
    blocks = root.values.get("layer_type")  # resnet
    if blocks in ("basic", "bottleneck"):
        collector.add("bottleneck", blocks == "bottleneck", root.key("layer_type"))
    hierarchical(collector)
    offsets(collector)
    encoder_decoder_layers(root, collector)
    context(root, language, collector)
    multi_query(root, collector)


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
        dimensions(scope, collector, frozenset({kind}))
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
    _own_stack(prefix, scope, own)
    dimensions(scope, own)
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


def _own_stack(prefix: str, scope: Scope, own: Collector) -> None:
    """The stack that a part uses, where its config describes both (Donut's mBART decoder keeps `encoder_layers`)."""
    if prefix not in ("encoder", "decoder"):
        return
    for kind, rest in (("layers", "layers"), ("attention_heads", "attention_heads"), ("intermediate_size", "ffn_dim")):
        key = f"{prefix}_{rest}"
        found = integer(scope.values.get(key), MAX_STACK)
        if found is not None:
            own.add(kind, found, scope.key(key))


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
    wrapped = text(inner.values.get("backbone"))
    if family == "timm_backbone" and wrapped is not None:  # the wrapper names the timm architecture beside it
        collector.add("backbone", wrapped, inner.key("backbone"))
    else:
        collector.add("backbone", family, inner.key("model_type"))
    _part("backbone", inner, collector)
    own = Collector()
    dimensions(inner, own)
    for fact in own.facts:
        if fact.kind in {"depths", "hidden_sizes"} or (fact.kind == "hidden_size" and "embed_dim" in inner.values):
            collector.add(f"backbone_{fact.kind}", fact.value, fact.source)
    embed = integer(inner.values.get("embed_dim"), 1_000_000)
    if embed is not None:
        collector.add("backbone_embed_dim", embed, inner.key("embed_dim"))
