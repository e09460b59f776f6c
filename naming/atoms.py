"""Where a name may be cut: separators, camelCase, digits, and words known to hide in other words."""

from __future__ import annotations

import re
from typing import TypeAlias

from naming.lexicon import Lexicon
from naming.text import is_word_character, plain

_CHUNK = re.compile(r"[^\W_]+")
_SEPARATORS = re.compile(r"([\W_]+)")
_ATOM = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+|[^A-Za-z0-9]+")
_INNER_CAPITAL = re.compile(r"[^A-Z][A-Z]")
_LETTERS_THEN_DIGITS = re.compile(r"([a-z]{3,12}?)(xs|ti|bigg|[sbmlhgtnx])(\d{1,3})$")
"""`vits8`: a family, its size and its patch."""
_GLUED_VERSION = re.compile(r"([0-9][bm]|[a-z]{3})(?=v[0-9]+(?:\.[0-9]+)?$)")
"""`7bv5`, `twittersentimentv5`."""
_GLUED_ACTIVE = re.compile(r"([0-9]b)(?=a[0-9]{1,3}b?$)")
"""`30BA3B`: parameters in all, and of the experts that are active."""
_GLUED_DTYPE = re.compile(r"([0-9][bm])(?=(?:bf|fp)(?:16|32|8)$)")
"""`13bfp16`."""
_KILO_SPAN = re.compile(r"(\d{1,3}k)(to)\d{1,3}k$")
"""`22kto1k`: trained on one version of ImageNet, then on another."""
SIZES = ("tiny", "mini", "small", "base", "medium", "large", "huge", "xxl", "xl")
CLASS_SUFFIX = re.compile(r"(?:For[A-Z][A-Za-z]+|(?:LMHead|MT|Encoder|Decoder|DoubleHeads|PreTraining)?Model)$")
"""Head of a transformers class name, as in test packages (`CTRLLMHeadModel`)."""

_LONGEST_CLASS = 96
"""Longest word in which a class name's head is looked for."""
CACHE_SIZE = 1 << 11
"""Chunks whose atoms are remembered; forgotten all at once when full, so memory stays bounded on endless streams."""
CACHED_LENGTH = 40
"""Longest chunk that is remembered, and that is searched for hidden words."""


Pieces: TypeAlias = tuple[tuple[int, int, str], ...]
"""Start, end and folded text of each piece of a chunk."""


class Atoms:
    """Cuts names into the smallest pieces that a reading may need; equal chunks are cut once."""

    def __init__(self, lexicon: Lexicon) -> None:
        self.lexicon = lexicon
        self._cache: dict[str, Pieces] = {}

    def of(self, repo: str, folded: str) -> tuple[list[int], list[int], list[int], list[str]]:
        """Starts, ends, numbers of the chunk, and folded texts of the pieces into which a name may be cut."""
        starts: list[int] = []
        ends: list[int] = []
        chunks: list[int] = []
        keys: list[str] = []
        spans = chunk_spans(repo)
        repo = plain(repo)
        for number, (start, end) in enumerate(spans):
            for first, last, key in self.of_chunk(repo[start:end], folded[start:end]):
                starts.append(start + first)
                ends.append(start + last)
                chunks.append(number)
                keys.append(key)
        return starts, ends, chunks, keys

    def of_chunk(self, chunk: str, folded: str) -> Pieces:
        """Start, end and folded text of every piece of a chunk (without separators, compatibility forms replaced)."""
        pieces = self._cache.get(chunk)
        if pieces is None:
            cuts = self._cuts(chunk, folded)
            if len(cuts) == 1:
                pieces = ((0, cuts[0], folded),)
            else:
                pieces = tuple(
                    [(first, last, folded[first:last]) for first, last in zip((0, *cuts), cuts, strict=False)]
                )
            if len(chunk) <= CACHED_LENGTH:
                if len(self._cache) >= CACHE_SIZE:
                    self._cache.clear()
                self._cache[chunk] = pieces
        return pieces

    def _cuts(self, chunk: str, folded: str) -> tuple[int, ...]:
        """Offsets at which a chunk may be cut, its length included."""
        size = len(chunk)
        known = folded in self.lexicon.index
        letters = chunk.isascii() and chunk.isalpha()
        if letters and (chunk.islower() or chunk.isupper()):
            if known or size > CACHED_LENGTH:
                return (size,)
            cuts = {size}
        else:
            cuts = {match.end() for match in _ATOM.finditer(chunk)}
            cuts.add(size)
        if not letters:
            for glued in (_GLUED_VERSION, _GLUED_ACTIVE, _GLUED_DTYPE):
                if numbered := glued.search(folded):
                    cuts.add(numbered.end(1))
        if size <= _LONGEST_CLASS and ("For" in chunk or chunk.endswith("Model")):
            head = CLASS_SUFFIX.search(chunk)
            if head and head.start():
                cuts.add(head.start())
        if not known and size <= CACHED_LENGTH:
            self._cut_unknown(chunk, folded, cuts, letters=letters)
        return tuple(sorted(cuts))

    def _cut_unknown(self, chunk: str, folded: str, cuts: set[int], *, letters: bool) -> None:
        """Add the cuts that known words inside an unknown chunk suggest."""
        for prefix in ("distill", "distil"):
            if folded.startswith(prefix) and self.lexicon.architecture(folded[len(prefix) :]):
                cuts.add(len(prefix))
                break
        capitals = [match.end() - 1 for match in _INNER_CAPITAL.finditer(chunk)]
        if any(folded.startswith(self.lexicon.glue, place) for place in capitals):
            for family in self.lexicon.glue:
                place = folded.rfind(family)
                if place > 0 and chunk[place].isupper() and not chunk[place - 1].isupper():
                    cuts.update((place, place + len(family)))
                    break
        if folded.endswith(SIZES):
            word = next(size for size in SIZES if folded.endswith(size))
            if self.lexicon.architecture(folded[: -len(word)]):
                cuts.add(len(folded) - len(word))  # `starcoderbase`
        if letters:
            return
        spanned = _KILO_SPAN.match(folded)
        if spanned:
            cuts.update((spanned.end(1), spanned.end(2)))
        sized = _LETTERS_THEN_DIGITS.match(folded)
        if sized and self.lexicon.architecture(sized[1]):
            cuts.update((sized.end(1), sized.end(2)))


def chunk_spans(text: str) -> list[tuple[int, int]]:
    """Runs of letters, digits and their marks: what stands between separators."""
    return [match.span() for match in _CHUNK.finditer(text)] if text.isascii() else _word_runs(text)


def chunks_of(text: str) -> list[str]:
    """The text in turns: a chunk, what separates it from the next, and so on; a text may begin with an empty chunk."""
    if text.isascii():
        return _SEPARATORS.split(text)
    pieces: list[str] = []
    end = 0
    for start, behind in _word_runs(text):
        if pieces or start:
            pieces += ([] if pieces else [""]) + [text[end:start]]
        pieces.append(text[start:behind])
        end = behind
    if end < len(text):
        pieces += ([] if pieces else [""]) + [text[end:], ""]
    return pieces


def _word_runs(text: str) -> list[tuple[int, int]]:
    """Runs of word characters of a text that is not ASCII."""
    runs = []
    start = -1
    for place, character in enumerate(text):
        if is_word_character(character):
            if start < 0:
                start = place
        elif start >= 0:
            runs.append((start, place))
            start = -1
    if start >= 0:
        runs.append((start, len(text)))
    return runs
