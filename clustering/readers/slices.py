"""Model-parallel checkpoints: every file holds a slice of every matrix (`consolidated.00.pth`, `consolidated.01.pth`).

Joining them by name would count a fraction of the model. Which side was cut follows from the hidden size, the length of
the norms, which are not cut (fairscale's ColumnParallelLinear, RowParallelLinear, ParallelEmbedding).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from clustering.columns import Columns
from clustering.readers.messages import printable, refusal
from clustering.tensors import Tensor, TensorListing


def sliceable(parts: Sequence[TensorListing]) -> bool:
    """Whether all files hold the same names with the same shapes, among them matrices."""
    if len(parts) < 2:
        return False
    first_names = set(Columns.of(parts[0].tensors).names)
    if any(first_names != set(Columns.of(part.tensors).names) for part in parts[1:]):
        return False  # told at once for nearly all
    first = {tensor.name: tensor.shape for tensor in parts[0].tensors}
    if not any(len(shape) > 1 for shape in first.values()):
        return False
    return all({tensor.name: tensor.shape for tensor in part.tensors} == first for part in parts[1:])


def sliced(parts: Sequence[TensorListing]) -> TensorListing:
    """The whole model of its slices.

    Raises:
        ReaderError: when it cannot be told which side of a matrix was cut.
    """
    count = len(parts)
    lengths = Counter(tensor.shape[0] for tensor in parts[0].tensors if len(tensor.shape) == 1)
    hidden = max(lengths, key=lambda length: (lengths[length], length), default=0)
    tensors = tuple(_whole(tensor, count, hidden, parts[0].files[0]) for tensor in parts[0].tensors)
    return replace(
        parts[0],
        tensors=tensors,
        files=tuple(path for part in parts for path in part.files),
        metadata={**parts[0].metadata, "slices": count},
        bytes_read=sum(part.bytes_read for part in parts),
    )


def _whole(tensor: Tensor, count: int, hidden: int, file: str) -> Tensor:
    if len(tensor.shape) < 2:
        return tensor
    rows, columns = tensor.shape[-2:]
    if columns == hidden:
        shape = (*tensor.shape[:-2], rows * count, columns)
    elif hidden in {rows, columns * count}:
        shape = (*tensor.shape[:-2], rows, columns * count)
    else:
        raise refusal(file, f"a slice of a model, and it cannot be told how {printable(tensor.name, 80)} was cut")
    nbytes = None if tensor.nbytes is None else tensor.nbytes * count
    return replace(tensor, shape=shape, nbytes=nbytes, storage=None)
