"""Models built on the meta device: no weights are allocated, nothing is downloaded, no code of a package runs.

torch and transformers are imported inside the functions.
"""

from __future__ import annotations

import contextlib
import io
import re
import warnings
from collections.abc import Iterator, Mapping
from types import ModuleType
from typing import TYPE_CHECKING, Any, TypeVar, cast

from clustering.errors import MissingExtraError
from clustering.live.limits import LiveLimits, LiveModelError, build_budget, check_config
from clustering.live.zoo import prepare_torchvision, timm_module

if TYPE_CHECKING:
    from torch import nn
    from transformers import PreTrainedConfig, PreTrainedModel

_Json = TypeVar("_Json")

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


def module_from_config(config: Mapping[str, Any], *, limits: LiveLimits | None = None) -> nn.Module:
    """Build the model that a config.json declares on the meta device, in evaluation mode.

    A `PreTrainedModel`; for a package of timm (`architecture` instead of `model_type`) the module that timm makes.

    Raises:
        LiveModelError: see `listing_from_config`.
        MissingExtraError: see `listing_from_config`.
    """
    limits = limits or LiveLimits()
    check_config(config, limits)
    _torch()
    architecture = config.get("architecture")
    if isinstance(architecture, str) and "model_type" not in config:
        classes = config.get("num_classes")
        return timm_module(architecture, limits=limits, **({"num_classes": classes} if type(classes) is int else {}))
    transformers = load_transformers()
    cleaned = _without_runtime_fields(dict(config))
    what = str(declared_class(config) or config.get("model_type") or "model")[:80]
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
    with torch.device("meta"), _forward_only_packages(), _no_initialisation():
        module = model_class._from_config(parsed, dtype=torch.float32, attn_implementation="eager")  # noqa: SLF001
    module.tie_weights()
    return module.eval()


@contextlib.contextmanager
def _no_initialisation() -> Iterator[None]:
    """Skip filling weights with random numbers, a third of the time of a build; on the meta device there are none."""
    from torch.nn import init

    before = {name: value for name, value in vars(init).items() if name.endswith("_") and not name.startswith("_")}
    before = {name: value for name, value in before.items() if callable(value)}
    for name in before:
        setattr(init, name, lambda tensor, *_, **__: tensor)
    try:
        yield
    finally:
        for name, value in before.items():
            setattr(init, name, value)


@contextlib.contextmanager
def _forward_only_packages() -> Iterator[None]:
    """Let classes be built that insist on a package which only their forward pass needs (DiNAT's attention kernels)."""
    from transformers.utils.import_utils import BACKENDS_MAPPING

    before = {name: BACKENDS_MAPPING[name] for name in ("natten",) if name in BACKENDS_MAPPING}
    for name, (_, message) in before.items():
        BACKENDS_MAPPING[name] = (lambda: True, message)
    try:
        yield
    finally:
        BACKENDS_MAPPING.update(before)


class _NoHub:
    """Answers for the hub while models are built: there is no such repository."""

    @staticmethod
    def repo_exists(*_: object, **__: object) -> bool:
        return False


@contextlib.contextmanager
def _offline() -> Iterator[None]:
    """Keep configuration classes from asking the hub, whatever a configuration names.

    A configuration with `backbone: "owner/repo"` and no `backbone_config` would make transformers look that name up and
    take the configuration that it finds there.
    """
    from huggingface_hub import constants
    from transformers import backbone_utils

    before, hub = constants.HF_HUB_OFFLINE, getattr(backbone_utils, "hf_api", None)
    constants.HF_HUB_OFFLINE = True
    backbone_utils.hf_api = _NoHub
    try:
        yield
    finally:
        constants.HF_HUB_OFFLINE = before
        if hub is not None:
            backbone_utils.hf_api = hub


@contextlib.contextmanager
def _one_error(what: str) -> Iterator[None]:
    """Whatever a library raises about a configuration becomes one of our two errors."""
    try:
        with quiet(), _offline():
            yield
    except LiveModelError:
        raise
    except ImportError as error:
        reason = error_line(error).partition(" but it was not found")[0].removeprefix("ImportError: ")
        extra = "timm" if "timm" in reason.lower() else "all"
        raise MissingExtraError(f"building {what} ({reason})", extra) from error
    except RecursionError as error:
        raise LiveModelError(f"{what!r}: the configuration refers to itself or is nested too deep") from error
    except MemoryError as error:
        raise LiveModelError(f"{what!r}: the configuration asks for more memory than there is") from error
    except Exception as error:
        raise LiveModelError(f"{what!r} cannot be built from this configuration ({error_line(error)})") from error


def declared_dtype(config: Mapping[str, Any]) -> str | None:
    """The dtype that a configuration says its weights are saved in (`bfloat16`), also from its text part."""
    for part in (config, config.get("text_config"), config.get("llm_config")):
        if isinstance(part, Mapping):
            value = part.get("torch_dtype") or part.get("dtype")
            if isinstance(value, str):
                return value.removeprefix("torch.")
    return None


def declared_class(config: Mapping[str, Any]) -> str | None:
    """The first class that a configuration names, `architectures[0]`."""
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
    declared = declared_class(config)
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
def quiet() -> Iterator[None]:
    """Silence what libraries print and log about configurations: the caller gets an error or a listing."""
    from transformers.utils import logging

    before = logging.get_verbosity()
    logging.set_verbosity(logging.CRITICAL)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
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


def load_transformers() -> Any:  # an optional module
    """The transformers library, imported in the one way that works beside every torchvision.

    Raises:
        MissingExtraError: it is not installed.
    """
    try:
        prepare_torchvision()  # transformers imports it where it is installed
        import transformers
    except ImportError as error:
        raise MissingExtraError("building a model from its configuration", "graph") from error
    return transformers


def error_line(error: BaseException) -> str:
    """An exception as one short printable line."""
    text = " ".join(str(error).split())
    text = "".join(character if character.isprintable() else "?" for character in text)
    return f"{type(error).__name__}: {text[:200]}" if text else type(error).__name__
