"""What `--fix` proposes. Values only; nothing is written here."""

from __future__ import annotations

import difflib
from dataclasses import dataclass


def unified(before: str, after: str, name: str) -> str:
    """A change as a unified diff, ending with a line end; empty when there is none."""
    old, new = before.splitlines(), after.splitlines()
    origin = f"a/{name}" if before else "/dev/null"
    return "".join(f"{line}\n" for line in difflib.unified_diff(old, new, origin, f"b/{name}", lineterm=""))


@dataclass(frozen=True, slots=True)
class Correction:
    """One wrong word of a name, and the true one."""

    code: str
    """The finding that it answers."""
    old: str
    new: str
    """Empty where the word is left out."""
    reason: str


@dataclass(frozen=True, slots=True)
class Rename:
    """A name in which every correction is made; it was audited before it is proposed."""

    old: str
    new: str
    corrections: tuple[Correction, ...]

    @property
    def diff(self) -> str:
        """The change of the name, as if it stood in a file called `name`."""
        return unified(f"{self.old}\n", f"{self.new}\n", "name")


@dataclass(frozen=True, slots=True)
class CardEdit:
    """One entry of the model card's front matter that is added, or whose value is replaced."""

    code: str
    """The finding that it answers."""
    key: str
    old: str | None
    """The value that is replaced; None for an entry that is added."""
    new: str | tuple[str, ...]
    reason: str


@dataclass(frozen=True, slots=True)
class CardChange:
    """A model card before and after."""

    path: str
    before: str
    after: str
    edits: tuple[CardEdit, ...]

    @property
    def diff(self) -> str:
        """The change as a unified diff."""
        return unified(self.before, self.after, self.path)


@dataclass(frozen=True, slots=True)
class Unresolved:
    """An accusation for which no correction can be derived."""

    code: str
    reason: str


@dataclass(frozen=True, slots=True)
class Fix:
    """Every correction of one package that follows from its files without guessing."""

    rename: Rename | None = None
    card: CardChange | None = None
    unresolved: tuple[Unresolved, ...] = ()

    @property
    def empty(self) -> bool:
        """True when nothing is proposed."""
        return self.rename is None and self.card is None
