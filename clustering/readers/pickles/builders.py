"""The allow-list: globals whose call is understood, and what it means for a tensor listing.

A builder gets the arguments as plain placeholder data and returns placeholder data. It never imports or calls what the
pickle names. Everything that is not listed here becomes an `Instance` that nobody calls.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from clustering.readers.pickles.dtypes import numpy_dtype
from clustering.readers.pickles.values import Blob, ElementType, Global, Instance, Storage, TensorRecord

Builder = Callable[[tuple[Any, ...]], Any]


class MisuseError(Exception):
    """Arguments that the named function could not have been saved with."""


def _shape(value: Any) -> tuple[int, ...]:
    if not isinstance(value, (tuple, list)) or len(value) > 64 or any(type(size) is not int for size in value):
        raise MisuseError("a tensor's shape is not a list of whole numbers")
    return tuple(value)


def _view(storage: Any, offset: Any, shape: Any, dtype: str | None = None) -> TensorRecord:
    if not isinstance(storage, Storage) or type(offset) is not int or not 0 <= offset < 1 << 63:
        raise MisuseError("a tensor has no storage")
    return TensorRecord(_shape(shape), dtype or storage.dtype, f"{storage.key}+{offset}")


def _tensor(arguments: tuple[Any, ...]) -> TensorRecord:
    """`torch._utils._rebuild_tensor*`: storage, offset, size, stride, ..."""
    if len(arguments) < 4:
        raise MisuseError("a tensor is described by too few values")
    return _view(arguments[0], arguments[1], arguments[2])


def _typed_tensor(arguments: tuple[Any, ...]) -> TensorRecord:
    """`_rebuild_tensor_v3`: as above, and the type as the seventh value."""
    if len(arguments) < 7 or not isinstance(arguments[6], ElementType):
        raise MisuseError("a tensor is described by too few values")
    return _view(arguments[0], arguments[1], arguments[2], arguments[6].dtype)


def _meta_tensor(arguments: tuple[Any, ...]) -> TensorRecord:
    """`_rebuild_meta_tensor_no_storage`: dtype, size, stride, requires_grad."""
    if len(arguments) < 2 or not isinstance(arguments[0], ElementType):
        raise MisuseError("a tensor is described by too few values")
    return TensorRecord(_shape(arguments[1]), arguments[0].dtype)


def _from_numpy(arguments: tuple[Any, ...]) -> TensorRecord:
    """`_rebuild_device_tensor_from_numpy`: array, dtype, ..."""
    if len(arguments) < 2 or not isinstance(arguments[0], TensorRecord):
        raise MisuseError("a tensor is described by too few values")
    return arguments[0]


def _wrapper(arguments: tuple[Any, ...]) -> TensorRecord:
    """`_rebuild_wrapper_subclass`: class, dtype, size, stride, ..."""
    return _meta_tensor(arguments[1:])


def _parameter(arguments: tuple[Any, ...]) -> Any:
    """`_rebuild_parameter*`: the tensor, requires_grad, ..."""
    if not arguments:
        raise MisuseError("a parameter without a tensor")
    if isinstance(arguments[0], TensorRecord):
        arguments[0].parameter = True
    return arguments[0]


def _from_type(arguments: tuple[Any, ...]) -> Any:
    """`torch._tensor._rebuild_from_type_v2`: the function that builds it, the subclass, its arguments, a state."""
    if len(arguments) < 3 or not isinstance(arguments[0], Global) or not isinstance(arguments[2], tuple):
        raise MisuseError("a tensor of a subclass is described by too few values")
    inner = (arguments[0].module, arguments[0].name)
    if inner == ("torch._tensor", "_rebuild_from_type_v2") or inner not in BUILDERS:
        return Instance(arguments[0], arguments[2])
    return BUILDERS[inner](arguments[2])


def _mapping(arguments: tuple[Any, ...]) -> Any:
    """`OrderedDict()`, `OrderedDict([(key, value), ...])`, `defaultdict(factory)`."""
    pairs = arguments[-1] if arguments else ()
    if isinstance(pairs, dict):
        return dict(pairs)
    if not isinstance(pairs, (list, tuple)):
        return {}
    built: dict[Any, Any] = {}
    for pair in pairs:
        if isinstance(pair, (list, tuple)) and len(pair) == 2 and isinstance(pair[0], str):
            built[pair[0]] = pair[1]
    return built


def _sequence(arguments: tuple[Any, ...]) -> Any:
    """`torch.Size((2, 3))`, `set([...])`: the sequence itself."""
    return arguments[0] if arguments and isinstance(arguments[0], (tuple, list)) else ()


def _array(_arguments: tuple[Any, ...]) -> TensorRecord:
    """`numpy.core.multiarray._reconstruct`: shape and type come with the state."""
    return TensorRecord(None, None)


def _array_from_buffer(arguments: tuple[Any, ...]) -> TensorRecord:
    """`numpy.core.numeric._frombuffer`: buffer, dtype, shape, order."""
    if len(arguments) < 3:
        raise MisuseError("an array is described by too few values")
    dtype = arguments[1].dtype if isinstance(arguments[1], ElementType) else None
    return TensorRecord(_shape(arguments[2]), dtype)


def _numpy_type(arguments: tuple[Any, ...]) -> Any:
    """`numpy.dtype('f4', False, True)`."""
    name = arguments[0] if arguments else None
    if isinstance(name, Global):
        name = name.name
    known = numpy_dtype(name) if isinstance(name, str) else None
    return ElementType(known) if known else Instance(Global("numpy", "dtype"), ())


def _encode(arguments: tuple[Any, ...]) -> Any:
    """`_codecs.encode(text, 'latin1')`: how protocol 2 writes bytes."""
    text = arguments[0] if arguments else None
    return Blob(len(text)) if isinstance(text, str) else text


def _builders() -> dict[tuple[str, str], Builder]:
    table: dict[tuple[str, str], Builder] = {
        ("torch._utils", "_rebuild_tensor"): _tensor,
        ("torch._utils", "_rebuild_tensor_v2"): _tensor,
        ("torch._utils", "_rebuild_tensor_v3"): _typed_tensor,
        ("torch._utils", "_rebuild_qtensor"): _tensor,
        ("torch._utils", "_rebuild_parameter"): _parameter,
        ("torch._utils", "_rebuild_parameter_with_state"): _parameter,
        ("torch._utils", "_rebuild_device_tensor_from_numpy"): _from_numpy,
        ("torch._utils", "_rebuild_meta_tensor_no_storage"): _meta_tensor,
        ("torch._utils", "_rebuild_wrapper_subclass"): _wrapper,
        ("torch._tensor", "_rebuild_from_type_v2"): _from_type,
        ("torch.nn.parameter", "Parameter"): _parameter,
        ("torch", "Size"): _sequence,
        ("collections", "OrderedDict"): _mapping,
        ("collections", "defaultdict"): _mapping,
        ("numpy", "dtype"): _numpy_type,
        ("_codecs", "encode"): _encode,
    }
    for builtins in ("builtins", "__builtin__"):
        table[builtins, "set"] = table[builtins, "frozenset"] = table[builtins, "list"] = _sequence
        table[builtins, "tuple"] = _sequence
        table[builtins, "dict"] = _mapping
    for core in ("numpy.core", "numpy._core"):
        table[f"{core}.multiarray", "_reconstruct"] = _array
        table[f"{core}.numeric", "_frombuffer"] = _array_from_buffer
    return table


BUILDERS: Mapping[tuple[str, str], Builder] = MappingProxyType(_builders())
"""(module, name) -> what its call means."""

KNOWN_INERT = frozenset(
    {
        ("argparse", "Namespace"), ("numpy", "ndarray"), ("numpy.core.multiarray", "scalar"), ("torch", "device"),
        ("numpy._core.multiarray", "scalar"), ("torch", "Tensor"), ("torch.serialization", "_get_layout"),
        ("torch._utils", "_rebuild_sparse_tensor"), ("builtins", "bytearray"), ("__builtin__", "bytearray"),
        ("builtins", "complex"), ("builtins", "slice"), ("builtins", "range"), ("collections", "Counter"),
        ("builtins", "bytes"), ("pathlib", "PosixPath"), ("pathlib", "Path"), ("pathlib", "WindowsPath"),
        ("datetime", "datetime"), ("copyreg", "_reconstructor"), ("copy_reg", "_reconstructor"), ("builtins", "object"),
        ("__builtin__", "object"), ("torch.storage", "_load_from_bytes"),
    }
)  # fmt: skip
"""Not interpreted, and not worth a remark either."""
