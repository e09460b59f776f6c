"""What the resolver knows about a name as a whole while it decides about its segments."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from naming.lexicon import Entry, Lexicon
from naming.segment import Segment

TECHNICAL = frozenset(
    [
        "size",
        "parameters",
        "layers",
        "hidden",
        "heads",
        "dataset",
        "task",
        "training",
        "adaptation",
        "context",
        "quantization",
        "dtype",
        "format",
        "input",
    ]
)
"""Categories whose presence shows that a name describes a model."""

PATCHES = frozenset([4, 7, 8, 10, 14, 16, 28, 32])
"""Edges of patches of published vision transformers."""


@dataclass(slots=True)
class Scene:
    """Segments of one name with what is known about them together."""

    repo: str
    folded: str
    owner: str
    segments: list[Segment]
    lexicon: Lexicon
    domains: set[str] = field(default_factory=set)
    """Domains of the architectures found so far."""
    parameters: bool = False
    """Whether a number of parameters is stated."""
    timm: bool = False
    """Whether the name follows timm's `architecture.tag`."""
    tag_from: int = 1 << 30
    """Offset at which timm's tag begins."""
    translation: bool = False
    """Whether the name is about translation, where two-letter words are languages."""

    retokenize: bool = False
    """Whether a segment was cut after tokenization, so that the document's tokens must be made anew."""

    def undecided(self) -> Iterator[tuple[int, Segment]]:
        """Segments without a category, with their places; the current one may be split or joined meanwhile."""
        return ((place, segment) for place, segment in enumerate(self.segments) if not segment.category)

    def architectures(self) -> list[int]:
        """Places of the architecture segments."""
        return [place for place, segment in enumerate(self.segments) if segment.category == "architecture"]

    def category(self, place: int) -> str:
        """Category at a place; empty when undecided or outside of the name."""
        return self.segments[place].category if 0 <= place < len(self.segments) else ""

    def key(self, place: int) -> str:
        """Folded text at a place; empty outside of the name."""
        return self.segments[place].key if 0 <= place < len(self.segments) else ""

    def glued(self, place: int) -> bool:
        """Whether a segment touches the one before it."""
        return 0 < place < len(self.segments) and self.segments[place - 1].end == self.segments[place].start

    def could_be(self, place: int, category: str) -> bool:
        """Whether the segment at a place is, or may turn out to be, of a category."""
        if not 0 <= place < len(self.segments):
            return False
        segment = self.segments[place]
        return segment.category == category or (not segment.category and meaning(segment, category) is not None)

    def split(self, place: int, length: int, separators: int = 0) -> None:
        """Cut the segment at a place after some characters; both parts are undecided words without meanings.

        Args:
            place: the segment's place.
            length: characters of the first part.
            separators: characters between the parts that belong to neither.
        """
        segment = self.segments[place]
        cut = segment.start + length + separators
        rest = Segment(cut, segment.end, self.repo[cut : segment.end], segment.key[length:], "word", ())
        segment.end = segment.start + length
        segment.text = self.repo[segment.start : segment.end]
        segment.key = segment.key[:length]
        segment.kind, segment.entries, segment.category = "word", (), ""
        self.segments.insert(place + 1, rest)
        self.retokenize = True

    def join(self, first: int, last: int) -> Segment:
        """Make one segment of the segments from one place to another (included)."""
        segment = self.segments[first]
        segment.end = self.segments[last].end
        segment.text = self.repo[segment.start : segment.end]
        segment.key = "".join(part.key for part in self.segments[first : last + 1])
        del self.segments[first + 1 : last + 1]
        return segment

    def any_domain(self, *names: str) -> bool:
        """Whether an architecture of one of these domains was found."""
        return not self.domains.isdisjoint(names)


def decide(segment: Segment, category: str, value: object = None, entry: Entry | None = None) -> None:
    """Settle a segment's category; the value defaults to the meaning's canonical value, then to the folded text."""
    segment.category = category
    if entry is None:
        entry = meaning(segment, category)
    segment.entry = entry
    if value is not None:
        segment.value = value
    elif entry is not None:
        segment.value = entry.value
    else:
        segment.value = segment.key


def meaning(segment: Segment, category: str) -> Entry | None:
    """The segment's lexicon meaning of a category."""
    for entry in segment.entries:
        if entry.category == category:
            return entry
    return None
