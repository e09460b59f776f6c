"""Which segments name an architecture: family words that are also ordinary words need evidence beside them."""

from __future__ import annotations

import re

from naming.domains import domain_of
from naming.lexicon import Entry, family_of
from naming.resolve.scene import PATCHES, Scene, decide, meaning
from naming.segment import Segment

_SIZED_VIT = re.compile(r"vit[sblhg]")
_EVIDENCE = frozenset(
    ["size", "dataset", "task", "training", "adaptation", "quantization", "dtype", "format", "language", "input"]
)
_SHAPES = frozenset(
    [
        "parameters", "experts_each", "active", "effective", "version", "dotted", "layers", "hidden", "patch", "bits",
        "gguf", "integers", "pair", "weights",
    ]
)  # fmt: skip
_COINED = frozenset(
    [
        "bart", "beit", "clip", "cvt", "deit", "detr", "diffusion", "donut", "dpr", "dpt", "esm", "evolla", "flava",
        "fnet", "fsmt", "fuyu", "glm", "glpn", "gpt", "hiera", "jamba", "led", "lilt", "mellum", "mpt", "pegasus",
        "perceiver", "pvt", "sd", "swin", "trocr", "udop", "vit", "vits", "whisper", "xlm", "yoso",
    ]
)  # fmt: skip
"""Words flagged because they hide in longer words or are rare words: alone between separators they are the model."""
_CONJUNCTIONS = frozenset(["or", "vs", "versus"])
"""Words between things (`donut-or-bagel`), never between a family and its size."""
_INNER_CAPITAL = re.compile(r"[A-Z][a-z]{1,2}[A-Z][a-z]{0,2}$")
"""Spellings like DiT, ViT, DeiT or LiLT, which no ordinary word has."""
_MENTION_AFTER = frozenset(["generated", "detector", "detection", "style"])
"""`stable-diffusion-prompt-generator`, `chatgpt-detector`: the model is about that other model."""
_MENTION_BEFORE = frozenset(["for", "like", "vs", "against", "not", "no", "without", "non", "baked"])


def settle_architectures(scene: Scene) -> None:
    """Decide every segment with a family meaning that the name supports, and collect the domains of those families."""
    candidates = _candidates(scene)
    if not candidates:
        return
    for place, entry in reversed(candidates):
        if entry.value == "vits" and _SIZED_VIT.fullmatch(scene.segments[place].key) and scene.glued(place + 1):
            _split_size(scene, place)
            candidates = _candidates(scene)
    strong = [
        where
        for where, entry in candidates
        if not entry.word or (scene.segments[where].key in _COINED and len(scene.segments[where].entries) == 1)
    ]
    for place, entry in candidates:
        segment = scene.segments[place]
        rivals = any(other != place for other in strong)
        if _is_no_family(scene, place, entry, others=len(candidates) > 1, rivals=rivals):
            continue
        other = _other_role(scene, place, len(candidates), entry)
        if other:
            decide(segment, other, scene.folded[segment.start : segment.end])
            continue
        family = family_of(entry)
        if entry.get("generations") and entry.value in entry.get("accepts", ()):
            family = str(entry.value)  # without a number the word stands for itself: `gemma-7b`, `Qwen-7B`
        decide(segment, "architecture", family, entry)
        segment.role = "main"
        domain = domain_of(family)
        if domain:
            scene.domains.add(domain)


def _is_no_family(scene: Scene, place: int, entry: Entry, *, others: bool, rivals: bool) -> bool:
    """Whether a family's word is left to its other meanings here."""
    segment = scene.segments[place]
    if scene.key(place + 1) in _CONJUNCTIONS or scene.key(place - 1) in _CONJUNCTIONS:
        return True
    if entry.get("separated") and len(segment.text) == len(segment.key):
        return True
    if scene.timm and place:
        return False
    if not entry.word:
        return False
    if _is_brand(segment) or not _supported(scene, place, entry, others=others, strong=rivals):
        return True
    if len(segment.entries) == 1:
        return False
    return _other_meaning_wins(scene, place, segment, strong=rivals) or (
        bool(entry.get("outside")) and rivals and others
    )


def _other_role(scene: Scene, place: int, candidates: int, entry: Entry) -> str:
    """The category of a family's word that stands for something else; empty when it stands for the family."""
    segment = scene.segments[place]
    if scene.timm and place and not _is_timm_base(scene, segment, entry):
        return "training" if segment.start > scene.tag_from else "other"
    if _is_variant_of_earlier(scene, place, segment):
        return "product"
    return "other" if _mentioned(scene, place, candidates) else ""


def _is_timm_base(scene: Scene, segment: Segment, entry: Entry) -> bool:
    """Whether a second family in timm's architecture part is what the net was taken from (`vit_..._clip`)."""
    return segment.start < scene.tag_from and domain_of(family_of(entry)) in ("vision", "dual", "detector")


def _is_brand(segment: Segment) -> bool:
    """Whether a registered type is better known as a brand with releases in several families (`gte`)."""
    brand = meaning(segment, "product")
    return brand is not None and bool(brand.get("family"))


def _is_variant_of_earlier(scene: Scene, place: int, segment: Segment) -> bool:
    """Whether the word is a variant of the family before it (`Llama-3.1-Nemotron`: made by Nemotron's recipe)."""
    return any(
        earlier.category == "architecture"
        and earlier.entry is not None
        and segment.key in (earlier.entry.get("with") or ())
        for earlier in scene.segments[:place]
    )


def _candidates(scene: Scene) -> list[tuple[int, Entry]]:
    # a family's meaning, where there is one, stands first (see naming.lexicon.PRIORITY)
    return [
        (place, segment.entries[0])
        for place, segment in enumerate(scene.segments)
        if segment.entries and segment.entries[0].category == "architecture"
    ]


def _split_size(scene: Scene, place: int) -> None:
    """`vits8` is ViT, small, patches of 8; not the speech model VITS."""
    behind = scene.key(place + 1)
    if not (behind.isdigit() and int(behind[:4]) in PATCHES):
        return
    scene.split(place, 3)
    scene.segments[place].entries = scene.lexicon.entries("vit", "architecture")
    scene.segments[place + 1].entries = scene.lexicon.entries(scene.key(place + 1), "size")


def _supported(scene: Scene, place: int, entry: Entry, *, others: bool, strong: bool) -> bool:
    """Whether an ordinary word stands for a family here."""
    segment = scene.segments[place]
    text = segment.text
    if _INNER_CAPITAL.match(text):
        return True
    if len(text) > 1 and text.isupper() and not scene.repo.isupper():
        return not strong or place == 0 or _beside_evidence(scene, place) or _beside_architecture(scene, place)
    if any(character.isdigit() for character in segment.key) or entry.joints:
        return True
    behind = scene.segments[place + 1] if place + 1 < len(scene.segments) else None
    generations = entry.get("generations")
    if (
        generations
        and behind is not None
        and (
            behind.kind in ("integer", "dotted", "release")
            or behind.key in generations
            or (behind.kind == "lettered" and any(known[0] == behind.key[0] for known in generations))
        )
    ):
        return True
    if segment.key == "diffusion":
        return place == len(scene.segments) - 1
    if segment.key in _COINED and (place == 0 or len(segment.entries) == 1):
        return True
    if scene.timm and segment.start < scene.tag_from:
        return True
    if len(scene.segments) == 1 or (len(scene.segments) == 2 and place == 0 and _sized(scene, place)):
        return True  # `canine`, `canine-s`
    if strong and others:
        return _sized(scene, place) or _beside_architecture(scene, place)
    return _beside_evidence(scene, place) or (place in (0, len(scene.segments) - 1) and _any_evidence(scene))


def _beside_evidence(scene: Scene, place: int, near: int = 2) -> bool:
    for other in range(max(0, place - near), min(len(scene.segments), place + near + 1)):
        if other != place and _is_evidence(scene.segments[other]):
            return True
    return False


def _sized(scene: Scene, place: int) -> bool:
    """Whether a size or another dimension stands right behind."""
    if place + 1 >= len(scene.segments):
        return False
    behind = scene.segments[place + 1]
    return behind.kind in _SHAPES or meaning(behind, "size") is not None


def _any_evidence(scene: Scene) -> bool:
    return any(_is_evidence(segment) for segment in scene.segments)


def _is_evidence(segment: Segment) -> bool:
    if segment.kind in _SHAPES:
        return True
    return any(entry.category in _EVIDENCE and not entry.word for entry in segment.entries)


def _beside_architecture(scene: Scene, place: int) -> bool:
    return any(
        0 <= other < len(scene.segments) and meaning(scene.segments[other], "architecture") is not None
        for other in (place - 1, place + 1)
    )


def _other_meaning_wins(scene: Scene, place: int, segment: Segment, *, strong: bool) -> bool:
    """Whether a segment that could be a family is rather its other meaning, because a clearer family is there."""
    if not strong:
        return False
    entry = meaning(segment, "architecture")
    if entry is None or not entry.word or len(segment.key) > 4:
        return False
    if scene.timm:
        return segment.start > scene.tag_from
    behind = scene.segments[place + 1].kind if place + 1 < len(scene.segments) else ""
    if entry.get("generations") and behind in ("integer", "dotted", "release"):
        return False
    return not (_sized(scene, place) or _beside_architecture(scene, place))


def _mentioned(scene: Scene, place: int, candidates: int) -> bool:
    after = scene.key(place + 1)
    if after.startswith("prompt") or (candidates > 1 and after in _MENTION_AFTER):
        return True
    return scene.key(place - 1) in _MENTION_BEFORE
