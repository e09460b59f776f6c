"""Bounds for building a model from a configuration that a stranger wrote.

A class built on the meta device allocates no weights, but its Python loops still run: `num_hidden_layers: 1000000000`
must fail at once. Two guards: numbers are checked before anything is built, and while it is built every registered
module and parameter counts against a budget of tensors and of time.
"""

from __future__ import annotations

import re
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType
from typing import Any


class LiveModelError(Exception):
    """A configuration does not describe a model that can be built here; the message is one line that says why."""


@dataclass(frozen=True, slots=True)
class LiveLimits:
    """How much one build may cost."""

    seconds: float = 60.0
    """Wall clock for one build. The slowest real packages (61 layers of 256 experts) take about 5 s."""
    modules: int = 400_000
    """Modules and parameters together. A 61-layer mixture with 384 unfused experts has about 150,000."""
    layers: int = 1_024
    """Largest count of repeated blocks. Published models stay under 200."""
    labels: int = 1_000_000
    """Largest count of labels; ImageNet-21k has 21,841."""
    positions: int = 1 << 28
    """Largest position, vocabulary or width. Llama 4 Scout declares 10,485,760 positions."""
    depth: int = 16
    """Nesting of a configuration."""
    fields: int = 2_000_000
    """Values in a configuration, lists and tables included."""


_LAYERS = re.compile(r"(layers?|depths?|blocks?|stages?|groups_of_layers|experts)(_per_\w+)?$")
_EXPERTS = re.compile(r"experts")
_LABELS = re.compile(r"(labels|classes)$")
_SCALAR_WORDS = re.compile(r"(theta|base|scale|scaling|eps|token_id|token_index|seed|length|_limit|max_length|std)$")
_EXPERT_LIMIT = 16_384


def check_config(config: Mapping[str, Any], limits: LiveLimits) -> None:
    """Refuse a configuration whose numbers are absurd.

    Raises:
        LiveModelError: a count is negative where it cannot be, or beyond `limits`; nesting or number of fields is.
    """
    stack: list[tuple[str, Any, int]] = [("", config, 0)]
    seen = 0
    while stack:
        key, value, depth = stack.pop()
        seen += 1
        if seen > limits.fields:
            raise LiveModelError(f"the configuration has more than {limits.fields} values")
        if depth > limits.depth:
            raise LiveModelError(f"the configuration is nested deeper than {limits.depth} levels")
        if isinstance(value, Mapping):
            stack.extend((str(name), inner, depth + 1) for name, inner in value.items())
        elif isinstance(value, list | tuple):
            stack.extend((key, inner, depth + 1) for inner in value)
        elif isinstance(value, int | float) and not isinstance(value, bool):
            _check_number(key, value, limits)


def _check_number(key: str, value: float, limits: LiveLimits) -> None:
    bound: float = float("inf")
    if _EXPERTS.search(key):
        bound = _EXPERT_LIMIT
    elif _LABELS.search(key):
        bound = limits.labels
    elif _LAYERS.search(key):
        bound = limits.layers
    elif isinstance(value, int) and not _SCALAR_WORDS.search(key):
        bound = limits.positions
    if value > bound:
        raise LiveModelError(f"{key[:80]!r} is {value:.4g}, more than {bound:.4g}: not built")


@contextmanager
def build_budget(limits: LiveLimits) -> Iterator[None]:
    """Within it, registering modules and parameters counts against `limits`, and the clock runs.

    In the main thread a timer signal also ends pure Python loops; elsewhere only registrations are watched. Budgets do
    not nest.

    Raises:
        LiveModelError: inside the block, when the budget is spent.
    """
    from torch.nn.modules import module as hooks

    deadline = time.monotonic() + limits.seconds
    count = 0

    def spend(*_: object) -> None:
        nonlocal count
        count += 1
        if count > limits.modules:
            raise LiveModelError(f"the model has more than {limits.modules} modules and parameters: not built")
        if time.monotonic() > deadline:
            raise LiveModelError(f"building the model took more than {limits.seconds:g} s: given up")

    handles = (
        hooks.register_module_module_registration_hook(spend),
        hooks.register_module_parameter_registration_hook(spend),
    )
    stop_timer = _start_timer(limits.seconds)
    try:
        yield
    finally:
        stop_timer()
        for handle in handles:
            handle.remove()


def _start_timer(seconds: float) -> Callable[[], None]:
    """Arm SIGALRM where that is possible and nobody else uses it; returns what disarms it."""
    usable = threading.current_thread() is threading.main_thread() and hasattr(signal, "setitimer")
    if not usable or signal.getsignal(signal.SIGALRM) is not signal.SIG_DFL:
        return lambda: None

    def expire(_signal: int, _frame: FrameType | None) -> None:
        raise LiveModelError(f"building the model took more than {seconds:g} s: given up")

    signal.signal(signal.SIGALRM, expire)
    signal.setitimer(signal.ITIMER_REAL, seconds)

    def stop() -> None:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, signal.SIG_DFL)

    return stop
