"""A mirror of packages with weight headers and known truth: real configurations in several sizes, on the meta device.

Each configuration is built as it is and resized by its own fields; copies share a graph as fine-tunes do, and some have
another vocabulary. Files are sparse: a package takes its header. A share of the names states a family that the package
is not. The same seed gives the same packages with the same versions of the libraries.
"""

from __future__ import annotations

import json
import random
import struct
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from benchmarks.batch_data import kinds
from clustering.errors import MissingExtraError
from clustering.live.listing import LiveModelError, listing_from_config
from clustering.tensors import Tensor, TensorListing
from corpora.reference import load_reference
from corpora.reference.sizes import role_of

CONFIGS = Path(__file__).resolve().parents[2] / "shared" / "data" / "hub_packages_dev.jsonl"
PLANTED = 0.02
RESIZED = 0.3
"""Share of packages whose vocabulary has some tokens more."""
_WIDTH = {"F64": 8, "I64": 8, "F32": 4, "I32": 4, "F16": 2, "BF16": 2, "U8": 1, "I8": 1, "BOOL": 1}
_HALVED = frozenset({"width", "heads", "kv", "ffn"})
_WORDS = ("finetuned", "custom", "merged", "test", "final")
"""Words that claim nothing; a version behind a family would be a generation."""


@dataclass(frozen=True, slots=True)
class Built:
    """One configuration with its tensors."""

    config: Mapping[str, Any]
    listing: TensorListing

    @property
    def family(self) -> str:
        """The declared family, which is the truth."""
        return str(self.config["model_type"])


def configs(path: Path | None) -> list[dict[str, Any]]:
    """Published configurations, each once; without the file those of families of transformers' registries."""
    if path is not None and path.exists():
        rows = [json.loads(line)["config"] for line in path.read_text(encoding="utf-8").splitlines()]
        found = {json.dumps(row, sort_keys=True): row for row in rows if row.get("model_type") and usable(row)}
        return list(found.values())
    return [{"model_type": kind.family, "architectures": [kind.architecture]} for kind in kinds()]


def usable(config: Mapping[str, Any]) -> bool:
    """Whether a package of the config could be checked: known family, plain weights, no code of its own."""
    return (
        load_reference().known(str(config["model_type"]))
        and "quantization_config" not in config
        and "auto_map" not in config
    )


def resized(value: Any, size: str, field: str = "") -> Any:
    """A configuration in another size: `half` the width and two thirds of the depth, or two layers `deeper`."""
    if isinstance(value, dict):
        # a depth that a list or a pattern of layers spells out stays: the two would contradict each other
        spelled = {len(item) for item in value.values() if isinstance(item, list | str)}
        return {
            key: item if role_of(key) == "depth" and item in spelled else resized(item, size, key)
            for key, item in value.items()
        }
    if type(value) is not int or size == "own":
        return value
    role = role_of(field)
    if role == "depth":
        return value + 2 if size == "deeper" else max(2, value * 2 // 3)
    if size == "half" and role in _HALVED and value % 2 == 0:
        return value // 2
    return value


def build(wanted: Sequence[dict[str, Any]], sizes: Sequence[str]) -> Iterator[Built]:
    """Every configuration in every size that can be built; says how many cannot."""
    failed = deaf = 0
    for config in wanted:
        own: TensorListing | None = None
        for size in sizes:
            changed = resized(config, size)
            try:
                listing = listing_from_config(changed, spelling="published")
            except (LiveModelError, MissingExtraError):
                failed += 1
                continue
            if size == "own":
                own = listing
            elif own is not None and own.tensors == listing.tensors:
                deaf += 1  # the class reads its sizes elsewhere: config.json would contradict the weights
                continue
            yield Built(changed, listing)
    print(
        f"{failed} of {len(wanted) * len(sizes)} configurations and sizes cannot be built, "
        f"{deaf} do not change the model",
        file=sys.stderr,
    )


def with_vocabulary(built: Built, more: int) -> Built:
    """The same model with more tokens."""
    size = built.config.get("vocab_size")
    if type(size) is not int or size < 1_000 or not more:
        return built
    tensors = tuple(
        replace(tensor, shape=(size + more, *tensor.shape[1:])) if tensor.shape[:1] == (size,) else tensor
        for tensor in built.listing.tensors
    )
    return Built({**built.config, "vocab_size": size + more}, replace(built.listing, tensors=tensors))


def write_mirror(folder: Path, count: int, models: Sequence[Built], seed: int = 0) -> list[dict[str, Any]]:
    """Writes packages; returns the truth about each: name, family, what its name states, planted or not."""
    chance = random.Random(seed)
    order = list(models)
    chance.shuffle(order)
    popular = [1 / rank for rank in range(1, len(order) + 1)]
    families = sorted({model.family for model in models})
    truth: list[dict[str, Any]] = []
    for number in range(count):
        # every model once, then the popular ones again and again
        model = order[number] if number < len(order) else chance.choices(order, popular)[0]
        if chance.random() < RESIZED:
            model = with_vocabulary(model, 64 * chance.randrange(1, 9))
        others = strangers(model.family, families) if chance.random() < PLANTED else []
        stated = chance.choice(others) if others else model.family
        owner = f"org{int((count / 4 + 2) ** chance.random())}"
        name = f"{owner}/{stated.replace('_', '-')}-{chance.choice(_WORDS)}-run{number}"
        write_package(folder / name.replace("/", "--"), model)
        truth.append({"name": name, "family": model.family, "stated": stated, "planted": bool(others)})
    return truth


def strangers(family: str, families: Sequence[str]) -> list[str]:
    """Families that are neither twins nor namesakes of one."""
    twins = {family, *load_reference().twins(family)}
    return [other for other in families if other not in twins and not any(related(other, twin) for twin in twins)]


def related(one: str, other: str) -> bool:
    """Whether one may be a generation or a derivative of the other: then a name that states it need not be wrong."""
    a, b = (text.replace("_", "").replace("-", "") for text in (one, other))
    return a[:4] == b[:4] or a in b or b in a


def write_package(folder: Path, model: Built) -> None:
    """A folder with config.json and a sparse model.safetensors."""
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    offset = 0
    for tensor in model.listing.tensors:
        size = bytes_of(tensor)
        header[tensor.name] = {"dtype": tensor.dtype, "shape": tensor.shape, "data_offsets": [offset, offset + size]}
        offset += size
    text = json.dumps(header, separators=(",", ":")).encode()
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps(model.config), encoding="utf-8")
    with (folder / "model.safetensors").open("xb") as stream:
        stream.write(struct.pack("<Q", len(text)) + text)
        stream.truncate(8 + len(text) + offset)


def bytes_of(tensor: Tensor) -> int:
    """Bytes of a tensor in a file."""
    size = _WIDTH.get(tensor.dtype, 4)
    for extent in tensor.shape:
        size *= extent
    return size
