"""Diffusion pipelines: a folder of models (`model_index.json`), each a part of the whole.

Which released pipeline a denoiser belongs to follows from sizes that its text encoders force on it: the width of the
states that its cross attention reads (768 for Stable Diffusion 1, 1024 for 2, 2048 for XL), or the number and width of
its transformer blocks (`data/diffusion.json`, with sources). Sizes that nobody published stay `unknown`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from clustering.blocks.names import Named
from clustering.blocks.towers import Towers, find_towers
from clustering.identity import Part
from clustering.measured.stacks import stack_facts
from clustering.tables import table
from clustering.tensors import TensorListing

DENOISERS = ("unet", "transformer", "prior")
"""Folder names of the model that a pipeline is built around (diffusers' pipelines)."""


@cache
def _table() -> dict[str, list[dict[str, Any]]]:
    loaded: dict[str, list[dict[str, Any]]] = table("diffusion")
    return loaded


def pipeline_parts(components: Mapping[str, TensorListing]) -> tuple[Part, ...]:
    """Parts of a diffusers folder, in the order of their folder names; components without weights are left out.

    Args:
        components: tensor listings by folder name (`unet`, `vae`, `text_encoder` ...).
    """
    parts: list[Part] = []
    for name in sorted(components):
        listing = components[name]
        if listing.names_only or not listing.tensors:
            continue
        towers = find_towers(listing)
        if name in DENOISERS or name.startswith("transformer"):
            parts.append(_denoiser(listing, towers))
        elif name.startswith("vae") or name == "vqvae":
            parts.append(_autoencoder(towers))
        elif name.startswith(("text_encoder", "image_encoder")):
            parts.append(_encoder(name, listing, towers))
    return tuple(parts)


def _denoiser(listing: TensorListing, towers: Towers) -> Part:
    crossing = _cross_attention(towers.named)
    stem = next((named for named in towers.loose if named.module == "conv_in" and len(named.shape) == 4), None)
    if crossing is not None and stem is not None:
        detail: dict[str, Any] = {"cross_attention": crossing, "width": stem.shape[0], "input_channels": stem.shape[1]}
        return _known("unet", "denoiser", detail)
    lists = {stack.prefix[-1]: stack for stack in towers.stacks if stack.prefix}
    joint = lists.get("transformer_blocks") or lists.get("blocks")
    if joint is None:
        return Part("denoiser", "unknown")
    single = lists.get("single_transformer_blocks")
    detail = {"joint_layers": joint.depth, "single_layers": single.depth if single is not None else 0}
    sizes = {fact.kind: fact.value for fact in stack_facts(listing, single or joint)}
    if "hidden_size" in sizes:
        detail["hidden_size"] = _residual(joint.typical) or sizes["hidden_size"]
    return _known("transformer", "denoiser", detail)


def _residual(block: Sequence[Named]) -> int | None:
    """Diffusion transformers modulate norms that have no weights; the width is what most matrices have as a side."""
    sides = Counter(size for named in block if len(named.shape) == 2 for size in set(named.shape))
    return max(sides, key=lambda size: (sides[size], -size)) if sides else None


def _cross_attention(named: Sequence[Named]) -> int | None:
    """Width of the states that keys of the second attention are made of."""
    widths = Counter(
        item.shape[1] for item in named if len(item.shape) == 2 and item.module == "to_k" and "attn2" in item.path
    )
    return widths.most_common(1)[0][0] if widths else None


def _autoencoder(towers: Towers) -> Part:
    stems = [
        named
        for named in towers.named
        if named.module == "conv_in" and "decoder" in named.path and len(named.shape) in {4, 5}
    ]
    detail = {"latent_channels": stems[0].shape[1]} if stems else {}
    return Part("autoencoder", "autoencoder_kl" if stems else "unknown", None, detail)


def _encoder(name: str, listing: TensorListing, towers: Towers) -> Part:
    role = "image_encoder" if name.startswith("image") else "text_encoder"
    if towers.main is None:
        return Part(role, "unknown")
    facts = {fact.kind: fact.value for fact in stack_facts(listing, towers.main)}
    detail: dict[str, Any] = {
        kind: facts[kind] for kind in ("layers", "hidden_size", "intermediate_size") if kind in facts
    }
    return _known("text", role, detail) if role == "text_encoder" else Part(role, "unknown", None, detail)


def _known(table: str, role: str, detail: dict[str, Any]) -> Part:
    """The published model whose sizes these are."""
    for row in _table()[table]:
        if all(detail.get(kind) == value for kind, value in row.items() if kind not in {"family", "variant"}):
            return Part(role, row["family"], row["variant"], detail)
    return Part(role, "unknown", None, detail)
