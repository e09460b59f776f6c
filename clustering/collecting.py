"""Python's collector of cycles, at rest while a listing is read.

A mixture of experts has 100,000 tensors. Each is a few small objects without a cycle among them, and while they are
made the collector goes over all that are there again and again: a quarter of the time of such a package. Memory is
bounded by the readers' limits either way.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock

_lock = Lock()
_resting = 0
_was_enabled = False


@contextmanager
def no_collection() -> Iterator[None]:
    """Keeps the collector from running; nested and concurrent uses end with the last of them."""
    global _resting, _was_enabled  # noqa: PLW0603  # the collector is one per process
    with _lock:
        if _resting == 0:
            _was_enabled = gc.isenabled()
            gc.disable()
        _resting += 1
    try:
        yield
    finally:
        with _lock:
            _resting -= 1
            if _resting == 0 and _was_enabled:
                gc.enable()
