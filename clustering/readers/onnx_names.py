"""Names of ONNX constants: those of the modules that they came from, as far as the graph tells.

An exporter that folds `weight.T` into a constant calls it `onnx::MatMul_1234`; the node that uses it is still called
`/encoder/layer.0/attention/self/query/MatMul`, which gives the weight its name and its direction back.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace

from clustering.readers.onnx_graph import Operation
from clustering.tensors import Tensor

Shape = tuple[int, ...]
_ANONYMOUS = re.compile(
    r"^(onnx::\w+?_\d+|\d+|val_\d+|_v_\d+|_inlfunc\w*|const\w*_\d+)(?P<packed>_quantized|_Q\d\w*)?$"
)
_LONGEST_ANONYMOUS = 100
_MODULE = re.compile(r"^/?(?P<path>[^/]+(?:/[^/]+)*)/(?P<op>[A-Za-z]+)(?:_\d+)?(?:_quant|_Q\d\w*)?$")
_PRODUCT = ("weight",)
_CONVOLUTIONS = {"Conv": ("weight", "bias"), "ConvTranspose": ("weight", "bias")}
_VECTORS = {"Mul": ("weight",), "Add": ("bias",)}
"""A norm in single steps: its vectors may be made anew (1 + weight), or have further axes."""
_WEIGHTS_OF = {**_CONVOLUTIONS, **_VECTORS}
"""What the inputs of a node after its first are; a bias is added to a product by a node of its own."""
_VECTOR_NAMES = (".weight", ".bias", ".gamma", ".beta", ".running_mean", ".running_var")
"""What PyTorch calls the vectors of its layers; any other copy is a value on its way."""
_NORM = tuple(f"folded_norm.{part}" for part in ("weight", "bias", "running_mean", "running_var"))
_AGAIN = re.compile(r"_\d+(?=\.|$)")
"""What stands behind the name of a module that is used again."""
_COMPUTED = re.compile(r"(^|/)Constant(_\d+)?_output_\d+$")
"""Masks and tables of positions that an exporter of PyTorch computed; it writes parameters as initialisers."""


def renamed(tensors: dict[str, Tensor], operations: list[Operation]) -> list[Tensor]:
    """Anonymous constants under the name of the module whose node uses them.

    Matrices of a product, kernels and biases of a convolution (whose batch norm has been folded into them), vectors of
    a norm. A layer that is used again has nodes of its own, with a number behind its path. Where two constants would
    have one name, neither gets it.
    """
    source, copies = _copies(tensors, operations)
    names = {tensor.name for tensor in (*tensors.values(), *copies)}
    uses: Counter[str] = Counter()
    told: dict[str, list[tuple[str, Shape]]] = {}
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
            shape = _shape(tensors[packed].shape, operation.kind) if packed in tensors else None
            if shape is not None and len(packed) <= _LONGEST_ANONYMOUS and _ANONYMOUS.match(packed):
                told.setdefault(packed, []).append((f"{_module_path(module['path'])}.{last}", shape))
    claims = Counter(answers[0][0] for answers in told.values())
    found = dict(tensors)
    for packed, answers in told.items():
        name, shape = answers[0]
        layers = {(_AGAIN.sub("", path), sizes) for path, sizes in answers}
        if name not in names and claims[name] == len(layers) == 1 and len(answers) == uses[packed]:
            found[packed] = replace(tensors[packed], name=name, shape=shape)
    rows = [*_unfolded(found, operations), *copies]
    return [tensor for tensor in rows if not _COMPUTED.search(tensor.name)] or rows


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
        if len(tensors[original].shape) == 1 and name.endswith(_VECTOR_NAMES):
            found.append(replace(tensors[original], name=name))
    return source, found


def _unfolded(tensors: dict[str, Tensor], operations: list[Operation]) -> list[Tensor]:
    """The constants with the batch norms that were folded into convolutions in place of the biases that they left.

    The exporter makes a new kernel and a new bias only where it folds a norm into a convolution; a convolution's own
    keep their names.
    """
    paths = {
        operation.inputs[2]: tensors[operation.inputs[1]].name.removesuffix(".weight")
        for operation in operations
        if operation.kind in _CONVOLUTIONS
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


def _shape(shape: Shape, kind: str) -> Shape | None:
    """The shape that the module keeps of what a node of a kind takes; None for what is no parameter of such a node."""
    if kind in _VECTORS:  # without the axes of one that broadcasting wants
        return shape[:1] if shape and shape[0] > 1 and set(shape[1:]) <= {1} else None
    if kind in _CONVOLUTIONS:
        return shape
    if len(shape) != 2:
        return None
    # MatMul multiplies by [inputs, outputs]; a Linear keeps [outputs, inputs]. MatMulNBits is turned.
    return shape if kind in {"MatMulNBits", "Gemm"} else shape[::-1]


def _multiplies(operation: Operation) -> bool:
    return operation.kind in _WEIGHTS_OF or operation.kind.startswith(("MatMul", "Gemm", "DynamicQuantizeMatMul"))
