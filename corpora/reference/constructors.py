"""Optional parts that are arguments of a model's constructor and stand in no configuration (`add_pooling_layer`).

A file saved from such a model has a layout that no configuration gives.
"""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from transformers import PreTrainedConfig, PreTrainedModel


def constructor_switches(model_class: type) -> tuple[tuple[str, bool], ...]:
    """Arguments besides the configuration that are true or false by default, each with the other value."""
    try:
        parameters = list(inspect.signature(model_class.__init__).parameters.values())  # type: ignore[misc]
    except (TypeError, ValueError):
        return ()
    return tuple((p.name, not p.default) for p in parameters[2:] if isinstance(p.default, bool))


@dataclass(frozen=True, slots=True)
class _Switched:
    """A model class whose constructor gets further arguments: as much of a class as building one needs."""

    model_class: type[PreTrainedModel]
    arguments: Mapping[str, Any]

    @property
    def __name__(self) -> str:
        return self.model_class.__name__

    def _from_config(self, config: PreTrainedConfig, **arguments: Any) -> PreTrainedModel:
        return self.model_class._from_config(config, **arguments, **self.arguments)  # noqa: SLF001


def with_arguments(model_class: type[PreTrainedModel], arguments: Mapping[str, Any]) -> Any:
    """The class with arguments for its constructor, for `clustering.live.listing.module_from_class`."""
    return _Switched(model_class, arguments)
