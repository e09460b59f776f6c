"""Packages whose size or encoding a name describes loosely, told from what they hold, never from who published them."""

from __future__ import annotations

import re
from itertools import pairwise
from typing import Final

from dara.rules.common.tables import words
from dara.subject import Subject

PRUNED_WORDS: Final = re.compile(
    r"(?i)(?:^|[-_. ])"
    r"(?:pruned?\d*|prune|slim|shear(?:ed)?|sparse\d*|upscaled?|depth[-_]?up|expanded|upcycled)(?:$|[-_. ])"
)
"""Words that say that the size was changed on purpose, so that a number in the name may be the origin's."""

_SEPARATOR: Final = re.compile(r"[-_. ]+")


def repo_words(subject: Subject) -> frozenset[str]:
    """Lower-case words of the repository name, and pairs of neighbours joined by a hyphen."""
    if subject.parsed is None:
        return frozenset()
    words = [word for word in _SEPARATOR.split(subject.parsed.repo.lower()) if word]
    return frozenset(words) | {f"{first}-{second}" for first, second in pairwise(words)}


def is_toy(subject: Subject) -> bool:
    """True for test fixtures: the name says so, or the model is too small to be of use (hidden size below 48)."""
    if repo_words(subject) & words("toy"):
        return True
    hidden = subject.facts.best("hidden_size")
    return hidden is not None and isinstance(hidden.value, int) and 0 < hidden.value < 48


def is_adapter(subject: Subject) -> bool:
    """True when the weights are an adapter (LoRA, IA3 ...), whatever the name says."""
    if subject.listing is not None and subject.listing.adapter:
        return True
    if any(path.rsplit("/", 1)[-1] == "adapter_config.json" for path in subject.files):
        return True
    return "adapter" in subject.facts


def is_partial(subject: Subject) -> bool:
    """True when the package holds a part or not all of a model, so that nothing may be counted."""
    if subject.listing is not None and (subject.listing.incomplete or subject.listing.names_only):
        return True
    return bool(repo_words(subject) & words("partial"))


def resized_on_purpose(subject: Subject) -> bool:
    """True when the name says that layers or experts were added or taken away."""
    return subject.parsed is not None and PRUNED_WORDS.search(subject.parsed.repo) is not None
