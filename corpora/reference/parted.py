"""Sizes in which dimensions that the library's defaults make equal are parted.

A template learnt from the default size alone takes what happens to be equal there for one dimension: heads times their
width for the width of the model, the width of one tower for that of the other.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Sequence
from typing import Any

from corpora.reference.enumerate import ModelEntry
from corpora.reference.sizes import Leaf, apply, profile, sub_configs

MIXES = (("half", "wide", "deep", "narrow"), ("wide", "narrow", "half", "deep"), ("deep", "half", "narrow", "wide"))
"""Profiles given to the sub-configurations in turn, by variant."""
_LENGTH = frozenset({"depth", "depths", "experts"})

Changes = dict[str, dict[str, Any]]
"""By role: `{role: {dotted field: value}}`."""


def mixed(found: Sequence[Leaf], profiles: Sequence[str]) -> Changes:
    """Changes with another profile for every (sub-)configuration."""
    prefixes = sorted({leaf.path.rpartition(".")[0] for leaf in found})
    changes: Changes = {}
    for number, prefix in enumerate(prefixes):
        inside = [leaf for leaf in found if leaf.path.rpartition(".")[0] == prefix]
        steps = tuple(s for s in profile(profiles[number % len(profiles)]) if s.role != "labels" or not number)
        for role, change in apply(steps, inside).items():
            changes.setdefault(f"{role}/{prefix}", {}).update(change)
    return changes


def head_dims(entry: ModelEntry, config: Any, factor: int = 2) -> Changes:  # any configuration class
    """A stated head dimension, twice what the width implies, where the modeling code reads one."""
    changes: Changes = {}
    for prefix, part in (("", config), *((f"{n}.", c) for n, c in sub_configs(config).items())):
        try:
            heads, width = getattr(part, "num_attention_heads", None), getattr(part, "hidden_size", None)
        except Exception:  # noqa: BLE001, S112  # configurations with one value per layer refuse the question
            continue
        if not (isinstance(heads, int) and isinstance(width, int) and heads and width % heads == 0):
            continue
        if not prefix and not _reads_head_dim(entry):
            continue
        changes[f"head_dim/{prefix}"] = {f"{prefix}head_dim": factor * width // heads}
    return changes


def _reads_head_dim(entry: ModelEntry) -> bool:
    module = sys.modules.get(entry.classes[0].__module__) if entry.classes else None
    return module is not None and "head_dim" in inspect.getsource(module)


def parted(entry: ModelEntry, config: Any, found: Sequence[Leaf], small: dict[str, Any]) -> Changes:
    """The first mix with stated head dimensions, in the depth of `small`: the second size of a layout."""
    kept = [leaf for leaf in found if leaf.path not in small and leaf.role not in _LENGTH]
    return {"small": small, **mixed(kept, MIXES[0]), **head_dims(entry, config)}
