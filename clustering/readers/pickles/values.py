"""What the interpreter builds instead of objects: plain records that do nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(slots=True, eq=False)
class Blob:
    """Bytes or text too long to keep; skipped, only the length is known."""

    length: int


@dataclass(frozen=True, slots=True, eq=False)
class Global:
    """A name that unpickling would import. It is not imported."""

    module: str
    name: str

    @property
    def path(self) -> str:
        """`module.name`."""
        return f"{self.module}.{self.name}"


@dataclass(slots=True, eq=False)
class Instance:
    """What calling a global would give. It is not called."""

    maker: Any
    """A `Global` as a rule; anything at all in a hostile stream."""
    arguments: Any
    state: Any = None
    items: dict[Any, Any] | None = None
    """Entries set on a subclass of dict."""


@dataclass(frozen=True, slots=True, eq=False)
class ElementType:
    """A torch or NumPy element type, in safetensors spelling."""

    dtype: str


@dataclass(frozen=True, slots=True, eq=False)
class Storage:
    """A torch storage: where a tensor's numbers lie."""

    key: str
    dtype: str | None
    """None for an untyped storage."""
    elements: int


@dataclass(slots=True, eq=False)
class TensorRecord:
    """A torch tensor or a NumPy array."""

    shape: tuple[int, ...] | None
    """None while a NumPy array's state has not been read."""
    dtype: str | None
    storage: str | None = None
    parameter: bool = False
