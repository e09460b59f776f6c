"""Reads single values of a config that a stranger wrote: typed, bounded, with a note for what is refused."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from clustering.facts import Fact

MAX_TEXT = 200
"""Longest string that is taken over as a value."""
MAX_LIST = 512
"""Longest list that is taken over as a value (per-stage depths, per-layer head counts)."""
MAX_NOTES = 50
"""Notes kept; a config with more wrong values than this is not understood better by listing them all."""


@dataclass(slots=True)
class Scope:
    """One mapping of the config with the path that leads to it."""

    values: Mapping[str, Any]
    path: str = ""
    file: str = "config.json"

    def key(self, name: str) -> str:
        """The path of a key as it is shown to a reader: `config.json: text_config.hidden_size`."""
        return f"{self.file}: {self.path}{name}"

    def sub(self, names: Iterable[str]) -> Scope | None:
        """The first of several sub-configs that is a non-empty mapping."""
        for name in names:
            value = self.values.get(name)
            if isinstance(value, Mapping) and value:
                return Scope(value, f"{self.path}{name}.", self.file)
        return None


@dataclass(slots=True)
class Collector:
    """Gathers facts and notes while the config is read."""

    facts: list[Fact] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def add(self, kind: str, value: Any, source: str) -> None:
        """Adds a declared fact."""
        self.facts.append(Fact(kind, value, "declared", source))

    def note(self, text: str) -> None:
        """Notes something that was ignored."""
        if len(self.notes) < MAX_NOTES:
            self.notes.append(text)

    def value(self, kind: str) -> Any:
        """The value of the first fact of a kind, or None."""
        return next((fact.value for fact in self.facts if fact.kind == kind), None)


def integer(value: Any, most: int) -> int | None:
    """A positive whole number up to `most`; an integral float counts, a bool or a string does not."""
    if isinstance(value, bool):
        return None
    if isinstance(value, float) and value.is_integer() and abs(value) <= most:
        value = int(value)
    if isinstance(value, int) and 0 < value <= most:
        return value
    return None


def number(value: Any, least: float, most: float) -> float | None:
    """A number in a range; NaN and infinities are outside of every range."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if least <= value <= most else None


def text(value: Any) -> str | None:
    """A non-empty string of bounded length without control characters."""
    if isinstance(value, str) and 0 < len(value) <= MAX_TEXT and value.isprintable():
        return value
    return None


def integers(value: Any, most: int) -> list[int] | None:
    """A non-empty list of positive whole numbers, bounded in length."""
    if not isinstance(value, Sequence) or isinstance(value, str | bytes) or not 0 < len(value) <= MAX_LIST:
        return None
    numbers = [integer(item, most) for item in value]
    return [item for item in numbers if item is not None] if all(item is not None for item in numbers) else None


def size(value: Any, most: int) -> int | list[int] | None:
    """A size in pixels: a number, `[224, 224]` (one number then), `[512, 1024]`, or `{"height": .., "width": ..}`."""
    single = integer(value, most)
    if single is not None:
        return single
    if isinstance(value, Mapping):
        value = [value.get("height"), value.get("width")]
    several = integers(value, most)
    if several is None:
        return None
    return several[0] if len(set(several)) == 1 else several


def first_integer(scope: Scope, keys: Iterable[str], most: int, collector: Collector) -> tuple[int, str] | None:
    """The first key that holds a usable whole number, with its source; notes values of a wrong type.

    None, -1 and 0 are how configs say "not set" and pass silently, and so do lists: per-stage values have
    their own kinds.
    """
    for key in keys:
        raw = scope.values.get(key)
        if raw is None or raw is False:
            continue
        found = integer(raw, most)
        if found is not None:
            return found, scope.key(key)
        if not isinstance(raw, list | tuple | Mapping) and raw not in {0, -1}:
            collector.note(f"{scope.key(key)} is not a whole number between 1 and {most}: ignored")
    return None
