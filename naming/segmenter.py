"""Cutting names into segments, part by part: what cannot belong together is searched apart, and only once."""

from __future__ import annotations

import re
from typing import TypeAlias

from naming.atoms import CACHED_LENGTH, Pieces, chunks_of
from naming.glue import CONVERSIONS, may_hide_words
from naming.lexicon import Entry, Lexicon
from naming.search import Search
from naming.segment import Segment
from naming.text import plain

_Template: TypeAlias = tuple[tuple[int, int, str, str, str, tuple[Entry, ...], bool, str], ...]
"""Start, end, text, key, kind, meanings, fused and note of each segment of a part."""
CHUNK_CACHE, PART_CACHE = 1 << 13, 1 << 12
"""Chunks, and parts of several chunks, that are remembered; forgotten all at once when full, so that memory stays
bounded on endless streams. Twice as many would take 8 MB more and save a tenth of the searches."""
_LONGEST_PART = 64
_OPEN_WORDS = {
    "num": ("lay",),
    "hidden": ("siz",),
    "group": ("siz",),
    "max": ("len",),
    "seq": ("len",),
    **{f"{kind}{bits}": ("k", "x", "s", "m", "l", "n") for kind in ("q", "iq") for bits in range(1, 9)},
}
"""What begins an item of several chunks in naming.patterns (`max-length-512`, `q4_K_M`), and how the next begins."""
_DIGITS = frozenset("0123456789")
_NUMBERS = (*"0123456789", *(f"v{digit}" for digit in range(10)))
_Reach: TypeAlias = tuple[tuple[str, ...], bool, bool]
"""Beginnings of what a chunk may belong together with; whether units and the rest of a number do; whether dates do."""
_TO_NOTHING: _Reach = ((), False, False)
_TO_ANY: _Reach = (("",), True, True)
_DATE_PARTS = (2, 4)
"""Digits of a date's parts; no other numbers belong together across a hyphen."""
_BEGINNING = re.compile("[0-9]|(?:(?!v[0-9])[^0-9]){1,3}")
_HAS_DIGIT = re.compile("[0-9]")
_NUMBERED = re.compile("v?[0-9]+$")
_HEADS = frozenset(
    [
        "v", "ver", "version", "rev", "release", "int", "uint", "g", "gs", "group", "groupsize", "l", "layer", "layers",
        "h", "hidden", "size", "dim", "a", "head", "heads", "patch", "p", "window", "win", "ctx", "context", "seq",
        "seqlen", "len", "maxlen", "max", "length", "token", "tokens", "step", "steps", "epoch", "epochs", "ep", "seed",
        "run", "ckpt", "checkpoint", "fold", "bs", "bsz", "batch", "lr", "iter", "iteration", "hist", "exp",
        "experiment", "trial", "trained", "idx", "part", "shard", "wd", "warmup", "try", "attempt", "round", "stage",
        "phase", "session", "task", "hw", "assignment", "e",
    ]
)  # fmt: skip
"""Words and letters that naming.patterns reads together with a number behind a separator."""
_UNITS = frozenset(
    [
        "bpw", "bit", "bits", "hz", "khz", "step", "steps", "epoch", "epochs", "ep", "iter", "iters", "iteration",
        "iterations", "shot", "shots", "fold", "folds", "sample", "samples", "example", "examples", "hour", "hours",
        "hr", "hrs", "utterances", "pairs", "sentences", "tokens", "images", "gb", "tb", "layer", "layers", "l",
        "class", "classes", "label", "labels", "way", "classification", "cls", "star", "stars",
    ]
)  # fmt: skip
"""Words that naming.patterns reads together with a number before a separator."""


class Segmenter:
    """Cuts names; one instance for each lexicon, shared between documents.

    Neighbouring chunks are searched together where a surface of the lexicons or a number may reach across the separator
    between them; everything else is a part of its own. The parts of names repeat (`base`, `finetuned`, `patch16-224`),
    so their segments are remembered.
    """

    def __init__(self, lexicon: Lexicon) -> None:
        self.lexicon = lexicon
        self._search = Search(lexicon)
        self._openers = _openers(lexicon)
        self._counted = _counted(lexicon)
        self._words = {
            word: (self._openers.get(word, ()) + (_NUMBERS if word in self._counted else ()), False, False)
            for word in (*self._openers, *self._counted)
            if word.isalpha()
        }
        self._chunks: dict[str, tuple[_Reach, _Template]] = {}
        self._templates: dict[str, _Template] = {}

    def segments(self, repo: str, folded: str) -> list[Segment]:
        """Cut a repository name.

        Args:
            repo: the name as written.
            folded: the same, folded (equal length).

        Returns:
            Segments in order; they cover every letter and digit and never overlap.
        """
        pieces = chunks_of(repo)
        result: list[Segment] = []
        known = self._chunks
        last = len(pieces) - 1
        place = start = 0
        while place <= last:
            chunk = pieces[place]
            if not chunk:
                start += len(pieces[place + 1]) if place < last else 0
                place += 2
                continue
            end = start + len(chunk)
            found = known.get(chunk)
            if found is None:
                found = self._learn(chunk, folded[start:end])
            reach, template = found
            alone = True
            while reach is not _TO_NOTHING and place + 2 <= last:
                behind = end + len(pieces[place + 1])
                chunk = pieces[place + 2]
                if not _continues(folded, end, behind, behind + len(chunk), reach):
                    break
                place += 2
                end = behind + len(chunk)
                alone = False
                found = known.get(chunk)
                if found is None:
                    found = self._learn(chunk, folded[behind:end])
                reach = found[0]
            if not alone:
                part = repo[start:end]
                template = self._templates.get(part) or self._template(part, folded[start:end])
            for first, behind, text, key, kind, entries, fused, note in template:
                segment = Segment(start + first, start + behind, text, key, kind, entries)
                if fused:
                    segment.fused = True
                if note:
                    segment.note = note
                result.append(segment)
            start = end
            if place < last:
                start += len(pieces[place + 1])
            place += 2
        return result

    def _learn(self, chunk: str, folded: str) -> tuple[_Reach, _Template]:
        """Reach and segments of a chunk; remembered, unless it is a plain word that nothing is known of."""
        if chunk.isalpha() and chunk.isascii() and (chunk.islower() or chunk.istitle()) and len(chunk) <= CACHED_LENGTH:
            meanings = self.lexicon.index.get(folded, ())
            if not folded.endswith(CONVERSIONS) if meanings else not may_hide_words(folded):
                key = chunk if chunk == folded else folded
                word = self._words.get(key, _TO_NOTHING), ((0, len(key), chunk, key, "word", meanings, False, ""),)
                if meanings:
                    self._remember(chunk, word)
                return word
        pieces = self._search.atoms.of_chunk(plain(chunk), folded)
        found = self._reach(folded, pieces), _template_of(self._search.chunk(chunk, folded, pieces))
        if len(chunk) <= CACHED_LENGTH:
            self._remember(chunk, found)
        return found

    def _remember(self, chunk: str, found: tuple[_Reach, _Template]) -> None:
        if len(self._chunks) >= CHUNK_CACHE:
            self._chunks.clear()
        self._chunks[chunk] = found

    def _reach(self, folded: str, pieces: Pieces) -> _Reach:
        """What a chunk may belong together with behind the separator: nothing, some beginnings, units, or anything."""
        if len(folded) > CACHED_LENGTH or not folded.isascii():
            return _TO_ANY
        beginnings: set[str] = set()
        numbered = False
        units = _HAS_DIGIT.search(folded) is not None
        for start, _, _ in pieces:
            ending = folded[start:]
            if ending in self._openers:
                beginnings.update(self._openers[ending])
            if not numbered and ending in self._counted:
                numbered = True
        if numbered:
            beginnings.update(_NUMBERS)
        if not beginnings and not units:
            return _TO_NOTHING
        return tuple(beginnings), units, len(folded) in _DATE_PARTS and folded.isdigit()

    def _template(self, part: str, folded: str) -> _Template:
        """Segments of a part of several chunks, remembered."""
        template = _template_of(self._search.segments(part, folded))
        if len(part) <= _LONGEST_PART:
            if len(self._templates) >= PART_CACHE:
                self._templates.clear()
            self._templates[part] = template
        return template


def _template_of(segments: list[Segment]) -> _Template:
    return tuple([(s.start, s.end, s.text, s.key, s.kind, s.entries, s.fused, s.note) for s in segments])


def _continues(folded: str, separator: int, start: int, end: int, reach: _Reach) -> bool:
    """Whether the chunk behind a separator begins as what the one before it may belong together with.

    Behind a chunk with digits these are also units, and further digits unless a hyphen of no date stands between.
    """
    beginnings, units, dates = reach
    if folded.startswith(beginnings, start, end):
        return True
    if not units:
        return False
    if dates or folded[separator:start] != "-":
        return folded.startswith(_NUMBERS, start, end) or folded[start:end] in _UNITS
    return folded[start:end] in _UNITS


def _counted(lexicon: Lexicon) -> frozenset[str]:
    """What stands before a number in surfaces of architectures (`gpt` of gpt2) and in numeric items (`epoch-3`)."""
    parts = set(_HEADS)
    for surface, meanings in lexicon.index.items():
        if meanings[0].category == "architecture":
            for place in range(1, len(surface)):
                if surface[place] in _DIGITS and surface[place - 1] not in _DIGITS:
                    parts.add(surface[:place])
                    parts.add(surface[: place - 1])
    return frozenset(parts)


def _openers(lexicon: Lexicon) -> dict[str, tuple[str, ...]]:
    """Parts of surfaces that stand before one of their separators, and how what stands behind it begins."""
    parts: dict[str, set[str]] = {word: set(beginnings) for word, beginnings in _OPEN_WORDS.items()}
    for surface, meanings in lexicon.index.items():
        for entry in meanings:
            begin = 0
            joints = sorted(entry.joints)
            for number, joint in enumerate(joints):
                end = joints[number + 1] if number + 1 < len(joints) else len(surface)
                beginning = _beginning(surface[joint:end])
                written = [surface[begin:joint], surface[:joint]]
                numbered = _NUMBERED.search(written[0])
                if numbered:
                    written.append(numbered[0])  # `gpt-2-spanish` as `gpt2-spanish`
                for part in written:
                    parts.setdefault(part, set()).add(beginning)
                begin = joint
    return {part: tuple(sorted(beginnings)) for part, beginnings in parts.items()}


def _beginning(part: str) -> str:
    """The first characters of a surface's part, up to where a name may have a separator before a number."""
    found = _BEGINNING.match(part)
    return found[0] if found else part[:1]
