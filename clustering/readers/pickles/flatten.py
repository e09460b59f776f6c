"""From what a checkpoint's pickle holds to one state dictionary.

A file may hold a state dictionary, a training checkpoint that has one under some key beside the optimizer's, a whole
pickled module (its `_parameters`, `_buffers` and `_modules`), or a TorchScript module (plain attributes).
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from typing import Any

from clustering.readers.limits import Limits
from clustering.readers.messages import refusal
from clustering.readers.pickles.values import Instance, TensorRecord

CONTAINERS = (
    "state_dict", "model_state_dict", "model", "module", "network", "net", "weights", "params", "model_state",
    "generator", "student", "ema", "model_ema", "state_dict_ema", "params_ema", "ema_state_dict", "teacher",
)  # fmt: skip
"""Keys under which training code keeps the model, the likelier first."""
CERTAIN = frozenset({"state_dict", "model_state_dict"})
"""Containers even when other keys hold tensors as well."""
NOT_MODEL = ("optim", "sched", "scaler", "rng", "amp", "callbacks", "loops", "hyper_parameters", "hparams", "args")
"""Beginnings of keys whose tensors are no weights."""

Named = list[tuple[str, TensorRecord]]


def state_dict(root: Any, label: str, limits: Limits) -> tuple[Named, str]:
    """Named tensors of the model in a checkpoint, and the path of keys that led to it (empty for a plain file).

    Raises:
        ReaderError: when there are too many, or finding them takes too long.
    """
    walk = _Walk(label, limits)
    path: list[str] = []
    for _ in range(limits.depth):
        inner = walk.container(root)
        if inner is None:
            break
        path.append(inner[0])
        root = inner[1]
    return list(walk.tensors(root, set())), ".".join(path)


class _Walk:
    """A walk over placeholder data with one budget for all its parts."""

    def __init__(self, label: str, limits: Limits) -> None:
        self._label = label
        self._limits = limits
        self._steps = 0

    def container(self, value: Any) -> tuple[str, Any] | None:
        """The key and value that hold the model, if this level is a checkpoint and not a model in parts."""
        parts: dict[str, Any] = {}
        for key, inner in self._parts(value):
            if isinstance(inner, TensorRecord):
                return None
            if not key.lower().startswith(NOT_MODEL):
                parts[key] = inner
        seen: set[int] = set()
        holding = [key for key, inner in parts.items() if next(self.tensors(inner, seen), None) is not None]
        chosen = next((key for key in CONTAINERS if key in holding), None)
        # `model` beside `vision_tower` and `projector` is a part of a model in parts, not a checkpoint's model.
        if chosen is None or (chosen not in CERTAIN and any(key not in CONTAINERS for key in holding)):
            return None
        return chosen, parts[chosen]

    def tensors(self, root: Any, entered: set[int]) -> Iterator[tuple[str, TensorRecord]]:
        """Tensors below a value with dotted names, in order.

        A container met again is the same object (a cycle, a memo bomb, a shared module): its tensors are known already.
        """
        found = 0
        stack: list[tuple[str, Any, int]] = [("", root, 0)]
        while stack:
            name, value, depth = stack.pop()
            if isinstance(value, TensorRecord):
                found += 1
                if found > self._limits.tensors:
                    raise refusal(self._label, f"more than {self._limits.tensors} tensors")
                yield name, value
                continue
            if depth >= self._limits.depth or id(value) in entered or len(name) > self._limits.name_length:
                continue
            entered.add(id(value))
            below = [
                (f"{name}.{key}" if name else key, inner, depth + 1)
                for key, inner in self._parts(value)
                if not (depth == 0 and key.lower().startswith(NOT_MODEL))
            ]
            stack.extend(reversed(below))

    def _parts(self, value: Any) -> Iterator[tuple[str, Any]]:
        """Named parts of a value that may hold tensors."""
        for key, inner in _items(value):
            self._steps += 1
            if self._steps > 2 * self._limits.operations:
                raise refusal(self._label, f"more than {self._limits.operations} values")
            if isinstance(inner, (TensorRecord, dict, list, tuple, Instance)) and isinstance(key, (str, int)):
                yield str(key), inner


def _items(value: Any) -> Iterator[tuple[Any, Any]]:
    if isinstance(value, (list, tuple)):
        return iter(enumerate(value))
    if isinstance(value, dict):
        return iter(value.items())
    if not isinstance(value, Instance):
        return iter(())
    state = value.state[0] if isinstance(value.state, tuple) and value.state else value.state
    if not isinstance(state, dict):
        state = {}
    modules = [state.get(part) for part in ("_parameters", "_buffers", "_modules")]
    parts = [part for part in modules if isinstance(part, dict)] or [state]
    return chain.from_iterable(part.items() for part in (*parts, value.items or {}))
