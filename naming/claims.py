"""From components to claims: only statements that a package can be checked against."""

# ruff: noqa: ARG001 (the functions of one registry share their arguments)

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from naming._fast import claim
from naming.domains import domain_of
from naming.records import Claim, Modality
from naming.resolve.scene import Scene
from naming.segment import Segment

_ADAPTERS = frozenset(
    ["lora", "qlora", "dora", "peft", "adapter", "adapters", "loha", "lokr", "ia3", "delta", "lycoris"]
)
_VAGUE = frozenset(["gpt", "diffusion", "transformer"])
"""Words for several families; the value is the usual one."""
_SIMPLE = {
    "layers": "layers", "hidden": "hidden_size", "heads": "attention_heads", "dataset": "dataset", "task": "task",
    "version": "version", "context": "context", "dtype": "dtype", "format": "format", "language": "language",
}  # fmt: skip
"""Categories whose value is the claim's value."""


def claims_of(scene: Scene) -> list[Claim]:
    """Claims of a resolved name, in the order of the name."""
    claims: list[Claim] = []
    mains = 0
    quantized: dict[int, list[Claim]] = {}
    for segment in scene.segments:
        if segment.role == "main":
            mains += 1
        elif segment.category == "quantization" and not quantized:
            for start, made in _quantization(scene):
                quantized.setdefault(start, []).append(made)
    for place, segment in enumerate(scene.segments):
        category = segment.category
        kind = _SIMPLE.get(category)
        if kind is not None:
            claims.append(claim(kind, segment.value, segment.text))
            continue
        maker = _MAKERS.get(category)
        if maker is not None:
            claims += maker(scene, place, segment, mains)
        elif category == "quantization" and segment.start in quantized:
            claims += quantized[segment.start]
    return claims


def _text(scene: Scene, first: Segment, last: Segment | None = None) -> str:
    return scene.repo[first.start : (last or first).end]


def _family(scene: Scene, place: int, segment: Segment, mains: int) -> Sequence[Claim]:
    entry = segment.entry
    last = segment
    if segment.note not in ("", "converted") and scene.category(place + 1) == "version":
        last = scene.segments[place + 1]
    if segment.role == "backbone":
        return (_backbone(scene, place, segment),)
    if segment.role == "main" and entry is not None and _is_vague_brand(scene, segment):
        return ()
    modality: Modality = "stated"
    if segment.role == "main" and _is_one_of_several(scene, segment, mains):
        modality = "ambiguous"
    elif segment.fused:
        modality = "implied"
    if (entry is not None and entry.get("strength") == "usual") or segment.key in _VAGUE:
        modality = "ambiguous"
    accepts = accepts_of(segment)
    text = segment.text if last is segment else _text(scene, segment, last)
    return (claim("family", accepts[0], text, modality, segment.role, accepts),)


def _is_one_of_several(scene: Scene, segment: Segment, mains: int) -> bool:
    if mains > 1 and any(
        other.category == "architecture"
        and other.role == "main"
        and other.value != segment.value
        and other.key not in _VAGUE
        for other in scene.segments
    ):
        return True
    if domain_of(str(segment.value)) == "dual" and sum(other.role == "backbone" for other in scene.segments) > 1:
        return True  # `CLIP-RoBERTa-102M-ViT-L`: published as the whole, or as one of its towers
    return not segment.note and _over_another(scene, segment)


def _over_another(scene: Scene, segment: Segment) -> bool:
    """Whether another language model stands before this one without a word that tells their relation."""
    return domain_of(str(segment.value)) == "llm" and any(
        other.category == "architecture"
        and other.role == "base"
        and other.start < segment.start
        and domain_of(str(other.value)) == "llm"
        for other in scene.segments
    )


def accepts_of(segment: Segment) -> tuple[str, ...]:
    """Every model type under which an architecture's words are true, the usual one first.

    The value of `donut` is donut, but its packages are of the type vision-encoder-decoder.
    """
    family = str(segment.value)
    if segment.entry is None:
        return (family,)
    facts = segment.entry.attributes
    accepts: tuple[str, ...] = facts.get("accepts", ())
    if not accepts:
        return (family,)
    return _with_usual(accepts[0] if not facts.get("family") else family, accepts)


def _with_usual(family: str, accepts: tuple[str, ...]) -> tuple[str, ...]:
    """The accepted types with the usual one first."""
    if accepts and accepts[0] == family:
        return accepts
    return (family, *[accepted for accepted in accepts if accepted != family])


def _backbone(scene: Scene, place: int, segment: Segment) -> Claim:
    last = segment
    variant = None
    following = scene.segments[place + 1] if place + 1 < len(scene.segments) else None
    if following is not None and following.category in ("size", "layers"):
        variant, last = str(following.value), following
    value = {"family": segment.value, "variant": variant}
    return claim("backbone", value, _text(scene, segment, last), "stated", "backbone", accepts_of(segment))


def _product(scene: Scene, place: int, segment: Segment, mains: int) -> Sequence[Claim]:
    entry = segment.entry
    if entry is None or mains or not entry.get("family"):
        return ()
    if any(
        s.category == "architecture" and s.role not in ("teacher", "base") for s in scene.segments
    ) or _is_vague_brand(scene, segment):
        return ()
    modality: Modality = "implied" if entry.get("strength") == "always" else "ambiguous"
    family = entry.get("family")
    accepts = _with_usual(family, entry.get("accepts", ()))
    return (claim("family", family, segment.text, modality, "main", accepts),)


def _is_vague_brand(scene: Scene, segment: Segment) -> bool:
    """Whether a brand says nothing firm about the family.

    It is also the name of a data set; or its releases differ in family, and either they are encoders whose name has no
    family in it (`declutr`), or no size shows that a language model is meant.
    """
    entry = segment.entry
    if entry is None:
        return True
    if len(segment.entries) > 1:
        for meaning in segment.entries:
            if meaning.category == "dataset":
                return True
    facts = entry.attributes
    accepts = facts.get("accepts", ())
    if not facts.get("family") and len(accepts) >= MANY_TYPES and str(entry.value) not in accepts:
        return not _STEM.search(segment.key)  # a method over any encoder (`splade`)
    strength = facts.get("strength")
    if strength is None and not facts.get("outside"):
        return False
    if facts.get("dataset"):
        return True
    domain = domain_of(str(facts.get("family") or next(iter(accepts), "")))
    if domain == "composite" and facts.get("outside"):
        return True
    if strength != "usual":
        return False
    if domain in ("encoder", "seq2seq", "gpt"):
        return not _STEM.search(segment.key)
    if segment.category != "product" or domain != "llm":
        return False
    return _after_another_brand(scene, segment) or not (
        scene.parameters or any(other.category in ("quantization", "training") for other in scene.segments)
    )


def _after_another_brand(scene: Scene, segment: Segment) -> bool:
    """Whether an unknown brand, or one of another family, stands first: this one may be only its data or recipe."""
    first = next(other for other in scene.segments if other.category == "product")
    if first is segment:
        return False
    return first.entry is None or first.entry.get("family") != (segment.entry and segment.entry.get("family"))


_PATCH = re.compile(r"patch(\d{1,3})")
_PAIR = re.compile(r"(\d{2,4})x(\d{2,4})")
MANY_TYPES = 6
"""Types from which a word without a type of its own is a method, not a family."""
_STEM = re.compile(r"bert|bart|electra|t5|gpt|former|xlm|pegasus|roberta|bird|minilm|mpnet|led\b")
"""Family words inside brands of encoders and encoder-decoders."""


def _size(scene: Scene, place: int, segment: Segment, mains: int) -> Sequence[Claim]:
    role = "main"
    for other in reversed(scene.segments[:place]):
        if other.category == "architecture":
            role = other.role or "main"
            break
    return (claim("size", segment.value, segment.text, "stated", role),)


def _parameters(scene: Scene, place: int, segment: Segment, mains: int) -> Sequence[Claim]:
    value = segment.value
    stated = claim("parameters", value, segment.text)
    if isinstance(value, dict) and "experts" in value:
        return stated, claim("experts", value["experts"], segment.text)
    return (stated,)


def _input(scene: Scene, place: int, segment: Segment, mains: int) -> Sequence[Claim]:
    value = segment.value
    if isinstance(value, int):
        return (claim("image_size", value, segment.text),)
    if not isinstance(value, str):
        return ()
    if value in ("cased", "uncased"):
        return (claim("casing", value, segment.text),)
    patch = _PATCH.fullmatch(value)
    if patch:
        return (claim("patch_size", int(patch[1]), segment.text),)
    pair = _PAIR.fullmatch(value)
    if pair:
        sides = [int(pair[1]), int(pair[2])]
        return (claim("image_size", sides[0] if sides[0] == sides[1] else sides, segment.text),)
    return ()


def _adaptation(scene: Scene, place: int, segment: Segment, mains: int) -> Sequence[Claim]:
    if segment.value in _ADAPTERS and not any(other.value == "merged" for other in scene.segments):
        return (claim("adapter", segment.value, segment.text),)
    return ()


def _other(scene: Scene, place: int, segment: Segment, mains: int) -> Sequence[Claim]:
    if segment.kind == "labels" and segment.category == "other":
        found = re.match(r"\d+", segment.key)
        if found and not segment.key.endswith(("way", "stars", "star")):
            return (claim("num_labels", int(found[0]), segment.text),)
    elif segment.key in ("moe", "dense"):
        return (claim("experts", segment.key, segment.text),)
    return ()


def _quantization(scene: Scene) -> list[tuple[int, Claim]]:
    """One claim for each quantization method, with the bits that are stated beside it."""
    parts = [segment for segment in scene.segments if segment.category == "quantization"]
    if not parts:
        return []
    methods: list[tuple[Segment, str]] = []
    bits: list[tuple[Segment, float]] = []
    for segment in parts:
        method, width = quantization_facts(segment)
        if method:
            methods.append((segment, method))
        if width:
            bits.append((segment, width))
    claims = []
    for segment, method in methods or [(bits[0][0], "")] if bits or methods else []:
        own = quantization_facts(segment)[1]
        other = next(((with_bits, width) for with_bits, width in bits if with_bits is not segment), None)
        width = own or (other[1] if other else None)
        value = {"method": method or None, "bits": width}
        last = segment
        first = segment
        if not own and other and abs(parts.index(other[0]) - parts.index(segment)) == 1:
            first, last = sorted((segment, other[0]), key=lambda item: item.start)
            if any(first.start < between.start < last.start for between in scene.segments):
                first = last = segment
        claims.append((first.start, claim("quantization", value, _text(scene, first, last))))
    return claims


def quantization_facts(segment: Segment) -> tuple[str, float | None]:
    """Method and bits that a quantization component states; an empty method or None where it does not say."""
    entry = segment.entry
    if entry is not None and (entry.get("method") or entry.get("bits")):
        method = entry.get("method") or (entry.value if entry.category == "dtype" else "")
        return str(method), entry.get("bits")
    text = segment.key
    digits = re.search(r"\d+(?:\.\d+)?", segment.text.replace("_", "."))
    if segment.kind == "gguf":
        return "gguf", float(digits[0][0]) if digits else None
    if segment.kind == "weights":
        return "", float(re.sub(r"\D.*", "", text[1:]))
    if segment.kind in ("bits", "integers", "bpw") and digits:
        return "exl2" if segment.kind == "bpw" else "", float(digits[0])
    return "", None


_MAKERS: dict[str, Callable[[Scene, int, Segment, int], Sequence[Claim]]] = {
    "architecture": _family, "product": _product, "size": _size, "parameters": _parameters, "input": _input,
    "adaptation": _adaptation, "other": _other, "training": _other,
}  # fmt: skip
