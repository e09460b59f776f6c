"""A part's dimensions in words, for the sources of facts and the evidence of findings."""

from __future__ import annotations

from clustering.identity import Part
from clustering.text import escape

_LONGEST_VALUE = 60
"""Characters of one value: the stages of any published net fit."""
_NOTHING: tuple[object, ...] = ("", [], ())


def dimensions(part: Part, most: int | None = None) -> str:
    """What was measured of a part: `embed dim 96, depths [2, 2, 6, 2]`; empty where nothing was.

    Switches and what is empty tell no variant and are left out.

    Args:
        part: the part.
        most: how many dimensions to tell, the first ones; all where None.
    """
    told = [
        f"{escape(key.replace('_', ' '))} {_value(value)}"
        for key, value in part.detail.items()
        if isinstance(value, int | float | str | list | tuple) and not isinstance(value, bool) and value not in _NOTHING
    ]
    return ", ".join(told[:most])


def _value(value: object) -> str:
    return escape(str(list(value) if isinstance(value, tuple) else value))[:_LONGEST_VALUE]
