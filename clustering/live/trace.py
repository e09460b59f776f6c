"""Operators of a live module: a forward pass over tensors without data, recorded operator by operator.

With torch's fake tensors a forward pass computes shapes only, so BERT base is traced in a second and a model of any
size in the memory of its module tree. What decides by values (a mask that is looked at, boxes that are kept or dropped)
cannot be traced: then there is one clear error, and all else that is measured of a model does not need a trace.

Schema (networkx DiGraph)
-------------------------
graph attributes
    - `schema`: that of `clustering.graphs.model`; `format`: `trace`; `inputs`: names of the arguments that were given
nodes (integers in order of execution)
    - `op`: the operator, `aten.addmm`; views (reshape, transpose, slice ...) compute nothing and are passed through
    - `path`: the innermost module that ran it; `kind`: that module's class
    - `shape`: of its first result, None for a size that depends on values
    - `parameters`: names of the parameters and buffers that it reads
edges
    - `relation="flow"`: a result of the first is an input of the second
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from clustering.graphs.model import SCHEMA
from clustering.live.inputs import Inputs, candidate_inputs
from clustering.live.limits import LiveModelError
from clustering.live.modules import error_line, quiet

if TYPE_CHECKING:
    import networkx as nx
    from torch import nn

_VIEWS = frozenset(
    {
        "_reshape_alias", "_to_copy", "_unsafe_view", "alias", "as_strided", "chunk", "clone", "contiguous", "detach",
        "detach_", "diagonal", "expand", "expand_as", "flatten", "lift_fresh", "movedim", "permute", "real", "reshape",
        "select", "slice", "split", "split_with_sizes", "squeeze", "swapaxes", "t", "to", "transpose", "unbind",
        "unflatten", "unfold", "unsafe_chunk", "unsqueeze", "view", "view_as", "view_as_complex", "view_as_real",
    }
)  # fmt: skip
"""ATen operators that only look at a tensor in another way, or copy it."""

_DTYPES = ("float32", "bfloat16")
"""Types of the stand-ins, tried in turn: grouped products of experts exist in half precision only."""


@dataclass(frozen=True, slots=True)
class TraceLimits:
    """How much one trace may cost."""

    seconds: float = 30.0
    operators: int = 200_000
    """A 61-layer mixture with 256 experts that are called one by one runs about 100,000."""


@dataclass(slots=True)
class _Record:
    graph: Any
    names: dict[int, str]
    """id of a parameter or buffer -> its name."""
    deadline: float
    limits: TraceLimits
    stack: list[tuple[str, str]] = field(default_factory=list)
    """(path, class) of the modules that are running."""
    producer: dict[int, int] = field(default_factory=dict)
    """id of a tensor -> the node that made it."""
    kept: list[Any] = field(default_factory=list)
    """Every tensor seen: as long as they live, their ids are not used again."""

    def add(self, op: str, given: list[Any], made: list[Any]) -> None:
        """One operator with its tensors."""
        if len(self.graph) >= self.limits.operators:
            raise LiveModelError(f"the forward pass runs more than {self.limits.operators} operators: not traced")
        if time.monotonic() > self.deadline:
            raise LiveModelError(f"tracing took more than {self.limits.seconds:g} s: given up")
        self.kept += made
        sources = [self.producer[id(tensor)] for tensor in given if id(tensor) in self.producer]
        if op.removeprefix("aten.") in _VIEWS:
            if given:
                self._pass_through(given[0], made)
            return
        node = len(self.graph)
        path, kind = self.stack[-1] if self.stack else ("", "")
        self.graph.add_node(
            node,
            op=op,
            path=path,
            kind=kind,
            shape=tuple(size if type(size) is int else None for size in made[0].shape),
            parameters=tuple(self.names[id(tensor)] for tensor in given if id(tensor) in self.names),
        )
        for source in dict.fromkeys(sources):
            self.graph.add_edge(source, node, relation="flow")
        self.producer.update((id(tensor), node) for tensor in made)

    def _pass_through(self, source: Any, made: list[Any]) -> None:
        if id(source) in self.producer:
            self.producer.update((id(tensor), self.producer[id(source)]) for tensor in made)
        if id(source) in self.names:
            self.names.update((id(tensor), self.names[id(source)]) for tensor in made)


def operator_graph(
    module: nn.Module, inputs: Inputs | None = None, *, limits: TraceLimits | None = None
) -> nx.DiGraph[int]:
    """The operators that a forward pass runs, with the data that flows between them; see the module's schema.

    Args:
        module: any module; its parameters are stood in for by tensors without data, its own are not touched.
        inputs: keyword arguments of `forward`, of which only shapes and types count; made up from the configuration
            when None.
        limits: what the trace may cost.

    Raises:
        LiveModelError: no forward pass succeeds within the limits.
    """
    limits = limits or TraceLimits()
    deadline = time.monotonic() + limits.seconds
    reason = "no inputs are known"
    for dtype in _DTYPES:
        for given in [inputs] if inputs is not None else candidate_inputs(module):
            try:
                return _trace(module, given, dtype, limits, deadline)
            except LiveModelError:
                raise
            except Exception as error:  # noqa: BLE001  # a forward pass may raise anything; the last reason is told
                reason = error_line(error)
            if time.monotonic() > deadline:
                break
    raise LiveModelError(f"{type(module).__name__}: no forward pass could be traced ({reason})")


def _trace(module: nn.Module, given: Inputs, dtype: str, limits: TraceLimits, deadline: float) -> nx.DiGraph[int]:
    import networkx as nx
    import torch
    from torch._subclasses.fake_tensor import FakeTensorMode
    from torch.func import functional_call
    from torch.fx.experimental.symbolic_shapes import ShapeEnv

    def hollow(tensor: torch.Tensor) -> torch.Tensor:
        kind = getattr(torch, dtype) if tensor.is_floating_point() else tensor.dtype
        return torch.empty(tensor.shape, dtype=kind, device="cpu")

    # Tensors that a module keeps without registering them are taken as constants; they are small. A number that is read
    # from a tensor becomes a symbol, which is fine until something is decided by it.
    symbols = ShapeEnv(allow_scalar_outputs=True, allow_dynamic_output_shape_ops=True)
    with FakeTensorMode(allow_non_fake_inputs=True, shape_env=symbols), torch.no_grad(), quiet(), _silent():
        state = {name: hollow(tensor) for name, tensor in (*module.named_parameters(), *module.named_buffers())}
        arguments = {name: hollow(tensor) for name, tensor in given.items()}
        graph: nx.DiGraph[int] = nx.DiGraph(schema=SCHEMA, format="trace", inputs=tuple(given))
        record = _Record(graph, {id(tensor): name for name, tensor in state.items()}, deadline, limits)
        with _watched(module, record), _recorder(record):
            functional_call(module, state, (), arguments)
    return graph


def _recorder(record: _Record) -> Any:  # a context manager of torch
    """Hands every operator that torch runs to the record."""
    import torch
    from torch.utils._python_dispatch import TorchDispatchMode
    from torch.utils._pytree import tree_leaves

    class Recorder(TorchDispatchMode):  # type: ignore[misc]  # torch is optional and not typed here
        def __torch_dispatch__(self, func: Any, _types: Any, args: Any = (), kwargs: Any = None) -> Any:
            made = func(*args, **(kwargs or {}))
            given = [leaf for leaf in tree_leaves((args, kwargs or {})) if isinstance(leaf, torch.Tensor)]
            results = [leaf for leaf in tree_leaves(made) if isinstance(leaf, torch.Tensor)]
            if results:  # else a question, such as that for the device
                record.add(f"{func.namespace}.{func.overloadpacket.__name__}", given, results)
            return made

    return Recorder()


@contextmanager
def _silent() -> Iterator[None]:
    """Keep torch from logging tracebacks of attempts that fail."""
    loggers = [logging.getLogger(name) for name in ("torch._subclasses.fake_tensor", "torch.fx.experimental")]
    before = [logger.disabled for logger in loggers]
    for logger in loggers:
        logger.disabled = True
    try:
        yield
    finally:
        for logger, disabled in zip(loggers, before, strict=True):
            logger.disabled = disabled


@contextmanager
def _watched(module: nn.Module, record: _Record) -> Iterator[None]:
    """Within it, the record knows which module runs."""

    def left(*_: object) -> None:
        if record.stack:
            record.stack.pop()

    handles = []
    for path, inner in module.named_modules():
        place = (path, type(inner).__name__)
        handles.append(inner.register_forward_pre_hook(lambda *_, place=place: record.stack.append(place)))
        handles.append(inner.register_forward_hook(left))
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
