"""Codes and names of languages: `it` is Italian or instruct, `en` a language or a part of a word."""

from __future__ import annotations

from naming.lexicon import Entry
from naming.resolve.scene import TECHNICAL, Scene, decide, meaning
from naming.segment import Segment

CODE_LENGTH = 3
"""Letters of a language code."""
LANGUAGE_DOMAINS = ("speech", "encoder", "seq2seq")
"""Domains of families whose packages are named by language."""
MAJOR = frozenset(
    [
        "ar", "bg", "bn", "cn", "cs", "cz", "de", "dk", "el", "en", "es", "fa", "fi", "fr", "gu", "hu", "ja", "jp",
        "ka", "kk", "ko", "kr", "lt", "lv", "nl", "pl", "ro", "ru", "sk", "sl", "sq", "sv", "th", "tr", "uk", "ur",
        "vi", "zh", "eng", "deu", "fra", "spa", "ita", "kor", "jpn", "rus", "ara", "hin", "tur", "vie", "por", "nld",
        "pol", "zho", "mul",
    ]
)  # fmt: skip
"""Codes that hardly stand for anything else in names of models."""
_NEVER_LANGUAGES = frozenset(["to", "no", "or", "as", "is", "in", "on", "my", "so", "mt", "st", "ml", "cv", "co", "ch"])
"""Codes that are English words or abbreviations of the field far more often: only beside another language."""
_OF_SPEAKERS = frozenset(["wavlm", "unispeech-sat"])
"""Families pre-trained on English for telling speakers apart, whose `-sv` is speaker verification, not Swedish."""
_BETWEEN = frozenset(["to", "2", "and"])


def settle_code(scene: Scene, place: int, segment: Segment) -> bool:
    """Decide a word of `CODE_LENGTH` that stands for a language, before its other meanings; whether it does."""
    code = meaning(segment, "language")
    if code is None or not _stands_for_language(scene, place, segment) or _is_suffix_code(scene, place):
        return False
    if is_language(scene, place, segment, code):
        decide(segment, "language", None, code)
        return True
    return False


def is_language(scene: Scene, place: int, segment: Segment, entry: Entry) -> bool:
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
        opening = place == 0 and scene.category(1) != "architecture"  # `nb-bert` is, `nb-finetuned-bert` may not be
        return not opening and scene.any_domain(*LANGUAGE_DOMAINS)
    if scene.category(place - 1) in ("architecture", "size", "parameters") and scene.any_domain(*LANGUAGE_DOMAINS):
        return key not in _NEVER_LANGUAGES
    return scene.any_domain("speech") and place == len(scene.segments) - 1 and key not in _NEVER_LANGUAGES


def _stands_for_language(scene: Scene, place: int, segment: Segment) -> bool:
    """Whether a code is read as a language before its other meanings are tried."""
    if segment.key == "sv" and any(
        isinstance(other.value, str) and other.value in _OF_SPEAKERS for other in scene.segments
    ):
        return False
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


def instruct_or_italian(scene: Scene) -> None:
    """`it` behind a language model is instruction-tuned; elsewhere it is Italian or the pronoun."""
    for place, segment in enumerate(scene.segments):
        if segment.key != "it" or segment.category not in ("", "language", "training"):
            continue
        if scene.any_domain("llm", "vlm") or scene.parameters:
            decide(segment, "training", "instruct")
        elif (
            scene.translation
            or _neighbours_language(scene, place)
            or (scene.any_domain(*LANGUAGE_DOMAINS, "gpt") and place == len(scene.segments) - 1)
        ):
            decide(segment, "language", "it")
        else:
            segment.category = ""
