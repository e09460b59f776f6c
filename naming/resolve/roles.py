"""The parts that several architectures play in one name."""

from __future__ import annotations

from naming.domains import domain_of
from naming.resolve.scene import Scene

_DISTILL = frozenset(["distill", "distilled", "distil", "distillation"])
_ADD_ONS = frozenset(["controlnet", "t2i-adapter", "ip-adapter", "lcm-lora"])


def settle_roles(scene: Scene) -> None:
    """Give every architecture its role.

    One alone is `main`. Of several: `A2B` is encoder and decoder; a detector or segmenter is main and the net behind it
    its backbone; a language model inside a vision-language or audio model is its decoder; what stands before
    "distill" teaches the one behind it, and what "distilled from" names is a teacher; what a ControlNet is built on, or
    "based on" names, is the base.
    """
    places = scene.architectures()
    if not places:
        return
    segments = scene.segments
    for place in places:
        if segments[place].role == "teacher":
            continue
        alone = len(places) == 1 or sum(segments[other].role != "teacher" for other in places) == 1
        _lone_role(scene, place, alone=alone)
    mains = [place for place in places if segments[place].role == "main"]
    if len(mains) == 1 and _is_inside_product(scene, mains[0]):
        segments[mains[0]].role = "decoder"
        return
    if len(mains) < 2:
        return
    left = mains[0]
    for right in mains[1:]:
        a, b = segments[left], segments[right]
        a.role, b.role = _pair(scene, left, right)
        if b.role == "main" or a.role not in ("main", "encoder"):
            left = right


def _lone_role(scene: Scene, place: int, *, alone: bool) -> None:
    segments = scene.segments
    segment = segments[place]
    before = scene.key(place - 1)
    if before in ("from", "basedon") or (before == "on" and scene.key(place - 2) in ("based", "trained", "built")):
        distilled = any(s.category == "adaptation" and s.value == "distilled" for s in segments[:place])
        segment.role = "teacher" if distilled and before == "from" else "base"
        return
    if alone:
        segment.role = "main"


def _is_inside_product(scene: Scene, place: int) -> bool:
    """Whether a language model is the decoder of the vision-language brand before it (`LLaVA-Video-7B-Qwen2`)."""
    if domain_of(str(scene.segments[place].value)) != "llm":
        return False
    for other in scene.segments[:place]:
        family = other.entry.get("family") if other.category == "product" and other.entry is not None else None
        if family and domain_of(str(family)) == "vlm":
            return True
    return False


def _pair(scene: Scene, left: int, right: int) -> tuple[str, str]:
    """Roles of two neighbouring architectures."""
    a, b = scene.segments[left], scene.segments[right]
    between = scene.segments[left + 1 : right]
    if any(s.key in _DISTILL or (s.category == "adaptation" and s.value == "distilled") for s in between):
        return "teacher", "main"
    if b.note == "converted":
        return "base", "main"
    arrow = len(between) == 1 and between[0].key in _ARROWS and between[0].category in _ARROW_CATEGORIES
    if a.value == b.value and not arrow:
        return "main", "main"
    if arrow:
        between[0].category, between[0].value = "other", between[0].key
        return "encoder", "decoder"
    if b.value in _ADD_ONS and domain_of(str(a.value)) == "diffusion":
        return "base", "main"  # `sd-controlnet-canny`
    if (scene.timm and b.start < scene.tag_from) or a.value in _ADD_ONS:
        return "main", "base"
    sized = [s.category == "parameters" for s in between]
    if any(sized) and domain_of(str(a.value)) == domain_of(str(b.value)) == "llm":
        return "main", "teacher"  # `Qwen2.5-14B-DeepSeek-R1`: the size is the first one's
    if a.value == "dpr":
        return "main", "backbone"
    return _by_domain(domain_of(str(a.value)), domain_of(str(b.value)))


def _by_domain(first: str, second: str) -> tuple[str, str]:
    """Roles from the kinds of the two families; both are main where their kinds do not tell."""
    for firsts, seconds, roles in _DOMAIN_ROLES:
        if first in firsts and second in seconds:
            return roles
    return "main", "main"


_ARROWS = frozenset(["2", "to"])
_ARROW_CATEGORIES = frozenset(["other", "version", "identifier"])
_ANY = ("llm", "vlm", "gpt", "encoder", "seq2seq", "vision", "dual", "detector", "speech", "diffusion")
_DOMAIN_ROLES: tuple[tuple[tuple[str, ...], tuple[str, ...], tuple[str, str]], ...] = (
    (("detector",), ("vision", "dual", "encoder", ""), ("main", "backbone")),
    (("dual",), ("vision", "encoder"), ("main", "backbone")),
    (("vlm",), ("llm", "gpt", "seq2seq"), ("main", "decoder")),
    (("vlm",), ("vision", "dual"), ("main", "encoder")),
    (("speech",), ("llm", "gpt", "seq2seq"), ("encoder", "decoder")),
    (("vision",), ("gpt", "encoder", "seq2seq", "llm"), ("encoder", "decoder")),
    (("vision",), ("vision",), ("main", "base")),
    (("encoder",), ("vision", "dual"), ("main", "teacher")),
    (("llm",), ("encoder",), ("main", "base")),
    (("llm",), ("llm",), ("base", "main")),
    ((*_ANY, ""), ("diffusion",), ("main", "base")),
)  # fmt: skip
"""Kinds of the first and of the second family -> their roles."""
