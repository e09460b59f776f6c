"""Which models the installed transformers has: every configuration with the classes that take it.

Needs transformers (and torch, which its modeling modules import); nothing is built and nothing is downloaded.
"""

from __future__ import annotations

import importlib
import pkgutil
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from types import ModuleType
from typing import TYPE_CHECKING, Any, get_args

if TYPE_CHECKING:
    from transformers import PreTrainedConfig, PreTrainedModel

_ABSTRACT = re.compile(r"Pre[Tt]rained")
"""What the names of base classes hold: BertPreTrainedModel, PretrainedFSMTModel, DPRPretrainedReader."""


@dataclass(frozen=True, slots=True)
class ModelEntry:
    """One configuration class with the model classes that are built from it."""

    model_type: str
    config_class: type[PreTrainedConfig]
    classes: tuple[type[PreTrainedModel], ...]
    """The bare model first, then heads by name. Empty where the library has a configuration without a model."""
    base: str | None
    """Name of the bare model class (AutoModel's answer), where there is one."""
    unimportable: tuple[str, ...] = ()
    """Modeling modules that could not be imported, with the reason (an optional package is missing)."""


def config_types() -> tuple[str, ...]:
    """Every model type that AutoConfig knows, sorted."""
    from transformers import CONFIG_MAPPING

    return tuple(sorted(CONFIG_MAPPING.keys()))


def model_entries(families: Iterable[str] | None = None) -> Iterator[ModelEntry]:
    """Yield an entry for every known model type, sorted by type.

    An alias (a second key for one configuration class, whose files say the first one's type) yields an entry without
    classes.

    Args:
        families: Only these model types.
    """
    from transformers import CONFIG_MAPPING

    wanted = None if families is None else set(families)
    for model_type in config_types():
        if wanted is not None and model_type not in wanted:
            continue
        config_class = CONFIG_MAPPING[model_type]
        if config_class.model_type != model_type:
            yield ModelEntry(model_type, config_class, (), None)
            continue
        yield _entry(model_type, config_class)


def _entry(model_type: str, config_class: type[PreTrainedConfig]) -> ModelEntry:
    found: dict[str, type[PreTrainedModel]] = {}
    hidden: dict[str, type[PreTrainedModel]] = {}
    unimportable: list[str] = []
    for module in _modeling_modules(config_class, unimportable):
        public = set(getattr(module, "__all__", ()))
        for name, value in vars(module).items():
            if _takes(value, config_class, module.__name__):
                (found if name in public else hidden)[name] = value
    base = None
    for table, names in _auto_names(model_type):
        for name in names:
            model_class = _class_named(name)
            if model_class is None or not _fits(model_class, config_class):
                continue  # the class of a composite's text part, which has a configuration of its own
            found[name] = model_class
            if table == "MODEL_MAPPING_NAMES" and base is None:
                base = name
    classes = found or hidden  # parts that a composite builds have no public class; they are still recognised as parts
    ordered = sorted(classes, key=lambda name: (name != base, not name.endswith("Model"), name))
    return ModelEntry(
        model_type,
        config_class,
        tuple(classes[name] for name in ordered),
        base or next(iter(ordered), None),
        tuple(unimportable),
    )


def _modeling_modules(config_class: type[PreTrainedConfig], unimportable: list[str]) -> Iterator[ModuleType]:
    package_name = config_class.__module__.rpartition(".")[0]
    package = importlib.import_module(package_name)
    for found in sorted(pkgutil.iter_modules(package.__path__), key=lambda info: info.name):
        if not found.name.startswith("modeling_") or found.name.startswith(("modeling_tf_", "modeling_flax_")):
            continue
        try:
            yield importlib.import_module(f"{package_name}.{found.name}")
        except ImportError as error:
            unimportable.append(f"{found.name}: {error}")


def _takes(value: Any, config_class: type[PreTrainedConfig], module_name: str) -> bool:
    """Whether a module's attribute is a concrete model class, defined there, for this configuration."""
    from transformers import PreTrainedModel

    if not isinstance(value, type) or not issubclass(value, PreTrainedModel) or value.__module__ != module_name:
        return False
    if _ABSTRACT.search(value.__name__):
        return False
    return _fits(value, config_class)


def _fits(model_class: type, config_class: type[PreTrainedConfig]) -> bool:
    declared = getattr(model_class, "config_class", None)
    return declared is config_class or config_class in get_args(declared)


def _auto_names(model_type: str) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Names of the classes that the Auto tables give for a model type, table by table."""
    from transformers.models.auto import modeling_auto

    for table in sorted(name for name in vars(modeling_auto) if name.endswith("_NAMES") and name.startswith("MODEL_")):
        names = getattr(modeling_auto, table).get(model_type)
        if names:
            yield table, (names,) if isinstance(names, str) else tuple(names)


def _class_named(name: str) -> type[PreTrainedModel] | None:
    import transformers

    found: Any = getattr(transformers, name, None)
    return found if isinstance(found, type) and issubclass(found, transformers.PreTrainedModel) else None
