"""Tensor listings of live models: of a `torch.nn.Module`, or of the class that a config.json declares.

The class is built on the meta device: no weights are allocated, nothing is downloaded, no code of a package runs.
Names come in two spellings. `memory` is what `module.state_dict()` says in the installed transformers. `published` is
what `save_pretrained` writes: transformers 5 restructures some families on loading (fused experts, moved prefixes) and
undoes it on saving, and most files on the hub are of the published kind.

torch and transformers are imported inside the functions.
"""

from __future__ import annotations

import contextlib
import re
import warnings
from bisect import bisect_right
from collections.abc import Iterator, Mapping
from types import ModuleType
from typing import TYPE_CHECKING, Any, Literal, TypeVar, cast

from clustering.errors import MissingExtraError
from clustering.livelimits import LiveLimits, LiveModelError, build_budget, check_config
from clustering.tensors import Tensor, TensorListing

if TYPE_CHECKING:
    import torch
    from torch import nn
    from transformers import PreTrainedConfig, PreTrainedModel

__all__ = [
    "LiveLimits",
    "LiveModelError",
    "Spelling",
    "listing_from_config",
    "listing_from_module",
    "module_from_class",
    "module_from_config",
]

Spelling = Literal["memory", "published"]

_Json = TypeVar("_Json")

_DTYPES = {
    "float64": "F64",
    "float32": "F32",
    "float16": "F16",
    "bfloat16": "BF16",
    "int64": "I64",
    "int32": "I32",
    "int16": "I16",
    "int8": "I8",
    "uint8": "U8",
    "bool": "BOOL",
    "float8_e4m3fn": "F8_E4M3",
    "float8_e5m2": "F8_E5M2",
    "complex64": "C64",
}
"""torch's spelling to that of the safetensors format."""
_WIDTH = {"F64": 8, "I64": 8, "C64": 8, "F32": 4, "I32": 4, "F16": 2, "BF16": 2, "I16": 2}
_HALF = {"float16": "F16", "half": "F16", "bfloat16": "BF16"}

_RUNTIME_FIELDS = frozenset(
    {
        "_attn_implementation",
        "_experts_implementation",
        "_flash_attn_2_enabled",
        "_name_or_path",
        "attn_implementation",
        "auto_map",
        "compression_config",
        "dtype",
        "quantization_config",
        "torch_dtype",
        "transformers_version",
        "use_pretrained_backbone",
    }
)
"""Fields that say how weights are stored or run, not what the graph is; some would ask for packages not needed here."""

_FRAMEWORK_PREFIX = re.compile(r"^(TF|Flax)(?=[A-Z])")


def listing_from_module(
    module: nn.Module,
    *,
    dtype: str | None = None,
    spelling: Spelling = "memory",
    metadata: Mapping[str, Any] | None = None,
) -> TensorListing:
    """List the parameters and persistent buffers of a module in definition order.

    Args:
        module: Any `torch.nn.Module`; its data is not touched.
        dtype: What F32 tensors are listed as (`float16`, `bfloat16`), for a module built in single precision that
            stands for files saved in half precision.
        spelling: `published` undoes the restructuring of the installed transformers; it needs a `PreTrainedModel`.
        metadata: Key-values to keep with the listing.

    Returns:
        A listing of format `module`. A shared (tied) parameter is there once, under its first name, with a `storage`
        id; its other names are in `metadata["tied"]` (alias to first name).

    Raises:
        LiveModelError: the published spelling was asked for and cannot be told.
    """
    first: dict[int, str] = {}
    tied: dict[str, str] = {}
    state: dict[str, Any] = {}
    for name, value in module.state_dict(keep_vars=True).items():
        if not hasattr(value, "shape"):  # extra state of a module: any object
            continue
        if id(value) in first:
            tied[name] = first[id(value)]
            continue
        first[id(value)] = name
        state[name] = value
    if spelling == "published":
        state = _published(module, state)
    shared = set(tied.values())
    tensors = tuple(_tensor(name, value, dtype, shared=first.get(id(value)) in shared) for name, value in state.items())
    extra: dict[str, Any] = {"class": type(module).__name__, "spelling": spelling}
    if tied:
        extra["tied"] = tied
    return TensorListing(tensors=tensors, format="module", metadata={**extra, **(metadata or {})})


def _tensor(name: str, value: torch.Tensor, dtype: str | None, *, shared: bool) -> Tensor:
    spelled = _DTYPES.get(str(value.dtype).removeprefix("torch."), str(value.dtype).removeprefix("torch.").upper())
    if spelled == "F32" and dtype:
        spelled = _HALF.get(dtype.removeprefix("torch."), spelled)
    shape = tuple(int(size) for size in value.shape)
    return Tensor(
        name,
        shape,
        spelled,
        nbytes=value.numel() * _WIDTH.get(spelled, 1),
        storage=f"module:{name}" if shared else None,
    )


def _published(module: nn.Module, state: dict[str, Any]) -> dict[str, Any]:
    """Rename and restructure `state` as `save_pretrained` does, in definition order."""
    transformers = _transformers()
    if not isinstance(module, transformers.PreTrainedModel):
        raise LiveModelError(f"{type(module).__name__} is no transformers model: its published spelling is not known")
    from transformers.core_model_loading import revert_weight_conversion

    ignored = [re.compile(pattern) for pattern in (getattr(module, "_keys_to_ignore_on_save", None) or ())]
    kept = {name: value for name, value in state.items() if not any(rule.fullmatch(name) for rule in ignored)}
    try:
        with _quiet():
            converted: dict[str, Any] = revert_weight_conversion(module, kept)
    except Exception as error:
        raise LiveModelError(f"{type(module).__name__}: published spelling failed ({_line(error)})") from error
    return _definition_order(kept, converted)


def _definition_order(before: dict[str, Any], after: dict[str, Any]) -> dict[str, Any]:
    """Put converted tensors where the tensors that they were made of stood (the conversion sorts by name)."""
    rank = {id(value): number for number, value in enumerate(before.values())}
    if [rank.get(id(value)) for value in after.values()] == list(range(len(before))):
        return after
    from transformers.core_model_loading import dot_natural_key

    by_name = sorted(before, key=dot_natural_key)  # the order in which the conversion took them
    place = {id(before[name]): number for number, name in enumerate(by_name)}
    kept = {id(value) for value in after.values()}
    consumed = [(place[key], rank[key]) for key in place if key not in kept]  # ascending by place
    places = [number for number, _ in consumed]
    # A converted group stands in `after` at the place of its first source. So between two tensors that were only
    # renamed there is one run of sources and one run of results, and the run goes where its first source was defined.
    keys: list[tuple[int, int]] = []
    anchor = -1
    for number, value in enumerate(after.values()):
        if id(value) in rank:
            anchor = place[id(value)]
            keys.append((rank[id(value)], number))
        else:
            following = bisect_right(places, anchor)
            keys.append((consumed[following][1] if following < len(consumed) else len(before), number))
    items = list(after.items())
    return dict(items[number] for _, number in sorted(keys))


def listing_from_config(
    config: Mapping[str, Any], *, spelling: Spelling = "memory", limits: LiveLimits | None = None
) -> TensorListing:
    """List the tensors of the model that a config.json describes, without weights.

    Quantized packages are listed in their logical, unquantized form. The listing's `metadata` holds `class` (what was
    built), `declared` (architectures[0], where it differs) and `model_type`.

    Raises:
        LiveModelError: unknown or remote-code class, invalid or absurd configuration, failed or too slow build.
        MissingExtraError: torch or transformers is not installed, or a package that this class needs.
    """
    module = module_from_config(config, limits=limits)
    declared = _architecture(config)
    metadata: dict[str, Any] = {"model_type": str(getattr(module.config, "model_type", ""))}
    if declared and declared != type(module).__name__:
        metadata["declared"] = declared
    return listing_from_module(module, dtype=declared_dtype(config), spelling=spelling, metadata=metadata)


def module_from_config(config: Mapping[str, Any], *, limits: LiveLimits | None = None) -> PreTrainedModel:
    """Build the `PreTrainedModel` that a config.json declares on the meta device, in evaluation mode.

    Raises:
        LiveModelError: see `listing_from_config`.
        MissingExtraError: see `listing_from_config`.
    """
    limits = limits or LiveLimits()
    check_config(config, limits)
    _torch()
    transformers = _transformers()
    cleaned = _without_runtime_fields(dict(config))
    what = str(_architecture(config) or config.get("model_type") or "model")[:80]
    with _one_error(what), build_budget(limits):
        model_class, parsed = _class_and_config(transformers, cleaned, remote="auto_map" in config)
        return _on_meta(model_class, parsed)


def module_from_class(
    model_class: type[PreTrainedModel], parsed: PreTrainedConfig, *, limits: LiveLimits | None = None
) -> PreTrainedModel:
    """Build a known class for a parsed configuration on the meta device, in evaluation mode.

    Raises:
        LiveModelError: the build failed, or took more than `limits`.
        MissingExtraError: the class needs a package that is not installed.
    """
    with _one_error(model_class.__name__), build_budget(limits or LiveLimits()):
        return _on_meta(model_class, parsed)


def _on_meta(model_class: type[PreTrainedModel], parsed: PreTrainedConfig) -> PreTrainedModel:
    import torch

    if hasattr(parsed, "use_pretrained_backbone"):
        parsed.use_pretrained_backbone = False
    with torch.device("meta"):
        module = model_class._from_config(parsed, dtype=torch.float32, attn_implementation="eager")  # noqa: SLF001
    module.tie_weights()
    return module.eval()


@contextlib.contextmanager
def _one_error(what: str) -> Iterator[None]:
    """Whatever a library raises about a configuration becomes one of our two errors."""
    try:
        with _quiet():
            yield
    except LiveModelError:
        raise
    except ImportError as error:
        raise MissingExtraError(f"building {what}: {_line(error)};", "all") from error
    except RecursionError as error:
        raise LiveModelError(f"{what!r}: the configuration refers to itself or is nested too deep") from error
    except MemoryError as error:
        raise LiveModelError(f"{what!r}: the configuration asks for more memory than there is") from error
    except Exception as error:
        raise LiveModelError(f"{what!r} cannot be built from this configuration ({_line(error)})") from error


def declared_dtype(config: Mapping[str, Any]) -> str | None:
    """The dtype that a configuration says its weights are saved in (`bfloat16`), also from its text part."""
    for part in (config, config.get("text_config"), config.get("llm_config")):
        if isinstance(part, Mapping):
            value = part.get("torch_dtype") or part.get("dtype")
            if isinstance(value, str):
                return value.removeprefix("torch.")
    return None


def _architecture(config: Mapping[str, Any]) -> str | None:
    classes = config.get("architectures")
    return classes[0] if isinstance(classes, list) and classes and isinstance(classes[0], str) else None


def _without_runtime_fields(value: _Json) -> _Json:
    if isinstance(value, dict):
        kept = {name: _without_runtime_fields(inner) for name, inner in value.items() if name not in _RUNTIME_FIELDS}
        return cast("_Json", kept)
    if isinstance(value, list):
        return cast("_Json", [_without_runtime_fields(inner) for inner in value])
    return value


def _class_and_config(
    transformers: ModuleType, config: dict[str, Any], *, remote: bool
) -> tuple[type[PreTrainedModel], PreTrainedConfig]:
    """The model class that the configuration declares and its parsed configuration."""
    declared = _architecture(config)
    model_type = config.get("model_type")
    if declared:
        model_class = _model_class(transformers, declared) or _model_class(
            transformers, _FRAMEWORK_PREFIX.sub("", declared)
        )
        if model_class is not None and model_class.config_class is not None:
            return model_class, model_class.config_class.from_dict(config)
        native = _native_spelling(transformers, model_type, declared)
        if native is not None:
            return native, native.config_class.from_dict(config)
        if remote:
            raise LiveModelError(f"{declared[:80]!r} is code of the package itself, which is not run")
    if not isinstance(model_type, str) or model_type not in transformers.CONFIG_MAPPING:
        raise LiveModelError(f"unknown class {str(declared)[:80]!r} and model type {str(model_type)[:80]!r}")
    fields = {name: value for name, value in config.items() if name != "model_type"}
    parsed = transformers.AutoConfig.for_model(model_type, **fields)
    # The public AutoModel.from_config would read remote code settings, hence the mappings themselves.
    mapping = _auto_class(transformers, declared or "")._model_mapping  # noqa: SLF001
    if type(parsed) not in mapping:
        mapping = transformers.AutoModel._model_mapping  # noqa: SLF001
    if type(parsed) not in mapping:
        raise LiveModelError(f"model type {model_type[:80]!r} has no model class of its own")
    found = mapping[type(parsed)]
    return (found[0] if isinstance(found, list | tuple) else found), parsed


def _model_class(transformers: ModuleType, name: str) -> type[PreTrainedModel] | None:
    """A model class of transformers by its name; None for every other attribute of the package."""
    if not name.isidentifier() or name.startswith("_"):
        return None
    found = getattr(transformers, name, None)
    return found if isinstance(found, type) and issubclass(found, transformers.PreTrainedModel) else None


def _native_spelling(transformers: ModuleType, model_type: object, declared: str) -> type[PreTrainedModel] | None:
    """The class that differs from a declared one in case only: the spelling of remote code before it was taken over."""
    if not isinstance(model_type, str) or model_type not in transformers.CONFIG_MAPPING:
        return None
    mapping = _auto_class(transformers, declared)._model_mapping  # noqa: SLF001
    config_class = transformers.CONFIG_MAPPING[model_type]
    if config_class not in mapping:
        return None
    found = mapping[config_class]
    candidates = found if isinstance(found, list | tuple) else (found,)
    return next((one for one in candidates if one.__name__.lower() == declared.lower()), None)


def _auto_class(transformers: ModuleType, declared: str) -> Any:  # Auto classes share no public base
    """The Auto class of the head that a class name ends with (`XyzForCausalLM`); AutoModel for a bare one."""
    head = re.search(r"(For[A-Z]\w*|LMHeadModel)$", declared)
    if head is None:
        return transformers.AutoModel
    name = "AutoModelForCausalLM" if head[0] == "LMHeadModel" else f"AutoModel{head[0]}"
    name = {"AutoModelForConditionalGeneration": "AutoModelForSeq2SeqLM"}.get(name, name)
    return getattr(transformers, name, transformers.AutoModel)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Silence what libraries print about configurations: the caller gets an error or a listing."""
    from transformers.utils import logging

    before = logging.get_verbosity()
    logging.set_verbosity(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.set_verbosity(before)


def _torch() -> Any:  # an optional module
    try:
        import torch
    except ImportError as error:
        raise MissingExtraError("building a model from its configuration", "graph") from error
    return torch


def _transformers() -> Any:  # an optional module
    try:
        import transformers
    except ImportError as error:
        raise MissingExtraError("building a model from its configuration", "graph") from error
    return transformers


def _line(error: BaseException) -> str:
    """An exception as one short printable line."""
    text = " ".join(str(error).split())
    text = "".join(character if character.isprintable() else "?" for character in text)
    return f"{type(error).__name__}: {text[:200]}" if text else type(error).__name__
