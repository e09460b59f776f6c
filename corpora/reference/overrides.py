"""The few arguments that classes need whose defaults do not build (`settings/overrides.json`)."""

from __future__ import annotations

from typing import Any

from corpora.reference.sizes import settings


def arguments_for(model_type: str, class_name: str | None = None) -> dict[str, Any]:
    """Constructor arguments for a configuration, with those of one class where it has its own."""
    table = settings("overrides")
    arguments = dict(table["types"].get(model_type, {}))
    if class_name is not None:
        arguments.update(table["classes"].get(class_name, {}))
    return arguments
