"""Further sizes for the reference corpus, in which every field moves by itself.

The profiles of `corpora.reference.sizes` scale all fields of one role together, so the widths of two towers keep their
ratio and a head dimension that the library derives stays derived. A template would take both for structure. Here each
sub-configuration gets a profile of its own, the head dimension is stated, and integer fields without a role (kernel
sizes, group counts, state sizes) are changed where the class still builds. Layer patterns and combinations of changes
follow. What cannot be built is recorded with the reason.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import fields
from typing import Any

from clustering.graphs.layers import star_name
from clustering.live.listing import listing_from_module
from corpora.reference.combinations import combined_models
from corpora.reference.constructors import constructor_switches, with_arguments
from corpora.reference.enumerate import ModelEntry
from corpora.reference.flags import shallow
from corpora.reference.overrides import arguments_for
from corpora.reference.parted import MIXES, Changes, apart, head_dims, mixed, parted
from corpora.reference.patterns import patterns, proportions
from corpora.reference.records import ReferenceModel
from corpora.reference.sizes import Leaf, apply, profile, role_of, sub_configs, with_changes
from corpora.reference.unset import NO_SIZE, unset
from corpora.reference.variants import (
    BuildFailure,
    SecondSize,
    _build,
    _flat,
    _leaves,
    _line,
    _try,
    brings_tensors,
    listings,
    signature,
)

MAX_SUNDRY = 16
SWITCHED_SIZES = ("library", "half", "wide")
"""Profiles that a class is built in with a switch of its constructor turned over, besides one that parts dimensions."""


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
            if type(value) is not int or not 2 <= value <= 4096 or role_of(item.name) or NO_SIZE.match(item.name):
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
    for model_class in entry.classes:
        if constructor_switches(model_class):
            yield from _recorded(entry, model_class, "switches", _switched_models)
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
    second = SecondSize(entry, model_class, base, found, small)
    telling: set[str] = set()
    for name, changes in patterns(entry, base, found, small):
        module = _try(entry, model_class, base, {**small, **changes})
        if module is None:
            continue
        made = list(listings(entry.model_type, module, f"pattern:{name}", {**small, **changes}, seen))
        yield from made
        telling.update(changes if made else ())
        if made and brings_tensors(module, plain):
            yield from second.models(f"pattern:{name}", changes, seen)
    config = with_changes(entry.config_class, base, {})
    for field, name, changes in proportions(config, found):
        module = _try(entry, model_class, base, {**small, **changes}) if field in telling else None
        if module is not None:
            yield from listings(entry.model_type, module, f"pattern:{name}", {**small, **changes}, seen)


def _switched_models(entry: ModelEntry, model_class: Any) -> Iterator[ReferenceModel]:
    """The class with each switch of its constructor turned over, in several sizes."""
    base = arguments_for(entry.model_type, model_class.__name__)
    found = _leaves(entry, base)
    config = with_changes(entry.config_class, base, {})
    sizes: dict[str, Changes] = {name: apply(profile(name), found) for name in SWITCHED_SIZES}
    sizes["parted"] = parted(entry, config, found, shallow(found))
    kept = {name: _flat(_build(entry, model_class, base, wanted)[0]) for name, wanted in sizes.items()}
    seen: set[Any] = set()
    for changes in kept.values():
        plain = _try(entry, model_class, base, changes)
        if plain is not None:
            seen.add(signature(listing_from_module(plain)))
    for name, value in constructor_switches(model_class):
        switched = with_arguments(model_class, {name: value})
        for changes in kept.values():
            module = _try(entry, switched, base, changes)
            if module is not None:
                yield from listings(entry.model_type, module, f"flag:{name}={value}", changes, seen)


def _mixed_models(entry: ModelEntry, model_class: Any) -> Iterator[ReferenceModel]:
    base = arguments_for(entry.model_type, model_class.__name__)
    found = _leaves(entry, base)
    heads = head_dims(entry, with_changes(entry.config_class, base, {}))
    wanted: dict[str, Changes] = {
        "mixed0": {**mixed(found, MIXES[0]), **heads},
        "mixed1": {**sundry(entry, base, found), **mixed(found, MIXES[1])},
        "mixed2": mixed(found, MIXES[2]),
    }
    fields_apart = apart(found)
    if fields_apart:
        wanted["mixed5"] = {**mixed(found, MIXES[1]), **fields_apart}
    first, second = stated(entry, model_class, base, found)
    if first:
        wanted["mixed3"] = {**mixed(found, MIXES[0]), **first}
        wanted["mixed4"] = {**mixed(found, MIXES[2]), **second}
    seen: set[Any] = set()
    for name, changes in wanted.items():
        kept, module = _build(entry, model_class, base, changes)
        yield from listings(entry.model_type, module, name, _flat(kept), seen)


def stated(entry: ModelEntry, model_class: Any, base: dict[str, Any], found: list[Leaf]) -> tuple[Changes, Changes]:
    """Integers that are None by default and that change sizes only, by role, with a first and with a second value."""
    small = shallow(found)
    plain = _try(entry, model_class, base, small)
    if plain is None:
        return {}, {}
    before = listing_from_module(plain)
    stars = {star_name(tensor.name)[0] for tensor in before.tensors}
    first: Changes = {}
    second: Changes = {}
    config = with_changes(entry.config_class, base, {})
    for prefix, part in (("", config), *((f"{n}.", c) for n, c in sub_configs(config).items())):
        for one in unset(part):
            path = f"{prefix}{one.name}"
            module = _try(entry, model_class, base, {**small, path: one.value})
            if module is None:
                continue
            after = listing_from_module(module)
            same = {star_name(tensor.name)[0] for tensor in after.tensors} == stars
            if same and signature(after) != signature(before):
                first[f"unset/{path}"], second[f"unset/{path}"] = {path: one.value}, {path: one.again}
    return first, second
