"""Image backbones told from shapes alone: ResNet, Swin, ConvNeXt, DiNAT, plain ViT.

Each recogniser is given the shapes of a backbone's tensors (outputs first) and counts what only its architecture has:
bottleneck triples per width (ResNet), expansions by four per width with halving reductions (Swin), depthwise 7x7
convolutions per width (ConvNeXt), relative-position biases of odd squares per head (neighbourhood attention). Names
play no part, so the three frameworks' spellings of one backbone give the same answer.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from math import isqrt
from typing import Any

from clustering.blocks.names import Named
from clustering.identity import Part
from clustering.parts.variants import variant_of

Shapes = Counter[tuple[int, ...]]
Found = tuple[str, str | None, dict[str, Any]]
"""(family, variant, detail)"""

MIN_STAGES = 3
"""Fewer stages of growing width are not a backbone."""


def backbone_part(tensors: Iterable[Named]) -> Part | None:
    """The backbone that a set of tensors is, or None where it resembles none of the known kinds."""
    shapes: Shapes = Counter(named.shape for named in tensors if not named.is_buffer)
    for recognise in _RECOGNISERS:
        found = recognise(shapes)
        if found is not None:
            family, variant, detail = found
            return Part("backbone", family, variant, detail)
    return None


def _resnet(shapes: Shapes) -> Found | None:
    """Residual networks: per stage of width w, blocks of 1x1, 3x3, 1x1 (to 4w) or of two 3x3 convolutions."""
    widths = [width for width in (64, 128, 256, 512) if shapes[width, width, 3, 3]]
    if len(widths) < 4:
        return None
    bottleneck = all(shapes[4 * width, width, 1, 1] for width in widths)
    if bottleneck:
        # every block but a stage's first reduces 4w to w
        depths = [shapes[width, 4 * width, 1, 1] + 1 for width in widths]
        if any(shapes[4 * width, width, 1, 1] < depth for width, depth in zip(widths, depths, strict=True)):
            return None
    else:
        depths = [(shapes[width, width, 3, 3] + (width != widths[0])) // 2 for width in widths]
    stem = "deep" if not any(shape[1:] == (3, 7, 7) for shape in shapes if len(shape) == 4) else "7x7"
    detail = {"depths": depths, "bottleneck": bottleneck, "stem": stem}
    variant = variant_of("resnet", detail)
    if variant is not None and stem == "deep":
        variant += "c"  # three 3x3 convolutions instead of one 7x7: R-50c, R-101c of the segmentation literature
    return "resnet", variant, detail


def _stem(shapes: Shapes, kernel: int) -> int | None:
    """Width after a patch embedding with a kernel of this size over three channels."""
    return next((shape[0] for shape in shapes if len(shape) == 4 and shape[1:] == (3, kernel, kernel)), None)


def _stage_widths(first: int, present: Callable[[int], bool]) -> list[int]:
    widths = [first]
    while len(widths) < 6 and present(2 * widths[-1]):
        widths.append(2 * widths[-1])
    return widths


def _convnext(shapes: Shapes) -> Found | None:
    """ConvNeXt: one depthwise 7x7 convolution a block; version 2 has response normalisation of 4d values in it."""
    first = _stem(shapes, 4)
    if first is None or not shapes[first, 1, 7, 7]:
        return None
    widths = _stage_widths(first, lambda width: bool(shapes[width, 1, 7, 7]))
    if len(widths) < MIN_STAGES:
        return None
    depths = [shapes[width, 1, 7, 7] for width in widths]
    family = "convnextv2" if shapes[1, 1, 1, 4 * first] else "convnext"
    detail: dict[str, Any] = {"embed_dim": first, "depths": depths, "hidden_sizes": widths}
    return family, variant_of(family, detail), detail


def _neighbourhood(shapes: Shapes) -> Found | None:
    """Neighbourhood attention (NAT, DiNAT): per block a bias of [heads, 2k - 1, 2k - 1]; dilation keeps no weights."""
    tables = {
        shape: count
        for shape, count in shapes.items()
        if len(shape) == 3 and shape[1] == shape[2] and shape[1] % 2 == 1 and shape[1] >= 5
    }
    if len(tables) < MIN_STAGES:
        return None
    ordered = sorted(tables)
    heads, depths = [shape[0] for shape in ordered], [tables[shape] for shape in ordered]
    # two convolutions of stride two make the stem; the second ends in the first stage's width
    first = next(
        (shape[0] for shape in shapes if len(shape) == 4 and shape[2:] == (3, 3) and shape[0] == 2 * shape[1]), None
    )
    if first is None:
        return None
    detail: dict[str, Any] = {"embed_dim": first, "depths": depths, "heads": heads, "kernel": (ordered[0][1] + 1) // 2}
    return "dinat", variant_of("dinat", detail), detail


def _swin(shapes: Shapes) -> Found | None:
    """Swin: 4x4 patch embedding, expansions by four in every block, reductions of four places to one between stages."""
    first = _stem(shapes, 4)
    if first is None or not shapes[2 * first, 4 * first]:
        return None
    widths = _stage_widths(first, lambda width: bool(shapes[width, 2 * width]) or bool(shapes[4 * width, width]))
    widths = [width for width in widths if shapes[4 * width, width]]
    if len(widths) < MIN_STAGES:
        return None
    depths = [shapes[4 * width, width] for width in widths]
    tables = sorted(
        (shape[1], shape[0]) for shape in shapes if len(shape) == 2 and shape[1] <= 64 and _odd_square(shape[0])
    )
    continuous = any(shape[1:] == (2,) for shape in shapes if len(shape) == 2)  # the position network of version 2
    family = "swinv2" if continuous and not tables else "swin"
    detail: dict[str, Any] = {"embed_dim": first, "depths": depths}
    heads = sorted({heads for heads, _ in tables})
    if len(heads) == len(widths):
        detail["heads"] = heads
        detail["window"] = (isqrt(max(rows for _, rows in tables)) + 1) // 2
    return family, variant_of(family, detail), detail


def _odd_square(rows: int) -> bool:
    side = isqrt(rows)
    return side * side == rows and side % 2 == 1 and side >= 5


def _plain(shapes: Shapes) -> Found | None:
    """A plain vision transformer: one patch embedding and blocks of one width."""
    stems = [
        shape
        for shape in shapes
        if len(shape) == 4 and shape[1] == 3 and shape[2] == shape[3] and shape[2] in {8, 14, 16, 32}
    ]
    if len(stems) != 1:
        return None
    hidden, _, patch, _ = stems[0]
    inner = [
        shape
        for shape in shapes
        if len(shape) == 2
        and shape[1] == hidden
        and shape[0] >= 2 * hidden
        and shapes[hidden, shape[0]] == shapes[shape]
    ]
    if not inner:
        return None
    widest = max(inner, key=lambda shape: (shapes[shape], shape))
    detail: dict[str, Any] = {
        "layers": shapes[widest],
        "hidden_size": hidden,
        "intermediate_size": widest[0],
        "patch_size": patch,
    }
    return "vit", variant_of("vit", detail), detail


_RECOGNISERS: Sequence[Callable[[Shapes], Found | None]] = (_convnext, _neighbourhood, _swin, _resnet, _plain)
"""In order: each sees what the earlier ones left."""
