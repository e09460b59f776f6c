"""ONNX models: constant tensors with the names of the modules that they came from, as far as the graph tells.

An exporter that folds `weight.T` into a constant calls it `onnx::MatMul_1234`; the node that uses it is still called
`/encoder/layer.0/attention/self/query/MatMul`, which gives the weight its name and its direction back.
"""

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
from clustering.readers.shapes import bytes_of, checked_name, checked_shape
from clustering.tensors import Quantization, Tensor, TensorListing

_ANONYMOUS = re.compile(
    r"^(onnx::\w+?_\d+|\d+|val_\d+|_v_\d+|_inlfunc\w*|const\w*_\d+)(?P<packed>_quantized|_Q\d\w*)?$"
)
_LONGEST_ANONYMOUS = 100
_MODULE = re.compile(r"^/?(?P<path>[^/]+(?:/[^/]+)*)/(?P<op>[A-Za-z]+)(?:_\d+)?(?:_quant|_Q\d\w*)?$")
_PRODUCT = ("weight",)
_WEIGHTS_OF = {"Conv": ("weight", "bias"), "ConvTranspose": ("weight", "bias")}
"""What the inputs of a node after its first are; a bias is added to a product by a node of its own."""
_NORM = tuple(f"folded_norm.{part}" for part in ("weight", "bias", "running_mean", "running_var"))
_AGAIN = re.compile(r"_\d+(?=\.|$)")
"""What stands behind the name of a module that is used again."""
_COMPUTED = re.compile(r"(^|/)Constant(_\d+)?_output_\d+$")
"""Masks and tables of positions that an exporter of PyTorch computed; it writes parameters as initialisers."""
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
        renamed = _renamed(unpacked, graph.operations)
        known = set(tensors)
        metadata: dict[str, Any] = {
            "producer": printable(graph.producer, 80),
            "operators": dict(sorted(graph.kinds.most_common(_KEPT_OPERATORS))),
            "inputs": [printable(name) for name in graph.inputs if name not in known][:64],
            "outputs": [printable(name) for name in graph.outputs[:64]],
            "renamed": sum(tensor.name not in tensors for tensor in renamed),
        }
        return TensorListing(
            tuple(renamed), self.format, (source.label,), metadata, quantization, bytes_read=cursor.fetched
        )


def _copies(tensors: dict[str, Tensor], operations: list[Operation]) -> tuple[dict[str, str], list[Tensor]]:
    """Copies of constants -> the constant, and the parameters among them.

    An exporter keeps one of several constants of equal values and hands the others on by `Identity`. Vectors that are
    equal are two parameters that nobody trained; matrices that are equal are one parameter under two names.
    """
    source: dict[str, str] = {}
    found: list[Tensor] = []
    for operation in operations:
        if operation.kind != "Identity" or not operation.inputs or not operation.outputs:
            continue
        name, original = operation.outputs[0], operation.inputs[0]
        original = source.get(original, original)
        if original not in tensors or name in tensors or name in source:
            continue
        source[name] = original
        if len(tensors[original].shape) == 1 and "." in name and not _ANONYMOUS.match(name[:_LONGEST_ANONYMOUS]):
            found.append(replace(tensors[original], name=name))
    return source, found


def _renamed(tensors: dict[str, Tensor], operations: list[Operation]) -> list[Tensor]:
    """Anonymous constants under the name of the module whose node uses them.

    Matrices of a product, kernels and biases of a convolution (whose batch norm has been folded into them). A layer
    that is used again has nodes of its own, with a number behind its path.
    """
    source, copies = _copies(tensors, operations)
    names = {tensor.name for tensor in (*tensors.values(), *copies)}
    uses: Counter[str] = Counter()
    told: dict[str, list[tuple[str, bool]]] = {}
    for operation in operations:
        if operation.kind == "Identity":
            continue
        inputs = [source.get(name, name) for name in operation.inputs]
        uses.update(name for name in inputs if name in tensors)
        module = _MODULE.match(operation.name)
        for place, last in enumerate(_WEIGHTS_OF.get(operation.kind, _PRODUCT), start=1):
            if module is None or len(inputs) <= place or not _multiplies(operation):
                break
            packed = inputs[place]
            if packed in tensors and len(packed) <= _LONGEST_ANONYMOUS and _ANONYMOUS.match(packed):
                # MatMul multiplies by [inputs, outputs]; a Linear keeps [outputs, inputs]. MatMulNBits is turned.
                turned = last == "weight" and operation.kind not in {"MatMulNBits", "Gemm", *_WEIGHTS_OF}
                told.setdefault(packed, []).append((f"{_module_path(module['path'])}.{last}", turned))
    found = dict(tensors)
    for packed, answers in told.items():
        (name, turned), shape = answers[0], tensors[packed].shape
        layers = {(_AGAIN.sub("", path), side) for path, side in answers}
        if name in names or len(layers) > 1 or len(answers) != uses[packed] or (turned and len(shape) != 2):
            continue
        names.add(name)
        found[packed] = replace(tensors[packed], name=name, shape=shape[::-1] if turned else shape)
    rows = [*_unfolded(found, operations), *copies]
    return [tensor for tensor in rows if not _COMPUTED.search(tensor.name)] or rows


def _unfolded(tensors: dict[str, Tensor], operations: list[Operation]) -> list[Tensor]:
    """The constants with the batch norms that were folded into convolutions in place of the biases that they left.

    The exporter makes a new kernel and a new bias only where it folds a norm into a convolution; a convolution's own
    keep their names.
    """
    paths = {
        operation.inputs[2]: tensors[operation.inputs[1]].name.removesuffix(".weight")
        for operation in operations
        if operation.kind in _WEIGHTS_OF
        and len(operation.inputs) > 2
        and all(_named_anew(name, tensors) for name in operation.inputs[1:3])
    }
    rows: list[Tensor] = []
    for name, tensor in tensors.items():
        path = paths.get(name)
        rows += [tensor] if path is None else [replace(tensor, name=f"{path}.{last}") for last in _NORM]
    return rows


def _named_anew(name: str, tensors: dict[str, Tensor]) -> bool:
    return name in tensors and name.startswith("onnx::Conv") and tensors[name].name != name


def _module_path(path: str) -> str:
    """The dotted path of a node's module; a `Sequential` is told twice, `layer/layer.0`."""
    pieces = path.split("/")
    after = [*pieces[1:], ""]
    kept = [piece for piece, following in zip(pieces, after, strict=True) if not _repeated(piece, following)]
    return ".".join(kept)


def _repeated(piece: str, following: str) -> bool:
    return following.startswith(f"{piece}.") and following[len(piece) + 1 :].isdecimal()


def _multiplies(operation: Operation) -> bool:
    return operation.kind in _WEIGHTS_OF or operation.kind.startswith(("MatMul", "Gemm", "DynamicQuantizeMatMul"))


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
