"""The parts that several architectures play in one name."""

from __future__ import annotations

from naming.domains import domain_of
from naming.resolve.scene import Scene
from naming.segment import Segment

_TEACHING = frozenset(["gpt4", "gpt-4", "gpt35", "gpt3.5", "chatgpt", "claude", "davinci"])
_FROM = frozenset(["from", "basedon", "on", "of", "by", "with", "using", "via"])
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
    segments = scene.segments
    for place in places:
        if segments[place].role == "teacher":
            continue
        _lone_role(scene, place, alone=sum(segments[other].role != "teacher" for other in places) == 1)
    mains = [place for place in places if segments[place].role == "main"]
    if len(mains) < 2:
        return
    for left, right in zip(mains, mains[1:], strict=False):
        a, b = segments[left], segments[right]
        if a.role != "main" or b.role != "main":
            continue
        a.role, b.role = _pair(scene, left, right)


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


def _pair(scene: Scene, left: int, right: int) -> tuple[str, str]:
    a, b = scene.segments[left], scene.segments[right]
    first, second = domain_of(str(a.value)), domain_of(str(b.value))
    between = scene.segments[left + 1 : right]
    if any(s.key in _DISTILL or (s.category == "adaptation" and s.value == "distilled") for s in between):
        return "teacher", "main"
    if b.note == "converted":
        return "base", "main"
    if str(a.value) == str(b.value) and not any(s.key == "2" for s in between):
        return "main", "main"
    if (
        len(between) == 1
        and between[0].key in ("2", "to")
        and between[0].category in ("other", "version", "identifier")
    ):
        between[0].category, between[0].value = "other", between[0].key
        return "encoder", "decoder"
    if scene.timm and b.start < scene.tag_from:
        return "main", "base"
    if str(a.value) in _ADD_ONS:
        return "main", "base"
    if second == "diffusion":
        return "main", "base"
    if first == "detector" and second in ("vision", "dual", "encoder", ""):
        return "main", "backbone"
    if first == "dual" and second in ("vision", "encoder"):
        return "main", "backbone"
    if first in ("vlm", "speech") and second in ("llm", "gpt", "seq2seq"):
        return ("main", "decoder") if first == "vlm" else ("encoder", "decoder")
    if first == "vision" and second in ("gpt", "encoder", "seq2seq", "llm"):
        return "encoder", "decoder"
    if first == "vision" and second == "vision":
        return "main", "base"
    if str(a.value) == "dpr":
        return "main", "backbone"
    if first == "encoder" and second in ("vision", "dual"):
        return "main", "teacher"
    if first == "llm" and second == "encoder":
        return "main", "base"
    if first == "llm" and second == "llm":
        return "base", "main"
    return "main", "main"


def is_ambiguous(segment: Segment, mains: int) -> bool:
    """Whether a main architecture is one of several candidates."""
    return mains > 1 or segment.fused
