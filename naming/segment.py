"""Cutting a name into segments: dynamic programming over the cuts that its spelling allows, against the lexicons."""

from __future__ import annotations

import re
from bisect import bisect_left
from itertools import accumulate
from typing import Any, TypeAlias

from naming import patterns
from naming.lexicon import REACH_KEY, Entry, Lexicon
from naming.text import is_word_character

_CHUNK = re.compile(r"[^\W_]+")
_ATOM = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+|[^A-Za-z0-9]+")
_LETTERS_THEN_DIGITS = re.compile(r"([a-z]{3,12}?)(xs|ti|bigg|[sbmlhgtnx])(\d{1,3})$")
_CONVERTED = re.compile(r"([a-z]{4,}?)(?:fied|fy|ified|ized|ised)")
"""`LLaMAfied`: weights of one family in the layout of another."""
_GLUED_VERSION = re.compile(r"([0-9][bm]|[a-z]{3})(?=v[0-9]+(?:\.[0-9]+)?$)")
"""`7bv5`, `twittersentimentv5`."""
_SIZES = ("tiny", "mini", "small", "base", "medium", "large", "huge", "xxl", "xl")
_CLASS_SUFFIX = re.compile(r"(?:For[A-Z][A-Za-z]+|(?:LMHead|MT|Encoder|Decoder|DoubleHeads|PreTraining)?Model)$")
"""Head of a transformers class name, as in test packages (`CTRLLMHeadModel`)."""
_KILO_SPAN = re.compile(r"(\d{1,3}k)(to)\d{1,3}k$")
"""`22kto1k`: trained on one version of ImageNet, then on another."""

_Step: TypeAlias = tuple[int, int, str, str, tuple[Entry, ...]]
"""First atom, atom behind the last, key, kind, meanings."""
_Back: TypeAlias = tuple[int, str, str, tuple[Entry, ...]]
"""First atom of the best piece that ends here, its key, kind and meanings."""
_DIGITS = frozenset("0123456789")
_NEVER = -1 << 30
_HAS_DIGIT = re.compile("[0-9]")

_WORTHY_SHAPES = frozenset(["parameters", "experts_each", "dotted", "version", "kilo", "bits", "integers", "gguf"])

MAX_WINDOW = 14
"""Atoms that one lexicon surface may span."""
CACHE_SIZE = 1 << 14
"""Chunks whose atoms are remembered; forgotten all at once when full, so memory stays bounded on endless streams."""
CACHED_LENGTH = 40

KNOWN, SHAPE, CODED, UNKNOWN = 10, 10, 6, 1
"""Points for each character that a lexicon entry, a numeric shape, two letters with a number, or nothing explains."""
CUT = 5
"""Points that each segment costs, so that the longest explanation wins."""

FUSED = ("roberta", "deberta", "electra", "berta", "bert", "llama", "mistral", "qwen", "t5", "bart")
"""Family words which, at the end of a lower-case word, make a brand of that family (`hebert`, `molt5`).
Shorter or more ordinary ones (`vit` in affidavit, `clip` in paperclip) are never looked for; `bart` (hobart) only in words
of capitals."""
_CONVERSIONS = ("fied", "fy", "ized", "ised")
_NOT_FUSED = re.compile(
    r"(?:ro|hu|her|gil|hil|dil|nor|lam|eg|cuth|os|engel|dago|fil|col|hum|wil|al|phil|adel|ethel|wal|sche|de|da|li|"
    r"ru|ro|si|gis|rim|cul|dieu|dau|flau|jou|schu|sie|her|lie)bert(?:s|son|a)?$|^(?:alberta|roberta|o?llama)$"
)
"""Given names and words that end in a family's name without meaning it (Hubert and Flaubert are families themselves)."""


class Segment:
    """A piece of the name with its candidate meanings, and what the resolver made of it."""

    __slots__ = (
        "behind", "category", "chunk", "end", "entries", "entry", "fused", "key", "kind", "note", "role", "start", "text", "token",
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
        self.behind = 0
        """Places of the first token in the document and of the one behind the last."""
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
        self._cache: dict[str, tuple[tuple[int, int, str], ...]] = {}

    def segments(self, repo: str, folded: str) -> list[Segment]:
        """Cut a repository name.

        Args:
            repo: the name as written.
            folded: the same, folded (equal length).

        Returns:
            Segments in order; they cover every letter and digit and never overlap.
        """
        starts, ends, chunks, keys = self._atoms(repo, folded)
        path = self._best_path(folded, starts, ends, chunks, keys)
        return self._refine(repo, folded, path, starts, ends, chunks)

    def _atoms(self, repo: str, folded: str) -> tuple[list[int], list[int], list[int], list[str]]:
        """Starts, ends, numbers of the chunk, and folded texts of the pieces into which a name may be cut."""
        starts: list[int] = []
        ends: list[int] = []
        chunks: list[int] = []
        keys: list[str] = []
        spans = [match.span() for match in _CHUNK.finditer(repo)] if repo.isascii() else _word_runs(repo)
        cache = self._cache
        for number, (start, end) in enumerate(spans):
            chunk = repo[start:end]
            atoms = cache.get(chunk)
            if atoms is None:
                atoms = self._pieces(chunk, folded[start:end])
                if len(chunk) <= CACHED_LENGTH:
                    if len(cache) >= CACHE_SIZE:
                        cache.clear()
                    cache[chunk] = atoms
            for first, last, key in atoms:
                starts.append(start + first)
                ends.append(start + last)
                chunks.append(number)
                keys.append(key)
        return starts, ends, chunks, keys

    def _pieces(self, chunk: str, folded: str) -> tuple[tuple[int, int, str], ...]:
        """Start, end and folded text of every piece of a chunk."""
        cuts = self._cuts(chunk, folded)
        return tuple((first, last, folded[first:last]) for first, last in zip((0, *cuts), cuts, strict=False))

    def _cuts(self, chunk: str, folded: str) -> tuple[int, ...]:
        """Offsets at which a chunk may be cut, its length included."""
        size = len(chunk)
        known = folded in self.lexicon.index
        letters = chunk.isascii() and chunk.isalpha()
        if letters and (known or size > CACHED_LENGTH) and (chunk.islower() or chunk.isupper()):
            return (size,)
        cuts = {match.end() for match in _ATOM.finditer(chunk)}
        cuts.add(size)
        if not letters and (numbered := _GLUED_VERSION.search(folded)):
            cuts.add(numbered.end(1))
        if "For" in chunk or chunk.endswith("Model"):
            head = _CLASS_SUFFIX.search(chunk)
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
        if not (chunk.islower() or chunk.isupper()):
            for family in self.lexicon.glue:
                place = folded.rfind(family)
                if place > 0 and chunk[place].isupper() and not chunk[place - 1].isupper():
                    cuts.update((place, place + len(family)))
                    break
        if folded.endswith(_SIZES):
            word = next(size for size in _SIZES if folded.endswith(size))
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

    def _best_path(
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
                if key[-1] in _DIGITS and _number_goes_on(folded, ends[j - 1]):
                    continue  # `minimax-m2` in MiniMax-M2.5
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
                piece = Segment(repo, starts[i], ends[j - 1], key, kind, meanings, chunks[i])
                if meanings:
                    if key in cuts and piece.end - piece.start > len(key):
                        result += self._cut_phrases(repo, folded, [piece])
                    else:
                        result.append(piece)
                else:
                    if kind == "word":
                        self._find_fused(piece)
                    result.append(piece)
                at = behind
                continue
            while behind < count and chunks[path[behind][0]] == chunk:
                chunk = chunks[path[behind][1] - 1]
                behind += 1
            pieces = [
                Segment(repo, starts[i], ends[j - 1], key, kind, meanings, chunks[i])
                for i, j, key, kind, meanings in path[at:behind]
            ]
            at = behind
            if any(piece.key in cuts and len(piece.text) > len(piece.key) for piece in pieces):
                pieces = self._cut_phrases(repo, folded, pieces)
            result += self._settle(repo, pieces)
        return result

    def _cut_phrases(self, repo: str, folded: str, pieces: list[Segment]) -> list[Segment]:
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
            first = Segment(repo, piece.start, piece.start + before, piece.key[:offset], "word", left, piece.chunk)
            second = Segment(repo, start, piece.end, piece.key[offset:], kind, right, piece.chunk + 1)
            queue += (second, first)
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
        if any(piece.text[:1] in "FMLEDP" and _CLASS_SUFFIX.fullmatch(piece.text) for piece in merged):
            return merged
        if len(merged) > 1 and _is_one_word(merged):
            last = len(merged)
            while last > 1 and merged[last - 1].kind in _WORTHY_SHAPES:
                last -= 1
            merged = _merge_glued(repo, merged[:last]) + merged[last:]
        elif any(not piece.entries and piece.kind == "word" for piece in merged) and not any(
            self._worth_cutting(piece, merged[place + 1] if place + 1 < len(merged) else None)
            for place, piece in enumerate(merged)
        ):
            merged = _merge_glued(repo, merged)
        for piece in merged:
            if not piece.entries and piece.kind == "word":
                self._find_fused(piece)
        return merged

    def _worth_cutting(self, piece: Segment, behind: Segment | None) -> bool:
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

    def _find_fused(self, piece: Segment) -> None:
        """Give an unknown word that ends in a family's word, or says a conversion to a family, that family's meaning."""
        key = piece.key
        if key.endswith(_CONVERSIONS):
            converted = _CONVERTED.fullmatch(key)
            entry = self.lexicon.architecture(converted[1]) if converted else None
            if entry is not None:
                piece.entries = (entry,)
                piece.note = "converted"
                return
        if not key.endswith(FUSED):
            return
        family = next(word for word in FUSED if key.endswith(word))
        place = len(key) - len(family)
        written = piece.text
        if place < 1 or (family == "bart" and not written.isupper()):
            return
        if _NOT_FUSED.search(key) and not written[place:].isupper():
            return
        entry = self.lexicon.architecture("roberta" if family == "berta" else family)
        if entry is not None:
            piece.entries = (entry,)
            piece.fused = True


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


def _number_goes_on(folded: str, end: int) -> bool:
    """Whether a decimal point and another digit follow."""
    return folded[end : end + 1] == "." and folded[end + 1 : end + 2] in _DIGITS and end + 1 < len(folded)


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


def _is_one_word(pieces: list[Segment]) -> bool:
    """Whether the pieces of one chunk are parts of a word after all.

    A family word that also hides in other words beside nothing but ordinary words (`BIT` in medBIT, `GPT` in DocsGPT), a
    size that begins a word (`SmallCap`), and ordinary words with a number (`clothes007`).
    """
    categories = [{entry.category for entry in piece.entries} for piece in pieces]
    letters = [number for number, piece in enumerate(pieces) if piece.key.isalpha()]
    plain = all(not categories[number] - {"other"} for number in letters)
    if plain:
        numbers = [piece for piece in pieces if not piece.key.isalpha()]
        return bool(numbers) and all(piece.kind == "integer" and not piece.entries for piece in numbers)
    if len(letters) < 2:
        return False
    for number in letters:
        rest = set().union(*(categories[other] for other in letters if other != number))
        if categories[number] == {"architecture"} and not rest - {"other"}:
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
