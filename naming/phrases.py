"""Phrases of the lexicons that are several items: where they are cut, and which surfaces are releases of others."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, TypeAlias

from naming.domains import domain_of
from naming.entry import Entry, family_of

_JOINT = re.compile(r"[-\s_.]+")
_Parts: TypeAlias = tuple[tuple[Entry, ...], tuple[Entry, ...]]
_PLAIN = frozenset(
    [
        "language",
        "task",
        "training",
        "organization",
        "dataset",
        "size",
        "other",
        "adaptation",
        "input",
        "format",
        "dtype",
    ]
)
"""Categories of words that keep their own span beside a family's word."""
_TAIL = 3
"""Characters behind a product's name that are an item of their own (`h2ogpt-gm`, `airoboros-l2`)."""
_ITEMS = frozenset(
    ["size", "training", "format", "dtype", "quantization", "language", "adaptation", "product", "organization", "task"]
)
"""Categories whose words are items of their own even inside a phrase."""
_STACKED = frozenset(["adaptation", "quantization", "format", "dtype"])
"""Categories in which two words are two items (`gptq-4bit`), not one compound."""
_VERSION = re.compile(r"v[0-9]+")
_SHORTEST_PART = 2
_COUNT = re.compile(r"(?:[0-9]{1,2}x)?[0-9]{1,3}[bm]")
"""What is left of a number of parameters without separators."""
_RELEASE = re.compile(r"v?[0-9]{1,2}$")


def cuts_of(index: Mapping[str, tuple[Entry, ...]]) -> dict[str, tuple[int, tuple[Entry, ...], tuple[Entry, ...]]]:
    """Surfaces to cut, with the offset of the second half and the meanings of both halves."""
    cuts = {}
    for surface, meanings in index.items():
        phrase = meanings[0]
        for joint in sorted(phrase.joints):
            parts: _Parts | None
            left, right = index.get(surface[:joint], ()), index.get(surface[joint:], ())
            if phrase.category in ("architecture", "product") and _COUNT.fullmatch(surface[joint:]):
                known = tuple(entry for entry in left if entry.category == phrase.category)
                parts = known or (_shortened(phrase, joint),), ()  # `weblab-10b`
            elif phrase.category == "dataset":
                parts = _dataset_parts(phrase, left, right)
            elif phrase.category in ("architecture", "product"):
                parts = _parts(phrase, left, right)
            else:
                parts = _general_parts(phrase, left, right, surface[joint:])
            if parts is not None:
                cuts[surface] = (joint, *parts)
                break
    return cuts


def _parts(phrase: Entry, left: tuple[Entry, ...], right: tuple[Entry, ...]) -> _Parts | None:
    """The meanings of the halves of a family's or brand's phrase, when the halves are items of their own."""
    family = family_of(phrase)
    before, behind = _family_meaning(left), _family_meaning(right)
    plain = tuple(entry for entry in left if entry.category in _PLAIN)
    spoken = behind is not None and (not behind.word or behind.get("glue") or _has(left, "language"))
    if behind is not None and spoken:
        brand = tuple(entry for entry in left if entry.category == "product")
        same = family_of(behind) == family
        if same and behind.get("generations") and not any(entry.category == "other" for entry in left):
            return brand or plain, (behind,)  # `reflection-llama-3.1`: the generation decides, not the brand
        single = len(phrase.surface) - len(behind.surface) < _SHORTEST_PART
        if not same and family_of(behind) in phrase.get("accepts", ()):
            return brand or plain, (behind,)  # `lsg-bart`: the written family wins over the brand's usual one
        if not single and (plain or brand) and (same or family_of(behind) in phrase.get("accepts", ())):
            if same and behind.get("generations"):
                return None  # `open-llama` is the name of a series
            return plain or brand, (_refined(behind, phrase) if same else behind,)
    if before is not None and behind is not None and domain_of(family_of(before)) == "detector":
        return ((before,), (behind,)) if domain_of(family_of(behind)) == "vision" else None
    if phrase.category == "product":
        brand = tuple(entry for entry in left if entry.category == "product")
        tail = len(phrase.surface) - len(left[0].surface) if left else 0
        return (brand, right) if brand and tail <= _TAIL else None
    canonical = _JOINT.sub("", str(phrase.value).lower()) == phrase.surface
    if before is not None and family_of(before) == family and not canonical:
        plain = tuple(entry for entry in right if entry.category in _PLAIN)
        if plain:
            return (_refined(before, phrase),), plain
    return None


def _shortened(phrase: Entry, length: int) -> Entry:
    """A brand's meaning without the number of parameters at its end."""
    return Entry.of(phrase.surface[:length], phrase.category, phrase.value, phrase.attributes)


def _has(meanings: tuple[Entry, ...], category: str) -> bool:
    return any(entry.category == category for entry in meanings)


def _general_parts(phrase: Entry, left: tuple[Entry, ...], right: tuple[Entry, ...], behind: str) -> _Parts | None:
    """Halves of any other phrase that are items of different kinds (`tiny-random`, `sharded-bf16`, `dot-v1`)."""
    if left and _VERSION.fullmatch(behind) and phrase.category != "language":
        return left, right
    first = {entry.category for entry in left} & _ITEMS
    second = {entry.category for entry in right} & _ITEMS
    if phrase.get("bits_per_weight"):
        return None  # `q4_k_m` is one type
    family = _family_meaning(left)
    if family is not None and right and not family.word:
        return (family,), right  # `electra-generator`
    if phrase.category == "other" and left and behind in ("model", "models"):
        return left, right
    if "size" in first and right and phrase.category == "other":
        return left, right  # `base-model`
    if not first or not second:
        return None
    if phrase.category == "task":
        return (left, right) if first & {"product", "language", "size"} and "task" in second else None
    if phrase.category == "training":
        return (left, right) if "size" in first else None
    if first & second:
        values = {entry.value for entry in (*left, *right) if entry.category == phrase.category}
        return (left, right) if len(values) > 1 and phrase.category in _STACKED else None
    return left, right


def _family_meaning(meanings: tuple[Entry, ...]) -> Entry | None:
    return next((entry for entry in meanings if entry.category == "architecture"), None)


def _refined(part: Entry, phrase: Entry) -> Entry:
    """A part's meaning with what is known of the phrase: the types that its publishers used."""
    facts = {**part.attributes, **{key: phrase.get(key) for key in ("accepts", "strength") if phrase.get(key)}}
    return Entry.of(part.surface, part.category, part.value, facts, part.joints)


def _dataset_parts(
    phrase: Entry, left: tuple[Entry, ...], right: tuple[Entry, ...]
) -> tuple[tuple[Entry, ...], tuple[Entry, ...]] | None:
    """Halves of a data set's phrase: the set itself and a word beside it (`superb-sid`), or a language and a task."""
    if not left or not right:
        return None
    categories = {entry.category for entry in left}, {entry.category for entry in right}
    same = [any(entry.value == phrase.value for entry in half) for half in (left, right)]
    spoken = any(entry.category == "language" and not entry.word for entry in left)  # `persian-qa`, not `multi-nli`
    if same[0] != same[1] or (spoken and "task" in categories[1]) or "adaptation" in categories[0]:
        return left, right
    return None


def mark_data_brands(index: dict[str, list[Entry]]) -> None:
    """Give brands that are also the name of a data set (listed there as `NAME-data`) the fact `dataset`."""
    for surface in list(index):
        data = next((entry for entry in index[surface] if entry.category == "dataset"), None)
        if data is None or not surface.endswith("data") or not str(data.value).endswith("-data"):
            continue
        brands = index.get(surface.removesuffix("data"), [])
        for place, entry in enumerate(brands):
            if entry.get("family"):
                facts = {**entry.attributes, "dataset": True}
                brands[place] = Entry.of(entry.surface, entry.category, entry.value, facts, entry.joints)


def fold_releases(index: dict[str, list[Entry]]) -> None:
    """Turn surfaces that are another surface with a release number into generations of that one.

    `sd21` is `sd` in its generation 2.1 and `dolly-v2` is `dolly` in its second: the number is an item of its own.
    Architectures only where the word is generational; the digits of encoders, vision and speech families are names.
    """
    generations: dict[tuple[str, str], dict[str, Any]] = {}
    for surface in list(index):
        found = _RELEASE.search(surface)
        if found is None:
            continue
        stem = surface[: found.start()]
        for entry in list(index[surface]):
            base = next((other for other in index.get(stem, ()) if other.category == entry.category), None)
            if base is None or entry.category not in ("architecture", "product"):
                continue
            if entry.category == "architecture" and not base.get("generations"):
                continue
            index[surface].remove(entry)
            facts = {"family": family_of(entry), "accepts": entry.get("accepts", ())}
            if entry.get("family") or entry.category == "architecture":
                version = surface[found.start() :].lstrip("v")
                generations.setdefault((stem, entry.category), {})[version] = facts
        if not index[surface]:
            del index[surface]
    for (stem, category), facts_by_version in generations.items():
        meanings = index[stem]
        place = next(number for number, entry in enumerate(meanings) if entry.category == category)
        entry = meanings[place]
        known = {**facts_by_version, **entry.get("generations", {})}
        meanings[place] = Entry.of(
            entry.surface, category, entry.value, {**entry.attributes, "generations": known}, entry.joints
        )
