"""Language codes as cards and names spell them."""

from __future__ import annotations

import re
from typing import Final

_PARTS: Final = re.compile(r"[-_]")


def code_of(word: str) -> str:
    """The code of a language: `zh-CN`, `zho`, `Chinese` give `zh`; what no lexicon knows stays as it is."""
    from naming.lexicon import default_lexicon

    lowered = word.strip().lower()
    if not lowered:
        return ""
    for candidate in (lowered, _PARTS.split(lowered)[0]):
        for entry in default_lexicon().entries(candidate.replace("-", "").replace("_", ""), "language"):
            return str(entry.value).lower()
    return _PARTS.split(lowered)[0]
