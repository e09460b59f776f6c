"""The best cut of a text: dynamic programming over the cuts that its spelling allows, against the lexicons."""

from __future__ import annotations

import re
from bisect import bisect_left
from itertools import accumulate
from typing import TypeAlias

from naming import patterns
from naming.atoms import Atoms, Pieces
from naming.glue import CONVERSIONS, find_fused, settle_chunk
from naming.lexicon import REACH_KEY, Entry, Lexicon
from naming.segment import Segment
from naming.text import is_word_character

_Step: TypeAlias = tuple[int, int, str, str, tuple[Entry, ...]]
"""First atom, atom behind the last, key, kind, meanings."""
_Back: TypeAlias = tuple[int, str, str, tuple[Entry, ...]]
"""First atom of the best piece that ends here, its key, kind and meanings."""
_DIGITS = frozenset("0123456789")
_NEVER = -1 << 30
_HAS_DIGIT = re.compile("[0-9]")

MAX_WINDOW = 14
"""Atoms that one lexicon surface may span."""
KNOWN, SHAPE, CODED, UNKNOWN = 10, 10, 6, 1
"""Points for each character that a lexicon entry, a numeric shape, two letters with a number, or nothing explains."""
CUT = 5
"""Points that each segment costs, so that the longest explanation wins."""


class Search:
    """Finds the best cut of a text; one instance for each lexicon, shared between documents."""

    def __init__(self, lexicon: Lexicon) -> None:
        self.lexicon = lexicon
        self.atoms = Atoms(lexicon)

    def segments(self, repo: str, folded: str) -> list[Segment]:
        """Cut a name or a part of one.

        Args:
            repo: the text as written.
            folded: the same, folded (equal length).

        Returns:
            Segments in order; they cover every letter and digit and never overlap.
        """
        starts, ends, chunks, keys = self.atoms.of(repo, folded)
        path = self._best_path(folded, starts, ends, chunks, keys)
        return self._refine(repo, folded, path, starts, ends, chunks)

    def chunk(self, chunk: str, folded: str, pieces: Pieces) -> list[Segment]:
        """Cut a chunk whose pieces are known; the same as `segments` of the chunk alone."""
        if len(pieces) == 1:
            key = pieces[0][2]
            meanings = self.lexicon.index.get(key, ())
            if key.isalpha():
                word = Segment(0, len(chunk), chunk, key, "word", meanings)
                if not meanings or key.endswith(CONVERSIONS):
                    find_fused(word, self.lexicon)
                return [word]
            if key.isdigit():
                shape = patterns.match(key, 0)
                kind = shape[0] if shape is not None and shape[1] == len(key) else "word"
                return [Segment(0, len(chunk), chunk, key, kind, meanings)]
        starts = [piece[0] for piece in pieces]
        ends = [piece[1] for piece in pieces]
        chunks = [0] * len(pieces)
        path = self._best_path(folded, starts, ends, chunks, [piece[2] for piece in pieces])
        return self._refine(chunk, folded, path, starts, ends, chunks)

    def _best_path(  # noqa: C901, PLR0912, PLR0915 (the hot loop: a call per atom would double its time)
        self, folded: str, starts: list[int], ends: list[int], chunks: list[int], keys: list[str]
    ) -> list[_Step]:
        """Viterbi over atoms: the explanation of the whole name that explains most with the fewest pieces."""
        get, reach = self.lexicon.index.get, self.lexicon.reach
        count = len(starts)
        squashed = "".join(keys)
        offsets = [0, *accumulate(map(len, keys))]
        score = [_NEVER] * (count + 1)
        score[0] = 0
        back: list[_Back] = [(0, "", "", ())] * (count + 1)
        shapes = _shape_starts(folded, starts, ends) if _HAS_DIGIT.search(folded) else ()
        for i in range(count):
            here = score[i] - CUT
            at = offsets[i]
            points = here + (offsets[i + 1] - at) * UNKNOWN
            if points > score[i + 1]:
                score[i + 1] = points
                back[i + 1] = (i, keys[i], "word", ())
            longest = at + reach.get(squashed[at : at + REACH_KEY], REACH_KEY - 1)
            for j in range(i + 1, min(count, i + MAX_WINDOW) + 1):
                behind = offsets[j]
                if behind > longest:
                    break
                key = squashed[at:behind]
                meanings = get(key)
                if meanings is None:
                    continue
                if chunks[i] != chunks[j - 1]:
                    meanings = _fitting(meanings, key, chunks, offsets, i, j)
                    if not meanings:
                        continue
                if key[-1] in _DIGITS and _number_goes_on(
                    folded, starts[j - 1], ends[j - 1], chunks[i] == chunks[j - 1]
                ):
                    continue  # `minimax-m2` in MiniMax-M2.5, `gpt-1` in gpt-1b
                points = here + (behind - at) * KNOWN
                if points >= score[j]:  # of equals the one with the longer first piece
                    score[j] = points
                    back[j] = (i, key, "word", meanings)
            if i in shapes:
                shape = patterns.match(folded, starts[i])
                if shape is not None:
                    kind, end = shape
                    j = bisect_left(ends, end) + 1
                    if i < j <= count and ends[j - 1] == end:
                        points = here + (offsets[j] - at) * (CODED if kind == "coded" else SHAPE)
                        if points > score[j] or (points == score[j] and back[j][0] < i):
                            score[j] = points
                            back[j] = (i, squashed[at : offsets[j]], kind, ())
                        elif back[j][0] == i:
                            back[j] = (i, back[j][1], kind, back[j][3])
        path = []
        j = count
        while j:
            i, key, kind, meanings = back[j]
            path.append((i, j, key, kind, meanings))
            j = i
        path.reverse()
        return path

    def _refine(
        self, repo: str, folded: str, path: list[_Step], starts: list[int], ends: list[int], chunks: list[int]
    ) -> list[Segment]:
        """Make segments of a path: put together again what was cut inside a word without good reason."""
        result: list[Segment] = []
        cuts = self.lexicon.cuts
        count = len(path)
        at = 0
        while at < count:
            i, j, key, kind, meanings = path[at]
            chunk = chunks[j - 1]
            behind = at + 1
            if behind == count or chunks[path[behind][0]] != chunk:
                # alone between separators
                piece = Segment(starts[i], ends[j - 1], repo[starts[i] : ends[j - 1]], key, kind, meanings)
                if meanings:
                    if key in cuts and piece.end - piece.start > len(key):
                        result += self._cut_phrases(folded, [piece])
                    else:
                        if key.endswith(CONVERSIONS):
                            find_fused(piece, self.lexicon)
                        result.append(piece)
                else:
                    if kind == "word":
                        find_fused(piece, self.lexicon)
                    result.append(piece)
                at = behind
                continue
            while behind < count and chunks[path[behind][0]] == chunk:
                chunk = chunks[path[behind][1] - 1]
                behind += 1
            pieces = [
                Segment(starts[i], ends[j - 1], repo[starts[i] : ends[j - 1]], key, kind, meanings)
                for i, j, key, kind, meanings in path[at:behind]
            ]
            at = behind
            if any(piece.key in cuts and len(piece.text) > len(piece.key) for piece in pieces):
                pieces = self._cut_phrases(folded, pieces)
            result += settle_chunk(repo, pieces, self.lexicon)
        return result

    def _cut_phrases(self, folded: str, pieces: list[Segment]) -> list[Segment]:
        """Cut phrases of several items where the text has a separator between them."""
        result = []
        queue = list(reversed(pieces))
        while queue:
            piece = queue.pop()
            cut = self.lexicon.cuts.get(piece.key)
            place = _separated(piece.text, cut[0]) if cut is not None and piece.entries else None
            if cut is None or place is None:
                result.append(piece)
                continue
            offset, left, right = cut
            behind, before = place
            start = piece.start + behind
            shape = patterns.match(folded, start)
            kind = shape[0] if shape is not None and shape[1] == piece.end else "word"
            first = Segment(piece.start, piece.start + before, piece.text[:before], piece.key[:offset], "word", left)
            second = Segment(start, piece.end, piece.text[behind:], piece.key[offset:], kind, right)
            queue += (second, first)
        return result


def _shape_starts(folded: str, starts: list[int], ends: list[int]) -> frozenset[int]:
    """Atoms at which a numeric item may begin: digits, and letters with a digit right behind (`v2`, `L-12`)."""
    found = []
    length = len(folded)
    for number, start in enumerate(starts):
        if "0" <= folded[start] <= "9":
            found.append(number)
            continue
        end = ends[number]
        if end < length and (
            "0" <= folded[end] <= "9" or (end + 1 < length and not folded[end].isalnum() and folded[end + 1].isdigit())
        ):
            found.append(number)
    return frozenset(found)


def _number_goes_on(folded: str, start: int, end: int, glued: bool) -> bool:
    """Whether a number is longer than its digits: a decimal point and another digit follow, or a unit.

    A unit only counts behind digits that stand apart from the word before them: `gpt-1b`, not `vits8b`.
    """
    if end + 1 < len(folded) and folded[end] == "." and folded[end + 1] in _DIGITS:
        return True
    if glued or end >= len(folded) or not folded[end].isalpha():
        return False
    shape = patterns.match(folded, start)
    return shape is not None and shape[1] > end and shape[0] in _COUNTED


_COUNTED = frozenset(["parameters", "experts_each", "kilo", "bits", "bpw", "layers", "counter", "amount", "rate"])
"""Shapes of numbers with a unit."""


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
            numbered = after.isdigit() or (after == "v" and key[place + 1 : place + 2].isdigit())
            if numbered and entry.category == "architecture" and key[place - 1].isalpha():
                continue
            break
        else:
            fitting.append(entry)
    return tuple(fitting)


def _separated(text: str, offset: int) -> tuple[int, int] | None:
    """Offsets of the second and behind the first part, when separators stand after `offset` letters and digits."""
    seen = 0
    for place, character in enumerate(text):
        if not is_word_character(character):
            continue
        if seen == offset:
            before = place
            while not is_word_character(text[before - 1]):
                before -= 1
            return (place, before) if before < place else None
        seen += 1
    return None
