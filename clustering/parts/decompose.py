"""Composite models split into parts, each identified by itself.

A part is cut out by words of the tensor names and identified by its shapes. Families that shapes cannot tell apart
(which language model stands behind a vision tower) come from the declared sub-config, or from a caller's identifier
for single models; where neither speaks, the family is `unknown`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from clustering.blocks.names import Named
from clustering.blocks.stacks import Stack
from clustering.blocks.towers import Towers, find_towers, role_of_token
from clustering.declared.config import declared_facts
from clustering.facts import Facts
from clustering.identity import Part
from clustering.measured.heads import find_head
from clustering.measured.inputs import find_embeddings, patch_facts, query_facts
from clustering.measured.stacks import stack_facts
from clustering.parts.backbones import backbone_part
from clustering.parts.maskformer import maskformer_parts
from clustering.parts.variants import variant_of
from clustering.tensors import Tensor, TensorListing

Identifier = Callable[[TensorListing], str | None]
"""Names the family of a listing that holds one model, or None."""

_DETAIL = (
    "layers",
    "hidden_size",
    "intermediate_size",
    "attention_heads",
    "patch_size",
    "image_size",
    "vocabulary",
    "depths",
    "embed_dim",
    "experts",
)


def decompose(
    listing: TensorListing,
    config: Mapping[str, Any] | None = None,
    identify: Identifier | None = None,
    towers: Towers | None = None,
) -> tuple[Part, ...]:
    """Parts of a composite model; empty for a model of one piece, an adapter, and a listing without shapes.

    Args:
        listing: the whole model.
        config: its declared configuration, if there is one; names the families of sub-models.
        towers: its stacks, where the caller has found them already.
        identify: called with the tensors of a part whose family neither shapes nor config tell.
    """
    if listing.names_only or listing.adapter is not None:
        return ()
    found = towers if towers is not None else find_towers(listing)
    parts = maskformer_parts(found.named)
    if parts:
        return parts
    declared = Facts(declared_facts(config)) if config is not None else Facts()
    split = _Split(listing, found, declared, identify)
    if found.decoder is not None and found.backbone is not None:
        return split.detector()
    if found.text is not None:
        return split.two_towers()
    if found.main is not None and (found.vision is not None or found.audio is not None):
        return split.behind_towers()
    if found.encoder is not None and found.decoder is not None and split.declared.best("decoder_family") is not None:
        return split.pair()
    return ()


class _Split:
    """One composite model on its way into parts."""

    def __init__(self, listing: TensorListing, towers: Towers, declared: Facts, identify: Identifier | None) -> None:
        self.listing = listing
        self.towers = towers
        self.declared = declared
        self.identify = identify

    def detector(self) -> tuple[Part, ...]:
        """DETR and its kin: convolutional backbone, encoder, decoder with queries, head."""
        backbone = self.towers.backbone
        parts: list[Part] = []
        if backbone is not None:
            found = backbone_part(_under(self.towers.named, _root(backbone, "backbone")))
            parts.append(
                found
                or Part("backbone", self._declared("backbone") or "unknown", None, {"depths": list(backbone.depths)})
            )
        for role, stack in (("encoder", self.towers.encoder), ("decoder", self.towers.decoder)):
            if stack is not None:
                detail = self._detail(stack)
                if role == "decoder":
                    detail.update((fact.kind, fact.value) for fact in query_facts(self.towers.loose))
                parts.append(Part(f"transformer_{role}", "detr", None, detail))
        head = find_head(self.towers.loose)
        if head is not None and head.kind == "detection" and head.labels is not None:
            parts.append(Part("head", "object-detection", None, {"outputs": head.outputs}))
        return tuple(parts)

    def two_towers(self) -> tuple[Part, ...]:
        """CLIP and its kin."""
        parts: list[Part] = []
        for role, stack in (("vision", self.towers.vision), ("audio", self.towers.audio), ("text", self.towers.text)):
            if stack is not None:
                parts.append(self._tower(f"{role}_encoder", role, stack))
        return tuple(parts)

    def behind_towers(self) -> tuple[Part, ...]:
        """A language model that reads through a vision or audio tower."""
        parts: list[Part] = []
        for role, stack in (("vision", self.towers.vision), ("audio", self.towers.audio)):
            if stack is not None:
                parts.append(self._tower(f"{role}_encoder", role, stack))
        main = self.towers.main
        if main is not None:
            speaks = find_embeddings(self._own(main)).tokens is not None or find_embeddings(self.towers.loose).tokens
            parts.append(self._tower("language_model" if speaks else "main", "text", main))
        return tuple(parts)

    def pair(self) -> tuple[Part, ...]:
        """Two models joined by cross attention (vision-encoder-decoder and its kin)."""
        parts: list[Part] = []
        for role, stack in (("encoder", self.towers.encoder), ("decoder", self.towers.decoder)):
            if stack is not None:
                parts.append(self._tower(role, role, stack))
        return tuple(parts)

    def _tower(self, role: str, prefix: str, stack: Stack) -> Part:
        tensors = self._own(stack)
        detail = self._detail(stack, tensors)
        family = self._declared(f"{prefix}_family")
        if family is None and self.identify is not None:
            family = self.identify(_listing(self.listing, tensors))
        hierarchical = backbone_part(tensors) if stack.depths or family is None else None
        if hierarchical is not None and prefix != "text":
            return Part(role, family or hierarchical.family, hierarchical.variant, {**detail, **hierarchical.detail})
        known = family or "unknown"
        variant = variant_of(known, detail) or (
            variant_of("vit", detail) if prefix in {"vision", "encoder"} and "patch_size" in detail else None
        )
        return Part(role, known, variant, detail)

    def _declared(self, kind: str) -> str | None:
        fact = self.declared.declared(kind)
        return str(fact.value) if fact is not None else None

    def _own(self, stack: Stack) -> Sequence[Named]:
        """Tensors of a tower: everything under the first word of its path that only it has."""
        others = [other.prefix for other in self.towers.stacks if other is not stack]
        for length in range(1, len(stack.prefix) + 1):
            root = stack.prefix[:length]
            if not any(other[:length] == root for other in others):
                return _under(self.towers.named, root)
        return _under(self.towers.named, stack.prefix)

    def _detail(self, stack: Stack, tensors: Sequence[Named] = ()) -> dict[str, Any]:
        facts = {fact.kind: fact.value for fact in stack_facts(self.listing, stack)}
        facts.update((fact.kind, fact.value) for fact in patch_facts(tensors, find_embeddings(tensors)))
        table = find_embeddings(tensors).tokens
        if table is not None:
            facts["vocabulary"] = table.shape[0]
        return {kind: facts[kind] for kind in _DETAIL if kind in facts}


def _root(stack: Stack, role: str) -> tuple[str | int, ...]:
    for place, token in enumerate(stack.prefix):
        if role_of_token(token, role):
            return stack.prefix[: place + 1]
    return stack.prefix


def _under(named: Sequence[Named], root: tuple[str | int, ...]) -> list[Named]:
    return [item for item in named if item.path[: len(root)] == root]


def _listing(whole: TensorListing, tensors: Sequence[Named]) -> TensorListing:
    own: tuple[Tensor, ...] = tuple(item.tensor for item in tensors)
    return TensorListing(own, whole.format, whole.files, {}, whole.quantization)
