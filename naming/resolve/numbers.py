"""What the numbers of a name mean: parameters, versions, layers, resolutions, context lengths, counters ..."""

# ruff: noqa: ARG001 (the functions of one registry share their arguments)

from __future__ import annotations

import re
from collections.abc import Callable

from naming.domains import domain_of
from naming.resolve.scene import Scene, decide
from naming.segment import Segment

_NUMBER = re.compile(r"\d+(?:\.\d+)?")
_UNITS = {"k": 1_000, "m": 1_000_000, "b": 1_000_000_000, "t": 1_000_000_000_000}
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
PATCHES = frozenset([4, 7, 8, 10, 14, 16, 28, 32])
_LAYER_COUNTS = frozenset(["1", "2", "3", "4", "6", "8", "9", "12", "16", "24"])
_VISION = ("vision", "dual", "detector", "diffusion")
_TEXT = ("encoder", "seq2seq", "llm", "gpt", "vlm")
_GENERATIONAL = frozenset(["llm", "vlm", "diffusion"])
_IMAGENET = {"1k": "imagenet-1k", "21k": "imagenet-21k", "22k": "imagenet-22k", "12k": "imagenet-12k"}
_QUANTIZED = frozenset(["gptq", "awq", "autogptq", "exl2", "hqq", "bnb", "autoround", "int4", "4bit", "w4a16"])


def count(text: str) -> int:
    """Read a number with a unit: `1.3b`, `6_9b`, `7b1`, `410m`.

    Raises:
        ValueError: the text holds no number.
    """
    joined = re.fullmatch(r"(\d{1,3})b(\d{1,2})", text)
    if joined:
        return round(float(f"{joined[1]}.{joined[2]}") * 1e9)
    plain = text.replace("_", ".").lstrip("ae")
    found = _NUMBER.match(plain)
    if found is None:
        raise ValueError(f"no number in {text!r}")
    unit = plain[found.end() : found.end() + 1]
    return round(float(found[0]) * _UNITS.get(unit, 1))


def settle_shapes(scene: Scene) -> None:
    """Decide numeric items whose shape alone (or nearly) says what they are."""
    for place, segment in scene.undecided():
        handler = _HANDLERS.get(segment.kind)
        if handler is not None and not _lexical(segment):
            handler(scene, place, segment)


def settle_numbers(scene: Scene) -> None:
    """Decide bare numbers from what stands around them."""
    for place, segment in scene.undecided():
        if segment.kind == "integer":
            _integer(scene, place, segment)
        elif segment.kind == "dotted":
            _dotted(scene, place, segment)
        elif segment.kind == "kilo":
            _kilo(scene, place, segment)
        elif segment.kind in ("lettered", "coded"):
            _lettered(scene, place, segment)


def _lexical(segment: Segment) -> bool:
    """Whether the lexicons know the item better than its shape does."""
    return any(not entry.word and entry.category != "other" for entry in segment.entries)


def _folded(scene: Scene, segment: Segment) -> str:
    return scene.folded[segment.start : segment.end]


def _digits(text: str) -> int:
    found = re.search(r"\d+", text)
    return int(found[0][:18]) if found else 0


def _parameters(scene: Scene, place: int, segment: Segment) -> None:
    text = _folded(scene, segment)
    if text.endswith("t"):
        decide(segment, "identifier", text)
        return
    if text.endswith("m") and any(other.category == "parameters" for other in scene.segments[:place]):
        decide(segment, "context", context_length(text))  # `Qwen2.5-7B-Instruct-1M`
        return
    if scene.could_be(place - 1, "dataset") and text.endswith("b") and scene.any_domain("dual", "vision"):
        decide(segment, "identifier", text)
        return
    if text.endswith("m") and "." not in text and scene.any_domain("dual", "vision") and scene.timm:
        decide(segment, "identifier", text)
        return
    scene.parameters = True
    decide(segment, "parameters", count(text))


def _experts_each(scene: Scene, place: int, segment: Segment) -> None:
    experts, each = _folded(scene, segment).split("x", 1)
    if experts.endswith("b"):
        experts, each = each, experts  # `3Bx4`
    scene.parameters = True
    decide(segment, "parameters", {"experts": int(experts), "each": count(each)})


def _active(scene: Scene, place: int, segment: Segment) -> None:
    decide(segment, "parameters", {"active": count(_folded(scene, segment))})


def _effective(scene: Scene, place: int, segment: Segment) -> None:
    scene.parameters = True
    decide(segment, "parameters", count(_folded(scene, segment)))


def _version(scene: Scene, place: int, segment: Segment) -> None:
    decide(segment, "version", version_value(_folded(scene, segment)))


def _release(scene: Scene, place: int, segment: Segment) -> None:
    text = _folded(scene, segment)
    if text[0] == "q" and _is_abbreviated_family(scene):
        _split_family(scene, place, "qwen")  # `DS-R1-Distill-Q2.5-10B`
        return
    decide(segment, "version", _folded(scene, segment))


def version_value(text: str) -> str:
    """A written version without its `v`: `v1_5` and `v1-5` are 1.5, ControlNet's `v11p` is 1.1."""
    production = re.fullmatch(r"v(\d)(\d)p", text)
    if production:
        return f"{production[1]}.{production[2]}"
    value = re.sub(r"^(?:version|ver|v|rev|release)[-_.]?", "", text)
    value = re.sub(r"(?<=\d)[-_p](?=\d)", ".", value)
    return value.strip("-_.")


def _quantization(scene: Scene, place: int, segment: Segment) -> None:
    decide(segment, "quantization", re.sub(r"[-_](?=bit)|(?<=int)[-_]", "", _folded(scene, segment)))


def _layers(scene: Scene, place: int, segment: Segment) -> None:
    text = _folded(scene, segment)
    if text[0] == "l" and text[1:].isdigit() and not scene.any_domain(*_TEXT, "speech") and "product" not in text:
        decide(segment, "identifier", text) if int(text[1:]) > 100 else decide(segment, "layers", int(text[1:]))
        return
    decide(segment, "layers", _digits(text))


def _llama(scene: Scene, place: int, segment: Segment) -> None:
    """`airoboros-l2-13B`, `L3.1-8B-...`: a Llama generation where a language model's size is stated and no family."""
    text = _folded(scene, segment)
    if _is_abbreviated_family(scene):
        _split_family(scene, place, "llama")
    elif "." not in text:
        _layers(scene, place, segment)


def _is_abbreviated_family(scene: Scene) -> bool:
    """Whether a language model's size is stated and no family."""
    return not scene.architectures() and any(other.kind in ("parameters", "experts_each") for other in scene.segments)


def _split_family(scene: Scene, place: int, family: str) -> None:
    scene.split(place, 1)
    letter, number = scene.segments[place], scene.segments[place + 1]
    decide(letter, "architecture", family, next(iter(scene.lexicon.entries(family, "architecture")), None))
    letter.role = "main"
    scene.domains.add("llm")
    decide(number, "version", _folded(scene, number))


def _hidden(scene: Scene, place: int, segment: Segment) -> None:
    text = _folded(scene, segment)
    size = _digits(text)
    if size >= 32 and (text.startswith("hidden") or (text[0] == "h" and size % 2 == 0 and _dimensions(scene, place))):
        decide(segment, "hidden", size)


def _heads(scene: Scene, place: int, segment: Segment) -> None:
    text = _folded(scene, segment)
    if text.startswith("head") or (text[0] == "a" and scene.category(place - 1) == "hidden"):
        decide(segment, "heads", _digits(text))


def _dimensions(scene: Scene, place: int) -> bool:
    """Whether a number of layers stands beside, so that a single letter is a dimension's."""
    return scene.category(place - 1) == "layers" or (
        scene.segments[place].key.startswith("h")
        and (
            "layers"
            in {scene.segments[other].kind for other in range(max(0, place - 2), min(len(scene.segments), place + 3))}
        )
    )


def _patch(scene: Scene, place: int, segment: Segment) -> None:
    text = _folded(scene, segment)
    if text.startswith("patch") or (scene.any_domain("vision", "dual") and _digits(text) in PATCHES):
        decide(segment, "input", f"patch{_digits(text)}")


def _window(scene: Scene, place: int, segment: Segment) -> None:
    if scene.any_domain("vision", "detector") or segment.key.startswith("window"):
        decide(segment, "input", segment.key)


def _context(scene: Scene, place: int, segment: Segment) -> None:
    decide(segment, "context", context_length(_folded(scene, segment)))


def context_length(text: str) -> int:
    """Tokens that a length stands for: k is 1,024 for powers of two, else 1,000; m is a million."""
    number = _digits(text)
    if text.endswith("k"):
        return number * (1024 if number & (number - 1) == 0 else 1000)
    if text.endswith("m"):
        return number * 1_000_000
    return number


def _counter(scene: Scene, place: int, segment: Segment) -> None:
    decide(segment, "identifier", _folded(scene, segment))


def _amount(scene: Scene, place: int, segment: Segment) -> None:
    decide(segment, "dataset", _folded(scene, segment))


def _labels(scene: Scene, place: int, segment: Segment) -> None:
    decide(segment, "other", _folded(scene, segment))


def _rate(scene: Scene, place: int, segment: Segment) -> None:
    decide(segment, "input", _folded(scene, segment).replace("-", "").replace("_", ""))


def _pair(scene: Scene, place: int, segment: Segment) -> None:
    decide(segment, "input", _folded(scene, segment))


def _span(scene: Scene, place: int, segment: Segment) -> None:
    decide(segment, "input" if scene.any_domain(*_VISION) else "identifier", segment.key)


def _pixels(scene: Scene, place: int, segment: Segment) -> None:
    decide(segment, "input", _digits(segment.key))


def _group(scene: Scene, place: int, segment: Segment) -> None:
    decide(segment, "quantization", segment.key)


def _scale(scene: Scene, place: int, segment: Segment) -> None:
    decide(segment, "other" if _digits(segment.key) <= 16 else "identifier", segment.key)


def _suffixed(scene: Scene, place: int, segment: Segment) -> None:
    text = segment.key
    number, letter = int(text[:-1]), text[-1]
    family = scene.segments[place - 1].entry if scene.category(place - 1) == "architecture" else None
    if family is not None and (text in family.get("with", ()) or text in family.get("generations", ())):
        decide(segment, "version", text)  # `gemma-3n`
    elif scene.category(place - 1) == "architecture" and scene.glued(place) and scene.any_domain("vision"):
        scene.split(place, len(text) - 1)  # `resnet50d`: depth and stem
        decide(scene.segments[place], "size", text[:-1])
        decide(scene.segments[place + 1], "other", letter)
    elif letter == "g":
        if number in (32, 64, 128, 256, 1024) and (scene.parameters or scene.any_domain("llm")):
            decide(segment, "quantization", text)
        else:
            decide(segment, "dataset", f"{number}gb")
    elif letter == "e":
        if scene.parameters and number >= 4:
            decide(segment, "parameters", {"experts": number})
        else:
            decide(segment, "identifier", text)
    elif letter == "x":
        decide(segment, "other", text)
    elif (
        letter == "h" and number <= 128 and (scene.category(place + 1) == "hidden" or scene.key(place + 1)[-1:] == "d")
    ):
        decide(segment, "heads", number)
    elif letter == "d" and number >= 32:
        decide(segment, "hidden", number)
    elif letter in "ws" and scene.any_domain("vision"):
        decide(segment, "size", text)
    else:
        decide(segment, "other", text)


_HANDLERS: dict[str, Callable[[Scene, int, Segment], None]] = {
    "parameters": _parameters, "experts_each": _experts_each, "active": _active, "effective": _effective,
    "version": _version,
    "release": _release,
    "steps": _counter,
    "learning_rate": _counter, "bits": _quantization, "bpw": _quantization, "gguf": _quantization, "weights": _quantization,
    "integers": _quantization, "group": _group, "llama": _llama, "layers": _layers, "hidden": _hidden, "heads": _heads,
    "patch": _patch, "window": _window, "context": _context, "counter": _counter, "amount": _amount,
    "labels": _labels, "rate": _rate, "pair": _pair, "span": _span, "pixels": _pixels, "scale": _scale,
    "suffixed": _suffixed, "date": _counter,
}  # fmt: skip


def _integer(scene: Scene, place: int, segment: Segment) -> None:
    if segment.category:
        return
    text = segment.key
    behind = scene.segments[place + 1] if place + 1 < len(scene.segments) else None
    if text == "2" and scene.category(place - 1) == "architecture" == scene.category(place + 1):
        decide(segment, "other", text)  # `wav2vec2-2-bart`: encoder to decoder
        return
    if (
        behind is not None
        and behind.key == text
        and not behind.category
        and int(text[:6]) in RESOLUTIONS
        and len(text) > 2
    ):
        joined = scene.join(place, place + 1)  # `512-512`
        decide(joined, "input", f"{text}x{text}")
        return
    if len(text) > 5:
        decide(segment, "identifier", text)
        return
    number = int(text)
    before = scene.segments[place - 1] if place else None
    if before is not None and before.category == "architecture":
        if behind is not None and _is_spelled_generation(before, segment, behind, scene):
            joined = scene.join(place, place + 1)  # `llama-3_1`, `stable-diffusion-2-1`
            decide(joined, "version", f"{text}.{behind.key}")
            return
        if _is_generation(scene, place, before, text):
            decide(segment, "version", generation_value(before, text))
            return
        if scene.any_domain("vision", "detector", "dual", "speech") and domain_of(str(before.value)) in (
            "vision", "detector", "speech", "",
        ) and len(text) <= 3 and not (number in RESOLUTIONS and len(text) == 3):  # fmt: skip
            decide(segment, "size", text)
            return
    if (
        number in PATCHES
        and before is not None
        and before.category == "size"
        and (scene.any_domain("vision", "dual") or (scene.any_domain("vlm") and len(before.key) == 1))
    ):
        decide(segment, "input", f"patch{number}")
        return
    if scene.any_domain(*_VISION):
        if number in RESOLUTIONS and number >= 32:
            decide(segment, "input", number)
            return
    if behind is not None and _is_layer_pair(scene, place, segment, behind):
        decide(segment, "layers", number)
        decide(behind, "layers", int(behind.key))
        return
    if before is not None and before.category == "layers" and number >= 64:
        decide(segment, "hidden", number)
        return
    if number >= 256 and number & (number - 1) == 0 and _reads_text(scene, number):
        decide(segment, "context", number)
        return
    if _is_date(text) and place >= 1:
        decide(segment, "identifier", text)
        return
    if before is not None and before.category == "product" and len(text) <= 2:
        decide(segment, "version", text)
        return
    if (
        before is not None
        and before.kind == "word"
        and before.category in ("training", "task")
        and len(text) <= 3
        and (scene.category(place + 1) in ("architecture", "parameters"))
    ):
        decide(segment, "version", text)
        return
    decide(segment, "identifier", text)


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


def _is_layer_pair(scene: Scene, place: int, segment: Segment, behind: Segment) -> bool:
    """`distilbart-xsum-12-6`: layers of the encoder and the decoder of a distilled encoder-decoder."""
    return (
        behind.kind == "integer"
        and place + 2 == len(scene.segments)
        and segment.key in _LAYER_COUNTS
        and behind.key in _LAYER_COUNTS
        and scene.any_domain("seq2seq")
        and any(other.value == "distilled" for other in scene.segments)
    )


def _is_generation(scene: Scene, place: int, before: Segment, text: str) -> bool:
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
    text = _folded(scene, segment)
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
    elif (scene.any_domain("llm", "vlm") or scene.parameters) and _digits(text) <= LONGEST_CONTEXT:
        decide(segment, "context", context_length(text))
    elif scene.any_domain("encoder"):
        if _digits(text) in (1, 2, 4, 8, 16):
            decide(segment, "context", context_length(text))
        else:
            decide(segment, "input", f"vocab-{text}")
    elif scene.any_domain("seq2seq") and _digits(text) in (4, 8, 16):
        decide(segment, "context", context_length(text))
    else:
        decide(segment, "identifier", text)


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
        sized = re.fullmatch(r"(ti|xs|[tsblhg])(8|14|16|32)", text)
        if sized and scene.any_domain("vision", "dual", "vlm"):
            scene.split(place, len(sized[1]))  # `vilt-b32`: size and patch
            decide(scene.segments[place], "size", sized[1])
            decide(scene.segments[place + 1], "input", f"patch{sized[2]}")
            return
        if domain_of(str(before.value)) in ("vision", "detector"):
            decide(segment, "size", text)
            return
    if scene.timm or (text[-1] in "bk" and scene.any_domain("dual")):
        decide(segment, "identifier", text)
