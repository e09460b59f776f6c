"""Further sizes for the reference corpus, in which every field moves by itself.

The profiles of `corpora.reference.sizes` scale all fields of one role together, so the widths of two towers keep their
ratio and a head dimension that the library derives stays derived. A template would take both for structure. Here each
sub-configuration gets a profile of its own, the head dimension is stated, and integer fields without a role (kernel
sizes, group counts, state sizes) are changed where the class still builds.

    python -m corpora.reference.build_extra OUT.jsonl.gz [--families bert,t5] [--workers 2]
"""

from __future__ import annotations

import argparse
import inspect
import multiprocessing
import re
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

from clustering.live.listing import listing_from_module
from corpora.reference.enumerate import ModelEntry, config_types, model_entries
from corpora.reference.flags import shallow
from corpora.reference.overrides import arguments_for
from corpora.reference.raw import _prepare, _versions
from corpora.reference.records import Encoder, ReferenceModel, raw_file
from corpora.reference.sizes import Leaf, apply, profile, role_of, sub_configs, with_changes
from corpora.reference.variants import Changes, _build, _flat, _leaves, _try, listings, signature

MIXES = (("half", "wide", "deep", "narrow"), ("wide", "narrow", "half", "deep"), ("deep", "half", "narrow", "wide"))
"""Profiles given to the sub-configurations in turn, by variant."""
MAX_SUNDRY = 16
PATTERN_FIELDS = ("layer_types", "mlp_layer_types", "layers_block_type", "indexer_types")
FURTHER_KINDS = ("shared",)
"""Kinds that the library takes beside its common list (`indexer_types`)."""
_NO_SIZE = re.compile(
    r".*(token|_id|_ids|index|indices|dropout|seed|beam|max_length|min_length|version|interval|steps?)$"
)


def mixed(found: Sequence[Leaf], profiles: Sequence[str]) -> Changes:
    """Changes with another profile for every (sub-)configuration."""
    prefixes = sorted({leaf.path.rpartition(".")[0] for leaf in found})
    changes: Changes = {}
    for number, prefix in enumerate(prefixes):
        inside = [leaf for leaf in found if leaf.path.rpartition(".")[0] == prefix]
        steps = tuple(s for s in profile(profiles[number % len(profiles)]) if s.role != "labels" or not number)
        for role, change in apply(steps, inside).items():
            changes.setdefault(f"{role}/{prefix}", {}).update(change)
    return changes


def head_dims(entry: ModelEntry, config: Any, factor: int = 2) -> Changes:  # any configuration class
    """A stated head dimension, twice what the width implies, where the modeling code reads one."""
    changes: Changes = {}
    for prefix, part in (("", config), *((f"{n}.", c) for n, c in sub_configs(config).items())):
        try:
            heads, width = getattr(part, "num_attention_heads", None), getattr(part, "hidden_size", None)
        except Exception:  # noqa: BLE001, S112  # configurations with one value per layer refuse the question
            continue
        if not (isinstance(heads, int) and isinstance(width, int) and heads and width % heads == 0):
            continue
        if not prefix and not _reads_head_dim(entry):
            continue
        changes[f"head_dim/{prefix}"] = {f"{prefix}head_dim": factor * width // heads}
    return changes


def _reads_head_dim(entry: ModelEntry) -> bool:
    module = sys.modules.get(entry.classes[0].__module__) if entry.classes else None
    return module is not None and "head_dim" in inspect.getsource(module)


def sundry(entry: ModelEntry, base: dict[str, Any], found: list[Leaf]) -> Changes:
    """Integer fields without a role that change the tensors of the first class, each tried alone on a shallow model."""
    small = shallow(found)
    first = entry.classes[0]
    plain = _try(entry, first, base, small)
    if plain is None:
        return {}
    before = signature(listing_from_module(plain))
    kept: Changes = {}
    config = with_changes(entry.config_class, base, {})
    for prefix, part in (("", config), *((f"{n}.", c) for n, c in sub_configs(config).items())):
        for item in fields(part):
            value = part.__dict__.get(item.name)
            if type(value) is not int or not 2 <= value <= 4096 or role_of(item.name) or _NO_SIZE.match(item.name):
                continue
            path = f"{prefix}{item.name}"
            other = value // 2 if value % 2 == 0 and value > 2 else value + 2
            module = _try(entry, first, base, {**small, path: other})
            if module is not None and signature(listing_from_module(module)) != before:
                kept[f"sundry/{path}"] = {path: other}
            if len(kept) >= MAX_SUNDRY:
                return kept
    return kept


def patterns(entry: ModelEntry, base: dict[str, Any], found: list[Leaf]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Other sequences of layer kinds: each kind of the default replaced by another, each further kind alternating."""
    from transformers.configuration_utils import ALLOWED_LAYER_TYPES

    config = with_changes(entry.config_class, base, shallow(found))
    for prefix, part in (("", config), *((f"{n}.", c) for n, c in sub_configs(config).items())):
        for name in PATTERN_FIELDS:
            kinds = part.__dict__.get(name)
            if not isinstance(kinds, list) or not kinds or not all(isinstance(k, str) for k in kinds):
                continue
            present = sorted(set(kinds))
            for old, new in ((a, b) for a in present for b in present if a != b):
                yield f"{prefix}{name}:{old}>{new}", {f"{prefix}{name}": [new if k == old else k for k in kinds]}
            for new in (k for k in (*ALLOWED_LAYER_TYPES, *FURTHER_KINDS) if k not in present):
                yield f"{prefix}{name}:{new}", {f"{prefix}{name}": [new if n % 2 else k for n, k in enumerate(kinds)]}
    for leaf in found:
        if leaf.role == "experts":
            yield f"{leaf.path}=0", {leaf.path: 0}


def _pattern_models(entry: ModelEntry, model_class: Any, base: dict[str, Any], found: list[Leaf]) -> Iterator[Any]:
    small = shallow(found)
    plain = _try(entry, model_class, base, small)
    if plain is None:
        return
    seen = {signature(listing_from_module(plain))}
    for name, changes in patterns(entry, base, found):
        module = _try(entry, model_class, base, {**small, **changes})
        if module is not None:
            yield from listings(entry.model_type, module, f"pattern:{name}", {**small, **changes}, seen)


def extra_models(entry: ModelEntry) -> Iterator[ReferenceModel]:
    """The further sizes of an entry's first class, and other layer patterns of its first two classes."""
    for number, model_class in enumerate(_chosen(entry)):
        base = arguments_for(entry.model_type, model_class.__name__)
        try:
            found = _leaves(entry, base)
            config = with_changes(entry.config_class, base, {})
            yield from _pattern_models(entry, model_class, base, found)
        except Exception:  # noqa: BLE001, S112  # recorded as a failure by the raw corpus already
            continue
        if number:
            continue
        odd = sundry(entry, base, found)
        heads = head_dims(entry, config)
        wanted: dict[str, Changes] = {
            "mixed0": {**mixed(found, MIXES[0]), **heads},
            "mixed1": {**odd, **mixed(found, MIXES[1])},
            "mixed2": mixed(found, MIXES[2]),
        }
        seen: set[Any] = set()
        for name, changes in wanted.items():
            try:
                kept, module = _build(entry, model_class, base, changes)
            except Exception:  # noqa: BLE001  # as above
                break
            yield from listings(entry.model_type, module, name, _flat(kept), seen)


def _chosen(entry: ModelEntry) -> list[Any]:
    """The bare model, and the class that packages mostly declare."""
    heads = [c for c in entry.classes[1:] if c.__name__.endswith(("ForCausalLM", "ForConditionalGeneration"))]
    return [*entry.classes[:1], *heads[:1]]


def _family(model_type: str) -> tuple[str, list[bytes]]:
    encoder = Encoder()
    lines: list[bytes] = []
    try:
        entry = next(iter(model_entries([model_type])))
        if entry.classes:
            lines.extend(encoder.model(model) for model in extra_models(entry))
    except Exception as error:  # noqa: BLE001  # what was built of the family is kept
        sys.stderr.write(f"{model_type}: {type(error).__name__}: {error}"[:300] + "\n")
    return model_type, lines


def main(arguments: list[str] | None = None) -> int:
    """Command line."""
    parser = argparse.ArgumentParser(prog="python -m corpora.reference.build_extra", description=__doc__.split("\n")[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--families")
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args(arguments)
    _prepare()
    types = [t for t in config_types() if not options.families or t in options.families.split(",")]
    started, count = time.monotonic(), 0
    context = multiprocessing.get_context("spawn")
    with (
        raw_file(options.out, _versions()) as stream,
        context.Pool(options.workers, _prepare, maxtasksperchild=120) as pool,
    ):
        for number, (model_type, lines) in enumerate(pool.imap(_family, types), start=1):
            stream.writelines(lines)
            count += len(lines)
            sys.stderr.write(f"{number}/{len(types)} {model_type}: {count}, {time.monotonic() - started:.0f} s\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
