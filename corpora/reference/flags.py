"""Options of a configuration that change which tensors there are: biases, tying, gates, extra heads.

Real packages vary them (`attention_bias`, `tie_word_embeddings`, `q_lora_rank: null`). Which of a configuration's
fields are of that kind is found by trying: each is changed alone on a shallow model, and kept where the tensors
differ.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, fields
from functools import cache
from typing import TYPE_CHECKING, Any

from corpora.reference.sizes import Leaf, settings, sub_configs
from corpora.reference.unset import unset

if TYPE_CHECKING:
    from transformers import PreTrainedConfig

MAX_OPTIONS = 14
"""Effective options kept for one configuration; omni models have dozens in their parts."""


@dataclass(frozen=True, slots=True)
class Option:
    """One changed field."""

    path: str
    value: Any
    again: Any = None
    """Another value of the same effect, for the second size; None where there is one only."""

    @property
    def variant(self) -> str:
        """Name of the variant with this option."""
        return f"flag:{self.path}={self.value}"


@cache
def _skipped() -> re.Pattern[str]:
    return re.compile("|".join(f"(?:{rule})" for rule in settings("options")["skipped"]))


def options(config: PreTrainedConfig, prefix: str = "", depth: int = 0) -> Iterator[Option]:
    """Every option worth trying: integers that are None, booleans turned over, the listed values of other fields."""
    values = config.to_dict()
    listed = settings("options")["values"]
    for one in unset(config):
        if one.name not in listed:
            yield Option(f"{prefix}{one.name}", one.value, one.again)
    for field in fields(config):
        name, value = field.name, values.get(field.name)
        if isinstance(value, bool):
            if not _skipped().fullmatch(name):
                yield Option(f"{prefix}{name}", not value)
        else:
            yield from (Option(f"{prefix}{name}", other) for other in listed.get(name, ()) if other != value)
    if not prefix and config.num_labels == 2:  # the library's default; regression and reward models have one
        yield Option("num_labels", 1)
    if depth < 1:
        for name, inner in sub_configs(config).items():
            yield from options(inner, f"{prefix}{name}.", depth + 1)


def shallow(found: list[Leaf], layers: int = 3) -> dict[str, Any]:
    """Changes that make a model shallow (this many layers at most), so that trying options is quick."""
    changes: dict[str, Any] = {}
    for leaf in found:
        if leaf.role == "depth" and isinstance(leaf.value, int):
            changes[leaf.path] = min(leaf.value, layers)
        elif leaf.role == "experts":
            changes[leaf.path] = min(leaf.value, 4)
    return changes
