"""Records made quickly.

A frozen slotted dataclass sets each field through `object.__setattr__`, which takes about three times as long as a
plain assignment, and a stream of names makes a dozen records for each. Here a record is filled as an ordinary object of
the same layout, and then becomes the frozen class. A test holds that layouts and results are the same.
"""

from __future__ import annotations

from typing import Any

from naming.records import Claim, Component, Convention, ParsedName


class _Component:
    __slots__ = ("category", "end", "role", "start", "text", "value")

    def __init__(self, text: str, start: int, end: int, category: str, value: Any, role: str) -> None:
        self.text = text
        self.start = start
        self.end = end
        self.category = category
        self.value = value
        self.role = role


class _Claim:
    __slots__ = ("accepts", "kind", "modality", "role", "text", "value")

    def __init__(self, kind: str, value: Any, text: str, modality: str, role: str, accepts: tuple[str, ...]) -> None:
        self.kind = kind
        self.value = value
        self.text = text
        self.modality = modality
        self.role = role
        self.accepts = accepts


class _Parsed:
    __slots__ = ("claims", "components", "convention", "name", "owner", "repo")

    def __init__(
        self,
        name: str,
        owner: str,
        repo: str,
        components: tuple[Component, ...],
        convention: Convention,
        claims: tuple[Claim, ...],
    ) -> None:
        self.name = name
        self.owner = owner
        self.repo = repo
        self.components = components
        self.convention = convention
        self.claims = claims


def parsed_name(
    name: str,
    owner: str,
    repo: str,
    components: tuple[Component, ...],
    convention: Convention,
    claims: tuple[Claim, ...],
) -> ParsedName:
    """The same as `ParsedName(...)`."""
    record: Any = _Parsed(name, owner, repo, components, convention, claims)
    record.__class__ = ParsedName
    return record  # type: ignore[no-any-return]


def component(text: str, start: int, end: int, category: str, value: Any, role: str) -> Component:
    """The same as `Component(...)`."""
    record: Any = _Component(text, start, end, category, value, role)
    record.__class__ = Component
    return record  # type: ignore[no-any-return]


def claim(
    kind: str, value: Any, text: str, modality: str = "stated", role: str = "", accepts: tuple[str, ...] = ()
) -> Claim:
    """The same as `Claim(...)`."""
    record: Any = _Claim(kind, value, text, modality, role, accepts)
    record.__class__ = Claim
    return record  # type: ignore[no-any-return]
