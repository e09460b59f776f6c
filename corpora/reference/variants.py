"""Build one configuration's classes in several sizes.

A profile is tried whole; where the library refuses it (heads that do not divide, a part that must match another), its
roles are added one by one and those that still build are kept. What one class accepted is tried first on its
siblings. After the profiles come the published variants of the family and the options that change which tensors there
are.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from clustering.errors import MissingExtraError
from clustering.graphs.layers import star_name
from clustering.live.listing import LiveLimits, LiveModelError, listing_from_module, module_from_class
from clustering.tensors import TensorListing
from corpora.reference.enumerate import ModelEntry
from corpora.reference.flags import MAX_OPTIONS, Option, options, shallow
from corpora.reference.overrides import arguments_for
from corpora.reference.parted import Changes, deeper, parted
from corpora.reference.records import ReferenceModel
from corpora.reference.sizes import Leaf, apply, leaves, profile, settings, with_changes
from corpora.reference.standins import detectron2_backbone

if TYPE_CHECKING:
    from transformers import PreTrainedModel

LIMITS = LiveLimits(seconds=180.0, modules=60_000)
"""Every class of transformers 5 in a size of `profiles.json` builds in a few seconds. What is refused must not depend
on how busy the machine is, so the count decides, and the clock ends only what hangs."""
MAX_TENSORS = 12_000
"""Listings longer than this (hundreds of unfused experts in tens of layers) add bulk, not knowledge."""

Signature = tuple[tuple[str, tuple[int, ...]], ...]


@dataclass(frozen=True, slots=True)
class BuildFailure:
    """A class that could not be built in a size."""

    model_type: str
    class_name: str
    variant: str
    reason: str


@dataclass(frozen=True, slots=True)
class Plan:
    """Which variants to build besides the library default."""

    profiles: tuple[str, ...]
    published: bool = True
    options: bool = True
    further: bool = True
    """Fields that move by themselves, layer patterns, and combined changes (`corpora.reference.further`)."""


@dataclass(slots=True)
class _Family:
    """What was learnt on earlier classes of the same configuration."""

    entry: ModelEntry
    plan: Plan
    accepted: dict[str, Changes] = field(default_factory=dict)
    """By profile, the changes that build."""
    effective: list[Option] | None = None
    """Options that change the tensors of the first class that was built; None before that."""


def build_entry(entry: ModelEntry, plan: Plan) -> Iterator[ReferenceModel | BuildFailure]:
    """Build every class of an entry in every variant of the plan, in both spellings where they differ.

    A variant that turns out equal to one already built is left out; a class that builds in no size yields one failure.
    """
    family = _Family(entry, plan)
    for model_class in entry.classes:
        yield from _build_class(family, model_class)


def _build_class(family: _Family, model_class: type[PreTrainedModel]) -> Iterator[ReferenceModel | BuildFailure]:
    entry = family.entry
    base = arguments_for(entry.model_type, model_class.__name__)
    try:
        found = _leaves(entry, base)
    except Exception as error:  # noqa: BLE001  # a configuration class may raise anything; the reason is recorded
        yield BuildFailure(entry.model_type, model_class.__name__, "", _line(error))
        return
    seen: set[Signature] = set()
    for name in family.plan.profiles:
        wanted = family.accepted.get(name) or apply(profile(name), found)
        try:
            changes, module = _build(entry, model_class, base, wanted)
        except (LiveModelError, MissingExtraError) as error:
            yield BuildFailure(entry.model_type, model_class.__name__, name, _line(error))
            return  # not even the bare defaults build
        family.accepted.setdefault(name, changes)
        yield from listings(entry.model_type, module, name, _flat(changes), seen)
    if family.plan.published:
        yield from _published_variants(entry, model_class, base, seen)
    if family.plan.options:
        yield from _option_variants(family, model_class, base, found, seen)


def _published_variants(
    entry: ModelEntry, model_class: type[PreTrainedModel], base: dict[str, Any], seen: set[Signature]
) -> Iterator[ReferenceModel | BuildFailure]:
    for name, changes in settings("published")["variants"].get(entry.model_type, {}).items():
        try:
            module = _module(entry, model_class, base, changes)
        except (LiveModelError, MissingExtraError) as error:
            yield BuildFailure(entry.model_type, model_class.__name__, name, _line(error))
            continue
        yield from listings(entry.model_type, module, name, changes, seen)


def _option_variants(
    family: _Family, model_class: type[PreTrainedModel], base: dict[str, Any], found: list[Leaf], seen: set[Signature]
) -> Iterator[ReferenceModel]:
    """The class with one option changed at a time, in a second size as well where that brings tensors.

    The first class tries them all. Of its siblings only those with tied weights (language model heads) are built, with
    what mattered there and with tying turned over: the options of other heads are those of the first class.
    """
    entry = family.entry
    first = family.effective is None
    if not first and not getattr(model_class, "_tied_weights_keys", None):
        return
    small = shallow(found)
    plain = _try(entry, model_class, base, small)
    if plain is None:
        small, plain = {}, _try(entry, model_class, base, {})
    if plain is None:
        return
    before = signature(listing_from_module(plain))
    if first:
        tried = list(options(with_changes(entry.config_class, base, {})))
    else:
        tried = list(family.effective or [])
        tying = Option("tie_word_embeddings", not getattr(plain.config, "tie_word_embeddings", False))
        if tying not in tried:
            tried.append(tying)
    effective: list[Option] = []
    second = SecondSize(entry, model_class, base, found, small)
    for option in tried:
        if len(effective) >= MAX_OPTIONS:
            break
        module = _try(entry, model_class, base, {**small, option.path: option.value})
        if module is None or signature(listing_from_module(module)) == before:
            continue
        effective.append(option)
        yield from listings(entry.model_type, module, option.variant, {**small, option.path: option.value}, seen)
        if brings_tensors(module, plain):
            change = {option.path: option.value if option.again is None else option.again}
            yield from second.models(option.variant, change, seen)
    if first:
        family.effective = effective


@dataclass(slots=True)
class SecondSize:
    """A class in a second size, for layouts that bring tensors: made when the first of them asks."""

    entry: ModelEntry
    model_class: type[PreTrainedModel]
    base: dict[str, Any]
    found: list[Leaf]
    small: dict[str, Any]
    _changes: dict[str, Any] | None = None

    def models(self, variant: str, changes: dict[str, Any], seen: set[Signature]) -> Iterator[ReferenceModel]:
        """The listings with these changes, if they build; one block deeper, unless the changes are layer by layer."""
        if self._changes is None:
            self._changes = second_size(self.entry, self.model_class, self.base, self.found, self.small)
        by_layer = any(isinstance(value, list) for value in changes.values())
        depths = {} if by_layer else _flat(deeper(self.found, self.small))
        for depth in (depths, {}) if depths else ({},):
            merged = {**self._changes, **depth, **changes}
            module = _try(self.entry, self.model_class, self.base, merged)
            if module is not None:
                yield from listings(self.entry.model_type, module, variant, merged, seen)
                return


_accepted: dict[str, tuple[str, ...]] = {}
"""By model type, the roles of its second size that its first class was built with; its other classes try these."""


def second_size(
    entry: ModelEntry,
    model_class: type[PreTrainedModel],
    base: dict[str, Any],
    found: list[Leaf],
    small: dict[str, Any],
) -> dict[str, Any]:
    """The changes of `parted` that build."""
    wanted = parted(entry, with_changes(entry.config_class, base, {}), found, small)
    known = _accepted.get(entry.model_type)
    if known is not None:
        wanted = {role: change for role, change in wanted.items() if role in known}
    kept = _build(entry, model_class, base, wanted)[0]
    _accepted.setdefault(entry.model_type, tuple(kept))
    return _flat(kept)


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
        return wanted, _module(entry, model_class, base, _flat(wanted))
    except LiveModelError:
        if not wanted:
            raise
    kept: Changes = {}
    module = None
    for role, change in wanted.items():
        trial = {**kept, role: change}
        built = _try(entry, model_class, base, _flat(trial))
        if built is not None:
            kept, module = trial, built
    return kept, module if module is not None else _module(entry, model_class, base, {})


def _try(
    entry: ModelEntry, model_class: type[PreTrainedModel], base: dict[str, Any], changes: dict[str, Any]
) -> PreTrainedModel | None:
    try:
        return _module(entry, model_class, base, changes)
    except (LiveModelError, MissingExtraError):
        return None


def _module(
    entry: ModelEntry, model_class: type[PreTrainedModel], base: dict[str, Any], changes: dict[str, Any]
) -> PreTrainedModel:
    try:
        config = with_changes(entry.config_class, base, changes)
    except Exception as error:
        raise LiveModelError(f"configuration refused: {_line(error)}") from error
    with detectron2_backbone() if entry.model_type == "layoutlmv2" else nullcontext():
        return module_from_class(model_class, config, limits=LIMITS)


def listings(
    model_type: str, module: PreTrainedModel, variant: str, config: dict[str, Any], seen: set[Signature]
) -> Iterator[ReferenceModel]:
    """The listing of a built module, and the published spelling where that differs; nothing for one seen before."""
    memory = listing_from_module(module)
    found = signature(memory)
    if not found or found in seen or len(found) > MAX_TENSORS:
        return
    seen.add(found)
    name = type(module).__name__
    yield ReferenceModel(model_type, name, variant, config, memory)
    try:
        published = listing_from_module(module, spelling="published")
    except LiveModelError:
        return
    if len(published.tensors) <= MAX_TENSORS and sorted(signature(published)) != sorted(found):
        yield ReferenceModel(model_type, name, variant, config, published, "published")


def brings_tensors(module: PreTrainedModel, plain: PreTrainedModel) -> bool:
    """Whether a module has tensors, other than biases, that the plain one has not: their sizes show nowhere else."""
    before = {star_name(tensor.name)[0] for tensor in listing_from_module(plain).tensors}
    after = {star_name(tensor.name)[0] for tensor in listing_from_module(module).tensors}
    return any(not star.endswith("bias") for star in after - before)


def signature(listing: TensorListing) -> Signature:
    """Names and shapes in order."""
    return tuple((tensor.name, tensor.shape) for tensor in listing.tensors)


def _flat(changes: Changes) -> dict[str, Any]:
    return {path: value for change in changes.values() for path, value in change.items()}


def _line(error: BaseException) -> str:
    text = " ".join(str(error).split())[:240]
    return text if isinstance(error, LiveModelError | MissingExtraError) else f"{type(error).__name__}: {text}"
