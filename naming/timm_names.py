"""timm's grammar: `architecture.tag`, where the tag says how the weights were made.

The architecture holds the family, its size and its geometry (`vit_large_patch14_clip_336`); the tag lists publisher or
recipe, then the data sets in order of training, each fine-tuning marked `ft` (`laion2b_ft_in1k`).
"""

from __future__ import annotations

import re

_NAME = re.compile(r"([a-z][a-z0-9]*(?:_[a-z0-9]+){0,14})\.([a-z0-9]+(?:_[a-z0-9]+){0,14})")


def split_timm(repo: str) -> tuple[str, str] | None:
    """Architecture and tag of a name in timm's grammar; None for any other name.

    A version number with a dot (`qwen2.5`, `chat_v1.0`) is no tag: a tag has a letter first, or is all letters and
    digits with an underscore.
    """
    found = _NAME.fullmatch(repo)
    if found is None:
        return None
    architecture, tag = found[1], found[2]
    if tag[0].isdigit() and "_" not in tag:
        return None
    if tag in _SUFFIXES:
        return None
    return architecture, tag


_SUFFIXES = frozenset(
    ["bin", "ckpt", "gguf", "ggml", "h5", "json", "model", "msgpack", "onnx", "pkl", "pt", "pth", "py", "safetensors",
     "tar", "tflite", "zip", "ai", "com", "io", "net", "org"]
)  # fmt: skip
"""Endings behind a dot that are file types or sites, never recipes."""
