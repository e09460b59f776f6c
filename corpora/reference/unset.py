"""Integers that are None by default and that published models state: the width of a feed-forward block, a latent size.

Left alone they follow from other sizes, so a template would take the relation for structure (`n_inner` is four times
the width), or the tensors that they bring are in no layout at all (`moe_latent_size`). What they are set to follows
from their role (`settings/unset.json`).
"""

from __future__ import annotations

import re
import typing
from collections.abc import Iterator
from dataclasses import dataclass, fields
from functools import cache
from typing import TYPE_CHECKING, Any

from corpora.reference.sizes import role_of, settings

if TYPE_CHECKING:
    from transformers import PreTrainedConfig

NO_SIZE = re.compile(
    r".*(token|_id|_ids|index|indices|dropout|seed|beam|max_length|min_length|version|interval|steps?)$"
)
"""Integers that name a token or steer running."""


@dataclass(frozen=True, slots=True)
class Unset:
    """A field of one configuration with two values for it."""

    name: str
    value: int
    again: int
    """For another size of the model."""


@cache
def _endings() -> re.Pattern[str]:
    return re.compile(settings("unset")["endings"])


def unset(config: PreTrainedConfig) -> Iterator[Unset]:
    """The integers that a configuration leaves at None, with what they may be; those of its parts are not looked at."""
    sizes = _sizes(config)
    for item in fields(config):
        if config.__dict__.get(item.name, 0) is not None or int not in typing.get_args(item.type):
            continue
        if NO_SIZE.fullmatch(item.name):
            continue
        first, second = (
            _value(rule, sizes) for rule in settings("unset")["values"].get(_kind(item.name), (None, None))
        )
        if first is not None and second is not None:
            yield Unset(item.name, first, second)


def _kind(name: str) -> str:
    return role_of(name) or ("size" if _endings().fullmatch(name) else "count")


def _sizes(config: Any) -> dict[str, int]:  # any configuration class
    """Width, heads and the width of a head, where the configuration tells them."""
    found: dict[str, int] = {}
    for word, name in (("width", "hidden_size"), ("heads", "num_attention_heads")):
        try:
            value = getattr(config, name, None)
        except Exception:  # noqa: BLE001, S112  # configurations with one value per layer refuse the question
            continue
        if type(value) is int and value > 0:
            found[word] = value
    if len(found) == 2:
        found["head"] = found["width"] // found["heads"]
    return found


def _value(rule: Any, sizes: dict[str, int]) -> int | None:
    """A rule of the settings at these sizes; None where it needs one that is not known."""
    if isinstance(rule, int):
        return rule
    if rule is None or rule[0] not in sizes:
        return None
    of, numerator, denominator = rule
    return max(1, sizes[of] * int(numerator) // int(denominator))
