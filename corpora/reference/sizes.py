"""Several sizes of one configuration, from its own fields, so that size is not identity.

A configuration is described by *leaves*: dotted field names with their default, those of sub-configurations included.
A field's role (depth, width, heads ...) is told by its name (`settings/roles.json`); a profile
(`settings/profiles.json`) says what happens to each role. Values that the library derives are not passed on, so that
it derives them again from the changed ones.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from fractions import Fraction
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any, TypeGuard

if TYPE_CHECKING:
    from transformers import PreTrainedConfig

_NESTING = 3
"""Composite configurations nest at most two levels (omni models); one more is allowed."""


@dataclass(frozen=True, slots=True)
class Leaf:
    """A field that may be varied."""

    path: str
    """Dotted name, `vision_config.hidden_size`."""
    role: str
    value: Any
    """Its default: an integer, or a list of integers (one per stage)."""


@dataclass(frozen=True, slots=True)
class Step:
    """What a profile does to one role."""

    role: str
    operation: str
    operands: tuple[int, ...]


@cache
def settings(name: str) -> Any:
    """One of the data files of `settings/`."""
    return json.loads((files("corpora.reference") / "settings" / f"{name}.json").read_text(encoding="utf-8"))


@cache
def _rules() -> tuple[tuple[str, re.Pattern[str]], ...]:
    return tuple((role, re.compile(rule)) for role, rule in settings("roles")["roles"])


@cache
def role_of(field: str) -> str | None:
    """The role of a configuration field by its name; None for one that is left alone."""
    return next((role for role, rule in _rules() if rule.fullmatch(field)), None)


def leaves(config: PreTrainedConfig, prefix: str = "", depth: int = 0) -> list[Leaf]:
    """Fields of a configuration, and of those inside it, that have a role and a numeric default."""
    found: list[Leaf] = []
    values = config.to_dict()
    if not prefix:
        values["num_labels"] = config.num_labels
    for name in dict.fromkeys([*_declared(config), "num_labels"]):
        role, value = role_of(name), values.get(name)
        if role is not None and _numeric(value):
            found.append(Leaf(f"{prefix}{name}", role, value))
    if depth < _NESTING:
        for name, inner in sub_configs(config).items():
            found.extend(leaves(inner, f"{prefix}{name}.", depth + 1))
    return found


def _declared(config: PreTrainedConfig) -> list[str]:
    return [field.name for field in fields(config)]


def _numeric(value: object) -> bool:
    if isinstance(value, bool):
        return False
    if isinstance(value, int):
        return value > 0
    return isinstance(value, list | tuple) and bool(value) and all(type(one) is int and one > 0 for one in value)


def sub_configs(config: PreTrainedConfig) -> dict[str, PreTrainedConfig]:
    """Configurations inside a configuration, by field name."""
    from transformers import PreTrainedConfig

    return {name: value for name, value in vars(config).items() if isinstance(value, PreTrainedConfig)}


def profile(name: str) -> tuple[Step, ...]:
    """The steps of a profile."""
    return tuple(
        Step(role, operation, tuple(operands)) for role, operation, *operands in settings("profiles")["profiles"][name]
    )


def apply(steps: tuple[Step, ...], found: list[Leaf]) -> dict[str, dict[str, Any]]:
    """The changes of a profile by role: `{role: {path: value}}`; roles without a change are left out."""
    changes: dict[str, dict[str, Any]] = {}
    heads = {leaf.path.rpartition(".")[0]: leaf for leaf in found if leaf.role == "heads"}
    for step in steps:
        for leaf in found:
            if leaf.role != step.role:
                continue
            if step.operation == "heads":
                of_model = heads.get(leaf.path.rpartition(".")[0])
                value = changes.get("heads", {}).get(of_model.path, of_model.value) if of_model else leaf.value
            else:
                value = _changed(leaf.value, step)
            if value != leaf.value:
                changes.setdefault(step.role, {})[leaf.path] = value
    return changes


def _changed(value: Any, step: Step) -> Any:
    if isinstance(value, list | tuple):
        if step.operation == "longest":
            longest = max(range(len(value)), key=lambda n: value[n])
            return [max(1, step.operands[0] if n == longest else one) for n, one in enumerate(value)]
        if step.operation == "climb":
            return [one + n + 1 for n, one in enumerate(value)]
        if step.operation in {"scale", "add"} and step.role != "depths":
            return [_changed(one, step) for one in value]
        return value
    match step.operation, step.operands:
        case "scale", (numerator, denominator):
            scaled = Fraction(value * numerator, denominator)
            return int(scaled) if scaled.denominator == 1 and scaled >= 1 else value
        case "share", (numerator, denominator):
            return value * numerator // denominator
        case "cap", (most,):
            return min(value, most)
        case "set", (fixed,):
            return fixed
        case "add", (more,):
            return value + more
        case "grow", (numerator, denominator, low):
            return max(low, value * numerator // denominator)
        case _:
            return value


def with_changes(
    config_class: type[PreTrainedConfig], base: Mapping[str, Any], changes: Mapping[str, Any]
) -> PreTrainedConfig:
    """Construct a configuration from its class defaults, the arguments it needs (`base`) and changes by dotted name."""
    own, inner = _split(changes)
    # Published configurations are JSON, so a default that is a tuple arrives as a list; some classes insist on that.
    lists = {one.name: list(one.default) for one in fields(config_class) if _flat_tuple(one.default)}
    arguments: dict[str, Any] = {**lists, **base, **own}
    if inner:
        inside = sub_configs(config_class(**_cycled({**lists, **base})))
        for name, deeper in inner.items():
            arguments[name] = _nested(inside[name], base.get(name) or {}, deeper)
    return config_class(**_cycled(arguments))


def _flat_tuple(value: object) -> TypeGuard[tuple[Any, ...]]:
    return isinstance(value, tuple) and not any(isinstance(one, tuple) for one in value)


def _nested(config: PreTrainedConfig, base: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """A sub-configuration as arguments: what differs from its class defaults, what it needs, then the changes."""
    plain, values = type(config)().to_dict(), config.to_dict()
    derived = {one.name for one in fields(config) if one.default is None and isinstance(values.get(one.name), list)}
    skipped = derived | {"transformers_version", "dtype", *sub_configs(config)}
    arguments: dict[str, Any] = {
        name: values[name]
        for name in _declared(config)
        if name in plain and name not in skipped and values.get(name) != plain[name]
    }
    own, inner = _split(changes)
    arguments.update({**base, **own})
    for name, part in sub_configs(config).items():
        arguments[name] = _nested(part, base.get(name) or {}, inner.get(name, {}))
    if config.model_type:
        arguments["model_type"] = config.model_type
    return arguments


def _split(changes: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
    """Changes to a configuration's own fields, and those to fields of configurations inside it."""
    own: dict[str, Any] = {}
    inner: dict[str, dict[str, Any]] = {}
    for path, value in changes.items():
        head, _, rest = path.partition(".")
        if rest:
            inner.setdefault(head, {})[rest] = value
        else:
            own[head] = value
    return own, inner


def _cycled(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Expand `{"cycle": [...]}` to one value for each layer."""
    expanded: dict[str, Any] = {}
    for name, value in arguments.items():
        if isinstance(value, dict) and set(value) == {"cycle"}:
            pattern = value["cycle"]
            expanded[name] = [pattern[n % len(pattern)] for n in range(arguments["num_hidden_layers"])]
        else:
            expanded[name] = _cycled(value) if isinstance(value, dict) else value
    return expanded
