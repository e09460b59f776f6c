"""Naming conventions: what kind of information a name puts forward, in which order and with which separators."""

from __future__ import annotations

from naming.records import Convention
from naming.segment import Segment

_IMPLEMENTATION = frozenset(["architecture", "parameters", "layers", "hidden", "heads", "size"])
_USUAL = frozenset("-_.")
_APPLICATION = frozenset(["task", "dataset", "language"])


def convention_of(repo: str, segments: list[Segment]) -> Convention:
    """Classify a resolved name.

    `implementation` names say how a model is built (architecture, dimensions), `application` names what it is for
    (task, data, language), `both` say both, `other` neither. The pattern is the sequence of categories with the
    separators between them.
    """
    builds = applies = False
    pattern: list[str] = []
    end = 0
    for segment in segments:
        category = segment.category
        if pattern:
            between = repo[end : segment.start]
            pattern.append(between if between in _USUAL else _separator(between))
        pattern.append(category)
        end = segment.end
        if category in _IMPLEMENTATION:
            builds = True
        elif category in _APPLICATION:
            applies = True
    text = "".join(pattern)
    if builds and applies:
        return Convention("both", text)
    if builds:
        return Convention("implementation", text)
    return Convention("application" if applies else "other", text)


def _separator(between: str) -> str:
    """The separator as written, `|` where segments touch, `?` for anything but the usual ones."""
    if not between:
        return "|"
    return between if all(character in "-_. +" for character in between) and len(between) < 4 else "?"
