"""ONNX models: constant tensors with the names of the modules that they came from (`onnx_names`)."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace
from typing import Any

from clustering.bytesource import ByteSource
from clustering.readers.cursor import Cursor
from clustering.readers.limits import Limits
from clustering.readers.messages import printable, refusal
from clustering.readers.onnx_graph import DTYPES, Graph, Operation
from clustering.readers.onnx_names import renamed
from clustering.readers.shapes import bytes_of, checked_name, checked_shape
from clustering.tensors import Quantization, Tensor, TensorListing

_AUXILIARY = re.compile(r"(_scale|_zero_point|_scales|_zero_points|_zp)$")
_INTEGER_PRODUCTS = frozenset({"MatMulInteger", "ConvInteger", "QLinearMatMul", "QLinearConv", "DynamicQuantizeMatMul"})
_KEPT_OPERATORS = 200


class OnnxReader:
    """Reads `*.onnx`, with weights inside or in external files (which are not opened)."""

    format = "onnx"

    def matches(self, path: str) -> bool:
        """By suffix."""
        return path.lower().endswith(".onnx")

    def read(self, source: ByteSource, limits: Limits) -> TensorListing:
        """The constant tensors in file order.

        `metadata` has `producer`, `operators` (operator -> number of nodes), `inputs`, `outputs`, and `renamed`: how
        many tensors got their name from a node.
        """
        cursor = Cursor(source, limit=limits.scan_bytes, chunk=8_192)
        graph = Graph(cursor, limits)
        tensors = {}
        for found in graph.initializers:
            name = checked_name(found.name, source.label, limits)
            shape = checked_shape(found.sizes, name, source.label, limits)
            dtype = DTYPES[found.kind]
            if name in tensors:
                raise refusal(source.label, f"tensor {printable(name, 80)} occurs twice")
            tensors[name] = Tensor(name, shape, dtype, bytes_of(shape, dtype), source.label)
        if not tensors:
            raise refusal(source.label, "holds no constant tensors" if graph.operations else "not an ONNX model")
        unpacked, quantization = _unpacked(tensors, graph.operations)
        named = renamed(unpacked, graph.operations)
        known = set(tensors)
        metadata: dict[str, Any] = {
            "producer": printable(graph.producer, 80),
            "operators": dict(sorted(graph.kinds.most_common(_KEPT_OPERATORS))),
            "inputs": [printable(name) for name in graph.inputs if name not in known][:64],
            "outputs": [printable(name) for name in graph.outputs[:64]],
            "renamed": sum(tensor.name not in tensors for tensor in named),
        }
        return TensorListing(
            tuple(named), self.format, (source.label,), metadata, quantization, bytes_read=cursor.fetched
        )


def _unpacked(tensors: dict[str, Tensor], operations: list[Operation]) -> tuple[dict[str, Tensor], Quantization | None]:
    """Quantized constants in logical form, without their scales and zero points."""
    auxiliary: set[str] = set()
    widths: Counter[tuple[int, str]] = Counter()
    found = dict(tensors)
    for operation in operations:
        inputs = operation.inputs
        if operation.kind == "MatMulNBits" and len(inputs) >= 3 and inputs[1] in tensors:
            bits, shape = operation.numbers.get("bits", 4), _sides(operation)
            if shape is not None and 1 <= bits <= 8:
                found[inputs[1]] = replace(tensors[inputs[1]], shape=shape, dtype=f"I{bits}")
                auxiliary.update(inputs[2:5])
                widths[bits, operation.kind] += 1
        elif operation.kind == "DequantizeLinear" and inputs and inputs[0] in tensors:
            auxiliary.update(inputs[1:3])
            if len(tensors[inputs[0]].shape) > 1:
                widths[4 if tensors[inputs[0]].dtype in {"I4", "U4"} else 8, operation.kind] += 1
        elif operation.kind in _INTEGER_PRODUCTS:
            auxiliary.update(name for name in inputs if _AUXILIARY.search(name))
            widths[8, operation.kind] += sum(name in tensors and len(tensors[name].shape) > 1 for name in inputs)
    widths += Counter()  # drops entries of zero
    if not widths:
        return tensors, None
    auxiliary.update(name for name in tensors if _AUXILIARY.search(name) and _quantized_stem(name) in tensors)
    (bits, kind), _ = widths.most_common(1)[0]
    kept = {name: tensor for name, tensor in found.items() if name not in auxiliary}
    return kept, Quantization("onnx", bits, f"ONNX {kind} nodes ({sum(widths.values())} quantized weights)")


def _quantized_stem(name: str) -> str:
    return _AUXILIARY.sub("", name) + "_quantized"


def _sides(operation: Operation) -> tuple[int, int] | None:
    """Outputs and inputs of a MatMulNBits node."""
    outputs, inputs = operation.numbers.get("N", 0), operation.numbers.get("K", 0)
    return (outputs, inputs) if 0 < outputs < 1 << 32 and 0 < inputs < 1 << 32 else None
