"""Cutting names into segments, part by part: what cannot belong together is searched apart, and only once."""

from __future__ import annotations

from typing import TypeAlias

from naming.atoms import CACHED_LENGTH, chunk_spans
from naming.lexicon import Entry, Lexicon
from naming.search import Search
from naming.segment import Segment

_Template: TypeAlias = tuple[tuple[int, int, str, str, tuple[Entry, ...], bool, str], ...]
"""Start, end, key, kind, meanings, fused and note of each segment of a part."""
PART_CACHE = 1 << 14
"""Parts that are remembered; forgotten all at once when full, so memory stays bounded on endless streams."""
_LONGEST_PART = 64
_OPEN_WORDS = ("num", "hidden", "group", "max", "seq", "head", "layer")
"""Words that begin a numeric item of several chunks (`max-length-512`)."""
_DIGITS = "0123456789"


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
        self._opens: dict[str, bool] = {}
        self._templates: dict[str, _Template] = {}

    def segments(self, repo: str, folded: str) -> list[Segment]:
        """Cut a repository name.

        Args:
            repo: the name as written.
            folded: the same, folded (equal length).

        Returns:
            Segments in order; they cover every letter and digit and never overlap.
        """
        spans = chunk_spans(repo)
        result: list[Segment] = []
        templates = self._templates
        opens = self._opens
        count = len(spans)
        at = 0
        while at < count:
            start, end = spans[at]
            at += 1
            while at < count:
                last = spans[at - 1][0]
                chunk = repo[last:end]
                open_ended = opens.get(chunk)
                if open_ended is None:
                    open_ended = self._is_open(chunk, folded[last:end])
                next_start = spans[at][0]
                if not (open_ended or folded[next_start] in _DIGITS or _is_version(folded, next_start)):
                    break
                end = spans[at][1]
                at += 1
            part = repo[start:end]
            template = templates.get(part)
            if template is None:
                template = self._template(part, folded[start:end])
            for first, last, key, kind, entries, fused, note in template:
                segment = Segment(repo, start + first, start + last, key, kind, entries, 0)
                if fused:
                    segment.fused = True
                if note:
                    segment.note = note
                result.append(segment)
        return result

    def _is_open(self, chunk: str, folded: str) -> bool:
        """Whether an item may begin in a chunk and go on behind the separator."""
        found = not folded.isalpha() or not folded.isascii()
        if not found and len(folded) <= CACHED_LENGTH:
            starts, _, _, _ = self._search.atoms.of(chunk, folded)
            found = any(folded[start:] in self._openers for start in starts)
        if len(self._opens) >= PART_CACHE:
            self._opens.clear()
        if len(folded) <= CACHED_LENGTH:
            self._opens[chunk] = found
        return found

    def _template(self, part: str, folded: str) -> _Template:
        template = tuple(
            (s.start, s.end, s.key, s.kind, s.entries, s.fused, s.note) for s in self._search.segments(part, folded)
        )
        if len(part) <= _LONGEST_PART:
            if len(self._templates) >= PART_CACHE:
                self._templates.clear()
            self._templates[part] = template
        return template


def _is_version(folded: str, start: int) -> bool:
    return folded[start] == "v" and folded[start + 1 : start + 2] in _DIGITS and start + 1 < len(folded)


def _openers(lexicon: Lexicon) -> frozenset[str]:
    """Parts of surfaces that stand before one of their separators."""
    parts = set(_OPEN_WORDS)
    for surface, meanings in lexicon.index.items():
        for entry in meanings:
            begin = 0
            for joint in sorted(entry.joints):
                parts.add(surface[begin:joint])
                parts.add(surface[:joint])
                begin = joint
    return frozenset(parts)
