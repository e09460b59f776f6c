"""Facts: declared or measured values with their source. Measured beats declared."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

Basis = Literal["measured", "declared"]


@dataclass(frozen=True, slots=True)
class Fact:
    """One value that is known about a model."""

    kind: str
    """family, architecture_class, parameters, layers, hidden_size, attention_heads, key_value_heads, experts,
    experts_active, intermediate_size, vocabulary, context, patch_size, image_size, window_size, backbone, queries,
    task, num_labels, dtype, quantization, format, language, license, base_model, dataset, pipeline_tag ..."""
    value: Any
    """Plain JSON."""
    basis: Basis
    source: str
    """Where it was read: `config.json: num_hidden_layers`, `model.safetensors: 12 blocks of encoder.layer`."""


class Facts:
    """Facts of one package by kind; several of one kind are kept, measured ones first."""

    __slots__ = ("_by_kind",)

    def __init__(self, facts: Iterable[Fact] = ()) -> None:
        self._by_kind: dict[str, list[Fact]] = {}
        for fact in facts:
            self._by_kind.setdefault(fact.kind, []).append(fact)
        for several in self._by_kind.values():
            several.sort(key=lambda fact: fact.basis != "measured")  # stable: order of discovery within a basis

    def __iter__(self) -> Iterator[Fact]:
        for kind in sorted(self._by_kind):
            yield from self._by_kind[kind]

    def __contains__(self, kind: object) -> bool:
        return kind in self._by_kind

    def best(self, kind: str) -> Fact | None:
        """The fact to believe: the first measured one, else the first declared one."""
        several = self._by_kind.get(kind)
        return several[0] if several else None

    def measured(self, kind: str) -> Fact | None:
        """The first measured fact of a kind."""
        return next((fact for fact in self._by_kind.get(kind, ()) if fact.basis == "measured"), None)

    def declared(self, kind: str) -> Fact | None:
        """The first declared fact of a kind."""
        return next((fact for fact in self._by_kind.get(kind, ()) if fact.basis == "declared"), None)

    def all(self, kind: str) -> tuple[Fact, ...]:
        """Every fact of a kind."""
        return tuple(self._by_kind.get(kind, ()))

    def kinds(self) -> tuple[str, ...]:
        """Kinds that are known, sorted."""
        return tuple(sorted(self._by_kind))
