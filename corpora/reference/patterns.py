"""Sequences of layer kinds other than the default one: what hybrid models differ in."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from corpora.reference.enumerate import ModelEntry
from corpora.reference.sizes import Leaf, sub_configs, with_changes

PATTERN_FIELDS = ("layer_types", "mlp_layer_types", "layers_block_type", "indexer_types")
FURTHER_KINDS = ("shared",)
"""Kinds that the library takes beside its common list (`indexer_types`)."""


def patterns(
    entry: ModelEntry, base: dict[str, Any], found: list[Leaf], small: dict[str, Any]
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Other sequences of layer kinds: each kind of the default replaced by another, each further kind alternating."""
    from transformers.configuration_utils import ALLOWED_LAYER_TYPES

    config = with_changes(entry.config_class, base, small)
    for prefix, part in (("", config), *((f"{n}.", c) for n, c in sub_configs(config).items())):
        for number, name in enumerate(PATTERN_FIELDS, start=2):
            kinds = part.__dict__.get(name)
            if not isinstance(kinds, list) or not kinds or not all(isinstance(k, str) for k in kinds):
                continue
            present = sorted(set(kinds))
            for old, new in ((a, b) for a in present for b in present if a != b):
                yield f"{prefix}{name}:{old}>{new}", {f"{prefix}{name}": [new if k == old else k for k in kinds]}
            if len(present) > 1:
                yield (
                    f"{prefix}{name}:turns",
                    {f"{prefix}{name}": [present[n % len(present)] for n in range(len(kinds))]},
                )
            for new in (k for k in (*ALLOWED_LAYER_TYPES, *FURTHER_KINDS) if k not in present):
                yield f"{prefix}{name}=all {new}", {f"{prefix}{name}": [new] * len(kinds)}
                # another period for every field: two patterns that change together would look like one
                mixed_kinds = [new if n % number == number - 1 else k for n, k in enumerate(kinds)]
                yield f"{prefix}{name}:{new}", {f"{prefix}{name}": mixed_kinds}
    for leaf in found:
        if leaf.role == "experts":
            yield f"{leaf.path}=0", {leaf.path: 0}


PROPORTIONS = (2, 3, 5, 7)
"""How often the kinds of a sequence come: no number, and no sum of two but 2 + 3 and 2 + 5, is another's."""


def proportions(config: Any, found: list[Leaf]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Sequences in which every kind comes another number of times, with one kind left out as well.

    With as many layers of each kind, how often tensors occur would look like one number.

    Yields:
        The field, a name, and the changes; the depth is changed where a field of its own tells it.
    """
    depths = {leaf.path: leaf.value for leaf in found if leaf.role == "depth" and isinstance(leaf.value, int)}
    for prefix, part in (("", config), *((f"{n}.", c) for n, c in sub_configs(config).items())):
        for name in PATTERN_FIELDS:
            kinds = part.__dict__.get(name)
            if not isinstance(kinds, list) or not kinds or not all(isinstance(k, str) for k in kinds):
                continue
            present = sorted(set(kinds))
            if not 2 <= len(present) <= len(PROPORTIONS):
                continue
            depth = next((p for p, v in depths.items() if p.rpartition(".")[0] == prefix.rstrip(".")), None)
            chosen = [present, *([k for k in present if k != gone] for gone in present if len(present) > 2)]
            for some in chosen:
                for turn, numbers in (("", PROPORTIONS), ("'", PROPORTIONS[: len(some)][::-1])):
                    sequence = [kind for kind, number in zip(some, numbers, strict=False) for _ in range(number)]
                    changes: dict[str, Any] = {f"{prefix}{name}": sequence}
                    if depth is not None:
                        changes[depth] = len(sequence)
                    yield f"{prefix}{name}", f"{prefix}{name}:{'+'.join(some)}{turn}", changes
