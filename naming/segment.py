"""Cutting a name into segments: dynamic programming over the cuts that its spelling allows, against the lexicons."""

from __future__ import annotations

import re

from typing import Any, TypeAlias

from naming import patterns
from naming.lexicon import REACH_KEY, Entry, Lexicon
from naming.text import is_word_character

_CHUNK = re.compile(r"[^\W_]+")
_ATOM = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+|[^A-Za-z0-9]+")
_LETTERS_THEN_DIGITS = re.compile(r"([a-z]{3,12}?)(xs|ti|bigg|[sbmlhgtnx])(\d{1,3})$")
_SEPARATOR_VERSION = re.compile(r"[-_ ]?v\d")

_Step: TypeAlias = tuple[int, int, str, str, tuple[Entry, ...]]
"""First atom, atom behind the last, key, kind, meanings."""

MAX_WINDOW = 14
"""Atoms that one lexicon surface may span."""
CACHE_SIZE = 1 << 14
"""Chunks whose atoms are remembered; forgotten all at once when full, so memory stays bounded on endless streams."""
CACHED_LENGTH = 40

KNOWN, SHAPE, UNKNOWN = 10, 9, 1
"""Points for each character that a lexicon entry, a numeric shape, or nothing explains."""
CUT = 5
"""Points that each segment costs, so that the longest explanation wins."""

FUSED = ("roberta", "deberta", "electra", "berta", "bert", "llama", "mistral", "qwen", "t5")
"""Family words which, at the end of a lower-case word, make a brand of that family (`hebert`, `molt5`).
Shorter or more ordinary ones (`vit` in affidavit, `clip` in paperclip, `bart` in hobart) are never looked for."""
NOT_FUSED = re.compile(
    r"(?:ro|hu|her|gil|hil|dil|nor|lam|eg|cuth|os|engel|dago|fil|col|hum|wil|al|phil|adel|ethel|wal|sche|de|da|li|"
    r"ru|ro|si|gis|rim|cul|dieu|dau|flau|jou|schu|sie|her|lie)bert(?:s|son|a)?$|^(?:alberta|roberta|o?llama)$"
)
"""Given names and words that end in a family's name without meaning it (Hubert and Flaubert are families themselves)."""


class Segment:
    """A piece of the name with its candidate meanings, and what the resolver made of it."""

    __slots__ = (
        "category", "chunk", "end", "entries", "entry", "fused", "key", "kind", "note", "role", "start", "text", "token",
        "value",
    )  # fmt: skip

    def __init__(
        self, repo: str, start: int, end: int, key: str, kind: str, entries: tuple[Entry, ...], chunk: int
    ) -> None:
        self.start = start
        self.end = end
        self.key = key
        """Folded text without separators."""
        self.kind = kind
        """Shape of a numeric item, `word` for anything else."""
        self.entries = entries
        self.chunk = chunk
        """Number of the first separator-free chunk that the segment lies in."""
        self.text = repo[start:end]
        self.token = 0
        """Place of the first token in the document."""
        self.category = ""
        self.value: Any = None
        self.role = ""
        self.entry: Entry | None = None
        """The meaning that the resolver chose."""
        self.fused = False
        """Whether a family's name was found inside a longer word."""
        self.note = ""


class Segmenter:
    """Cuts names; one instance per lexicon, safe to share between documents (its cache holds pure functions' results)."""

    def __init__(self, lexicon: Lexicon) -> None:
        self.lexicon = lexicon
        self._cache: dict[str, tuple[int, ...]] = {}

    def segments(self, repo: str, folded: str) -> list[Segment]:
        """Cut a repository name.

        Args:
            repo: the name as written.
            folded: the same, folded (equal length).

        Returns:
            Segments in order; they cover every letter and digit and never overlap.
        """
        starts, ends, chunks = self._atoms(repo, folded)
        path = self._best_path(folded, starts, ends, chunks)
        return self._refine(repo, path, starts, ends, chunks)

    def _atoms(self, repo: str, folded: str) -> tuple[list[int], list[int], list[int]]:
        starts: list[int] = []
        ends: list[int] = []
        chunks: list[int] = []
        spans = (
            ((match.start(), match.end()) for match in _CHUNK.finditer(repo)) if repo.isascii() else _word_runs(repo)
        )
        for number, (start, end) in enumerate(spans):
            chunk = repo[start:end]
            cuts = self._cache.get(chunk)
            if cuts is None:
                cuts = self._cuts(chunk, folded[start:end])
                if len(chunk) <= CACHED_LENGTH:
                    if len(self._cache) >= CACHE_SIZE:
                        self._cache.clear()
                    self._cache[chunk] = cuts
            last = 0
            for cut in cuts:
                starts.append(start + last)
                ends.append(start + cut)
                chunks.append(number)
                last = cut
        return starts, ends, chunks

    def _cuts(self, chunk: str, folded: str) -> tuple[int, ...]:
        """Offsets at which a chunk may be cut, its length included."""
        cuts = {match.end() for match in _ATOM.finditer(chunk)}
        cuts.add(len(chunk))
        index = self.lexicon.index
        if folded in index or len(chunk) > CACHED_LENGTH:
            return tuple(sorted(cuts))
        for prefix in ("distill", "distil"):
            if folded.startswith(prefix) and self.lexicon.architecture(folded[len(prefix) :]):
                cuts.add(len(prefix))
                break
        for family in self.lexicon.glue:
            place = folded.rfind(family)
            if place > 0 and chunk[place].isupper() and not chunk[place - 1].isupper():
                cuts.update((place, place + len(family)))
                break
        sized = _LETTERS_THEN_DIGITS.match(folded)
        if sized and self.lexicon.architecture(sized[1]):
            cuts.update((sized.end(1), sized.end(2)))
        return tuple(sorted(cuts))

    def _best_path(self, folded: str, starts: list[int], ends: list[int], chunks: list[int]) -> list[_Step]:
        """Viterbi over atoms.

        Returns:
            (first atom, atom behind the last, key, kind, meanings) in order.
        """
        index, reach = self.lexicon.index, self.lexicon.reach
        count = len(starts)
        keys = [folded[start:end] for start, end in zip(starts, ends, strict=True)]
        squashed = "".join(keys)
        offsets = [0]
        for key in keys:
            offsets.append(offsets[-1] + len(key))
        end_of = {end: number for number, end in enumerate(ends)}
        score = [-1 << 30] * (count + 1)
        score[0] = 0
        back: list[tuple[int, str, str, tuple[Entry, ...]]] = [(0, "", "", ())] * (count + 1)
        for i in range(count):
            here = score[i]
            at = offsets[i]
            # nothing known: one atom, merged with its neighbours later
            length = offsets[i + 1] - at
            points = here + length * UNKNOWN - CUT
            if points > score[i + 1]:
                score[i + 1] = points
                back[i + 1] = (i, keys[i], "word", ())
            # lexicon
            longest = reach.get(squashed[at : at + REACH_KEY], reach.get(squashed[at : at + 1], 0))
            for j in range(i + 1, min(count, i + MAX_WINDOW) + 1):
                width = offsets[j] - at
                if width > longest:
                    break
                key = squashed[at : at + width]
                meanings = index.get(key)
                if meanings is None:
                    continue
                if j - i > 1 and chunks[i] != chunks[j - 1]:
                    meanings = _fitting(meanings, key, chunks, offsets, i, j)
                    if not meanings:
                        continue
                points = here + width * KNOWN - CUT
                if points > score[j]:
                    score[j] = points
                    back[j] = (i, key, "word", meanings)
            # numeric shapes
            shape = patterns.match(folded, starts[i])
            if shape is not None:
                kind, end = shape
                j = end_of.get(end, -1) + 1
                if j > i:
                    width = offsets[j] - at
                    points = here + width * SHAPE - CUT
                    if points > score[j]:
                        key = squashed[at : at + width]
                        score[j] = points
                        back[j] = (i, key, kind, ())
        path = []
        j = count
        while j:
            i, key, kind, meanings = back[j]
            if kind == "word" and meanings:
                shape = patterns.match(folded, starts[i])
                if shape is not None and shape[1] == ends[j - 1]:
                    kind = shape[0]
            path.append((i, j, key, kind, meanings))
            j = i
        path.reverse()
        return path

    def _refine(
        self, repo: str, path: list[_Step], starts: list[int], ends: list[int], chunks: list[int]
    ) -> list[Segment]:
        """Make segments of a path: put together again what was cut inside a word without good reason."""
        result: list[Segment] = []
        at = 0
        while at < len(path):
            # the run of pieces that lie in one chunk
            behind = at + 1
            chunk = chunks[path[at][1] - 1]
            while behind < len(path) and chunks[path[behind][0]] == chunk:
                chunk = chunks[path[behind][1] - 1]
                behind += 1
            run = path[at:behind]
            at = behind
            pieces = [
                Segment(repo, starts[i], ends[j - 1], key, kind, meanings, chunks[i])
                for i, j, key, kind, meanings in run
            ]
            if len(pieces) > 1 or not (pieces[0].entries or pieces[0].kind != "word"):
                pieces = self._settle(repo, pieces)
            result += pieces
        return result

    def _settle(self, repo: str, pieces: list[Segment]) -> list[Segment]:
        """Decide about the pieces of one chunk."""
        merged: list[Segment] = []
        for piece in pieces:
            if merged and not piece.entries and piece.kind == "word":
                last = merged[-1]
                if not last.entries and last.kind == "word" and last.end == piece.start:
                    _extend(repo, last, piece)
                    continue
            merged.append(piece)
        if any(not piece.entries and piece.kind == "word" for piece in merged) and not any(
            self._worth_cutting(piece) for piece in merged
        ):
            merged = _merge_glued(repo, merged)
        for piece in merged:
            if not piece.entries and piece.kind == "word":
                self._find_fused(piece, repo)
        return merged

    def _worth_cutting(self, piece: Segment) -> bool:
        """Whether a known piece inside an unknown word is worth a cut of its own."""
        if piece.kind in ("parameters", "experts_each", "dotted", "version"):
            return True
        for entry in piece.entries:
            if entry.category == "architecture":
                if not entry.get("word") or piece.text.isupper() or len(piece.key) > 4:
                    return True
            elif entry.category in ("task", "format", "quantization") and len(piece.key) >= 3:
                return True
            elif entry.category in ("dataset", "language", "adaptation", "product") and len(piece.key) >= 5:
                return True
        return False

    def _find_fused(self, piece: Segment, repo: str) -> None:
        key = piece.key
        written = repo[piece.start : piece.end]
        for family in FUSED:
            place = key.rfind(family)
            if place < 1 or len(key) - place - len(family) > 0 and family not in ("bert", "roberta"):
                continue
            if place + len(family) != len(key):
                continue
            if NOT_FUSED.search(key) and not written[place:].isupper():
                return
            entry = self.lexicon.architecture("roberta" if family == "berta" else family)
            if entry is not None:
                piece.entries = (entry,)
                piece.fused = True
            return


def _fitting(
    meanings: tuple[Entry, ...], key: str, chunks: list[int], offsets: list[int], i: int, j: int
) -> tuple[Entry, ...]:
    """Meanings whose written form allows separators where the text has them."""
    breaks = [offsets[k] - offsets[i] for k in range(i + 1, j) if chunks[k] != chunks[k - 1]]
    fitting = []
    for entry in meanings:
        for place in breaks:
            if place in entry.joints:
                continue
            # `gpt-2` for gpt2, `deberta-v3` for debertav3
            after = key[place]
            if entry.category == "architecture" and key[place - 1].isalpha():
                if after.isdigit() or (after == "v" and key[place + 1 : place + 2].isdigit()):
                    continue
            break
        else:
            fitting.append(entry)
    return tuple(fitting)


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
