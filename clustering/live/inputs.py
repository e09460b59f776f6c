"""Inputs for a traced forward pass: tensors without data, sized by the model's configuration.

Which arguments a class takes is read from its `forward`; how long they are from the fields of its configuration. Where
a field is missing, a usual size stands in: a trace that it does not fit fails, which is an answer too.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch
    from torch import nn

TOKENS, DECODED = 16, 8
FRAMES = 8
SAMPLES = 16_000
"""One second of sound at 16 kHz, the rate of nearly every speech model."""
_USUAL = {"image_size": 224, "num_channels": 3, "num_mel_bins": 80, "feature_size": 80}
_PARTS = ("vision_config", "text_config", "audio_config", "encoder", "backbone_config", "thinker_config")

Inputs = dict[str, "torch.Tensor"]


def candidate_inputs(module: nn.Module) -> Iterator[Inputs]:
    """Sets of keyword arguments to try in turn: the main input, with a decoder's, with everything that is known."""
    taken = inspect.signature(module.forward).parameters
    known = _known(getattr(module, "config", None))
    required = [
        name
        for name, parameter in taken.items()
        if parameter.default is inspect.Parameter.empty
        and parameter.kind in {inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY}
    ]
    main = getattr(module, "main_input_name", None) or next(iter(required), None) or next(iter(known))
    first = [name for name in dict.fromkeys([main, *required]) if name in taken and name in known]
    sets = [first]
    if "decoder_input_ids" in taken:
        sets.append([*first, "decoder_input_ids"])
    more = (("input_ids", "attention_mask"), ("pixel_values",), ("input_ids", "pixel_values", "attention_mask"), known)
    sets += [[*first, *(name for name in names if name in taken)] for names in more]
    tried: set[frozenset[str]] = set()
    for names in sets:
        key = frozenset(names)
        if key and key not in tried:
            tried.add(key)
            yield {name: _tensor(*known[name]) for name in dict.fromkeys(names)}


_Size = tuple[tuple[int, ...], str]


def _known(config: object) -> dict[str, _Size]:
    """Shape and type (`int64`, `float32`) of every argument that can be made up."""
    image = _image(config)
    channels, bins = _number(config, "num_channels"), _number(config, "num_mel_bins", "feature_size")
    positions = _number(config, "max_source_positions", usual=1_500)
    text = ((1, TOKENS), "int64")
    return {
        "input_ids": text,
        "attention_mask": text,
        "decoder_input_ids": ((1, DECODED), "int64"),
        "token_type_ids": text,
        "bbox": ((1, TOKENS, 4), "int64"),
        "pixel_values": ((1, channels, *image), "float32"),
        "pixel_mask": ((1, *image), "int64"),
        "pixel_values_videos": ((1, _number(config, "num_frames", usual=FRAMES), channels, *image), "float32"),
        "input_values": ((1, SAMPLES), "float32"),
        "input_features": ((1, bins, 2 * positions), "float32"),
        "past_values": (
            (1, _number(config, "context_length", usual=64), _number(config, "num_input_channels", usual=1)),
            "float32",
        ),
        "input": ((1, channels, *image), "float32"),
        "x": ((1, channels, *image), "float32"),
    }


def _tensor(shape: tuple[int, ...], dtype: str) -> torch.Tensor:
    import torch

    return torch.zeros(shape, dtype=getattr(torch, dtype), device="meta")


def _fields(config: object, name: str) -> Iterator[Any]:
    """Values of a field in a configuration and in its parts."""
    yield getattr(config, name, None)
    for part in _PARTS:
        inner = getattr(config, part, None)
        if inner is not None and not isinstance(inner, Mapping):
            yield getattr(inner, name, None)


def _number(config: object, *names: str, usual: int | None = None) -> int:
    for name in names:
        for value in _fields(config, name):
            if type(value) is int and 0 < value <= 100_000:
                return value
    return _USUAL[names[0]] if usual is None else usual


def _image(config: object) -> tuple[int, int]:
    """Height and width."""
    for value in _fields(config, "image_size"):
        if type(value) is int and 0 < value <= 4_096:
            return value, value
        if isinstance(value, list | tuple) and len(value) == 2 and all(type(size) is int for size in value):
            return int(value[0]), int(value[1])
    return _USUAL["image_size"], _USUAL["image_size"]
