"""Which stack is the model and which are its towers, encoders, decoders and helpers.

Words of the path find the modality; what decides is which stacks exist beside each other, their sizes, and whether
blocks attend across (a decoder) or a temperature parameter joins two towers (a contrastive model).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Literal

from clustering.blocks.names import Named, Path_, named_tensors, roles, words
from clustering.blocks.stacks import Stack, find_stacks
from clustering.tensors import TensorListing

Modality = Literal["plain", "text", "vision", "audio", "backbone", "auxiliary"]


@dataclass(frozen=True, slots=True)
class Towers:
    """The stacks of a model by what they do; absent ones are None."""

    named: tuple[Named, ...]
    stacks: tuple[Stack, ...]
    main: Stack | None = None
    """The stack whose dimensions are the model's; None for two-tower models and where there is no stack."""
    encoder: Stack | None = None
    decoder: Stack | None = None
    """Set together for encoder-decoders; `decoder` alone for a query decoder behind a backbone."""
    vision: Stack | None = None
    audio: Stack | None = None
    text: Stack | None = None
    """The text half of a two-tower model."""
    backbone: Stack | None = None

    loose: tuple[Named, ...] = ()
    """Tensors outside of every stack: embeddings, stems, heads."""


def _loose(named: Sequence[Named], stacks: Sequence[Stack]) -> tuple[Named, ...]:
    members = {(*stack.prefix, index) for stack in stacks for index, _ in stack.blocks}
    lengths = sorted({len(member) for member in members})

    def inside(path: Path_) -> bool:
        return any(path[:length] in members for length in lengths if len(path) >= length)

    return tuple(item for item in named if not inside(item.path))


def modality(stack: Stack) -> Modality:
    """What the words of a stack's path say about it."""
    prefix = stack.prefix
    if any(token in _role_words("auxiliary") for token in prefix):
        return "auxiliary"
    order: tuple[Modality, ...] = ("vision", "audio", "text", "backbone")
    for role in order:
        if any(token in _role_words(role) for token in prefix):
            return role
    return "plain"


def role_of_token(token: str | int, role: str) -> bool:
    """Whether a word of a path stands for a role."""
    return token in _role_words(role)


@cache
def _role_words(role: str) -> frozenset[str]:
    return frozenset(roles()["roles"][role])


def coder(stack: Stack) -> Literal["encoder", "decoder"] | None:
    """`encoder` or `decoder` from the first of these words in the path."""
    for token in stack.prefix:
        if token in _role_words("encoder"):
            return "encoder"
        if token in _role_words("decoder"):
            return "decoder"
    return None


def find_towers(listing: TensorListing) -> Towers:
    """Finds the stacks of a listing and gives each its place."""
    named = named_tensors(listing)
    stacks = find_stacks(named, names_only=listing.names_only)
    by: dict[Modality, list[Stack]] = {}
    for stack in stacks:
        by.setdefault(modality(stack), []).append(stack)
    vision, audio, backbone, text = (_first(by.get(role, ())) for role in ("vision", "audio", "backbone", "text"))
    found = Towers(named, stacks, vision=vision, audio=audio, backbone=backbone, loose=_loose(named, stacks))
    plain = by.get("plain", [])
    own = sorted([*plain, *by.get("text", ())], key=lambda stack: -stack.elements)
    if not own:
        main = vision or audio
        if main is None and backbone is not None and not _sees(named, backbone):
            main = backbone  # Mamba and Nemotron-H call their only stack so
        return _with(found, main=main)
    if text is not None and (vision is not None or audio is not None) and _contrastive(found.loose):
        return _with(found, text=text)
    for candidates in (plain, own):
        encoder = _first([stack for stack in candidates if coder(stack) == "encoder"])
        decoder = _first([stack for stack in candidates if coder(stack) == "decoder"])
        if encoder is not None and decoder is not None and not decoder.has_word("cross_attention"):
            return _with(found, main=encoder)  # masked autoencoders: the decoder is there for training only
        if encoder is not None and decoder is not None:
            return _with(
                found, main=encoder, encoder=encoder, decoder=decoder, text=text if candidates is plain else None
            )
        if decoder is not None and backbone is not None and decoder.has_word("cross_attention"):
            return _with(found, decoder=decoder)
    if vision is not None and coder(own[0]) == "decoder" and not _speaks(found.loose):
        return _with(found, main=vision)  # masked autoencoders rebuild pixels with a small decoder
    if text is not None and plain and all(coder(stack) == "encoder" for stack in plain):
        return _with(found, main=text)  # a language model and an encoder under a name of its own
    if len(own) > 1 and own[0].depth != own[1].depth and 2 * own[1].elements >= own[0].elements > 0:
        return found  # several stacks of like weight and unlike depth: none is the model's
    return _with(found, main=own[0])


def _sees(named: Sequence[Named], stack: Stack) -> bool:
    """Whether pixels enter a backbone: stages, or a convolution over images under its root."""
    place = next((place for place, token in enumerate(stack.prefix) if token in _role_words("backbone")), 0)
    root = stack.prefix[: place + 1]
    return bool(stack.depths) or any(len(item.shape) == 4 and item.path[: len(root)] == root for item in named)


def _speaks(loose: Sequence[Named]) -> bool:
    """Whether there is a table of tokens."""
    wanted = words("embeddings")
    return any(len(named.shape) == 2 and (named.module in wanted or named.leaf in wanted) for named in loose)


def _first(stacks: Sequence[Stack]) -> Stack | None:
    return stacks[0] if stacks else None


def _contrastive(loose: Sequence[Named]) -> bool:
    return any(
        named.leaf.startswith("logit_scale") or named.module.startswith("logit_scale") or named.leaf == "temperature"
        for named in loose
    )


def _with(
    towers: Towers,
    *,
    main: Stack | None = None,
    encoder: Stack | None = None,
    decoder: Stack | None = None,
    text: Stack | None = None,
) -> Towers:
    """Fills the places that were decided; a tower that is the main stack is not named a second time."""
    vision = None if towers.vision is main else towers.vision
    audio = None if towers.audio is main else towers.audio
    backbone = None if towers.backbone is main else towers.backbone
    return Towers(towers.named, towers.stacks, main, encoder, decoder, vision, audio, text, backbone, towers.loose)


def is_of(named: Named, stack: Stack, modality: str) -> bool:
    """Whether a loose tensor belongs to a tower: it bears the tower's words, or lies under the tower's root."""
    if any(token in _role_words(modality) for token in (*named.path, named.leaf)):
        return True
    for place, token in enumerate(stack.prefix):
        if token in _role_words(modality):
            root = stack.prefix[: place + 1]
            return named.path[: len(root)] == root
    return False


def is_auxiliary(named: Named) -> bool:
    """Whether a loose tensor belongs to a helper: a resampler, a codec, a prediction block."""
    return any(token in _role_words("auxiliary") for token in named.path)
