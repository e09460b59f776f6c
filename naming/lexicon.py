"""The lexicons: what words mean, read from data files.

A lexicon file is JSON: `{"category": CATEGORY, "blocks": [{"source": TEXT, "entries": {CANONICAL: {"aliases": [...],
...}}}]}`. Surfaces are lower case; a hyphen stands for any separator or, where a reader would glue the words, none.
See `naming/lexicons/README.md` for the facts that an entry may carry.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, get_args

from naming.domains import domain_of
from naming.entry import Entry, family_of
from naming.errors import LexiconError
from naming.phrases import cuts_of, fold_releases, mark_data_brands
from naming.records import Category

__all__ = ["Entry", "Lexicon", "build", "default_lexicon", "family_of", "read_documents"]

DIRECTORY = Path(__file__).parent / "lexicons"

_CATEGORIES = frozenset(get_args(Category))
_JOINT = re.compile(r"[-\s_.]+")
_SIZES = "tiny|mini|small|base|medium|large|huge|giant|big|xl|xxl"
_SIZED = re.compile(rf"-(?:{_SIZES}|\d+(?:\.\d+)?[bm])$")
_GLUED_SIZE = re.compile(rf"(?:{_SIZES})$")
_NUMBERED = re.compile(r"v?\d+$")
_NOTHING: Mapping[str, Any] = {}
PRIORITY = (
    "architecture", "product", "dataset", "task", "quantization", "dtype", "format", "adaptation", "training", "size",
    "organization", "input", "context", "version", "language", "other", "identifier", "parameters", "layers", "hidden",
    "heads",
)  # fmt: skip
"""Order in which the meanings of one surface are tried."""
REACH_KEY = 4
"""Characters of a surface that are looked at before its full spelling is tried."""


@dataclass(frozen=True, slots=True)
class Lexicon:
    """All lexicons, indexed for the segmenter."""

    index: Mapping[str, tuple[Entry, ...]]
    """Surface without separators -> its meanings, in the order of the files."""
    reach: Mapping[str, int]
    """First characters of surfaces -> length of the longest surface that begins so."""
    glue: tuple[str, ...]
    """Family words that brands are fused with, longest first (`bert` in `pubmedbert`)."""
    words: frozenset[str]
    """Surfaces that are also ordinary words or names."""
    cuts: Mapping[str, tuple[int, tuple[Entry, ...], tuple[Entry, ...]]] = field(default_factory=dict)
    """Surfaces of several items: where the second begins, and the meanings of both. `flan-t5` is known as a phrase (for
    the types that it accepts), and yet a training recipe and an architecture."""

    def entries(self, surface: str, category: str | None = None) -> tuple[Entry, ...]:
        """Meanings of a surface given without separators, optionally of one category."""
        found = self.index.get(surface, ())
        return found if category is None else tuple(entry for entry in found if entry.category == category)

    def architecture(self, surface: str) -> Entry | None:
        """The family meaning of a surface, if it has one."""
        for entry in self.index.get(surface, ()):
            if entry.category == "architecture":
                return entry
        return None


def build(documents: Mapping[str, Mapping[str, Any]]) -> Lexicon:
    """Index lexicon documents.

    Args:
        documents: file name -> parsed file; where two files give one surface a meaning in the same category, the file
            that sorts first wins (curated `families.json` before generated `families_transformers.json`).

    Raises:
        LexiconError: a document breaks the schema.
    """
    index: dict[str, list[Entry]] = {}
    glue: set[str] = set()
    words: set[str] = set()
    for name in sorted(documents, key=lambda name: (name.endswith("_transformers.json"), name)):
        for entry in _entries(name, documents[name]):
            meanings = index.setdefault(entry.surface, [])
            known = next((place for place, old in enumerate(meanings) if old.category == entry.category), None)
            if known is None:
                meanings.append(entry)
            elif meanings[known].value == entry.value and entry.joints - meanings[known].joints:
                meanings[known] = _joined(meanings[known], entry)
            if entry.get("glue"):
                glue.add(entry.surface)
            if entry.word:
                words.add(entry.surface)
    mark_data_brands(index)
    fold_releases(index)
    reach: dict[str, int] = {}
    for surface in index:
        start = surface[:REACH_KEY]
        if len(surface) > reach.get(start, 0):
            reach[start] = len(surface)
    frozen = {
        surface: tuple(meanings) if len(meanings) == 1 else tuple(sorted(meanings, key=_rank))
        for surface, meanings in index.items()
    }
    return Lexicon(
        frozen, reach, tuple(sorted(glue, key=lambda word: (-len(word), word))), frozenset(words), cuts_of(frozen)
    )


def _rank(entry: Entry) -> int:
    return PRIORITY.index(entry.category)


def read_documents(directory: Path = DIRECTORY) -> dict[str, Mapping[str, Any]]:
    """Read every lexicon file of a folder.

    Raises:
        LexiconError: a file cannot be read or is not JSON.
    """
    documents = {}
    for path in sorted(directory.glob("*.json")):
        try:
            documents[path.name] = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise LexiconError(f"{path.name}: {error}") from error
    return documents


@cache
def default_lexicon() -> Lexicon:
    """The packaged lexicons, read once."""
    return build(read_documents())


def _joined(old: Entry, new: Entry) -> Entry:
    return Entry.of(old.surface, old.category, old.value, old.attributes, old.joints | new.joints)


def _entries(name: str, document: Mapping[str, Any]) -> Iterator[Entry]:
    shared: dict[tuple[str, ...], tuple[str, ...]] = {}
    try:
        default = document["category"]
        for block in document["blocks"]:
            for canonical, attributes in block["entries"].items():
                category = attributes.get("category", default)
                if category not in _CATEGORIES:
                    raise LexiconError(f"{name}: {canonical!r} has the unknown category {category!r}")
                if attributes.get("part"):
                    continue  # a tower's type is never what a name means: `maskformer-swin` is MaskFormer on Swin
                surfaces = list(attributes.get("aliases", ()))
                if not attributes.get("only_aliases"):
                    surfaces.append(canonical)
                facts = _facts(attributes, shared)
                known = {_squash(written)[0] for written in surfaces}
                for written in dict.fromkeys(surfaces):
                    surface, joints = _squash(written)
                    if (
                        category in ("architecture", "product")
                        and written != canonical
                        and (_is_extended(written, surface, known, category, str(facts.get("family") or canonical)))
                    ):
                        continue
                    if surface and not _is_generation(surface, facts):
                        yield Entry.of(surface, category, canonical, facts or _NOTHING, joints)
    except (KeyError, TypeError, AttributeError) as error:
        raise LexiconError(f"{name}: not a lexicon ({error!r})") from error


def _facts(attributes: Mapping[str, Any], shared: dict[tuple[str, ...], tuple[str, ...]]) -> dict[str, Any]:
    """What a meaning carries of its entry: lists of types as tuples, equal ones shared."""
    facts = {key: fact for key, fact in attributes.items() if key not in ("aliases", "category")}
    if "accepts" in facts:
        accepts = tuple(dict.fromkeys(map(sys.intern, facts["accepts"])))
        facts["accepts"] = shared.setdefault(accepts, accepts)
    for key in ("generations", "with"):
        if key in facts:
            facts[key] = {
                word: _facts(variant, shared) if isinstance(variant, dict) else variant
                for word, variant in facts[key].items()
            }
    return facts


def _is_extended(written: str, surface: str, known: set[str], category: str, family: str) -> bool:
    """Whether an alias is another surface of the entry with a size or a release number behind it.

    These are items of their own (`mobilenet-v3-large`, `rugpt3small`, `dreamshaper-8`); the digits of encoders, vision
    and speech families belong to their names.
    """
    if category == "architecture" and _SIZED.search(written):
        return True
    glued = _GLUED_SIZE.search(surface) if category == "architecture" else None
    if glued and surface[: glued.start()] in known:
        return True
    numbered = _NUMBERED.search(surface)
    if numbered and surface[: numbered.start()] in known:
        return category == "product" or domain_of(family) in ("llm", "vlm", "diffusion")
    return False


def _squash(written: str) -> tuple[str, frozenset[int]]:
    """A written surface without its separators, and where they were."""
    parts = [part for part in _JOINT.split(written.lower()) if part]
    joints, length = [], 0
    for part in parts[:-1]:
        length += len(part)
        joints.append(length)
    return "".join(parts), frozenset(joints)


def _is_generation(surface: str, facts: Mapping[str, Any]) -> bool:
    """Whether the surface is a group's word with a generation number: the number is read as a version instead."""
    group = facts.get("group")
    if not group:
        return False
    stem = group.replace("-", "").replace("_", "")
    return surface.startswith(stem) and surface[len(stem) : len(stem) + 1].isdigit()
