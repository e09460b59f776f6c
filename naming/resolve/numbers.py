"""What bare numbers mean, from what stands around them: generations, depths, resolutions, contexts, counters ..."""

# ruff: noqa: ARG001 (the functions of one registry share their arguments)

from __future__ import annotations

from collections.abc import Callable

from naming.domains import domain_of
from naming.resolve.quantities import context_length, digits_of
from naming.resolve.releases import join_releases
from naming.resolve.scene import PATCHES, Scene, decide
from naming.resolve.shapes import settle_size_and_patch
from naming.segment import Segment

RESOLUTIONS = frozenset(
    [
        32, 64, 96, 112, 128, 160, 176, 192, 208, 224, 240, 256, 260, 272, 280, 288, 299, 300, 320, 336, 352, 364, 368,
        378, 380, 384, 392, 400, 408, 416, 427, 432, 448, 456, 464, 475, 480, 490, 504, 512, 518, 528, 544, 560, 576,
        600, 608, 640, 672, 704, 720, 768, 800, 832, 864, 896, 960, 980, 1024, 1152, 1280, 1344, 1536, 2048,
    ]
)  # fmt: skip
"""Edges of square images that published vision models are trained on (timm's and transformers' configurations)."""
LONGEST_CONTEXT = 1024
"""Thousands of tokens that a `k` number may mean; more are steps or samples."""
_MILLIONS_OF_TOKENS = frozenset([1048, 2097, 4194])
"""Powers of two written in thousands (`Gradient-1048k`)."""
_NAMED_BY_WIDTH = frozenset(["xlm"])
"""Families whose published names end in the width of the model (`xlm-mlm-en-2048`), not in a number of tokens."""
_SMALLEST_TIMM = 64
"""Smaller numbers behind a net's width are its depth in timm's names."""
_BY_WIDTH = frozenset(["regnet", "levit"])
"""Families whose number is the width or the work of the net, as everywhere in timm's names (`convmixer_768_32`)."""
_SMALLEST_SEEN = 224
"""Edge of the smallest images that vision-language models read; powers of two are their contexts."""
_SMALLEST_WIDTH = 512
_LAYER_COUNTS = frozenset(["1", "2", "3", "4", "6", "8", "9", "12", "16", "24"])
_DEEP = ("vision", "detector", "dual", "speech")
_VISION = ("vision", "dual", "detector", "diffusion")
_TEXT = ("encoder", "seq2seq", "llm", "gpt", "vlm")
_GENERATIONAL = frozenset(["llm", "vlm", "diffusion"])
_IMAGENET = {"1k": "imagenet-1k", "21k": "imagenet-21k", "22k": "imagenet-22k", "12k": "imagenet-12k"}


def settle_numbers(scene: Scene) -> None:
    """Decide bare numbers from what stands around them."""
    join_releases(scene)
    for place, segment in scene.undecided():
        if segment.kind == "integer":
            _integer(scene, place, segment)
        elif segment.kind == "dotted":
            _dotted(scene, place, segment)
        elif segment.kind == "kilo":
            _kilo(scene, place, segment)
        elif segment.kind in ("lettered", "coded"):
            _lettered(scene, place, segment)


def _integer(scene: Scene, place: int, segment: Segment) -> None:
    for reading in _INTEGER_READINGS:
        if reading(scene, place, segment):
            return
    decide(segment, "identifier", segment.key)


def _encoder_to_decoder(scene: Scene, place: int, segment: Segment) -> bool:
    """`wav2vec2-2-bart`."""
    if segment.key == "2" and scene.category(place - 1) == "architecture" == scene.category(place + 1):
        decide(segment, "other", segment.key)
        return True
    return False


def _square(scene: Scene, place: int, segment: Segment) -> bool:
    """`512-512`."""
    text = segment.key
    if (
        scene.key(place + 1) == text
        and not scene.category(place + 1)
        and 2 < len(text) < 6
        and int(text) in RESOLUTIONS
    ):
        decide(scene.join(place, place + 1), "input", f"{text}x{text}")
        return True
    return False


def _long(scene: Scene, place: int, segment: Segment) -> bool:
    """Six digits and more are run numbers, hashes or dates."""
    if len(segment.key) > 5:
        decide(segment, "identifier", segment.key)
        return True
    return False


def _behind_family(scene: Scene, place: int, segment: Segment) -> bool:
    """A generation (`Llama-2`, `llama-3_1`, `codegen-25`) or the depth of a net (`resnet-50`)."""
    before = scene.segments[place - 1] if place else None
    if before is None or before.category != "architecture":
        return False
    text = segment.key
    behind = scene.segments[place + 1] if place + 1 < len(scene.segments) else None
    if behind is not None and _is_spelled_generation(before, segment, behind, scene):
        decide(scene.join(place, place + 1), "version", f"{text}.{behind.key}")
    elif _is_generation(before, text):
        decide(segment, "version", generation_value(before, text))
    elif scene.any_domain(*_DEEP) and domain_of(str(before.value)) in ("vision", "detector", "speech", ""):
        wide = scene.timm or str(before.value) in _BY_WIDTH
        if not wide and (len(text) > 3 or (int(text) in RESOLUTIONS and len(text) == 3)):
            return False
        decide(segment, "size", text)
    else:
        return False
    return True


def _patch(scene: Scene, place: int, segment: Segment) -> bool:
    """`vit-b-32`."""
    if int(segment.key) not in PATCHES or scene.category(place - 1) != "size" or scene.key(place - 1).isdigit():
        return False
    if scene.any_domain("vision", "dual") or (scene.any_domain("vlm") and len(scene.key(place - 1)) == 1):
        decide(segment, "input", f"patch{int(segment.key)}")
        return True
    return False


def _resolution(scene: Scene, place: int, segment: Segment) -> bool:
    number = int(segment.key)
    if number not in RESOLUTIONS or (number < _SMALLEST_TIMM and scene.timm and scene.key(place - 1).isdigit()):
        return False
    before = scene.segments[place - 1] if place else None
    patched = before is not None and before.category == "input" and str(before.value).startswith(("patch", "window"))
    seen = scene.any_domain("vlm") and number >= _SMALLEST_SEEN and number & (number - 1)
    if patched or seen or scene.any_domain(*_VISION):
        decide(segment, "input", number)
        return True
    return False


def _layer_pair(scene: Scene, place: int, segment: Segment) -> bool:
    """`distilbart-xsum-12-6`: layers of the encoder and the decoder of a distilled encoder-decoder."""
    behind = scene.segments[place + 1] if place + 2 == len(scene.segments) else None
    if behind is None or behind.kind != "integer" or not {segment.key, behind.key} <= _LAYER_COUNTS:
        return False
    if not scene.any_domain("seq2seq") or all(other.value != "distilled" for other in scene.segments):
        return False
    decide(segment, "layers", int(segment.key))
    decide(behind, "layers", int(behind.key))
    return True


def _hidden(scene: Scene, place: int, segment: Segment) -> bool:
    """`3L312`."""
    if scene.category(place - 1) == "layers" and int(segment.key) >= 64:
        decide(segment, "hidden", int(segment.key))
        return True
    return False


def _tokens(scene: Scene, place: int, segment: Segment) -> bool:
    number = int(segment.key)
    if number >= _SMALLEST_WIDTH and place == len(scene.segments) - 1 and _is_named_by_width(scene):
        decide(segment, "hidden", number)
        return True
    if number >= 256 and number & (number - 1) == 0 and _reads_text(scene, number):
        decide(segment, "context", number)
        return True
    return False


def _is_named_by_width(scene: Scene) -> bool:
    return any(other.category == "architecture" and other.value in _NAMED_BY_WIDTH for other in scene.segments)


def _date(scene: Scene, place: int, segment: Segment) -> bool:
    if place and _is_date(segment.key):
        decide(segment, "identifier", segment.key)
        return True
    return False


def _release(scene: Scene, place: int, segment: Segment) -> bool:
    """The release of a product, or of a recipe whose model follows (`oasst-rm-2-pythia`)."""
    product = scene.category(place - 1) == "product" and len(segment.key) <= 2
    recipe = (
        scene.category(place - 1) in ("training", "task")
        and len(segment.key) <= 3
        and scene.category(place + 1) in ("architecture", "parameters")
    )
    glued = len(segment.key) == 1 and scene.glued(place) and scene.category(place - 1) == "size"  # `rubert-tiny2`
    if product or recipe or glued:
        decide(segment, "version", segment.key)
    return product or recipe or glued


_INTEGER_READINGS: tuple[Callable[[Scene, int, Segment], bool], ...] = (
    _encoder_to_decoder, _square, _long, _behind_family, _patch, _resolution, _layer_pair, _hidden, _tokens, _date,
    _release,
)  # fmt: skip
"""Readings of a bare number, most telling first; each decides and returns True, or leaves it to the next."""


def _is_spelled_generation(before: Segment, segment: Segment, behind: Segment, scene: Scene) -> bool:
    generations = before.entry.get("generations") if before.entry is not None else None
    if not generations or behind.kind != "integer" or len(behind.key) > 1:
        return False
    between = scene.repo[segment.end : behind.start]
    return between in ("_", "-") and f"{segment.key}.{behind.key}" in generations


def _reads_text(scene: Scene, number: int) -> bool:
    """Whether a power of two is a number of tokens: the model reads text, or nothing says that it reads images."""
    if scene.parameters or scene.any_domain(*_TEXT):
        return True
    return number >= 1024 and any(segment.category == "size" for segment in scene.segments)


def _is_generation(before: Segment, text: str) -> bool:
    entry = before.entry
    if entry is None:
        return False
    generations = entry.get("generations")
    if generations:
        return len(text) <= 2
    return len(text) <= 2 and domain_of(str(before.value)) in _GENERATIONAL


def generation_value(before: Segment, text: str) -> str:
    """A generation number: `25` behind codegen is 2.5, `21` behind stable diffusion is 2.1."""
    generations = before.entry.get("generations") if before.entry is not None else None
    if len(text) == 2 and text[0] != "0":
        split = f"{text[0]}.{text[1]}"
        if generations and text not in generations and split in generations:
            return split
        if domain_of(str(before.value)) == "diffusion" and text[0] in "123":
            return split
    return text


def _is_date(text: str) -> bool:
    """MMDD, YYMM or MMYY-like four digits, or a year."""
    if len(text) != 4:
        return False
    first, second = int(text[:2]), int(text[2:])
    return (
        (1 <= first <= 12 and 1 <= second <= 31)
        or (20 <= first <= 29 and 1 <= second <= 12)
        or (2015 <= int(text) <= 2035)
    )


def _dotted(scene: Scene, place: int, segment: Segment) -> None:
    text = scene.folded[segment.start : segment.end]
    before = scene.category(place - 1)
    if (
        scene.any_domain("vision")
        and text.count(".") == 1
        and before in ("architecture", "size")
        and float(text) <= 2.0
    ):
        decide(segment, "size", text)
    else:
        decide(segment, "version", text)


def _kilo(scene: Scene, place: int, segment: Segment) -> None:
    text = segment.key
    if text in _IMAGENET and scene.any_domain("vision", "detector", "dual"):
        decide(segment, "dataset", _IMAGENET[text])
    elif scene.any_domain("speech") or (
        meaning_in(scene, "task", "audio") and text in ("8k", "16k", "22k", "44k", "48k")
    ):
        decide(segment, "input", f"{text}hz")
    elif scene.category(place - 1) == "dataset" and not scene.parameters:
        decide(segment, "identifier", text)
    elif _is_context(scene, digits_of(text)):
        decide(segment, "context", context_length(text))
    elif scene.any_domain("encoder"):
        if digits_of(text) in (1, 2, 4, 8, 16):
            decide(segment, "context", context_length(text))
        else:
            decide(segment, "input", f"vocab-{text}")
    elif scene.any_domain("seq2seq") and digits_of(text) in (4, 8, 16):
        decide(segment, "context", context_length(text))
    else:
        decide(segment, "identifier", text)


def _is_context(scene: Scene, thousands: int) -> bool:
    """Whether so many thousands are tokens: of a language model, or of a GPT where they are a power of two."""
    if scene.any_domain("llm", "vlm") or scene.parameters:
        return thousands <= LONGEST_CONTEXT or thousands in _MILLIONS_OF_TOKENS
    return scene.any_domain("gpt") and thousands in (2, 4, 8, 16, 32, 64, 128)


def meaning_in(scene: Scene, category: str, word: str) -> bool:
    """Whether a settled segment of a category has a value with a word in it."""
    return any(
        segment.category == category and isinstance(segment.value, str) and word in segment.value
        for segment in scene.segments
    )


def _lettered(scene: Scene, place: int, segment: Segment) -> None:
    if any(not entry.word for entry in segment.entries):
        return
    text = segment.key
    before = scene.segments[place - 1] if place else None
    if before is not None and before.category == "architecture" and before.entry is not None:
        generations = before.entry.get("generations")
        if generations and (text in generations or any(known[0] == text[0] for known in generations)):
            decide(segment, "version", text)
            return
        if str(before.value) == "esm" and text[0] == "t":
            decide(segment, "layers", int(text[1:]))
            return
        if settle_size_and_patch(scene, place, segment):
            return
        if domain_of(str(before.value)) in ("vision", "detector") or (
            domain_of(str(before.value)) == "dual" and text[0] in "bs" and len(text) == 2
        ):
            decide(segment, "size", text)
            return
    if scene.timm and text[0] == "r" and text[1:].isdigit() and int(text[1:]) in RESOLUTIONS:
        decide(segment, "input", int(text[1:]))
        return
    if scene.timm or (text[-1] in "bk" and scene.any_domain("dual")):
        decide(segment, "identifier", text)
