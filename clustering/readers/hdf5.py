"""Weights in HDF5: `tf_model.h5` of transformers, Keras 1 and 2 files, Keras 3 archives (`.keras`, `.weights.h5`)."""

from __future__ import annotations

from clustering.bytesource import ByteSource
from clustering.readers.archive import Archive
from clustering.readers.hdf5_objects import Hdf5File, Node
from clustering.readers.limits import Limits
from clustering.readers.messages import no_weights, printable, refusal
from clustering.readers.shapes import bytes_of, checked_name, checked_shape, too_many
from clustering.tensors import Tensor, TensorListing

_NOT_MODEL = frozenset({"optimizer_weights", "optimizer", "_optimizer", "top_level_model_weights_optimizer"})
"""Groups of the root that hold no weights."""


class Hdf5Reader:
    """Reads `*.h5`, `*.hdf5` and `*.keras`."""

    format = "hdf5"

    def matches(self, path: str) -> bool:
        """By suffix."""
        return path.lower().endswith((".h5", ".hdf5", ".keras"))

    def read(self, source: ByteSource, limits: Limits) -> TensorListing:
        """The data sets in the order that Keras recorded (`layer_names`, `weight_names`), else in file order.

        Names are paths without the `model_weights` group and without the layer's group where Keras repeats it in the
        weight's own name.
        """
        inner = _member(source, limits) if source.read(0, 4) == b"PK\x03\x04" else source
        file = Hdf5File(inner, limits)
        root = file.node(file.root)
        if "model_weights" in root.links:
            root = file.node(root.links["model_weights"])
        tensors = _Walk(file, source.label, limits).run(root)
        if not tensors:
            raise no_weights(source.label, "holds no data sets of numbers")
        return TensorListing(tuple(tensors), self.format, (source.label,))


def _member(source: ByteSource, limits: Limits) -> ByteSource:
    """The weights inside a Keras 3 archive."""
    archive = Archive(source, limits)
    found = [member for name, member in archive.members.items() if name.endswith(".weights.h5")]
    if not found:
        raise refusal(source.label, "a zip archive without model.weights.h5")
    return archive.open(min(found, key=lambda member: (member.name != "model.weights.h5", member.name)))


class _Walk:
    """Collects the data sets below the root."""

    def __init__(self, file: Hdf5File, label: str, limits: Limits) -> None:
        self._file = file
        self._label = label
        self._limits = limits
        self._tensors: dict[str, Tensor] = {}
        self._entered: set[int] = set()

    def run(self, root: Node) -> list[Tensor]:
        """Tensors in order."""
        for name in _ordered(root, "layer_names"):
            if name in _NOT_MODEL:
                continue
            node = self._file.node(root.links[name])
            if node.shape is not None:
                self._record(name, node)
                continue
            for path in _listed(node, "weight_names"):
                found = self._follow(node, path)
                if found is not None and found.shape is not None:
                    self._record(path, found)
            if not node.texts:
                self._below(name, node)
        if not self._tensors:
            self._below("", root)
        return list(self._tensors.values())

    def _follow(self, node: Node, path: str) -> Node | None:
        """The node at a path below a group."""
        for part in path.split("/"):
            self._file.step()
            address = node.links.get(part)
            if address is None:
                return None
            node = self._file.node(address)
        return node

    def _below(self, name: str, node: Node) -> None:
        """Every data set below a group, depth first; each group once, so that a loop of links ends."""
        pending: list[tuple[str, int, int]] = [(name, node.address, 0)]
        while pending:
            path, address, depth = pending.pop()
            if address in self._entered or depth > self._limits.depth or len(path) > self._limits.name_length:
                continue
            current = self._file.node(address)
            if current.shape is not None:
                self._record(path, current)
                continue
            self._entered.add(address)
            below = [
                (f"{path}/{link}" if path else link, inner, depth + 1)
                for link, inner in current.links.items()
                if path or link not in _NOT_MODEL
            ]
            pending.extend(reversed(below))

    def _record(self, path: str, node: Node) -> None:
        if node.dtype is None or node.shape is None:
            return
        name = checked_name(path, self._label, self._limits)
        shape = checked_shape(node.shape, name, self._label, self._limits)
        if len(self._tensors) >= self._limits.tensors:
            raise too_many(self._label, self._limits)
        storage = f"{self._label}#{node.address}"
        if name in self._tensors and self._tensors[name].storage != storage:
            raise refusal(self._label, f"weight {printable(name, 80)} occurs twice")
        self._tensors[name] = Tensor(name, shape, node.dtype, bytes_of(shape, node.dtype), self._label, storage)


def _listed(node: Node, attribute: str) -> list[str]:
    """An attribute's texts; Keras splits long ones over ATTRIBUTE0, ATTRIBUTE1, ..."""
    if attribute in node.texts:
        return node.texts[attribute]
    found: list[str] = []
    while f"{attribute}{len(found)}" in node.texts and len(found) < 1_000:
        found.append(f"{attribute}{len(found)}")
    return [text for key in found for text in node.texts[key]]


def _ordered(node: Node, attribute: str) -> list[str]:
    """Names of a group's links, those that an attribute lists first."""
    listed = [name for name in dict.fromkeys(_listed(node, attribute)) if name in node.links]
    known = set(listed)
    return listed + [name for name in node.links if name not in known]
