"""The lexicons: what words mean, read from data files.

A lexicon file is JSON: `{"category": CATEGORY, "blocks": [{"source": TEXT, "entries": {CANONICAL: {"aliases": [...],
...}}}]}`. Surfaces are lower case; a hyphen stands for any separator or, where a reader would glue the words, none.
See `naming/lexicons/README.md` for the facts that an entry may carry.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, TypeAlias, get_args

from naming.domains import domain_of
from naming.errors import LexiconError
from naming.records import Category

DIRECTORY = Path(__file__).parent / "lexicons"

_CATEGORIES = frozenset(get_args(Category))
_JOINT = re.compile(r"[-\s_.]+")
_SIZES = "tiny|mini|small|base|medium|large|huge|giant|big|xl|xxl"
_SIZED = re.compile(rf"-(?:{_SIZES}|\d+(?:\.\d+)?[bm])$")
_GLUED_SIZE = re.compile(rf"(?:{_SIZES})$")
_NUMBERED = re.compile(r"v?\d+$")
_RELEASE = re.compile(r"v?[0-9]{1,2}$")
_PLAIN = frozenset(
    [
        "language",
        "task",
        "training",
        "organization",
        "dataset",
        "size",
        "other",
        "adaptation",
        "input",
        "format",
        "dtype",
    ]
)
"""Categories of words that keep their own span beside a family's word."""
_TAIL = 3
"""Characters behind a product's name that are an item of their own (`h2ogpt-gm`, `airoboros-l2`)."""
_ITEMS = frozenset(
    ["size", "training", "format", "dtype", "quantization", "language", "adaptation", "product", "organization", "task"]
)
"""Categories whose words are items of their own even inside a phrase."""
_STACKED = frozenset(["adaptation", "quantization", "format", "dtype"])
"""Categories in which two words are two items (`gptq-4bit`), not one compound."""
_VERSION = re.compile(r"v[0-9]+")
_SHORTEST_PART = 2
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
class Entry:
    """One meaning of one surface."""

    surface: str
    """The surface without separators."""
    category: str
    value: Any
    attributes: Mapping[str, Any] = field(default_factory=dict, repr=False)
    joints: frozenset[int] = frozenset()
    """Offsets in `surface` where its written form has a separator."""
    word: bool = False
    """Whether the surface is also an ordinary word or name, so that this meaning needs evidence beside it."""

    @classmethod
    def of(
        cls,
        surface: str,
        category: str,
        value: Any,
        attributes: Mapping[str, Any],
        joints: frozenset[int] = frozenset(),
    ) -> Entry:
        """An entry from the facts of a lexicon file."""
        return cls(surface, category, value, attributes, joints, bool(attributes.get("word")))

    def get(self, name: str, default: Any = None) -> Any:
        """A fact that the lexicon carries for this meaning."""
        return self.attributes.get(name, default)


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
    _mark_data_brands(index)
    _fold_releases(index)
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
        frozen, reach, tuple(sorted(glue, key=lambda word: (-len(word), word))), frozenset(words), _cuts(frozen)
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


def _mark_data_brands(index: dict[str, list[Entry]]) -> None:
    """Give brands that are also the name of a data set (listed there as `NAME-data`) the fact `dataset`."""
    for surface in list(index):
        data = next((entry for entry in index[surface] if entry.category == "dataset"), None)
        if data is None or not surface.endswith("data") or not str(data.value).endswith("-data"):
            continue
        brands = index.get(surface.removesuffix("data"), [])
        for place, entry in enumerate(brands):
            if entry.get("family"):
                facts = {**entry.attributes, "dataset": True}
                brands[place] = Entry.of(entry.surface, entry.category, entry.value, facts, entry.joints)


def _fold_releases(index: dict[str, list[Entry]]) -> None:
    """Turn surfaces that are another surface with a release number into generations of that one.

    `sd21` is `sd` in its generation 2.1 and `dolly-v2` is `dolly` in its second: the number is an item of its own.
    Architectures only where the word is generational; the digits of encoders, vision and speech families are names.
    """
    generations: dict[tuple[str, str], dict[str, Any]] = {}
    for surface in list(index):
        found = _RELEASE.search(surface)
        if found is None:
            continue
        stem = surface[: found.start()]
        for entry in list(index[surface]):
            base = next((other for other in index.get(stem, ()) if other.category == entry.category), None)
            if base is None or entry.category not in ("architecture", "product"):
                continue
            if entry.category == "architecture" and not base.get("generations"):
                continue
            index[surface].remove(entry)
            facts = {"family": family_of(entry), "accepts": entry.get("accepts", ())}
            if entry.get("family") or entry.category == "architecture":
                version = surface[found.start() :].lstrip("v")
                generations.setdefault((stem, entry.category), {})[version] = facts
        if not index[surface]:
            del index[surface]
    for (stem, category), facts_by_version in generations.items():
        meanings = index[stem]
        place = next(number for number, entry in enumerate(meanings) if entry.category == category)
        entry = meanings[place]
        known = {**facts_by_version, **entry.get("generations", {})}
        meanings[place] = Entry.of(
            entry.surface, category, entry.value, {**entry.attributes, "generations": known}, entry.joints
        )


def _cuts(index: Mapping[str, tuple[Entry, ...]]) -> dict[str, tuple[int, tuple[Entry, ...], tuple[Entry, ...]]]:
    cuts = {}
    for surface, meanings in index.items():
        phrase = meanings[0]
        for joint in sorted(phrase.joints):
            left, right = index.get(surface[:joint], ()), index.get(surface[joint:], ())
            if phrase.category == "dataset":
                parts = _dataset_parts(phrase, left, right)
            elif phrase.category in ("architecture", "product"):
                parts = _parts(phrase, left, right)
            else:
                parts = _general_parts(phrase, left, right, surface[joint:])
            if parts is not None:
                cuts[surface] = (joint, *parts)
                break
    return cuts


_Parts: TypeAlias = tuple[tuple[Entry, ...], tuple[Entry, ...]]


def _parts(phrase: Entry, left: tuple[Entry, ...], right: tuple[Entry, ...]) -> _Parts | None:
    """The meanings of the halves of a family's or brand's phrase, when the halves are items of their own."""
    family = family_of(phrase)
    before, behind = _family_meaning(left), _family_meaning(right)
    plain = tuple(entry for entry in left if entry.category in _PLAIN)
    spoken = behind is not None and (not behind.word or behind.get("glue") or _has(left, "language"))
    if behind is not None and spoken:
        brand = tuple(entry for entry in left if entry.category == "product")
        same = family_of(behind) == family
        if same and behind.get("generations") and not any(entry.category == "other" for entry in left):
            return brand or plain, (behind,)  # `reflection-llama-3.1`: the generation decides, not the brand
        single = len(phrase.surface) - len(behind.surface) < _SHORTEST_PART
        if not same and family_of(behind) in phrase.get("accepts", ()):
            return brand or plain, (behind,)  # `lsg-bart`: the written family wins over the brand's usual one
        if not single and (plain or brand) and (same or family_of(behind) in phrase.get("accepts", ())):
            if same and behind.get("generations"):
                return None  # `open-llama` is the name of a series
            return plain or brand, (_refined(behind, phrase) if same else behind,)
    if before is not None and behind is not None and domain_of(family_of(before)) == "detector":
        return ((before,), (behind,)) if domain_of(family_of(behind)) == "vision" else None
    if phrase.category == "product":
        brand = tuple(entry for entry in left if entry.category == "product")
        tail = len(phrase.surface) - len(left[0].surface) if left else 0
        return (brand, right) if brand and tail <= _TAIL else None
    canonical = _JOINT.sub("", str(phrase.value).lower()) == phrase.surface
    if before is not None and family_of(before) == family and not canonical:
        plain = tuple(entry for entry in right if entry.category in _PLAIN)
        if plain:
            return (_refined(before, phrase),), plain
    return None


def _has(meanings: tuple[Entry, ...], category: str) -> bool:
    return any(entry.category == category for entry in meanings)


def _general_parts(phrase: Entry, left: tuple[Entry, ...], right: tuple[Entry, ...], behind: str) -> _Parts | None:
    """Halves of any other phrase that are items of different kinds (`tiny-random`, `sharded-bf16`, `dot-v1`)."""
    if left and _VERSION.fullmatch(behind) and phrase.category != "language":
        return left, right
    first = {entry.category for entry in left} & _ITEMS
    second = {entry.category for entry in right} & _ITEMS
    family = _family_meaning(left)
    if family is not None and right and not family.word:
        return (family,), right  # `electra-generator`
    if phrase.category == "other" and left and behind in ("model", "models"):
        return left, right
    if "size" in first and right and phrase.category == "other":
        return left, right  # `base-model`
    if not first or not second:
        return None
    if phrase.category == "task":
        return (left, right) if first & {"product", "language", "size"} and "task" in second else None
    if phrase.category == "training":
        return (left, right) if "size" in first else None
    if first & second:
        values = {entry.value for entry in (*left, *right) if entry.category == phrase.category}
        return (left, right) if len(values) > 1 and phrase.category in _STACKED else None
    return left, right


def _family_meaning(meanings: tuple[Entry, ...]) -> Entry | None:
    return next((entry for entry in meanings if entry.category == "architecture"), None)


def family_of(entry: Entry) -> str:
    """The family that a meaning stands for: the one it names, or the canonical word itself."""
    return str(entry.get("family") or entry.value)


def _refined(part: Entry, phrase: Entry) -> Entry:
    """A part's meaning with what is known of the phrase: the types that its publishers used."""
    facts = {**part.attributes, **{key: phrase.get(key) for key in ("accepts", "strength") if phrase.get(key)}}
    return Entry.of(part.surface, part.category, part.value, facts, part.joints)


def _dataset_parts(
    phrase: Entry, left: tuple[Entry, ...], right: tuple[Entry, ...]
) -> tuple[tuple[Entry, ...], tuple[Entry, ...]] | None:
    """Halves of a data set's phrase: the set itself and a word beside it (`superb-sid`), or a language and a task."""
    if not left or not right:
        return None
    categories = {entry.category for entry in left}, {entry.category for entry in right}
    same = [any(entry.value == phrase.value for entry in half) for half in (left, right)]
    if same[0] != same[1] or ("language" in categories[0] and "task" in categories[1]) or "adaptation" in categories[0]:
        return left, right
    return None


def _entries(name: str, document: Mapping[str, Any]) -> Iterator[Entry]:
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
                facts = {key: fact for key, fact in attributes.items() if key not in ("aliases", "category")}
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
