"""Build one configuration's classes in several sizes.

A profile is tried whole; where the library refuses it (heads that do not divide, a part that must match another), its
roles are added one by one and those that still build are kept. What one class accepted is tried first on its
siblings.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from clustering.errors import MissingExtraError
from clustering.live import LiveLimits, LiveModelError, listing_from_module, module_from_class
from clustering.tensors import TensorListing
from corpora.reference.enumerate import ModelEntry
from corpora.reference.overrides import arguments_for
from corpora.reference.records import ReferenceModel
from corpora.reference.sizes import Leaf, apply, leaves, profile, with_changes

if TYPE_CHECKING:
    from transformers import PreTrainedModel

LIMITS = LiveLimits(seconds=20.0, modules=60_000)
"""Every class of transformers 5 in a size of `profiles.json` builds in a few seconds."""
MAX_TENSORS = 12_000
"""Listings longer than this (hundreds of unfused experts in tens of layers) add bulk, not knowledge."""

Changes = dict[str, dict[str, Any]]
"""By role: `{role: {dotted field: value}}`."""


@dataclass(frozen=True, slots=True)
class BuildFailure:
    """A class that could not be built in a size."""

    model_type: str
    class_name: str
    variant: str
    reason: str


@dataclass(slots=True)
class _Accepted:
    """What was learnt on earlier classes of the same configuration: profile name to the changes that build."""

    changes: dict[str, Changes] = field(default_factory=dict)


def build_entry(entry: ModelEntry, profiles: Sequence[str]) -> Iterator[ReferenceModel | BuildFailure]:
    """Build every class of an entry in every profile, in both spellings where they differ.

    A size that turns out equal to one already built is left out; a class that builds in no size yields one failure.
    """
    accepted = _Accepted()
    for model_class in entry.classes:
        yield from _build_class(entry, model_class, profiles, accepted)


def _build_class(
    entry: ModelEntry, model_class: type[PreTrainedModel], profiles: Sequence[str], accepted: _Accepted
) -> Iterator[ReferenceModel | BuildFailure]:
    base = arguments_for(entry.model_type, model_class.__name__)
    try:
        found = _leaves(entry, base)
    except Exception as error:  # noqa: BLE001  # a configuration class may raise anything; the reason is recorded
        yield BuildFailure(entry.model_type, model_class.__name__, "", _line(error))
        return
    seen: set[tuple[tuple[int, ...], ...]] = set()
    for name in profiles:
        wanted = accepted.changes.get(name) or apply(profile(name), found)
        try:
            changes, module = _build(entry, model_class, base, wanted)
        except (LiveModelError, MissingExtraError) as error:
            yield BuildFailure(entry.model_type, model_class.__name__, name, _line(error))
            return  # not even the bare defaults build
        accepted.changes.setdefault(name, changes)
        yield from listings(entry.model_type, module, name, changes, seen)


def _leaves(entry: ModelEntry, base: dict[str, Any]) -> list[Leaf]:
    from transformers.utils import logging

    logging.set_verbosity(logging.CRITICAL)
    return leaves(with_changes(entry.config_class, base, {}))


def _build(
    entry: ModelEntry, model_class: type[PreTrainedModel], base: dict[str, Any], wanted: Changes
) -> tuple[Changes, PreTrainedModel]:
    """The module with as many of the wanted changes as build.

    Raises:
        LiveModelError: not even the defaults build.
        MissingExtraError: the class needs a package that is not installed.
    """
    try:
        return wanted, _module(entry, model_class, base, wanted)
    except LiveModelError:
        if not wanted:
            raise
    kept: Changes = {}
    module = None
    for role, change in wanted.items():
        trial = {**kept, role: change}
        try:
            module = _module(entry, model_class, base, trial)
        except LiveModelError:
            continue
        kept = trial
    return kept, module if module is not None and kept else _module(entry, model_class, base, {})


def _module(
    entry: ModelEntry, model_class: type[PreTrainedModel], base: dict[str, Any], changes: Changes
) -> PreTrainedModel:
    flat = {path: value for change in changes.values() for path, value in change.items()}
    try:
        config = with_changes(entry.config_class, base, flat)
    except Exception as error:
        raise LiveModelError(f"configuration refused: {_line(error)}") from error
    return module_from_class(model_class, config, limits=LIMITS)


def listings(
    model_type: str, module: PreTrainedModel, variant: str, changes: Changes, seen: set[tuple[tuple[int, ...], ...]]
) -> Iterator[ReferenceModel]:
    """The listing of a built module, and the published spelling where that differs; nothing for shapes seen before."""
    memory = listing_from_module(module)
    shapes = tuple(tensor.shape for tensor in memory.tensors)
    if not shapes or shapes in seen or len(shapes) > MAX_TENSORS:
        return
    seen.add(shapes)
    flat = {path: value for change in changes.values() for path, value in change.items()}
    name = type(module).__name__
    yield ReferenceModel(model_type, name, variant, flat, memory)
    try:
        published = listing_from_module(module, spelling="published")
    except LiveModelError:
        return
    if len(published.tensors) <= MAX_TENSORS and _signature(published) != _signature(memory):
        yield ReferenceModel(model_type, name, variant, flat, published, "published")


def _signature(listing: TensorListing) -> list[tuple[str, tuple[int, ...]]]:
    return sorted((tensor.name, tensor.shape) for tensor in listing.tensors)


def _line(error: BaseException) -> str:
    text = " ".join(str(error).split())[:240]
    return text if isinstance(error, LiveModelError | MissingExtraError) else f"{type(error).__name__}: {text}"
