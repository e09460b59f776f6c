"""Further sizes for the reference corpus, in which every field moves by itself.

The profiles of `corpora.reference.sizes` scale all fields of one role together, so the widths of two towers keep their
ratio and a head dimension that the library derives stays derived. A template would take both for structure. Here each
sub-configuration gets a profile of its own, the head dimension is stated, and integer fields without a role (kernel
sizes, group counts, state sizes) are changed where the class still builds. Layer patterns and combinations of changes
follow. What cannot be built is recorded with the reason.
"""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import fields
from typing import Any

from clustering.live.listing import listing_from_module
from corpora.reference.combinations import combined_models
from corpora.reference.enumerate import ModelEntry
from corpora.reference.flags import shallow
from corpora.reference.overrides import arguments_for
from corpora.reference.patterns import patterns
from corpora.reference.records import ReferenceModel
from corpora.reference.sizes import Leaf, apply, profile, role_of, sub_configs, with_changes
from corpora.reference.variants import (
    BuildFailure,
    Changes,
    _build,
    _flat,
    _leaves,
    _line,
    _try,
    listings,
    signature,
)

MIXES = (("half", "wide", "deep", "narrow"), ("wide", "narrow", "half", "deep"), ("deep", "half", "narrow", "wide"))
"""Profiles given to the sub-configurations in turn, by variant."""
MAX_SUNDRY = 16
_NO_SIZE = re.compile(
    r".*(token|_id|_ids|index|indices|dropout|seed|beam|max_length|min_length|version|interval|steps?)$"
)


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


def sundry(entry: ModelEntry, base: dict[str, Any], found: list[Leaf]) -> Changes:
    """Integer fields without a role that change the tensors of the first class, each tried alone on a shallow model."""
    small = shallow(found)
    first = entry.classes[0]
    plain = _try(entry, first, base, small)
    if plain is None:
        return {}
    before = signature(listing_from_module(plain))
    kept: Changes = {}
    config = with_changes(entry.config_class, base, {})
    for prefix, part in (("", config), *((f"{n}.", c) for n, c in sub_configs(config).items())):
        for item in fields(part):
            value = part.__dict__.get(item.name)
            if type(value) is not int or not 2 <= value <= 4096 or role_of(item.name) or _NO_SIZE.match(item.name):
                continue
            path = f"{prefix}{item.name}"
            other = value // 2 if value % 2 == 0 and value > 2 else value + 2
            module = _try(entry, first, base, {**small, path: other})
            if module is not None and signature(listing_from_module(module)) != before:
                kept[f"sundry/{path}"] = {path: other}
            if len(kept) >= MAX_SUNDRY:
                return kept
    return kept


def further_models(entry: ModelEntry) -> Iterator[ReferenceModel | BuildFailure]:
    """The further sizes of an entry's first class, other layer patterns of its first two, and combined changes.

    Each of the three yields one failure with the reason where the library refuses it as a whole.
    """
    chosen = _chosen(entry)
    for model_class in chosen:
        yield from _recorded(entry, model_class, "patterns", _pattern_models)
    for model_class in chosen[:1]:
        yield from _recorded(entry, model_class, "mixed", _mixed_models)
    for model_class in chosen[-1:]:
        yield from _recorded(entry, model_class, "combined", combined_models)


def _recorded(
    entry: ModelEntry, model_class: Any, name: str, models: Callable[[ModelEntry, Any], Iterator[ReferenceModel]]
) -> Iterator[ReferenceModel | BuildFailure]:
    """The models, and a failure in place of whatever the library raised."""
    try:
        yield from models(entry, model_class)
    except Exception as error:  # noqa: BLE001  # configurations and modeling code may raise anything
        yield BuildFailure(entry.model_type, model_class.__name__, name, _line(error))


def _chosen(entry: ModelEntry) -> list[Any]:
    """The bare model, and the class that packages mostly declare."""
    heads = [c for c in entry.classes[1:] if c.__name__.endswith(("ForCausalLM", "ForConditionalGeneration"))]
    return [*entry.classes[:1], *heads[:1]]


def _pattern_models(entry: ModelEntry, model_class: Any) -> Iterator[ReferenceModel]:
    base = arguments_for(entry.model_type, model_class.__name__)
    found = _leaves(entry, base)
    small = shallow(found)
    plain = _try(entry, model_class, base, small)
    if plain is None:
        return
    seen = {signature(listing_from_module(plain))}
    for name, changes in patterns(entry, base, found, small):
        module = _try(entry, model_class, base, {**small, **changes})
        if module is not None:
            yield from listings(entry.model_type, module, f"pattern:{name}", {**small, **changes}, seen)


def _mixed_models(entry: ModelEntry, model_class: Any) -> Iterator[ReferenceModel]:
    base = arguments_for(entry.model_type, model_class.__name__)
    found = _leaves(entry, base)
    heads = head_dims(entry, with_changes(entry.config_class, base, {}))
    wanted: dict[str, Changes] = {
        "mixed0": {**mixed(found, MIXES[0]), **heads},
        "mixed1": {**sundry(entry, base, found), **mixed(found, MIXES[1])},
        "mixed2": mixed(found, MIXES[2]),
    }
    seen: set[Any] = set()
    for name, changes in wanted.items():
        kept, module = _build(entry, model_class, base, changes)
        yield from listings(entry.model_type, module, name, _flat(kept), seen)
