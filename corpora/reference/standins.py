"""Parts that come from libraries which cannot be installed here, as modules with the same parameters.

LayoutLMv2 takes its visual backbone from detectron2, a ResNeXt-101 32x8d with a feature pyramid; detectron2 has no
packages to install. Published files hold the backbone's tensors, so a stand-in of the same names and shapes lets the
classes be built.
Facts: `get_default_detectron2_config` of the configuration; detectron2's `modeling/backbone/resnet.py` and `fpn.py`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

_STAGES = {"res2": (3, 256), "res3": (4, 512), "res4": (23, 1024), "res5": (3, 2048)}
"""Blocks and output channels of each stage of a ResNeXt-101."""
_GROUPS, _WIDTH = 32, 8
_PYRAMID = 256


@contextmanager
def detectron2_backbone() -> Iterator[None]:
    """Within it, the classes of LayoutLMv2 are built with a stand-in for detectron2's backbone."""
    from transformers.models.layoutlmv2 import modeling_layoutlmv2 as modeling
    from transformers.utils.import_utils import BACKENDS_MAPPING

    before = modeling.LayoutLMv2VisualBackbone, BACKENDS_MAPPING["detectron2"]
    modeling.LayoutLMv2VisualBackbone = _visual_backbone
    BACKENDS_MAPPING["detectron2"] = (lambda: True, before[1][1])
    try:
        yield
    finally:
        modeling.LayoutLMv2VisualBackbone, BACKENDS_MAPPING["detectron2"] = before


def _visual_backbone(_config: Any) -> Any:
    from torch import nn

    visual = nn.Module()
    visual.backbone = nn.Module()
    for stage, (_, channels) in _STAGES.items():
        number = stage.removeprefix("res")
        visual.backbone.add_module(f"fpn_lateral{number}", nn.Conv2d(channels, _PYRAMID, 1))
        visual.backbone.add_module(f"fpn_output{number}", nn.Conv2d(_PYRAMID, _PYRAMID, 3))
    visual.backbone.bottom_up = _resnext()
    return visual


def _resnext() -> Any:
    from torch import nn

    network = nn.Module()
    network.stem = nn.Module()
    network.stem.conv1 = _convolution(3, 64, 7)
    before, inner = 64, _GROUPS * _WIDTH
    for stage, (blocks, channels) in _STAGES.items():
        layers = nn.Sequential()
        for number in range(blocks):
            block = nn.Module()
            if number == 0:
                block.shortcut = _convolution(before, channels, 1)
            block.conv1 = _convolution(before, inner, 1)
            block.conv2 = _convolution(inner, inner, 3, groups=_GROUPS)
            block.conv3 = _convolution(inner, channels, 1)
            layers.append(block)
            before = channels
        network.add_module(stage, layers)
        inner *= 2
    return network


def _convolution(before: int, after: int, kernel: int, groups: int = 1) -> Any:
    """A convolution without bias with its frozen batch normalisation, `norm`, which has buffers only."""
    import torch
    from torch import nn

    convolution = nn.Conv2d(before, after, kernel, groups=groups, bias=False)
    convolution.norm = nn.Module()
    for name in ("weight", "bias", "running_mean", "running_var"):
        convolution.norm.register_buffer(name, torch.empty(after))
    return convolution
