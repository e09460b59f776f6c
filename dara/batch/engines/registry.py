"""The engines, by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from dara.batch.engines.interface import Engine
from dara.batch.engines.local import LocalEngine
from dara.batch.engines.ray import RayEngine

ENGINES: Final[dict[str, Callable[[int | None], Engine]]] = {
    LocalEngine.name: LocalEngine,
    RayEngine.name: RayEngine,
}
"""Each is made with the number of workers, or None for as many as there are processors."""
