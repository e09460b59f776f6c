"""Pieces that touch each other: which are items of their own, and which are parts of one word."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache

from naming.atoms import CLASS_SUFFIX, SIZES
from naming.lexicon import Entry, Lexicon
from naming.segment import Segment

_CONVERTED = re.compile(r"([a-z]{4,}?)(?:fied|fy|ified|ized|ised)")
"""`LLaMAfied`: weights of one family in the layout of another."""
CONVERSIONS = ("fied", "fy", "ized", "ised")
_WORTHY_SHAPES = frozenset(["parameters", "experts_each", "dotted", "version", "kilo", "bits", "integers", "gguf"])
FUSED = ("roberta", "deberta", "electra", "berta", "bert", "llama", "mistral", "qwen", "t5", "bart")
"""Family words which, at the end of a lower-case word, make a brand of that family (`hebert`, `molt5`).
Shorter or more ordinary ones (`vit` in affidavit, `clip` in paperclip) are never looked for."""
_FUSED_ALSO: Mapping[str, tuple[str, ...]] = {"bart": ("mbart", "plbart")}
"""Types that brands fused with a family's word are published under beside the family's own (IndoBART is an mBART)."""
_NOT_FUSED = re.compile(
    r"^(?:ro|hu|her|gil|hil|dil|nor|lam|eg|cuth|os|engel|dago|fil|col|hum|wil|al|phil|adel|ethel|wal|sche|de|da|li|"
    r"ru|si|gis|rim|cul|dieu|dau|flau|jou|schu|sie|lie)bert(?:s|son|a)?$|^(?:alberta|roberta|o?llama)$|"
    r"^(?:ho|sto|ham|lom|dago|isam|gil|hub|lo|ro|al|em|ne|re)bart$"
)
"""Given names and words that end in a family's name without meaning it (Hubert, Flaubert are families themselves)."""


_TELLING_ENDS = (*FUSED, *CONVERSIONS, *SIZES)


def may_hide_words(word: str) -> bool:
    """Whether the spelling of an unknown word allows a cut inside it, or that it is fused with a family's word."""
    return word.startswith("distil") or word.endswith(_TELLING_ENDS)


def settle_chunk(repo: str, pieces: list[Segment], lexicon: Lexicon) -> list[Segment]:
    """Decide about the pieces of one chunk."""
    merged: list[Segment] = []
    for piece in pieces:
        if merged and not piece.entries and piece.kind == "word":
            last = merged[-1]
            if not last.entries and last.kind == "word" and last.end == piece.start:
                _extend(repo, last, piece)
                continue
        merged.append(piece)
    if any(piece.text[:1] in "FMLEDP" and CLASS_SUFFIX.fullmatch(piece.text) for piece in merged):
        return merged
    if len(merged) > 1 and (_is_one_word(merged) or _is_conversion(merged, lexicon)):
        words = len(merged)
        while words > 1 and merged[words - 1].kind in _WORTHY_SHAPES:
            words -= 1
        merged = _merge_glued(repo, merged[:words]) + merged[words:]
    elif any(not piece.entries and piece.kind == "word" for piece in merged) and not any(
        _worth_cutting(piece, merged[place + 1] if place + 1 < len(merged) else None)
        for place, piece in enumerate(merged)
    ):
        merged = _merge_glued(repo, merged)
    for piece in merged:
        if not piece.entries and piece.kind == "word":
            find_fused(piece, lexicon)
    return merged


def _is_conversion(pieces: list[Segment], lexicon: Lexicon) -> bool:
    """Whether the pieces are a family's word made a verb (`LLaMAfied`)."""
    if not pieces[-1].key.endswith(CONVERSIONS):
        return False
    converted = _CONVERTED.fullmatch("".join(piece.key for piece in pieces))
    return converted is not None and lexicon.architecture(converted[1]) is not None


def _worth_cutting(piece: Segment, behind: Segment | None) -> bool:
    """Whether a known piece inside an unknown word is worth a cut of its own."""
    if piece.kind in _WORTHY_SHAPES:
        return True
    for entry in piece.entries:
        if entry.category == "architecture":
            if entry.get("generations") and behind is not None and behind.kind in ("integer", "dotted"):
                return True
            if entry.get("glue") and (not entry.word or piece.text.isupper() or len(piece.key) > 4):
                return True
        elif (
            entry.category in ("task", "format", "quantization") and (len(piece.key) > 3 or piece.text.isupper())
        ) or (entry.category in ("dataset", "language", "adaptation") and len(piece.key) >= 5):
            return True
    return False


def find_fused(piece: Segment, lexicon: Lexicon) -> None:
    """Give a word that ends in a family's word, or says a conversion to a family, that family's meaning."""
    key = piece.key
    if key.endswith(CONVERSIONS):
        converted = _CONVERTED.fullmatch(key)
        entry = lexicon.architecture(converted[1]) if converted else None
        if entry is not None:
            piece.entries = (entry,)
            piece.note = "converted"
            return
    if piece.entries or not key.endswith(FUSED):
        return
    family = next(word for word in FUSED if key.endswith(word))
    place = len(key) - len(family)
    written = piece.text
    if place < 1:
        return
    if _NOT_FUSED.search(key) and not written[place:].isupper():
        return
    entry = lexicon.architecture("roberta" if family == "berta" else family)
    if entry is not None:
        piece.entries = (_widened(entry, _FUSED_ALSO[family]) if family in _FUSED_ALSO else entry,)
        piece.fused = True


@lru_cache(maxsize=16)
def _accepted(accepts: tuple[str, ...], also: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*accepts, *also)))


def _widened(entry: Entry, also: tuple[str, ...]) -> Entry:
    facts = {**entry.attributes, "accepts": _accepted(entry.get("accepts", ()), also)}
    return Entry.of(entry.surface, entry.category, entry.value, facts, entry.joints)


_MOST_PIECES = 32
"""Pieces of a word that are weighed against each other; no word has so many."""
_ORDINARY = frozenset(["other", "version"])
"""Categories of words that are items of their own only between separators (`BetaTest`, `Preview2`)."""


def _is_one_word(pieces: list[Segment]) -> bool:
    """Whether the pieces of one chunk are parts of a word after all.

    A family word that also hides in other words beside nothing but ordinary words (`BIT` in medBIT, `GPT` in DocsGPT),
    a size that begins a word (`SmallCap`), and ordinary words with a number (`clothes007`).
    """
    if len(pieces) > _MOST_PIECES:
        return False
    categories = [{entry.category for entry in piece.entries} for piece in pieces]
    letters = [number for number, piece in enumerate(pieces) if piece.key.isalpha()]
    plain = all(categories[number] <= _ORDINARY for number in letters)
    if plain:
        numbers = [piece for piece in pieces if not piece.key.isalpha()]
        return bool(numbers) and all(piece.kind == "integer" and not piece.entries for piece in numbers)
    if len(letters) < 2:
        return False
    for number in letters:
        rest = set().union(*(categories[other] for other in letters if other != number))
        if categories[number] == {"architecture"} and rest <= _ORDINARY:
            entry = pieces[number].entries[0]
            behind = pieces[number + 1].kind if number + 1 < len(pieces) else "word"
            if entry.word and not entry.get("glue") and behind not in ("integer", "dotted", "parameters"):
                return True
        if (
            categories[number] == {"size"}
            and number + 1 in letters
            and not categories[number + 1] & {"architecture", "task"}
        ):
            return True
    return False


def _extend(repo: str, last: Segment, piece: Segment) -> None:
    last.end = piece.end
    last.text = repo[last.start : last.end]
    last.key += piece.key


def _merge_glued(repo: str, pieces: list[Segment]) -> list[Segment]:
    """Join pieces that touch each other into unknown words."""
    merged: list[Segment] = []
    for piece in pieces:
        if merged and merged[-1].end == piece.start:
            last = merged[-1]
            _extend(repo, last, piece)
            last.entries, last.kind = (), "word"
        else:
            merged.append(piece)
    return merged
