"""What a model takes in, measured: token embeddings, learned positions, patches, image and window size."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import isqrt

from clustering.blocks.names import Named, words
from clustering.declared.dimensions import usable_positions
from clustering.facts import Fact

MIN_VOCABULARY = 16
"""Smaller tables are type, language or task embeddings."""


@dataclass(frozen=True, slots=True)
class Embeddings:
    """Tables that map tokens and places to vectors, and the matrix that maps back."""

    tokens: Named | None
    output: Named | None
    positions: tuple[Named, ...]

    def elements(self) -> int:
        """Parameters in these tables, shared ones once."""
        tables = [table for table in (self.tokens, self.output, *self.positions) if table is not None]
        if self.tokens is not None and self.output is not None and _shared(self.tokens, self.output):
            tables.remove(self.output)
        return sum(table.elements for table in tables)


def _shared(first: Named, second: Named) -> bool:
    return first.tensor.storage is not None and first.tensor.storage == second.tensor.storage


def find_embeddings(loose: Sequence[Named]) -> Embeddings:
    """Finds the tables among the tensors outside of the blocks."""
    tokens: Named | None = None
    output: Named | None = None
    positions: list[Named] = []
    for named in loose:
        if named.is_buffer or len(named.shape) < 2:
            continue
        owner = named.module if named.leaf == "weight" else named.leaf
        if owner in words("positions") or (owner in {"weight", ""} and named.module in words("positions")):
            positions.append(named)
        elif len(named.shape) != 2:
            continue
        elif _is_token_table(named, owner):
            tokens = named if tokens is None or named.shape[0] > tokens.shape[0] else tokens
        elif owner in words("outputs") and named.shape[0] > named.shape[1]:
            output = named if output is None or named.shape[0] > output.shape[0] else output
    return Embeddings(tokens, output, tuple(positions))


def _is_token_table(named: Named, owner: str) -> bool:
    if named.shape[0] < MIN_VOCABULARY or owner in words("token_types") or "per_layer" in owner:
        return False
    if owner in words("embeddings"):
        return True
    return owner in {"weight", "word_embeddings"} and named.module in words("embeddings")


def vocabulary_facts(tables: Embeddings) -> list[Fact]:
    """`vocabulary` from the token table, else from the output matrix of a language-model head."""
    facts: list[Fact] = []
    table = tables.tokens if tables.tokens is not None else tables.output
    if (
        table is not None
        and tables.output is not None
        and 0 <= table.shape[0] - tables.output.shape[0] <= table.shape[0] // 100
    ):
        table = tables.output  # some token tables keep a few rows more (mllama: eight for images)
    if table is not None:
        facts.append(_measured("vocabulary", table.shape[0], f"rows of {_name(table)}"))
    if tables.tokens is not None and tables.tokens.shape[1] > 0:
        facts.append(_measured("embedding_size", tables.tokens.shape[1], f"columns of {_name(tables.tokens)}"))
    return facts


def position_facts(tables: Embeddings) -> list[Fact]:
    """`position_rows` and `context` (usable positions) of token models; `encoder_context` where it is another.

    The rows are those of a learned table; bart and opt keep two more than their configs say. LED reads 16,384 tokens
    and writes 1,024.
    """
    flat = [table for table in tables.positions if len(table.shape) == 2 and table.shape[0] > 1]
    if not flat:
        return []
    chosen = next((table for table in flat if "decoder" in table.path), flat[0])
    rows = chosen.shape[0]
    source = f"rows of {_name(chosen)}"
    facts = [_measured("position_rows", rows, source), _measured("context", usable_positions(rows), source)]
    read = next((table for table in flat if "encoder" in table.path and "decoder" not in table.path), None)
    if read is not None and "decoder" in chosen.path and read.shape[0] != rows:
        facts.append(_measured("encoder_context", usable_positions(read.shape[0]), f"rows of {_name(read)}"))
    return facts


def patch_facts(loose: Sequence[Named], tables: Embeddings, prefix: str = "", stated: int | None = None) -> list[Fact]:
    """`patch_size` from the first convolution over pixels, `image_size` from it and the position table.

    Args:
        loose: tensors outside of the blocks.
        tables: what `find_embeddings` found among them.
        prefix: of the fact kinds.
        stated: a declared image size. A grid of 27 patches of 14 holds images of 378 to 391 pixels; a declared size in
            this range is the measured one.
    """
    patch = _patch(loose)
    if patch is None:
        return []
    size, convolution = patch
    facts = [_measured(f"{prefix}patch_size", size, f"kernel of {_name(convolution)}")]
    image = _image(loose, tables, size) if len(convolution.shape) != 5 else None
    if image is not None:
        pixels = stated if stated is not None and image[0] <= stated < image[0] + size else image[0]
        source = f"{_name(image[1])}: {image[0] // size} patches of {size} a side"
        facts.append(_measured(f"{prefix}image_size", pixels, source))
    return facts


def _patch(loose: Sequence[Named]) -> tuple[int, Named] | None:
    for named in loose:
        near = set(named.path[-3:]) & words("patches")
        if not near or named.is_buffer or named.leaf.endswith("bias") or "position" in f"{named.module}{named.leaf}":
            continue
        shape = named.shape
        if len(shape) in {4, 5} and shape[1] in {1, 3, 4} and shape[-1] == shape[-2] and shape[-1] % 2 == 0:
            # odd kernels overlap: stems of convolutional networks and pyramids, not patches
            return shape[-1], named
        if (
            len(shape) == 2
            and shape[1] % 3 == 0
            and (side := isqrt(shape[1] // 3)) ** 2 * 3 == shape[1]
            and 4 <= side <= 64
        ):
            return side, named
    return None


def _image(loose: Sequence[Named], tables: Embeddings, patch: int) -> tuple[int, Named] | None:
    """Image size from the number of places: rows less the special tokens are a square grid of patches."""
    special = 0
    for named in loose:
        own = {named.leaf, named.module}
        special += bool(own & words("class_tokens"))
        special += bool(own & {"distillation_token", "dist_token"})
    for table in tables.positions:
        if len(table.shape) == 4 and table.shape[0] == 1 and table.shape[1] == table.shape[2]:
            return table.shape[1] * patch, table  # places kept as a grid (SAM)
        rows = table.shape[-2]
        if len(table.shape) > 3 or (len(table.shape) == 3 and table.shape[0] != 1):
            continue
        for extra in dict.fromkeys((special, 0, 1)):
            side = isqrt(max(0, rows - extra))
            if side >= 2 and side * side == rows - extra:
                return side * patch, table
    return None


def window_fact(tensors: Sequence[Named]) -> Fact | None:
    """`window_size` of windowed attention: a table over a window of w places a side has (2w - 1)^2 rows."""
    sizes: dict[int, Named] = {}
    for named in tensors:
        if named.leaf == "relative_position_bias_table" and len(named.shape) == 2:
            side = isqrt(named.shape[0])
            if side * side == named.shape[0] and side % 2 == 1 and side >= 3:
                sizes.setdefault((side + 1) // 2, named)
    if not sizes:
        return None
    largest = max(sizes)
    return _measured("window_size", largest, f"rows of {_name(sizes[largest])}")


def _name(named: Named) -> str:
    return named.tensor.name


def _measured(kind: str, value: object, source: str) -> Fact:
    return Fact(kind, value, "measured", source)


def query_facts(loose: Sequence[Named]) -> list[Fact]:
    """`queries`: rows of a learned table of object or latent queries."""
    for named in loose:
        owner = named.module if named.leaf == "weight" else named.leaf
        if owner in words("queries") and len(named.shape) in {2, 3} and not named.is_buffer and named.shape[-2] > 1:
            return [Fact("queries", named.shape[-2], "measured", f"rows of {named.tensor.name}")]
    return []
