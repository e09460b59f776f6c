"""The MaskFormer family taken apart: MaskFormer, Mask2Former and OneFormer, in the spellings of three frameworks.

Words of the path only make the cut into backbone, pixel decoder and predictor (the three frameworks name these
differently). What each piece is follows from its shapes:

- pixel decoder: 3x3 convolutions alone are an FPN; with feed-forward pairs it is a transformer FPN; with pairs of
  matrices of 2k and k rows over the same width (sampling offsets and weights) it is multi-scale deformable;
- transformer decoder: one feed-forward pair per layer; queries are the table beside it;
- family: FPN decoders belong to MaskFormer, deformable ones to Mask2Former, and to OneFormer when a task vector is
  read by a small network. A predictor without query decoder (per-pixel baseline), or with masks but without classes
  (per-pixel baseline plus), is no member of the family.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from clustering.blocks.names import Named
from clustering.identity import Part
from clustering.parts.backbones import backbone_part

Region = Literal["backbone", "pixel_decoder", "predictor", "text"]

_BACKBONE = frozenset({"backbone", "_backbone"})
_TEXT = frozenset({"text_encoder", "text_projector", "text_mapper", "prompt_ctx"})
_TASK = frozenset({"task_mlp", "task_encoder"})
_QUERY_TRANSFORMER = frozenset({"class_transformer", "query_transformer"})
_PREDICTOR = frozenset(
    {
        "predictor",
        "transformer_module",
        "transformer",
        "head",
        "class_predictor",
        "mask_embedder",
        "class_embed",
        "mask_embed",
    }
)
_CLASS = frozenset({"class_predictor", "class_embed", "_linear_classifier"})
_MASK = frozenset({"mask_embedder", "mask_embed", "_mlp"})
_BOXES = frozenset({"bbox_embed", "_bbox_embed", "bbox_predictor", "box_embed"})


@dataclass(slots=True)
class _Cut:
    regions: dict[Region, list[Named]] = field(default_factory=dict)
    tasks: list[Named] = field(default_factory=list)

    def of(self, region: Region) -> list[Named]:
        return self.regions.get(region, [])


def maskformer_parts(named: Sequence[Named]) -> tuple[Part, ...]:
    """Parts of a model of the MaskFormer family, the whole first; empty for every other model."""
    cut = _cut(named)
    pixel, predictor = (
        cut.of("pixel_decoder"),
        [item for item in cut.of("predictor") if not set(item.path) & _QUERY_TRANSFORMER],
    )
    if not pixel or not predictor or any(set(item.path) & _BOXES for item in predictor):
        return ()
    hidden = _common_width(predictor)
    if hidden is None:
        return ()
    decoder = _feed_forward(predictor, hidden)
    queries = _queries(predictor, hidden)
    pixels = _pixel_decoder(pixel)
    if decoder is None or queries is None or pixels is None:
        return ()
    head = _head(cut, hidden)
    if pixels[0] != "multi_scale_deformable" and head is not None and ("classes" in head) != ("mask_dim" in head):
        return ()  # masks without classes: the per-pixel baseline with a transformer
    deformable = "oneformer" if cut.tasks else "mask2former"
    family = deformable if pixels[0] == "multi_scale_deformable" else "maskformer"
    parts = [
        Part(
            "model",
            family,
            None,
            {"pixel_decoder": pixels[0], "decoder_layers": decoder[0], "queries": queries, **(head or {})},
        )
    ]
    backbone = backbone_part(cut.of("backbone"))
    if backbone is not None:
        parts.append(backbone)
    parts.append(Part("pixel_decoder", pixels[0], None, pixels[1]))
    detail = {"layers": decoder[0], "queries": queries, "hidden_size": hidden, "intermediate_size": decoder[1]}
    parts.append(Part("transformer_decoder", "detr" if family == "maskformer" else "masked_attention", None, detail))
    if head is not None:
        parts.append(Part("head", "mask-classification", None, head))
    return tuple(parts)


def _cut(named: Sequence[Named]) -> _Cut:
    cut = _Cut()
    for item in named:
        tokens = set(item.path) | {item.leaf}
        if tokens & _TASK:
            cut.tasks.append(item)
            continue
        region = _region(item, tokens)
        if region is not None:
            cut.regions.setdefault(region, []).append(item)
    return cut


def _region(item: Named, tokens: set[str | int]) -> Region | None:
    if tokens & _TEXT:
        return "text"
    if "pixel_level_module" in item.path:
        place = item.path.index("pixel_level_module")
        return "pixel_decoder" if item.path[place + 1 : place + 2] == ("decoder",) else "backbone"
    if tokens & _BACKBONE:
        return "backbone"
    if "pixel_decoder" in tokens:
        return "pixel_decoder"
    if "sem_seg_head" in tokens and "predictor" not in tokens:
        return "pixel_decoder"  # published model-zoo files keep the pixel decoder's tensors directly under the head
    return (
        "predictor"
        if tokens & _PREDICTOR or any(isinstance(token, str) and "quer" in token for token in tokens)
        else None
    )


def _common_width(tensors: Sequence[Named]) -> int | None:
    lengths = Counter(item.shape[0] for item in tensors if len(item.shape) == 1)
    return lengths.most_common(1)[0][0] if lengths else None


def _feed_forward(tensors: Sequence[Named], hidden: int) -> tuple[int, int] | None:
    """(layers, inner width): one expansion from the width and one back per layer."""
    shapes = Counter(item.shape for item in tensors if len(item.shape) == 2)
    pairs = {
        shape[0]: count
        for shape, count in shapes.items()
        if shape[1] == hidden and shape[0] > hidden and shapes[hidden, shape[0]] == count
    }
    if not pairs:
        return None
    inner = max(pairs, key=lambda size: (pairs[size], size))
    return pairs[inner], inner


def _queries(tensors: Sequence[Named], hidden: int) -> int | None:
    tables = [
        item
        for item in tensors
        if len(item.shape) == 2
        and item.shape[1] == hidden
        and any(isinstance(token, str) and "quer" in token for token in (*item.path[-2:], item.leaf))
    ]
    owners = {item.path for item in tensors if item.leaf == "bias"}
    return next((item.shape[0] for item in tables if item.path not in owners), None)


def _pixel_decoder(tensors: Sequence[Named]) -> tuple[str, dict[str, Any]] | None:
    hidden = _common_width(tensors)
    if hidden is None:
        return None
    convolutions = [item.shape for item in tensors if len(item.shape) == 4]
    outputs = sum(shape[2:] == (3, 3) for shape in convolutions)
    layers = _feed_forward(tensors, hidden)
    if layers is None:
        if not outputs:
            return None
        return "fpn", {"channels": hidden, "layers": 0}
    kind = "multi_scale_deformable" if _deformable(tensors, hidden, layers) else "transformer_fpn"
    return kind, {"channels": hidden, "layers": layers[0], "intermediate_size": layers[1]}


def _deformable(tensors: Sequence[Named], hidden: int, layers: tuple[int, int]) -> bool:
    """Sampling offsets are two numbers, attention weights one number per head, level and point."""
    shapes = Counter(item.shape for item in tensors if len(item.shape) == 2 and item.shape[1] == hidden)
    return any(
        count == layers[0]
        and shapes[2 * rows, hidden] == layers[0]
        and rows not in {hidden, layers[1]}
        and 2 * rows != layers[1]
        for (rows, _), count in shapes.items()
    )


def _head(cut: _Cut, hidden: int) -> dict[str, int] | None:
    """Classes (without `no object`) and width of the mask embedding; None where the model has no head at all."""
    found: dict[str, int] = {}
    for item in cut.of("predictor"):
        tokens = set(item.path)
        if len(item.shape) != 2:
            continue
        if tokens & _CLASS and item.shape[1] == hidden:
            found["classes"] = item.shape[0] - 1
        elif tokens & _MASK:
            found["mask_dim"] = item.shape[0]  # the last layer of the small network comes last
    return found or None
