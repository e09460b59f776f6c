"""Which meaning a word has where the lexicons know several."""

from __future__ import annotations

import re
from collections.abc import Callable

from naming.lexicon import Entry
from naming.resolve.languages import CODE_LENGTH, MAJOR, instruct_or_italian, is_language, settle_code
from naming.resolve.scene import Scene, decide, meaning
from naming.segment import Segment

_TAG_PRIORITY = ("dataset", "adaptation", "organization")
"""Meanings that are tried first in timm's tags, where publishers, recipes and data sets stand."""
_TRANSLATION = frozenset(["mt", "nmt", "translation", "translator", "translate", "mmt"])
_ABBREVIATED = frozenset(["py", "js", "cpp", "golang"])
_WRITTEN = frozenset(["product", "other", "size"])
"""Categories whose value is the word as written."""
_NUMBERS = frozenset(["integer", "dotted"])
_CONDITIONAL = frozenset(["language", "size", "task"])
"""Categories whose meanings need a look at the rest of the name even where they are no ordinary words."""
_DENIALS = frozenset(["no", "without"])
_CHOICES = frozenset(["or", "yes"])
"""Words before a `no` that denies nothing (`yes-or-no-classifier`)."""
QUANTIZED_BITS = 8
"""Types of at most so many bits are not trained in or cast to: the weights were quantized with scales."""


def settle_words(scene: Scene) -> None:
    """Decide words that the lexicons know."""
    keys = {segment.key for segment in scene.segments}
    scene.translation = not keys.isdisjoint(_TRANSLATION) or (
        "seq2seq" in scene.domains
        and any(
            segment.category == "architecture" and segment.value in ("marian", "m2m_100") for segment in scene.segments
        )
    )
    for place, segment in enumerate(scene.segments):
        if segment.category or not segment.entries or segment.kind in _NUMBERS:
            continue
        key = segment.key
        if len(key) <= CODE_LENGTH and settle_code(scene, place, segment):
            continue
        if key in TEACHERS and _teaches_or_is_mentioned(scene, place, segment):
            continue
        for entry in _in_tag_order(segment) if scene.timm and segment.start > scene.tag_from else segment.entries:
            category = entry.category
            if category == "architecture":
                continue
            if not (entry.word or category in _CONDITIONAL) or _fits(scene, place, segment, category, entry):
                value = scene.folded[segment.start : segment.end] if _is_written(entry) else None
                decide(segment, _recast(scene, place, segment, category), value, entry)
                break
    if scene.timm:
        _publishers(scene)
    if not keys.isdisjoint(_REVISED):
        for words, revise in _REVISIONS:
            if not keys.isdisjoint(words):
                revise(scene)


def _is_written(entry: Entry) -> bool:
    """Whether a meaning's value is the word as written; abbreviations of programming languages are spelled out."""
    return entry.category in _WRITTEN and not (entry.category == "other" and entry.surface in _ABBREVIATED)


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
    first = next((segment for segment in scene.segments if segment.start > scene.tag_from), None)
    if first is not None and first.kind == "word" and first.category in ("", "other"):
        decide(first, "organization", first.key)


def _fits(scene: Scene, place: int, segment: Segment, category: str, entry: Entry) -> bool:
    if category == "language":
        return is_language(scene, place, segment, entry)
    if category == "size":
        return _is_size(scene, place, segment)
    if category == "product" and entry.word:
        return _product_context(scene) or (place == 0 and scene.could_be(1, "size"))
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
    if category == "task" and scene.key(place - 1) in _DENIALS and scene.key(place - 2) not in _CHOICES:
        return "other"  # `no-classifier`
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
    if before is None or (len(segment.key) == 1 and _is_letter_of_variant(scene, place)):
        return False
    if before.category == "architecture":
        return True
    return any(other.category in ("architecture", "product") for other in scene.segments[max(0, place - 3) : place])


def _is_letter_of_variant(scene: Scene, place: int) -> bool:
    """Whether a single letter marks a variant: a size word or a number of parameters says the size (`Toppy-M-7B`)."""
    behind = scene.segments[place + 1] if place + 1 < len(scene.segments) else None
    if behind is None or scene.any_domain("vision", "dual", "detector"):
        return False
    return behind.category == "parameters" or (meaning(behind, "size") is not None and len(behind.key) > 2)


def _product_context(scene: Scene) -> bool:
    return scene.parameters or scene.any_domain("llm", "vlm") or len(scene.segments) == 1


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


def _pretrained(scene: Scene) -> None:
    """`pt` is what Gemma's publishers call the model before `it`; elsewhere it is PyTorch or Portuguese."""
    if not any(segment.category == "architecture" and "gemma" in segment.key for segment in scene.segments):
        return
    for segment in scene.segments:
        if segment.key == "pt" and segment.category in ("", "format", "language", "other"):
            decide(segment, "training", "pretrained")


_READS_TEXT = ("encoder", "seq2seq", "llm", "gpt")


def _detections(scene: Scene) -> None:
    """Detection by a model that reads text is a classification (`roberta-sms-spam-detection`)."""
    if not scene.any_domain(*_READS_TEXT):
        return
    for segment in scene.segments:
        if segment.key == "detection" and segment.value == "object-detection":
            segment.value = "text-classification"


def _is_owner(scene: Scene, segment: Segment) -> bool:
    """Whether the word is the package's owner, or the beginning of its name (`mosaic` of mosaicml)."""
    owner = re.sub(r"[^a-z0-9]", "", scene.owner.lower())
    return segment.key == owner or (len(segment.key) >= _OWNER_PREFIX and owner.startswith(segment.key))


_OWNER_PREFIX = 5


def _fine_at_the_end(scene: Scene) -> None:
    """A last word cut short: `bert-base-fine`."""
    if scene.segments[-1].key == "fine" and scene.architectures():
        decide(scene.segments[-1], "adaptation", "finetuned")


_REVISIONS: tuple[tuple[frozenset[str], Callable[[Scene], None]], ...] = (
    (frozenset(["fine"]), _fine_at_the_end),
    (frozenset(["it"]), instruct_or_italian),
    (frozenset(["pt"]), _pretrained),
    (frozenset(["detection"]), _detections),
    (frozenset(_MODALITIES), _modalities),
)
"""Words whose reading depends on how the others were read, and what decides about them."""
_REVISED = frozenset().union(*(words for words, _ in _REVISIONS))
