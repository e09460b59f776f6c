"""DAR704."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from functools import cache
from typing import Final

from clustering.text import escape
from dara.findings import Confidence, Evidence, Finding, Outcome, Severity
from dara.rules.common.tables import table, words
from dara.rules.common.wording import quoted
from dara.rules.interface import Rule
from dara.subject import Subject

_LOOKS: Final = str.maketrans({"0": "o", "1": "l", "i": "l", "5": "s", "3": "e", "@": "a", "$": "s"})

SHORTEST: Final = 5
"""Shorter owner names are one letter apart by chance."""


class ConfusableName(Rule):
    """The owner or a word of the name can be taken for a well-known one.

    ## Why it matters
    Packages under look-alike names are how malicious weights reach people who type or skim.

    ## How it is checked
    Letters of other scripts that look like Latin ones inside a Latin word; owners that look like a well-known publisher
    once `0` and `o`, `1`, `l` and `i`, `rn` and `m` are taken as equal, or that differ from it by one exchanged pair.
    The publisher's own names, and owners that merely contain one, are fine.

    ## Example
    `meta-Ilama/Llama-3-8B`, with a capital I in the place of an l.

    ## Known limits
    Only publishers in the list are protected. Nothing is said about intent: look-alikes arise by accident too.
    """

    code = "DAR704"
    slug = "confusable-name"
    severity = Severity.WARNING
    since = "0.1.0"

    def check(self, subject: Subject) -> Iterator[Outcome]:
        """Looks at the owner and at every word."""
        if subject.parsed is None:
            return
        for word in (subject.parsed.owner, *subject.parsed.repo.replace("_", "-").replace(".", "-").split("-")):
            strange = _strange_letters(word[:200])
            if strange:
                yield self._mixed(word, strange)
                return
        owner = subject.parsed.owner.lower()
        known = words("publishers")
        if len(owner) < SHORTEST or owner in known:
            return
        look = skeleton(owner)
        near = next((name for name, own in _protected() if look == own or _is_transposed(owner, name)), None)
        if near is not None:
            yield self.finding(
                f"the owner {quoted(subject.parsed.owner)} can be taken for {quoted(near)}",
                confidence=Confidence.MEDIUM if look == skeleton(near) else Confidence.LOW,
                evidence=(Evidence("name", f"looks like {near}"),),
            )

    def _mixed(self, word: str, strange: str) -> Finding:
        names = ", ".join(unicodedata.name(letter, "unnamed letter") for letter in strange)
        return self.finding(
            f"{quoted(word)} mixes Latin letters with look-alikes of another script ({escape(names)})",
            confidence=Confidence.MEDIUM,
            evidence=(Evidence("name", escape(names)),),
        )


def skeleton(name: str) -> str:
    """A name with look-alike letters made equal."""
    return name.lower().replace("rn", "m").replace("vv", "w").translate(_LOOKS)


@cache
def _protected() -> tuple[tuple[str, str], ...]:
    """Well-known publishers that are long enough, with their skeletons."""
    return tuple((name, skeleton(name)) for name in sorted(words("publishers")) if len(name) >= SHORTEST)


def _is_transposed(owner: str, name: str) -> bool:
    """Whether two names differ by one exchanged pair of neighbours."""
    if len(owner) != len(name):
        return False
    apart = [place for place in range(len(name)) if owner[place] != name[place]]
    return (
        len(apart) == 2
        and apart[1] == apart[0] + 1
        and owner[apart[0]] == name[apart[1]]
        and owner[apart[1]] == name[apart[0]]
    )


def _strange_letters(word: str) -> str:
    """Letters of another script that look Latin, in a word that also has Latin letters."""
    if word.isascii() or not any("a" <= letter.lower() <= "z" for letter in word):
        return ""
    return "".join(dict.fromkeys(letter for letter in word if letter in table("words")["look_alikes"]))[:4]
