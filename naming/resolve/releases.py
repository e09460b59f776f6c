"""Versions of several numbers: `v1-5`, `xt-1-1`, `InternVideo2_5`."""

from __future__ import annotations

import re

from naming.resolve.scene import Scene, decide

_OPENING = re.compile(r"v\d{1,2}", re.IGNORECASE)
_SEPARATORS = frozenset("-_")
_LONGEST = 3
"""Numbers of one version that are written with these separators (`v1-5-2`)."""


def join_releases(scene: Scene) -> None:
    """Make one version of the single digits behind a `v1`, and of two digits where a release is written so."""
    segments = scene.segments
    for place, segment in enumerate(segments):
        if segment.category == "version":
            if _OPENING.fullmatch(segment.text):
                last = _last_digit(scene, place)
                if last > place:
                    _join(scene, place, last)
        elif segment.kind == "integer" and len(segment.key) == 1 and not segment.category:
            last = _last_digit(scene, place)
            if last > place and _is_release(scene, place):
                _join(scene, place, last)


def _is_release(scene: Scene, place: int) -> bool:
    """Whether two bare digits are a release: of an image model, or joined by `_` behind the first word of a name."""
    if scene.any_domain("diffusion"):
        return True
    behind = scene.repo[scene.segments[place].end]
    before = scene.repo[scene.segments[place].start - 1]
    return place == 1 and before != "_" and scene.segments[0].kind == "word" and behind == "_"


def _last_digit(scene: Scene, place: int) -> int:
    """Place of the last single digit that one separator joins to the number at a place; the place itself for none."""
    segments = scene.segments
    last = place
    while last + 1 < len(segments) and last - place < _LONGEST - 1:
        between = scene.repo[segments[last].end : segments[last + 1].start]
        behind = segments[last + 1]
        if between not in _SEPARATORS or behind.kind != "integer" or len(behind.key) != 1 or behind.category:
            break
        if scene.glued(last + 2):
            break
        last += 1
    return last


def _join(scene: Scene, first: int, last: int) -> None:
    digits = [segment.key.lstrip("v") for segment in scene.segments[first : last + 1]]
    joined = scene.join(first, last)
    joined.kind, joined.entries = "dotted", ()
    decide(joined, "version", ".".join(digits))
