"""What is left when all known words are settled: counters, products, titles, other words."""

from __future__ import annotations

import re

from naming.resolve.scene import Scene, decide
from naming.segment import Segment

MAX_TITLE = 3
"""Words that a title may have; longer runs are sentences or counters."""
_SHORTEST_BRAND = 3
_COINED_LENGTH = 5
"""Letters of an unknown word that is a title without the ordinary words behind it."""
_RANDOM_LENGTH = 20
"""Characters from which a word of mixed cases and digits is a key or an address."""
_HASH = re.compile(r"(?=.*\d.*\d)(?=.*[a-f])[0-9a-f]+")
_CAMEL = re.compile("[a-z][A-Z]")
_TELLS_NOTHING = frozenset(["", "other", "version", "identifier", "organization"])
"""Categories that may surround a title."""
_GENERIC = frozenset(
    [
        "model", "models", "test", "tests", "testing", "demo", "weights", "dummy", "checkpoint", "checkpoints", "my",
        "new", "final", "example", "sample", "temp", "tmp", "trial", "debug", "output", "result", "results", "trainer",
        "tutorial", "dynamic",
    ]
)  # fmt: skip
"""Words that are nobody's title."""


def settle_unknown(scene: Scene) -> None:
    """Decide whatever is left: counters, products, titles, other words."""
    segments = scene.segments
    known = False
    for segment in segments:
        if segment.category not in _TELLS_NOTHING:
            known = True
            break
    if not known and _is_title(scene):
        return
    opening = segments[0] if segments else None
    if (
        opening is not None
        and opening.category in ("", "other")
        and opening.kind == "word"
        and opening.key not in _GENERIC
        and scene.category(1) == "version"
        and not scene.architectures()
    ):
        decide(opening, "product", scene.folded[opening.start : opening.end])  # `anything-v4.5`
    for segment in segments:
        if not segment.category:
            break
    else:
        return
    head = _head(scene)
    for place, segment in scene.undecided():
        if segment.kind == "integer" or segment.key.isdigit() or _is_hash(segment.key) or _is_random(segment.text):
            decide(segment, "identifier", segment.key)
        elif place in head or _is_coined_brand(scene, segment):
            decide(segment, "product", scene.folded[segment.start : segment.end])
        else:
            decide(segment, "other", scene.folded[segment.start : segment.end])


def _is_coined_brand(scene: Scene, segment: Segment) -> bool:
    """Whether an unknown word in camel case stands in the name of a language or image model (`BalloonArt`)."""
    text = segment.text
    return scene.any_domain("llm", "vlm", "diffusion") and text.isalpha() and _CAMEL.search(text) is not None


def _head(scene: Scene) -> frozenset[int]:
    """Places of unknown leading words that are the brand of a language model (`PULSE-7b`, `Loquace-410m`)."""
    segments = scene.segments
    if any(segment.category == "product" for segment in segments):
        return frozenset()
    places: list[int] = []
    for place, segment in enumerate(segments):
        if segment.category in ("language", "organization", "other", "size") and not places:
            continue
        if segment.category or segment.kind != "word" or segment.entries:
            break
        places.append(place)
    named = scene.parameters or bool(scene.architectures()) or scene.category(len(places)) == "version"
    if not named or any(len(segments[p].key) < _SHORTEST_BRAND or not segments[p].key.isalpha() for p in places):
        return frozenset()
    return frozenset(places)


def _is_title(scene: Scene) -> bool:
    """Make one product of a name in which nothing is recognised (`cat-toy`, `JL_dream`); generic words stay other."""
    segments = scene.segments
    places = [place for place, segment in enumerate(segments) if _may_be_title(segment)]
    if not places:
        return False
    first = last = places[0]
    while last + 1 < len(segments) and last + 1 in places:
        last += 1
    if last - first >= MAX_TITLE:
        return False
    if not segments[first].category and len(segments[first].key) >= _COINED_LENGTH:
        while last > first and segments[last].category == "other":
            last -= 1  # a coined word with ordinary ones behind it
    title = scene.join(first, last)
    title.category = ""
    decide(title, "product", scene.folded[title.start : title.end])
    for segment in segments:
        if not segment.category:
            decide(segment, "identifier" if segment.key.isdigit() else "other", segment.key)
    return True


def _may_be_title(segment: Segment) -> bool:
    return (
        segment.category in ("", "other")
        and segment.kind == "word"
        and segment.key not in _GENERIC
        and not segment.key.isdigit()
        and not _is_random(segment.text)
    )


def _is_hash(key: str) -> bool:
    return len(key) >= 6 and _HASH.fullmatch(key) is not None


def _is_random(text: str) -> bool:
    """Whether a long word mixes cases and digits as keys and addresses do."""
    return (
        len(text) >= _RANDOM_LENGTH
        and text.isalnum()
        and len(re.findall("[a-z][0-9]|[0-9][A-Za-z]|[a-z][A-Z]", text)) > (len(text) // 6)
    )
