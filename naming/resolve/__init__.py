"""Settles what the segments of a name mean, from the words around them.

The passes run from what is certain to what depends on it: family words, numeric shapes, the other words, bare numbers,
unknown words, then generations and roles, which need all of these. Each pass is one module and only decides segments
that are still open.
"""

from __future__ import annotations

import re

from naming.lexicon import Lexicon
from naming.resolve.architectures import settle_architectures
from naming.resolve.generations import settle_generations
from naming.resolve.numbers import settle_numbers
from naming.resolve.roles import settle_roles
from naming.resolve.scene import Scene, decide
from naming.resolve.shapes import settle_shapes
from naming.resolve.unknown import settle_unknown
from naming.resolve.words import settle_words
from naming.segment import Segment

__all__ = ["Scene", "resolve"]

MAX_ITEMS = 256
"""Items that are read in the light of each other; a package name has a dozen. What follows in longer texts is listed as
words, so that the time for a hostile name grows with its length and not with its square."""
_TIMM = re.compile(r"[a-z][a-z0-9_]*\.[a-z][a-z0-9_]*(?:\.[a-z0-9_]+)?")


def resolve(
    repo: str, folded: str, owner: str, segments: list[Segment], lexicon: Lexicon, *, timm: bool = True
) -> Scene:
    """Give every segment its category, value and role.

    Args:
        repo: the repository name as written.
        folded: the same, folded.
        owner: the owner's name, which may occur in the repository's.
        segments: what the segmenter cut; changed in place.
        lexicon: the lexicon that the segments' meanings come from.
        timm: whether names of the form `architecture.tag` are read as timm's.
    """
    rest = segments[MAX_ITEMS:]
    if rest:
        segments = segments[:MAX_ITEMS]
    scene = Scene(repo, folded, owner, segments, lexicon)
    if timm and "." in repo and "-" not in repo and _TIMM.fullmatch(repo):
        scene.timm = True
        scene.tag_from = repo.index(".")
    numeric = False
    for segment in segments:
        if segment.kind != "word":
            numeric = True
            break
    settle_architectures(scene)
    if numeric:
        settle_shapes(scene)
    settle_words(scene)
    if numeric:
        settle_numbers(scene)
    settle_unknown(scene)
    settle_generations(scene)
    settle_roles(scene)
    for segment in rest:
        decide(segment, "identifier" if segment.key.isdigit() else "other", segment.key)
    scene.segments += rest
    return scene
