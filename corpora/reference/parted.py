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
from corpora.reference.patterns import proportions
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


APART = frozenset({"ffn", "width", "rank", "head_dim", "heads", "kv", "projection", "embedding", "experts"})
"""Roles that several fields of one configuration may have (the width of all experts, that of the shared ones)."""
_FACTORS = ((3, 4), (5, 4), (3, 2), (7, 4), (5, 8))


def apart(found: Sequence[Leaf]) -> Changes:
    """Further fields of a role in one configuration, each scaled in its own way: profiles move them together."""
    groups: dict[tuple[str, str], list[Leaf]] = {}
    for leaf in found:
        if leaf.role in APART and isinstance(leaf.value, int) and leaf.value > 1:
            groups.setdefault((leaf.path.rpartition(".")[0], leaf.role), []).append(leaf)
    changes: Changes = {}
    for leaves in groups.values():
        for number, leaf in enumerate(leaves[1 : 1 + len(_FACTORS)]):
            numerator, denominator = _FACTORS[number]
            changes[f"apart/{leaf.path}"] = {leaf.path: max(1, leaf.value * numerator // denominator)}
    return changes


def parted(entry: ModelEntry, config: Any, found: Sequence[Leaf], small: dict[str, Any]) -> Changes:
    """Another size of a layout: a mix with stated head dimensions, fields of one role apart, as deep as `small`.

    Where the length of a sequence of layer kinds is the depth, its kinds come in unlike numbers.
    """
    kept = [leaf for leaf in found if leaf.path not in small and leaf.role not in _LENGTH]
    counted: Changes = {}
    for field, _, changes in proportions(config, list(found)):
        if set(changes) == {field}:
            counted.setdefault(f"kinds/{field}", changes)
    heads = head_dims(entry, config, 3)  # twice would undo half as many groups of keys
    return {"small": small, **mixed(kept, MIXES[0]), **heads, **apart(kept), **counted}


def deeper(found: Sequence[Leaf], small: dict[str, Any]) -> Changes:
    """One block more in every stack than in `small`, all stacks together."""
    paths = {leaf.path: leaf.value for leaf in found if leaf.role == "depth"}
    return {"deeper": {path: value + 1 for path, value in small.items() if path in paths and isinstance(value, int)}}
