"""GGUF file names by the published grammar, tolerant of what publishers really write.

The grammar (ggml-org/ggml, docs/gguf.md, "GGUF Naming Convention"):
`<BaseName>-<SizeLabel>-<FineTune>-<Version>-<Encoding>-<Type>-<Shard>.gguf`. In practice the encoding often follows a
dot (`llama-2-7b.Q4_K_M.gguf`), versions are missing, and the size stands anywhere; such names are still taken apart,
with `conventional` saying whether the grammar was kept.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from naming.errors import NameRefused

_SHARD = re.compile(r"[-_.](\d{5})-of-(\d{5})$")
_TYPE = re.compile(r"[-_.](lora|vocab|adapter|mmproj)$", re.IGNORECASE)
_ENCODING = re.compile(
    r"[-_.]((?:UD-)?(?:I?Q\d(?:_\d|_K(?:_(?:XXS|XS|S|M|L|XL|P))?|_(?:XXS|XS|S|M|L|NL|XL))?(?:_\d){0,3}|TQ\d_\d|MXFP4(?:_MOE)?|"
    r"NVFP4|BF16|F16|FP16|F32|FP32|Q8_0|IQ4_NL))$",
    re.IGNORECASE,
)
_VERSION = re.compile(r"^v\d+(?:\.\d+){0,4}$", re.IGNORECASE)
_SIZE = re.compile(
    r"^(?:\d{1,3}x)?\d{1,6}(?:\.\d{1,4})?[KMBTQ](?:-?[A-Za-z]\d{1,4}(?:\.\d{1,3})?[KMBTQ])?$", re.IGNORECASE
)
_ACTIVE = re.compile(r"^[AE]\d{1,4}(?:\.\d{1,3})?[KMBT]$", re.IGNORECASE)
_MAX = 1024
"""Longest file name that is read; file systems allow 255 bytes."""


@dataclass(frozen=True, slots=True)
class GgufName:
    """The fields of a GGUF file name; empty where the name does not give one."""

    base_name: str
    size_label: str
    fine_tune: str
    version: str
    encoding: str
    type: str
    shard: tuple[int, int] | None
    """This shard's number and how many there are."""
    conventional: bool
    """Whether the name keeps the published grammar: hyphens, with base name, size and version."""


def is_gguf(name: str) -> bool:
    """Whether a name is that of a GGUF file."""
    return name[-5:].lower() == ".gguf"


def parse_gguf(name: str) -> GgufName:
    """Take a GGUF file name apart, from its end.

    Raises:
        NameRefused: not a GGUF file name.
    """
    if not is_gguf(name) or len(name) > _MAX:
        raise NameRefused("not a GGUF file name")
    stem = name[:-5]
    shard = None
    if found := _SHARD.search(stem):
        shard = (int(found[1]), int(found[2]))
        stem = stem[: found.start()]
    kind = ""
    if found := _TYPE.search(stem):
        kind = found[1]
        stem = stem[: found.start()]
    encoding = ""
    hyphens = True
    if found := _ENCODING.search(stem):
        encoding = found[1]
        hyphens = stem[found.start()] == "-"
        stem = stem[: found.start()]
    fields = stem.split("-")
    version = next((field for field in reversed(fields) if _VERSION.match(field)), "")
    place = next((number for number, field in enumerate(fields) if number and _SIZE.match(field)), None)
    size = ""
    base, tune = fields, []
    if place is not None:
        behind = place + 1
        size = fields[place]
        if behind < len(fields) and _ACTIVE.match(fields[behind]):
            size += f"-{fields[behind]}"
            behind += 1
        base, tune = fields[:place], fields[behind:]
    tune = [field for field in tune if field != version]
    if not size:
        base = [field for field in base if field != version]
    conventional = hyphens and bool(size and version and encoding) and not set(stem) - _GRAMMAR_CHARACTERS
    return GgufName("-".join(base), size, "-".join(tune), version, encoding, kind, shard, conventional)


_GRAMMAR_CHARACTERS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 -.")
