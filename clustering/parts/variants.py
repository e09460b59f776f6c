"""Published variants: which size word of a family has which dimensions (`data/variants.json`, with sources).

A size label in a name can only be judged against what the family's publishers called so. Families without published
size words, and sizes that nobody published, are unknown; derivatives that use the words in their own way (a "small"
embedding model of twelve narrow layers) match no row and are unknown as well.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from types import MappingProxyType
from typing import Any

from clustering.facts import Facts
from clustering.tables import table

Dims = Mapping[str, Any]

_ENCODER_DECODER = ("encoder_layers", "decoder_layers")
_ANCHORS = frozenset({"layers", "encoder_layers", "vision_layers", "depths"})
_WIDTHS = frozenset({"hidden_size", "vision_hidden_size", "embed_dim", "bottleneck"})


@cache
def _table() -> Mapping[str, Mapping[str, tuple[Dims, ...]]]:
    raw = table("variants")
    return MappingProxyType(
        {
            family: MappingProxyType(
                {
                    size: tuple(MappingProxyType(dict(zip(entry["fields"], row, strict=True))) for row in rows)
                    for size, rows in entry["sizes"].items()
                }
            )
            for family, entry in raw["families"].items()
        }
    )


def families() -> tuple[str, ...]:
    """Families with published size words, sorted."""
    return tuple(sorted(_table()))


def sizes(family: str) -> tuple[str, ...]:
    """Size words of a family, smallest first; empty for unknown families."""
    return tuple(_table().get(family, {}))


def variant_dims(family: str, size: str) -> tuple[Dims, ...]:
    """Dimensions of a published size, one mapping per release that bears it; empty where nothing is published.

    Keys are fact kinds (`layers`, `hidden_size`, `attention_heads`, `embed_dim`, `depths` ...).
    """
    return _table().get(family, {}).get(size, ())


def variant_of(family: str, facts: Facts | Mapping[str, Any]) -> str | None:
    """The published size whose dimensions the facts have, or None.

    Depth and width must be known and every known dimension must be equal. None where no size fits, or several do.
    """
    known = _known(facts)
    found = [size for size, rows in _table().get(family, {}).items() if any(_fits(row, known) for row in rows)]
    return found[0] if len(found) == 1 else None


def _known(facts: Facts | Mapping[str, Any]) -> dict[str, Any]:
    if isinstance(facts, Facts):
        known = {kind: fact.value for kind in facts.kinds() if (fact := facts.best(kind)) is not None}
    else:
        known = dict(facts)
    if "layers" in known:
        for kind in _ENCODER_DECODER:
            known.setdefault(kind, known["layers"])
    elif "encoder_layers" in known and "decoder_layers" not in known:
        known["layers"] = known["encoder_layers"]
    return known


def _fits(row: Dims, known: Mapping[str, Any]) -> bool:
    shared = [kind for kind in row if kind in known]
    if not _ANCHORS & set(shared) or not _WIDTHS & set(shared):
        return False
    return all(_same(row[kind], known[kind]) for kind in shared)


def _same(published: Any, value: Any) -> bool:
    if isinstance(published, list):
        return isinstance(value, list | tuple) and list(value) == published
    return bool(published == value)
