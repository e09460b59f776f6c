"""Numeric items whose shape alone, or nearly, says what they are: `7B`, `v1.5`, `L-12`, `patch16`, `Q4_K_M`."""

# ruff: noqa: ARG001 (the functions of one registry share their arguments)

from __future__ import annotations

import re
from collections.abc import Callable

from naming.resolve.languages import CODE_LENGTH
from naming.resolve.quantities import context_length, count, digits_of, version_value
from naming.resolve.scene import PATCHES, Scene, decide, meaning
from naming.segment import Segment

_VISION = ("vision", "dual", "detector", "diffusion")
FEWEST_EXPERTS = 4
"""Experts that a name may state with `E`; fewer are epochs."""
_SHORT_SIGHTED = ("vision", "dual", "detector", "speech", "encoder")
"""Kinds of models of which none reads millions of tokens."""
_TEXT = ("encoder", "seq2seq", "llm", "gpt", "vlm")
_ABOUT_DATA = frozenset(["ablation", "ablations"])
"""Words for models that compare data sets."""


def settle_shapes(scene: Scene) -> None:
    """Decide numeric items whose shape alone (or nearly) says what they are."""
    for place, segment in scene.undecided():
        handler = _HANDLERS.get(segment.kind)
        if handler is not None and not (segment.entries and _lexical(segment)):
            handler(scene, place, segment)


def _lexical(segment: Segment) -> bool:
    """Whether the lexicons know the item better than its shape does."""
    return any(not entry.word and entry.category != "other" for entry in segment.entries)


def _folded(scene: Scene, segment: Segment) -> str:
    return scene.folded[segment.start : segment.end]


def _parameters(scene: Scene, place: int, segment: Segment) -> None:
    text = _folded(scene, segment)
    if text.endswith("t"):
        scene.parameters = scene.parameters or _is_whole_model(scene, place)
        decide(segment, *(("parameters", count(text)) if _is_whole_model(scene, place) else ("identifier", text)))
        return
    if text.endswith("m") and _counts_data(scene, place):
        decide(segment, "dataset", text)
        return
    if text.endswith("m") and any(other.category == "parameters" for other in scene.segments[:place]):
        if "." in text or scene.any_domain(*_SHORT_SIGHTED):
            decide(segment, "identifier", text)  # `TinyCLIP-ViT-8M-16-Text-3M`
        else:
            decide(segment, "context", context_length(text))  # `Qwen2.5-7B-Instruct-1M`
        return
    if _counts_samples(scene, place, text):
        decide(segment, "identifier", text)
        return
    if text.endswith("m") and scene.timm and segment.start > scene.tag_from:
        decide(segment, "identifier", text)
        return
    scene.parameters = True
    decide(segment, "parameters", count(text))


def _counts_data(scene: Scene, place: int) -> bool:
    """Whether millions are samples or megabytes of training data.

    Of some brands they always are (`ChemBERTa-77M-MLM`, `BELLE-7B-2M`); elsewhere behind a language, where a size word
    has told how large the model is (`gpt2-small-indonesian-522M`).
    """
    before = scene.segments[:place]
    if any(entry.get("samples") for other in before for entry in other.entries):
        return True
    return (
        place == len(scene.segments) - 1
        and len(scene.key(place - 1)) > CODE_LENGTH
        and scene.could_be(place - 1, "language")
        and any(len(other.key) > 2 and meaning(other, "size") is not None for other in before)
    )


def _is_whole_model(scene: Scene, place: int) -> bool:
    """Whether trillions are parameters (`Ring-1T`): no other size is stated, and they stand right behind the model.

    Otherwise they are the tokens of its training (`TinyLlama-1.1B-3T`).
    """
    sizes = sum(other.kind in ("parameters", "experts_each", "effective") for other in scene.segments)
    before = scene.category(place - 1) in ("architecture", "version") or scene.could_be(place - 1, "product")
    return sizes == 1 and before


def _counts_samples(scene: Scene, place: int, text: str) -> bool:
    """Whether the number is of pairs or tokens that a model was trained on.

    Behind a collection of images and texts it is how many that holds (`laion-2b`, `merged-2b`), and so it is behind
    anything but the family of a model of both (`metaclip-b32-400m`, `CLIP-ViT-B-32-DataComp-s-34B`). Ablations of data
    tell their tokens.
    """
    if scene.any_domain("dual") and scene.category(place - 1) not in ("architecture", "version"):
        return True
    if text.endswith("b") and any(other.key in _ABOUT_DATA for other in scene.segments[:place]):
        return True
    if not text.endswith("b") or not scene.any_domain("vision") or not scene.could_be(place - 1, "dataset"):
        return False
    return any(
        entry.category == "dataset" and not entry.get("num_labels") for entry in scene.segments[place - 1].entries
    )


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


def _quantization(scene: Scene, place: int, segment: Segment) -> None:
    decide(segment, "quantization", re.sub(r"[-_](?=bit)|(?<=int)[-_]", "", _folded(scene, segment)))


def settle_size_and_patch(scene: Scene, place: int, segment: Segment) -> bool:
    """`vilt-b32`, `ViT-H-14`, `dinov3-vitl16`: the size and the patch of a model that sees; whether it is one."""
    found = _SIZE_AND_PATCH.fullmatch(_folded(scene, segment))
    if found is None or not scene.any_domain("vision", "dual", "vlm") or scene.any_domain("encoder", "seq2seq"):
        return False
    scene.split(place, len(found[1]), len(found[2]))
    decide(scene.segments[place], "size", found[1])
    decide(scene.segments[place + 1], "input", f"patch{found[3]}")
    return True


_SIZE_AND_PATCH = re.compile(r"(ti|xs|[tsblhg])([-_]?)(8|14|16|32)")


def _layers(scene: Scene, place: int, segment: Segment) -> None:
    text = _folded(scene, segment)
    if text[0] == "l" and scene.any_domain("vision", "dual"):
        if settle_size_and_patch(scene, place, segment):
            return
        if scene.category(place - 1) == "architecture" and len(text) == 2:
            decide(segment, "size", text)  # `nfnet_l0`, `efficientformer-l1`
            return
    if text[0] == "l" and text[1:].isdigit() and not scene.any_domain(*_TEXT, "speech") and "product" not in text:
        decide(segment, "identifier", text) if int(text[1:]) > 100 else decide(segment, "layers", int(text[1:]))
        return
    if digits_of(text) == 1 and scene.any_domain("vision", "dual"):
        decide(segment, "other", text)  # `dinov2-small-imagenet1k-1-layer`: of the head
        return
    decide(segment, "layers", digits_of(text))


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
    if settle_size_and_patch(scene, place, segment):
        return
    text = _folded(scene, segment)
    size = digits_of(text)
    if size >= 32 and (text.startswith("hidden") or (text[0] == "h" and size % 2 == 0 and _dimensions(scene, place))):
        decide(segment, "hidden", size)


def _heads(scene: Scene, place: int, segment: Segment) -> None:
    text = _folded(scene, segment)
    if text.startswith("head") or (text[0] == "a" and scene.category(place - 1) == "hidden"):
        decide(segment, "heads", digits_of(text))


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
    if text.startswith("patch") or (scene.any_domain("vision", "dual") and digits_of(text) in PATCHES):
        decide(segment, "input", f"patch{digits_of(text)}")


def _window(scene: Scene, place: int, segment: Segment) -> None:
    if scene.any_domain("vision", "detector") or segment.key.startswith("window"):
        decide(segment, "input", segment.key)


def _context(scene: Scene, place: int, segment: Segment) -> None:
    decide(segment, "context", context_length(_folded(scene, segment)))


def _counter(scene: Scene, place: int, segment: Segment) -> None:
    if place == 0 and len(scene.segments) > 1 and meaning(segment, "product") is not None:
        return  # `e5-large-v2`
    decide(segment, "identifier", _folded(scene, segment))


def _amount(scene: Scene, place: int, segment: Segment) -> None:
    decide(segment, "dataset", _folded(scene, segment))


def _labels(scene: Scene, place: int, segment: Segment) -> None:
    decide(segment, "other", _folded(scene, segment))


def _rate(scene: Scene, place: int, segment: Segment) -> None:
    decide(segment, "input", _folded(scene, segment).replace("-", "").replace("_", ""))


def _pair(scene: Scene, place: int, segment: Segment) -> None:
    decide(segment, "input", _folded(scene, segment))


def _cardinality(scene: Scene, place: int, segment: Segment) -> None:
    decide(segment, "size", segment.key)


def _span(scene: Scene, place: int, segment: Segment) -> None:
    decide(segment, "input" if scene.any_domain(*_VISION) else "identifier", segment.key)


def _pixels(scene: Scene, place: int, segment: Segment) -> None:
    decide(segment, "input", digits_of(segment.key))


def _group(scene: Scene, place: int, segment: Segment) -> None:
    decide(segment, "quantization", segment.key)


def _scale(scene: Scene, place: int, segment: Segment) -> None:
    decide(segment, "other" if digits_of(segment.key) <= 16 else "identifier", segment.key)


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
        _grams(scene, segment, number)
    elif letter == "e":
        experts = scene.parameters and number >= FEWEST_EXPERTS
        decide(segment, *(("parameters", {"experts": number}) if experts else ("identifier", text)))
    else:
        _dimension(scene, place, segment, number)


def _grams(scene: Scene, segment: Segment, number: int) -> None:
    """`128g` is a group size of quantization, `4g` four gigabytes of data."""
    if number in (32, 64, 128, 256, 1024) and (scene.parameters or scene.any_domain("llm")):
        decide(segment, "quantization", segment.key)
    else:
        decide(segment, "dataset", f"{number}gb")


def _dimension(scene: Scene, place: int, segment: Segment, number: int) -> None:
    letter = segment.key[-1]
    behind = scene.key(place + 1)
    if letter == "h" and number <= 128 and (scene.category(place + 1) == "hidden" or behind[-1:] == "d"):
        decide(segment, "heads", number)
    elif letter == "d" and number >= 32:
        decide(segment, "hidden", number)
    elif letter in "ws" and scene.any_domain("vision"):
        decide(segment, "size", segment.key)
    else:
        decide(segment, "other", segment.key)


_HANDLERS: dict[str, Callable[[Scene, int, Segment], None]] = {
    "parameters": _parameters, "experts_each": _experts_each, "active": _active, "effective": _effective,
    "version": _version, "release": _release, "steps": _counter, "learning_rate": _counter, "bits": _quantization,
    "bpw": _quantization, "gguf": _quantization, "weights": _quantization, "integers": _quantization, "group": _group,
    "llama": _llama, "layers": _layers, "hidden": _hidden, "heads": _heads, "patch": _patch, "window": _window,
    "context": _context, "counter": _counter, "amount": _amount, "labels": _labels, "rate": _rate, "pair": _pair,
    "cardinality": _cardinality, "span": _span, "pixels": _pixels, "scale": _scale, "suffixed": _suffixed,
    "date": _counter,
}  # fmt: skip
