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
_DIGITS = frozenset("0123456789")
_TO_NOTHING, _TO_NUMBER, _TO_UNIT, _TO_ANY = 0, 1, 2, 4
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
        self._opens: dict[str, int] = {}
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
                reach = opens.get(chunk)
                if reach is None:
                    reach = self._reach(chunk, folded[last:end])
                if reach < _TO_ANY and (not reach or not _continues(folded, spans[at], reach)):
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

    def _reach(self, chunk: str, folded: str) -> int:
        """What a chunk may belong together with behind the separator: nothing, numbers, units, or anything."""
        reach = _TO_ANY
        if len(folded) <= CACHED_LENGTH and folded.isascii():
            starts, _, _, _ = self._search.atoms.of(chunk, folded)
            endings = {folded[start:] for start in starts}
            if endings.isdisjoint(self._openers):
                reach = _TO_NOTHING
                if not endings.isdisjoint(self._counted):
                    reach |= _TO_NUMBER
                if any(character in _DIGITS for character in folded):
                    reach |= _TO_UNIT | _TO_NUMBER
        if len(self._opens) >= PART_CACHE:
            self._opens.clear()
        if len(folded) <= CACHED_LENGTH:
            self._opens[chunk] = reach
        return reach

    def _template(self, part: str, folded: str) -> _Template:
        template = tuple(
            (s.start, s.end, s.key, s.kind, s.entries, s.fused, s.note) for s in self._search.segments(part, folded)
        )
        if len(part) <= _LONGEST_PART:
            if len(self._templates) >= PART_CACHE:
                self._templates.clear()
            self._templates[part] = template
        return template


def _continues(folded: str, span: tuple[int, int], reach: int) -> bool:
    """Whether the next chunk is what the one before it may belong together with."""
    start, end = span
    if reach & _TO_NUMBER:
        first = folded[start]
        if first in _DIGITS or (first == "v" and end > start + 1 and folded[start + 1] in _DIGITS):
            return True
    return bool(reach & _TO_UNIT) and folded[start:end] in _UNITS


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
