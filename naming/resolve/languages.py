"""Codes and names of languages: `it` is Italian or instruct, `en` a language or a part of a word."""

from __future__ import annotations

from collections.abc import Mapping

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
_NEVER_LANGUAGES = frozenset(
    ["to", "no", "or", "as", "is", "in", "on", "my", "so", "mt", "st", "ml", "cv", "co", "ch", "cos"]
)
"""Codes that are English words or abbreviations of the field far more often: only beside another language."""
_OF_SPEAKERS = frozenset(["wavlm", "unispeech-sat"])
"""Families pre-trained on English for telling speakers apart, whose `-sv` is speaker verification, not Swedish."""
_OF_CODE = frozenset(["codegen"])
"""Families of code models, whose `-nl` is trained on natural language, not on Dutch."""
_MISTAKEN: Mapping[str, frozenset[str]] = {"sv": _OF_SPEAKERS, "nl": _OF_CODE}
"""Codes that stand for something else in the names of some families."""
_VARIETIES: Mapping[str, frozenset[str]] = {"ar": frozenset(["msa", "ca", "da"])}
"""Language -> its varieties whose abbreviations are other languages' codes (modern standard, classical, dialectal)."""
_BETWEEN = frozenset(["to", "2", "and"])
_LARGE = "lg"
"""Luganda, or large: behind a family whose sizes are abbreviated."""
_TASKS_OF = frozenset(["superb"])
"""Benchmarks whose tasks are two letters (`superb-ks` is keyword spotting)."""


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
    if _is_mistaken(scene, place, key):
        return False
    if scene.key(place - 1) == "tts" and scene.any_domain("speech"):
        return key not in _NEVER_LANGUAGES  # `mms-tts-hat`
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


def _is_mistaken(scene: Scene, place: int, key: str) -> bool:
    """Whether a code stands for something else: a task of a benchmark, a habit of a family, a size."""
    if scene.category(place - 1) == "dataset" and scene.segments[place - 1].value in _TASKS_OF:
        return True
    if key in _MISTAKEN and any(other.role and other.value in _MISTAKEN[key] for other in scene.segments):
        return True
    if key == "st" and scene.any_domain("speech") and scene.could_be(place - 1, "language"):
        return True  # `s2t-small-mustc-en-de-st`: speech translation
    if not scene.translation and any(
        key in _VARIETIES.get(str(entry.value), ()) for other in scene.segments[:place] for entry in other.entries
    ):
        return True
    return key == _LARGE and not scene.translation and scene.category(place - 1) == "architecture"


def _stands_for_language(scene: Scene, place: int, segment: Segment) -> bool:
    """Whether a code is read as a language before its other meanings are tried."""
    if _is_mistaken(scene, place, segment.key):
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
