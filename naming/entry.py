"""One meaning of one surface of the lexicons."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

_JOINTS: dict[frozenset[int], frozenset[int]] = {}
"""Equal sets of joints are one object: ten thousand surfaces have some 150 different ones."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One meaning of one surface."""

    surface: str
    """The surface without separators."""
    category: str
    value: Any
    attributes: Mapping[str, Any] = field(default_factory=dict, repr=False)
    joints: frozenset[int] = frozenset()
    """Offsets in `surface` where its written form has a separator."""
    word: bool = False
    """Whether the surface is also an ordinary word or name, so that this meaning needs evidence beside it."""

    @classmethod
    def of(
        cls,
        surface: str,
        category: str,
        value: Any,
        attributes: Mapping[str, Any],
        joints: frozenset[int] = frozenset(),
    ) -> Entry:
        """An entry from the facts of a lexicon file."""
        shared = _JOINTS.setdefault(joints, joints)
        return cls(surface, category, value, attributes, shared, bool(attributes.get("word")))

    def get(self, name: str, default: Any = None) -> Any:
        """A fact that the lexicon carries for this meaning."""
        return self.attributes.get(name, default)


def family_of(entry: Entry) -> str:
    """The family that a meaning stands for: the one it names, or the canonical word itself."""
    return str(entry.get("family") or entry.value)
