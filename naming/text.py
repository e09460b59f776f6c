"""Names as text: limits, offset-preserving folding, and a spelling that is safe to print."""

from __future__ import annotations

import re
import unicodedata

from naming.errors import NameRefused

MAX_CHARACTERS = 10_000
"""Longest name that is parsed. The hub allows 96 characters per part; the rest is room for paths and for bad input."""

_UNSAFE = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb]")
"""Control and bidirectional-format characters: they can rewrite a terminal line or hide text."""


def check(name: object) -> str:
    """Return the name unchanged when it can be parsed.

    Raises:
        NameRefused: not a string, empty, longer than `MAX_CHARACTERS`, or with lone surrogates.
    """
    if not isinstance(name, str):
        raise NameRefused(f"a package name is text, not {type(name).__name__}")
    if not name:
        raise NameRefused("the name is empty")
    if len(name) > MAX_CHARACTERS:
        raise NameRefused(f"the name has {len(name):,} characters; at most {MAX_CHARACTERS:,} are read")
    if not name.isascii() and any("\ud800" <= character <= "\udfff" for character in name):
        raise NameRefused("the name holds lone surrogates, which are not valid Unicode text")
    return name


def split_owner(name: str) -> tuple[str, str]:
    """Split `owner/repo` at the last slash; a name without a slash has no owner."""
    owner, _, repo = name.rpartition("/")
    return owner, repo


def fold(text: str) -> str:
    """Lower case with compatibility forms replaced, character by character, so that offsets stay valid.

    Full-width letters and digits become ASCII; a character whose folded form is longer than one character is kept.
    """
    if text.isascii():
        return text.lower()
    return "".join(map(_lower_character, plain(text)))


def plain(text: str) -> str:
    """The text with compatibility forms replaced, in its own case; as long as the text itself."""
    return text if text.isascii() else "".join(map(_plain_character, text))


def _plain_character(character: str) -> str:
    if character.isascii():
        return character
    form = unicodedata.normalize("NFKC", character)
    return form if len(form) == 1 else character


def _lower_character(character: str) -> str:
    lowered = character.lower()
    return lowered if len(lowered) == 1 else character


def is_word_character(character: str) -> bool:
    """Letters, digits, and the marks that belong to them (vowel signs, accents)."""
    return character.isalnum() or (not character.isascii() and unicodedata.category(character)[0] == "M")


def printable(text: str) -> str:
    """The text with control and direction-changing characters written as escapes."""
    return _UNSAFE.sub(lambda match: f"\\u{ord(match[0]):04x}", text)


def escape_json(document: str) -> str:
    """A JSON document with the characters of `printable` as JSON escapes; the data stays the same."""
    return printable(document)
