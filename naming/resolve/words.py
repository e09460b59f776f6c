"""Which meaning a word has where the lexicons know several, and what unknown words are."""

from __future__ import annotations

import re

from naming.domains import domain_of
from naming.lexicon import Entry
from naming.resolve.scene import TECHNICAL, Scene, decide, meaning
from naming.segment import Segment

_TAG_PRIORITY = ("dataset", "adaptation", "organization")
"""Meanings that are tried first in timm's tags, where publishers, recipes and data sets stand."""
_TRANSLATION = frozenset(["mt", "nmt", "translation", "translator", "translate", "mmt"])
_WRITTEN = frozenset(["product", "other", "size"])
"""Categories whose value is the word as written."""
_GENERIC = frozenset(
    [
        "model", "models", "test", "tests", "testing", "demo", "weights", "dummy", "checkpoint", "checkpoints", "my", "new", "final",
        "example", "sample", "temp", "tmp", "trial", "debug", "output", "result", "results", "trainer", "tutorial", "dynamic",
    ]
)  # fmt: skip
CODE_LENGTH = 3
"""Letters of a language code."""
QUANTIZED_BITS = 8
"""Types of at most so many bits are not trained in or cast to: the weights were quantized with scales."""
MAX_TITLE = 3
"""Words that a title may have; longer runs are sentences or counters."""
_LANGUAGE_CONTEXT = ("speech", "encoder", "seq2seq")
MAJOR = frozenset(
    [
        "ar", "bg", "bn", "cn", "cs", "cz", "de", "dk", "el", "en", "es", "fa", "fi", "fr", "gu", "hu", "ja", "jp", "ka", "kk",
        "ko", "kr", "lt", "lv", "nl", "pl", "ro", "ru", "sk", "sl", "sq", "sv", "th", "tr", "uk", "ur", "vi", "zh", "eng", "deu",
        "fra", "spa", "ita", "kor", "jpn", "rus", "ara", "hin", "tur", "vie", "por", "nld", "pol", "zho", "mul",
    ]
)  # fmt: skip
"""Codes that hardly stand for anything else in names of models."""
_NEVER_LANGUAGES = frozenset(["to", "no", "or", "as", "is", "in", "on", "my", "so", "mt", "st", "ml", "cv", "co", "ch"])
"""Codes that are English words or abbreviations of the field far more often: only beside another language."""
_BETWEEN = frozenset(["to", "2", "and"])


def settle_words(scene: Scene) -> None:
    """Decide words that the lexicons know."""
    keys = {segment.key for segment in scene.segments}
    scene.translation = not keys.isdisjoint(_TRANSLATION) or any(
        segment.category == "architecture" and segment.value in ("marian", "m2m_100") for segment in scene.segments
    )
    for place, segment in scene.undecided():
        if not segment.entries or segment.kind in ("integer", "dotted"):
            continue
        if len(segment.key) <= CODE_LENGTH:
            code = meaning(segment, "language")
            if (
                code is not None
                and _stands_for_language(scene, place, segment)
                and _is_language(scene, place, segment, code)
                and not _is_suffix_code(scene, place)
            ):
                decide(segment, "language", None, code)
                continue
        if segment.key in TEACHERS and _teaches_or_is_mentioned(scene, place, segment):
            continue
        for entry in _in_tag_order(segment) if scene.timm and segment.start > scene.tag_from else segment.entries:
            category = entry.category
            if category != "architecture" and _fits(scene, place, segment, category, entry):
                value = scene.folded[segment.start : segment.end] if category in _WRITTEN else None
                decide(segment, _recast(scene, place, segment, category), value, entry)
                break
    _publishers(scene)
    if "fine" in keys and scene.segments[-1].key == "fine" and scene.architectures():
        decide(scene.segments[-1], "adaptation", "finetuned")
    if "it" in keys:
        _instruct_or_italian(scene)
    if not keys.isdisjoint(_MODALITIES):
        _modalities(scene)


def _in_tag_order(segment: Segment) -> list[Entry]:
    return sorted(segment.entries, key=lambda entry: entry.category not in _TAG_PRIORITY)


TEACHERS = frozenset(["gpt3", "gpt35", "gpt4", "gpt4o", "gpt5", "chatgpt", "claude", "gemini", "davinci"])
"""Models behind an interface: in a package's name they made its data, or the package is about them."""


def _teaches_or_is_mentioned(scene: Scene, place: int, segment: Segment) -> bool:
    behind = [other.key for other in scene.segments[place + 1 : place + 3]]
    if any(key.startswith(("prompt", "detect", "generat", "text")) for key in behind):
        decide(segment, "other", segment.key)
        return True
    if place and (scene.parameters or scene.any_domain("llm")):
        decide(segment, "architecture", segment.key)
        segment.role = "teacher"
        return True
    return False


def _publishers(scene: Scene) -> None:
    """The first word of timm's tag is the publisher, unless it is a recipe or a data set."""
    if scene.timm:
        first = next((segment for segment in scene.segments if segment.start > scene.tag_from), None)
        if first is not None and first.kind == "word" and first.category in ("", "other"):
            decide(first, "organization", first.key)


def _fits(scene: Scene, place: int, segment: Segment, category: str, entry: Entry) -> bool:
    if category == "language":
        return _is_language(scene, place, segment, entry)
    if category == "size":
        return _is_size(scene, place, segment)
    if category == "product" and entry.word:
        return _product_context(scene, place)
    if category == "organization":
        return not entry.word or _is_owner(scene, segment) or _makes_the_model(scene, place)
    if category == "task" and segment.key in ("mt", "nmt"):
        return _is_translation(scene)
    if category in ("dataset", "task", "training", "adaptation", "format", "quantization", "input") and entry.get(
        "word"
    ):
        return len(scene.segments) > 1
    return True


def _makes_the_model(scene: Scene, place: int) -> bool:
    """Whether a maker's name stands right before a language model's family (`Meta-Llama`)."""
    return place == 0 and scene.category(place + 1) == "architecture" and scene.any_domain("llm", "vlm")


def _is_translation(scene: Scene) -> bool:
    return any(
        other.category == "language" or (other.key in MAJOR and meaning(other, "language")) for other in scene.segments
    ) or scene.any_domain("seq2seq")


def _recast(scene: Scene, place: int, segment: Segment, category: str) -> str:
    """`base` is a training stage behind a parameter count, and no size behind SDXL; 8-bit types are quantization."""
    if category == "dtype":
        entry = meaning(segment, "dtype")
        if entry is not None and entry.get("bits", 16) <= QUANTIZED_BITS:
            return "quantization"
    if category == "size" and segment.key == "base":
        if any(other.category == "parameters" for other in scene.segments[:place]) and not scene.any_domain("encoder"):
            return "training"
        if scene.any_domain("diffusion"):
            return "other"
    return category


def _is_size(scene: Scene, place: int, segment: Segment) -> bool:
    if len(segment.key) > 2:
        return True
    if segment.key[-1].isdigit():
        return scene.any_domain("vision", "detector")
    before = scene.segments[place - 1] if place else None
    if before is None:
        return False
    if before.category == "architecture":
        return True
    return any(other.category in ("architecture", "product") for other in scene.segments[max(0, place - 3) : place])


def _product_context(scene: Scene, place: int) -> bool:
    return scene.parameters or scene.any_domain("llm", "vlm") or len(scene.segments) == 1


def _is_language(scene: Scene, place: int, segment: Segment, entry: Entry) -> bool:
    """Names of languages always; codes of major languages beside anything technical; other codes where codes stand."""
    key = segment.key
    if len(key) > 3:
        return not entry.word or _any_known(scene)
    if scene.translation or _neighbours_language(scene, place):
        return scene.translation is False or key not in _NEVER_LANGUAGES or _neighbours_language(scene, place)
    if scene.glued(place) or scene.glued(place + 1):
        return key in MAJOR and scene.category(place + 1) == "architecture" and segment.text.islower()
    if len(scene.segments) == 1:
        return False
    if key in MAJOR:
        return place == 0 or _any_known(scene)
    if segment.text.isupper():
        return False
    if not entry.word:
        return place > 0 and scene.any_domain(*_LANGUAGE_CONTEXT)
    if scene.category(place - 1) in ("architecture", "size", "parameters") and scene.any_domain(*_LANGUAGE_CONTEXT):
        return key not in _NEVER_LANGUAGES
    return scene.any_domain("speech") and place == len(scene.segments) - 1 and key not in _NEVER_LANGUAGES


def _stands_for_language(scene: Scene, place: int, segment: Segment) -> bool:
    """Whether a code is read as a language before its other meanings are tried."""
    return segment.key in MAJOR or scene.translation or _neighbours_language(scene, place)


def _is_suffix_code(scene: Scene, place: int) -> bool:
    """`-it` and `-pt` behind a language model are its instruct and pre-trained versions."""
    return scene.key(place) in ("it", "pt") and (scene.parameters or scene.any_domain("llm", "vlm"))


def _any_known(scene: Scene) -> bool:
    return any(other.category == "architecture" or other.category in TECHNICAL for other in scene.segments) or any(
        entry.category in ("task", "size") for other in scene.segments for entry in other.entries
    )


def _neighbours_language(scene: Scene, place: int) -> bool:
    """Whether a language stands next to it, or behind `to`, `2` or `and`."""
    beside = [place - 1, place + 1]
    if scene.key(place + 1) in _BETWEEN:
        beside.append(place + 2)
    if place > 1 and scene.key(place - 1) in _BETWEEN:
        beside.append(place - 2)
    for other in beside:
        if 0 <= other < len(scene.segments):
            segment = scene.segments[other]
            if segment.category == "language":
                return True
            entry = meaning(segment, "language")
            if entry is not None and not segment.category and (segment.key in MAJOR or not entry.word):
                return True
    return False


def _instruct_or_italian(scene: Scene) -> None:
    """`it` behind a language model is instruction-tuned; elsewhere it is Italian or the pronoun."""
    for place, segment in enumerate(scene.segments):
        if segment.key != "it" or segment.category not in ("", "language", "training"):
            continue
        if scene.any_domain("llm", "vlm") or scene.parameters:
            decide(segment, "training", "instruct")
        elif (
            scene.translation
            or _neighbours_language(scene, place)
            or (scene.any_domain(*_LANGUAGE_CONTEXT, "gpt") and place == len(scene.segments) - 1)
        ):
            decide(segment, "language", "it")
        else:
            segment.category = ""


_MODALITIES = {
    "vl": "image-text-to-text", "vlm": "image-text-to-text", "vision": "image-text-to-text", "mm": "image-text-to-text",
    "multimodal": "image-text-to-text", "omni": "any-to-any", "audio": "audio-text-to-text",
}  # fmt: skip


def _modalities(scene: Scene) -> None:
    """Words behind a language model's family that say what it reads (`Qwen2.5-VL`, `Llama-3.2-11B-Vision`)."""
    if not scene.any_domain("llm", "vlm"):
        return
    for place, segment in enumerate(scene.segments):
        if (
            segment.key in _MODALITIES
            and segment.category in ("", "other")
            and "architecture" in (other.category for other in scene.segments[:place])
        ):
            segment.category, segment.value = "task", _MODALITIES[segment.key]


def _is_owner(scene: Scene, segment: Segment) -> bool:
    """Whether the word is the package's owner, or the beginning of its name (`mosaic` of mosaicml)."""
    owner = re.sub(r"[^a-z0-9]", "", scene.owner.lower())
    return segment.key == owner or (len(segment.key) >= _OWNER_PREFIX and owner.startswith(segment.key))


_OWNER_PREFIX = 5
_TELLS_NOTHING = frozenset(["", "other", "version", "identifier", "organization"])
"""Categories that may surround a title."""
_SHORTEST_BRAND = 3
_COINED_LENGTH = 5


def settle_unknown(scene: Scene) -> None:
    """Decide whatever is left: counters, products, titles, other words."""
    segments = scene.segments
    known = any(segment.category not in _TELLS_NOTHING for segment in segments)
    if not known and _is_title(scene):
        return
    opening = segments[0] if segments else None
    if (
        opening is not None
        and opening.category == "other"
        and opening.kind == "word"
        and opening.key not in _GENERIC
        and scene.category(1) == "version"
        and not scene.architectures()
    ):
        decide(opening, "product", scene.folded[opening.start : opening.end])  # `anything-v4.5`
    if all(segment.category for segment in segments):
        return
    head = _head(scene)
    for place, segment in scene.undecided():
        if segment.kind == "integer" or segment.key.isdigit() or _is_hash(segment.key) or _is_random(segment.text):
            decide(segment, "identifier", segment.key)
        elif place in head or _is_coined_brand(scene, segment):
            decide(segment, "product", scene.folded[segment.start : segment.end])
        else:
            decide(segment, "other", scene.folded[segment.start : segment.end])


def _is_coined_brand(scene: Scene, segment: Segment) -> bool:
    """Whether an unknown word in camel case stands in the name of a language or image model (`BalloonArt`)."""
    text = segment.text
    return scene.any_domain("llm", "vlm", "diffusion") and text.isalpha() and re.search("[a-z][A-Z]", text) is not None


def _head(scene: Scene) -> frozenset[int]:
    """Places of unknown leading words that are the brand of a language model (`PULSE-7b`, `Loquace-410m`)."""
    segments = scene.segments
    if any(segment.category == "product" for segment in segments):
        return frozenset()
    places: list[int] = []
    for place, segment in enumerate(segments):
        if segment.category in ("language", "organization", "other", "size") and not places:
            continue
        if segment.category or segment.kind != "word" or segment.entries:
            break
        places.append(place)
    named = scene.parameters or bool(scene.architectures()) or scene.category(len(places)) == "version"
    if not named or any(len(segments[p].key) < _SHORTEST_BRAND or not segments[p].key.isalpha() for p in places):
        return frozenset()
    return frozenset(places)


def _is_title(scene: Scene) -> bool:
    """Make one product of a name in which nothing is recognised (`cat-toy`, `JL_dream`); generic words stay other."""
    segments = scene.segments
    places = [
        place for place, segment in enumerate(segments)
        if segment.category in ("", "other") and not _is_random(segment.text) and segment.kind == "word" and segment.key not in _GENERIC
        and not segment.key.isdigit()
    ]  # fmt: skip
    if not places:
        return False
    first = last = places[0]
    while last + 1 < len(segments) and last + 1 in places:
        last += 1
    if last - first >= MAX_TITLE:
        return False
    if not segments[first].category and len(segments[first].key) >= _COINED_LENGTH:
        while last > first and segments[last].category == "other":
            last -= 1  # a coined word with ordinary ones behind it
    title = scene.join(first, last)
    title.category = ""
    decide(title, "product", scene.folded[title.start : title.end])
    for segment in segments:
        if not segment.category:
            decide(segment, "identifier" if segment.key.isdigit() else "other", segment.key)
    return True


def _is_hash(key: str) -> bool:
    return len(key) >= 6 and re.fullmatch(r"(?=.*\d.*\d)(?=.*[a-f])[0-9a-f]+", key) is not None


def _is_random(text: str) -> bool:
    """Whether a long word mixes cases and digits as keys and addresses do."""
    return (
        len(text) >= _RANDOM_LENGTH
        and text.isalnum()
        and len(re.findall("[a-z][0-9]|[0-9][A-Za-z]|[a-z][A-Z]", text)) > (len(text) // 6)
    )


_RANDOM_LENGTH = 20


def family_domain(segment: Segment) -> str:
    """Domain of an architecture segment's family."""
    return domain_of(str(segment.value))
