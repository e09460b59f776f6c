"""Which family a generational word stands for, given the version and the variant words around it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from naming.lexicon import Entry
from naming.resolve.scene import Scene
from naming.segment import Segment

_ACTIVE = "active parameters"
"""Stands among the words of a name for a number of active parameters."""
_REACH = 8
"""Segments behind the family word that may tell its generation or variant."""


def settle_generations(scene: Scene) -> None:
    """Refine the value and the accepted types of generational families (`Qwen` + `2.5` + `VL` is qwen2_5_vl)."""
    places = [place for place, segment in enumerate(scene.segments) if segment.category in ("architecture", "product")]
    for number, place in enumerate(places):
        segment = scene.segments[place]
        entry = segment.entry
        if entry is None:
            continue
        facts: Mapping[str, Any] = entry.attributes
        if facts.get("family") and "xlm-roberta" in facts.get("accepts", ()) and _multilingual(scene):
            segment.entry = _with(segment, {"family": "xlm-roberta", "accepts": entry.get("accepts", ())})
            segment.value = "xlm-roberta" if segment.category == "architecture" else segment.value
            continue
        if not (facts.get("generations") or facts.get("with")):
            continue
        behind = places[number + 1] if number + 1 < len(places) else len(scene.segments)
        version = _version(scene, place, behind, facts.get("generations", {}))
        if version is not None:
            known = facts["generations"].get(version)
            if known is None:  # a release that came after the lexicon: any type of the group may be right
                known = {**facts["generations"][version.split(".")[0]], "accepts": facts.get("accepts", ())}
            facts = known
            segment.note = version
        else:
            facts = _adjacent_release(scene, place, facts)
        words = list(_words(scene, place, min(_next(scene, place), place + 1 + _REACH)))
        variants = facts.get("with") or (entry.get("with") if version is None else None) or {}
        facts = _as_mixture(_variant(facts, variants, words, alone=behind == len(scene.segments)), words)
        if facts is not entry.attributes:
            if segment.category == "architecture":
                segment.value = facts.get("family", segment.value)
            segment.entry = _with(segment, facts)


def _is_release(segment: Segment, generations: Mapping[str, Any]) -> bool:
    """Whether a `v4` is the release of a checkpoint: only few families write their generations so (`DeepSeek-V3`)."""
    if segment.text[:1] not in "vV" or "." in segment.text:
        return False
    facts = generations.get(segment.value, {})
    return not any(f"v{segment.value}" in family for family in (facts.get("family", ""), *facts.get("accepts", ())))


def _variant(facts: Mapping[str, Any], variants: Any, words: list[str], *, alone: bool) -> Mapping[str, Any]:
    """The facts of the first variant word; the family's own where there is none."""
    for stated in words:
        word = stated
        if word == _ACTIVE:  # no dense family's merges into experts state active parameters
            if variants.get("moe", {}).get("family") == "mixtral":
                continue
            word = "moe"
        if word in variants and (alone or not word.startswith("distil")):
            return variants[word]  # type: ignore[no-any-return]
    return facts


def _adjacent_release(scene: Scene, place: int, facts: Mapping[str, Any]) -> Mapping[str, Any]:
    """The generation that a `v2` right behind the family word is, unless it is the release of a checkpoint after all.

    `starcoder-v2` is how some write StarCoder2, `my-qwen-v2` may be anybody's second try: types of both are accepted.
    """
    behind = scene.segments[place + 1] if place + 1 < len(scene.segments) else None
    if behind is None or behind.category != "version" or not isinstance(behind.value, str):
        return facts
    release = facts.get("generations", {}).get(behind.value)
    if release is None or not (facts.get("family") or scene.segments[place].category == "architecture"):
        return facts
    return {**release, "accepts": tuple(dict.fromkeys((*release.get("accepts", ()), *facts.get("accepts", ()))))}


def _next(scene: Scene, place: int) -> int:
    """Place of the next architecture, or of the name's end."""
    behind = (other for other in scene.architectures() if other > place)
    return next(behind, len(scene.segments))


def _multilingual(scene: Scene) -> bool:
    """Whether a brand with releases on XLM-R is named in its multilingual one (`multilingual-MiniLM`)."""
    return any(other.category == "language" and other.value == "multilingual" for other in scene.segments)


def _as_mixture(facts: Mapping[str, Any], words: list[str]) -> Mapping[str, Any]:
    """The mixture-of-experts type of a variant, where the name tells of experts (`Qwen3-VL-235B-A22B`)."""
    if "moe" not in words and _ACTIVE not in words:
        return facts
    accepts = facts.get("accepts", ())
    mixture = f"{facts.get('family')}_moe"
    if mixture in accepts:
        return {**facts, "family": mixture}
    # merges of dense models into experts are of the type mixtral, whatever they were merged from
    return {**facts, "accepts": tuple(dict.fromkeys((*accepts, "mixtral")))}


def _version(scene: Scene, place: int, behind: int, generations: Mapping[str, Any]) -> str | None:
    """The generation that a version right behind the family word (or behind its variant words) states.

    A version further on is the release number of a checkpoint (`falcon-7b-...-v3`).
    """
    for other in range(place + 1, min(behind, place + 1 + _REACH)):
        segment = scene.segments[other]
        if segment.category == "version" and isinstance(segment.value, str):
            if _is_release(segment, generations):
                return None
            for candidate in (segment.value, segment.value.removesuffix(".0")):
                if candidate in generations:
                    return candidate
            return segment.value if segment.value.split(".")[0] in generations else None
        if segment.key in generations:
            if segment.category == "other":
                segment.category = "version"  # `gemma-3n`
            return segment.key
        if segment.category not in ("task", "training", "other"):
            return None
    return None


def _words(scene: Scene, place: int, behind: int) -> Iterator[str]:
    """Variant words behind (and right before) the family word; mixtures of experts also show in the numbers."""
    for other in range(place + 1, behind):
        segment = scene.segments[other]
        yield segment.key
        if isinstance(segment.value, dict) and "experts" in segment.value:
            yield "moe"
        elif isinstance(segment.value, dict) and "active" in segment.value:
            yield _ACTIVE
    if place:
        yield scene.key(place - 1)


def _with(segment: Segment, facts: Mapping[str, Any]) -> Entry | None:

    entry = segment.entry
    if entry is None:
        return None
    merged = {**entry.attributes, "accepts": tuple(facts.get("accepts", ())), "family": facts.get("family")}
    return Entry.of(entry.surface, entry.category, entry.value, merged, entry.joints)
