"""Adding entries to a model card's front matter without touching a character of what is there."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from clustering.text import escape
from corpora.errors import DamagedFileError
from corpora.yamltext import parse_yaml
from dara.metadata import Derived

_LIMIT: Final = 4 << 20
_FRONT_MATTER: Final = re.compile(r"\A(\ufeff?\s*---[ \t]*\r?\n)(.*?)^---[ \t]*\r?$", re.DOTALL | re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Changed:
    """A card before and after."""

    before: str
    after: str
    name: str

    @property
    def differs(self) -> bool:
        """False when nothing was to be added."""
        return self.before != self.after

    @property
    def diff(self) -> str:
        """The change as a unified diff, ending with a line end."""
        old, new = self.before.splitlines(), self.after.splitlines()
        origin = f"a/{self.name}" if self.before else "/dev/null"
        return "".join(f"{line}\n" for line in difflib.unified_diff(old, new, origin, f"b/{self.name}", lineterm=""))


def complete(path: Path, derived: Sequence[Derived]) -> Changed:
    """The card at a path with entries added at the end of its front matter. Reads only.

    Raises:
        DamagedFileError: as `read_card_text` and `added`.
    """
    before = read_card_text(path)
    return Changed(before, added(before, derived, escape(path.name)) if derived else before, path.name)


def read_card_text(path: Path) -> str:
    """The text of the card at a path; empty when there is none.

    Raises:
        DamagedFileError: the card is no text, is a link, or is too long.
    """
    shown = escape(path.name)
    if path.is_symlink():
        raise DamagedFileError(f"{shown}: a symbolic link is not written through; complete the file that it points to")
    try:
        before = path.read_bytes()[: _LIMIT + 1].decode("utf-8") if path.exists() else ""
    except (OSError, UnicodeDecodeError) as error:
        raise DamagedFileError(f"{shown}: cannot be read as UTF-8 text: {escape(str(error))}") from error
    if len(before) > _LIMIT:
        raise DamagedFileError(f"{shown}: longer than {_LIMIT:,} characters; complete it by hand")
    return before


def added(before: str, derived: Sequence[Derived], shown: str) -> str:
    """A card with entries added at the end of its front matter.

    Raises:
        DamagedFileError: the front matter is not closed, is no YAML mapping, or takes no lines at its end.
    """
    end = "\r\n" if "\r\n" in before else "\n"
    lines = "".join(_yaml(item).replace("\n", end) for item in derived)
    match = _FRONT_MATTER.match(before)
    if match is None:
        if before.lstrip("\ufeff \t\r\n").startswith("---"):
            raise DamagedFileError(f"{shown}: the front matter has no closing line of three dashes; mend it first")
        gap = end if before and not before.startswith(("\n", "\r\n")) else ""
        after = f"---{end}{lines}---{end}{gap}{before}"
    else:
        stated = parse_yaml(match.group(2), f"{shown} front matter") or {}
        if not isinstance(stated, dict):
            raise DamagedFileError(f"{shown} front matter: not a mapping; mend it first")
        at = match.end(2)
        after = before[:at] + lines + before[at:]
    _check(after, shown, derived)
    return after


def _check(after: str, shown: str, derived: Sequence[Derived]) -> None:
    """The front matter must still be what it was, with the new entries.

    Raises:
        DamagedFileError: when what is there (a flow mapping, an open quote) takes no lines at its end.
    """
    match = _FRONT_MATTER.match(after)
    try:
        data = parse_yaml(match.group(2), "front matter") if match else None
    except DamagedFileError:
        data = None
    wanted = {item.key: list(item.value) if isinstance(item.value, tuple) else item.value for item in derived}
    if not isinstance(data, dict) or any(data.get(key) != value for key, value in wanted.items()):
        raise DamagedFileError(f"{shown}: entries cannot be added to this front matter; write it one key a line")


def _yaml(item: Derived) -> str:
    """One entry as block YAML; quoted where a plain word would be read as something else (`no` is Norwegian)."""
    import yaml

    value = list(item.value) if isinstance(item.value, tuple) else item.value
    return yaml.safe_dump({item.key: value}, default_flow_style=False, allow_unicode=True, sort_keys=False)
