"""Listings of small models, for tests of what is made of a listing."""

from __future__ import annotations

from clustering.tensors import Tensor, TensorListing

Shape = tuple[int, ...]


def encoder_shapes(
    depth: int = 4, width: int = 96, *, rms: bool = False, bias: bool = True, gated: bool = False, experts: int = 0
) -> dict[str, Shape]:
    """A small post-norm encoder in definition order; with experts, their feed-forward halves one by one."""
    rows: dict[str, Shape] = {"embeddings.word.weight": (width * 40, width)}
    for block in range(depth):
        base = f"encoder.layer.{block}"
        for part in ("query", "key", "value", "output"):
            rows[f"{base}.attention.{part}.weight"] = (width, width)
            if bias:
                rows[f"{base}.attention.{part}.bias"] = (width,)
        for prefix in [f"{base}.experts.{number}" for number in range(experts)] or [base]:
            rows[f"{prefix}.up.weight"] = (width * 4, width)
            if gated:
                rows[f"{prefix}.gate.weight"] = (width * 4, width)
            rows[f"{prefix}.down.weight"] = (width, width * 4)
        rows[f"{base}.norm.weight"] = (width,)
        if not rms:
            rows[f"{base}.norm.bias"] = (width,)
    return rows


def as_listing(shapes: dict[str, Shape], form: str = "safetensors", dtype: str = "F32") -> TensorListing:
    """Shapes by name as a listing in that order."""
    return TensorListing(tuple(Tensor(name, shape, dtype) for name, shape in shapes.items()), form)


def renamed(listing: TensorListing, names: list[str]) -> TensorListing:
    """The listing in its order under other names."""
    tensors = zip(names, listing.tensors, strict=True)
    return TensorListing(tuple(Tensor(name, t.shape, t.dtype) for name, t in tensors), listing.format)


def numbered(listing: TensorListing) -> TensorListing:
    """The listing in its order with numbers for names."""
    return renamed(listing, [f"t{number:05d}" for number in range(len(listing.tensors))])
