"""Sums over a listing: parameters, the share of each dtype, bits per weight, adapters."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from clustering.blocks.names import Named
from clustering.facts import Fact
from clustering.tensors import TensorListing

WIDTHS = {
    "F64": 8,
    "F32": 4,
    "F16": 2,
    "BF16": 2,
    "F8_E4M3": 1,
    "F8_E5M2": 1,
    "I64": 8,
    "I32": 4,
    "I16": 2,
    "I8": 1,
    "U8": 1,
    "BOOL": 1,
}
"""Bytes per element (safetensors specification)."""


@dataclass(frozen=True, slots=True)
class Counts:
    """What a listing adds up to."""

    parameters: int
    """Logical elements of everything that is trained; shared storage once, buffers not at all."""
    tensors: int
    shared: int
    """Elements that were left out because their storage is another tensor's."""
    buffers: int
    """Elements of buffers."""


def unique(tensors: Iterable[Named]) -> list[Named]:
    """Tensors without those that share another's storage."""
    seen: set[tuple[str, str]] = set()
    kept: list[Named] = []
    for named in tensors:
        if named.tensor.storage is not None:
            key = (named.tensor.file, named.tensor.storage)
            if key in seen:
                continue
            seen.add(key)
        kept.append(named)
    return kept


def count(tensors: Sequence[Named]) -> Counts:
    """Counts parameters."""
    own = unique(tensors)
    trained = [named for named in own if not named.is_buffer]
    parameters = sum(named.elements for named in trained)
    buffers = sum(named.elements for named in own if named.is_buffer)
    shared = sum(named.elements for named in tensors) - sum(named.elements for named in own)
    return Counts(parameters, sum(named.copies for named in trained), shared, buffers)


def dtype_facts(tensors: Sequence[Named]) -> list[Fact]:
    """`dtype` that holds most bytes, and `dtypes` with the share of each."""
    size: Counter[str] = Counter()
    for named in unique(tensors):
        if not named.is_buffer:
            size[named.tensor.dtype] += (
                named.nbytes if named.nbytes is not None else named.elements * WIDTHS.get(named.tensor.dtype, 1)
            )
    total = sum(size.values())
    if not total:
        return []
    main, most = max(size.items(), key=lambda item: (item[1], item[0]))
    source = f"{100 * most / total:.1f} % of the bytes"
    shares = {dtype: round(amount / total, 4) for dtype, amount in sorted(size.items())}
    return [Fact("dtype", main, "measured", source), Fact("dtypes", shares, "measured", "share of the bytes")]


def quantization_facts(listing: TensorListing, tensors: Sequence[Named]) -> list[Fact]:
    """`quantization` as the reader understood it, `bits_per_weight` from the bytes on disk."""
    facts: list[Fact] = []
    if listing.quantization is not None:
        packed = listing.quantization
        facts.append(Fact("quantization", {"method": packed.method, "bits": packed.bits}, "measured", packed.source))
    own = [named for named in unique(tensors) if not named.is_buffer]
    elements = sum(named.elements for named in own)
    if elements and not listing.incomplete and all(named.nbytes is not None for named in own):
        size = sum(named.nbytes or 0 for named in own)
        if size:
            facts.append(
                Fact(
                    "bits_per_weight",
                    round(8 * size / elements, 2),
                    "measured",
                    "bytes of the tensors over their elements",
                )
            )
    return facts


def adapter_fact(listing: TensorListing, tensors: Sequence[Named]) -> Fact:
    """`adapter`: method, rank, target modules, blocks and width of the base model, from the adapter's own shapes."""
    ranks: Counter[int] = Counter()
    inputs: Counter[int] = Counter()
    targets: set[str] = set()
    layers: set[int] = set()
    for named in tensors:
        marks = [
            position
            for position, token in enumerate(named.path)
            if token in {"lora_a", "lora_b", "lora_embedding_a", "lora_embedding_b"}
        ]
        if not marks and named.leaf not in {"lora_a", "lora_b"}:
            continue
        place = marks[0] if marks else len(named.path)
        owners = [word for word in named.path[:place] if isinstance(word, str) and word != "base_layer"]
        owner = owners[-1] if owners else None
        if owner is not None:
            targets.add(owner)
        layers.update(token for token in named.path[:place] if isinstance(token, int))
        kind = named.path[place] if marks else named.leaf
        if len(named.shape) == 2 and kind == "lora_a":
            rank, size = sorted(named.shape)
            ranks[rank] += 1
            inputs[size] += 1
    value = {
        "method": listing.adapter,
        "rank": ranks.most_common(1)[0][0] if ranks else None,
        "targets": sorted(targets),
        "layers": len(layers) or None,
        "hidden_size": inputs.most_common(1)[0][0] if inputs else None,
    }
    return Fact("adapter", value, "measured", f"{len(tensors)} tensors of the adapter")
