"""Several changes of a configuration at once: what published packages combine and single options never show.

`flags` turns one option over at a time. A published model leaves a tower out, has experts *and* another layer pattern,
or two biases together, and each such combination is a layout of its own. Here every change that alters which tensors
there are becomes a *move* (an option, a part left out, another type of a part, a layer pattern, a period), and moves
are combined: all that go together, each pair of unlike kinds, and seeded samples. A combination is kept where it has a
layout that no other has; sizes take turns, so that the relations between dimensions show.
"""

from __future__ import annotations

import random
import re
import typing
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from itertools import combinations
from typing import TYPE_CHECKING, Any
from zlib import crc32

from clustering.graphs.layers import star_name
from clustering.live.listing import listing_from_module
from corpora.reference.enumerate import ModelEntry
from corpora.reference.flags import options, shallow
from corpora.reference.overrides import arguments_for
from corpora.reference.parted import Changes as RoleChanges
from corpora.reference.patterns import patterns
from corpora.reference.records import ReferenceModel
from corpora.reference.sizes import Leaf, apply, profile, settings, sub_configs, with_changes
from corpora.reference.variants import _build, _flat, _leaves, _try, listings, second_size

if TYPE_CHECKING:
    from transformers import PreTrainedConfig, PreTrainedModel

PREFIX = "combined:"
"""What the names of these variants begin with."""
MAX_TRIED = 200
"""Single changes tried for one class; omni models have hundreds of fields."""
MAX_MOVES = 16
MAX_CARRIERS, MAX_QUIET = 8, 24
"""Moves on top of which quiet options are tried, and such options."""
MAX_COMBINED = 36
"""Combinations built for one class."""
MAX_KEPT = 14
"""New layouts kept of one class: what is beyond is near to one of them."""
SIZES = ("deep", "wide")
"""Profiles that combinations are built in by turns, besides the default and one that parts what the others leave equal;
they part the width of keys from that of queries."""
_LENGTH = frozenset({"depth", "depths", "experts"})
_SHALLOW, _DEEP = 3, 6
"""Layers of the models that are combined: more where the kinds of layers follow patterns of unlike periods."""
NO_PATTERN = frozenset({"option", "absent", "part", "period"})
_PERIOD = re.compile(r".*(step|period|freq|frequency|interval|every|interleave|replace)(_|$).*")
_EXPERTS = re.compile(r".*experts?")
_CHOSEN = re.compile(r".*top_?k.*|.*per_tok(en)?")
_INNER = re.compile(r".*(intermediate|ffn|inner|mlp).*")

Layout = frozenset[tuple[str, tuple[int, ...]]]
"""Starred names with how often each of their shapes occurs: layer patterns change the numbers only."""
Changes = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Move:
    """A change that alters the layout."""

    kind: str
    """`option`, `absent`, `part`, `period`, or the field of a layer pattern: moves of one kind are combined last."""
    name: str
    changes: tuple[tuple[str, Any], ...]
    again: tuple[tuple[str, Any], ...] = ()
    """The same in another size, for a part of fixed sizes, or in other numbers, for a layer pattern."""
    stars: frozenset[str] = frozenset()
    """The tensors of the class with this move alone."""
    brings: bool = False
    """Whether there are tensors among them, other than biases, that the class has not without it."""


def tried(config: PreTrainedConfig, more: Sequence[tuple[str, Changes]]) -> Iterator[Move]:
    """Every single change worth trying.

    Args:
        config: The configuration with its defaults.
        more: Layer patterns, by name.
    """
    yield from _absent(config)
    yield from _parts(config)
    for name, changes in more:
        yield Move(next(iter(changes)), name, tuple(changes.items()))
    yield from _periods(config)
    for option in options(config):
        if option.path.endswith("tie_word_embeddings"):
            continue  # copies of the table are folded anyway
        inner = config if "." not in option.path else sub_configs(config)[option.path.partition(".")[0]]
        companions = _companions(inner, option.path.rpartition(".")[0]) if option.value is True else {}
        again = () if option.again is None else ((option.path, option.again),)
        yield Move("option", f"{option.path}={option.value}", ((option.path, option.value),), again)
        if companions:
            yield Move("option", f"{option.path}={option.value}+", ((option.path, option.value), *companions.items()))


def _absent(config: PreTrainedConfig) -> Iterator[Move]:
    """Parts left out."""
    for name in sub_configs(config):
        yield Move("absent", f"{name}=None", ((name, None),))


def absent_parts(config: PreTrainedConfig) -> dict[str, Any]:
    """Parts that are None by default and have a configuration class of their own, as arguments that put them in."""
    from transformers import PreTrainedConfig

    found: dict[str, Any] = {}
    for item in fields(config):
        if config.__dict__.get(item.name, 0) is not None or not item.name.endswith("_config"):
            continue
        classes: list[Any] = [
            c for c in typing.get_args(item.type) if isinstance(c, type) and issubclass(c, PreTrainedConfig)
        ]
        if classes and classes[0].model_type:
            found[item.name] = {"model_type": classes[0].model_type}
    return found


def _parts(config: PreTrainedConfig) -> Iterator[Move]:
    """Parts of another type, where the configuration takes any type (`AutoConfig`)."""
    specs: Mapping[str, Any] = getattr(config, "sub_configs_defaults", None) or {}
    known = settings("parts")["parts"]
    for name, part in sub_configs(config).items():
        if getattr(getattr(specs.get(name), "config_class", None), "__name__", "AutoConfig") != "AutoConfig":
            continue
        for group in known.values():
            if part.model_type in group:
                for other, sizes in group.items():
                    if other != part.model_type:
                        one, two = ({"model_type": other, **size} for size in sizes)
                        yield Move("part", f"{name}={other}", ((name, one),), ((name, two),))


def _periods(config: PreTrainedConfig) -> Iterator[Move]:
    """Every second layer of a kind, where a field counts how often it comes."""
    for prefix, part in (("", config), *((f"{n}.", c) for n, c in sub_configs(config).items())):
        for item in fields(part):
            value = part.__dict__.get(item.name)
            if type(value) is int and 0 <= value <= 8 and _PERIOD.fullmatch(item.name):
                for other in (0, 1, 2):
                    if other != value:
                        yield Move("period", f"{prefix}{item.name}={other}", ((f"{prefix}{item.name}", other),))


def _companions(config: PreTrainedConfig, prefix: str) -> dict[str, Any]:
    """Numbers that a switch needs beside it and that are None by default: experts, how many are chosen, their width."""
    dot = f"{prefix}." if prefix else ""
    width = getattr(config, "intermediate_size", None)
    result: dict[str, Any] = {}
    for item in fields(config):
        if config.__dict__.get(item.name, 0) is not None or int not in typing.get_args(item.type):
            continue
        if _CHOSEN.fullmatch(item.name):
            result[dot + item.name] = 2
        elif _INNER.fullmatch(item.name) and isinstance(width, int):
            result[dot + item.name] = width // 4
        elif _EXPERTS.fullmatch(item.name):
            result[dot + item.name] = 4
    return result


def combined_models(entry: ModelEntry, model_class: type[PreTrainedModel]) -> Iterator[ReferenceModel]:
    """The class with several moves at once, one model for every new layout; without and with its optional parts."""
    base = arguments_for(entry.model_type, model_class.__name__)
    yield from _with_base(entry, model_class, base)
    missing = absent_parts(with_changes(entry.config_class, base, {}))
    whole = {**base, **missing}
    if missing and _try(entry, model_class, whole, {}) is not None:
        yield from _with_base(entry, model_class, whole, "+".join(missing))


def _with_base(
    entry: ModelEntry, model_class: type[PreTrainedModel], base: dict[str, Any], parts: str = ""
) -> Iterator[ReferenceModel]:
    found = _leaves(entry, base)
    small = shallow(found, _DEEP if any(True for _ in patterns(entry, base, found, {})) else _SHALLOW)
    plain = _layout(_try(entry, model_class, base, small))
    if plain is None:
        return
    further = list(patterns(entry, base, found, small))
    seen = {plain}
    config = with_changes(entry.config_class, base, small)
    moves, carriers, quiet = _moves(entry, model_class, base, small, tried(config, further), plain)
    moves += _promoted(entry, model_class, base, small, carriers, quiet)
    sizes = list(_sizes(entry, model_class, base, found, small))
    signatures: set[Any] = set()
    kept = 0
    if parts:
        for size in sizes:
            module = _try(entry, model_class, base, size)
            if module is not None:
                yield from listings(entry.model_type, module, PREFIX + parts, size, signatures)
    for number, chosen in enumerate(_combinations(entry.model_type, moves)):
        if number >= MAX_COMBINED or kept >= MAX_KEPT:
            break
        changes = _merged(sizes[number % len(sizes)], chosen)
        module = _try(entry, model_class, base, changes) if changes is not None else None
        layout = _layout(module)
        if module is None or layout is None or (layout in seen and len(chosen) > 1):
            continue
        seen.add(layout)
        kept += len(chosen) > 1
        name = PREFIX + "&".join([*([parts] if parts else []), *(move.name for move in chosen)])
        yield from listings(entry.model_type, module, name, dict(changes or {}), signatures)
        if (len(chosen) > 1 or chosen[0].brings) and len(
            sizes
        ) > 1:  # a layout in one size shows relations that are accidents
            changes = _merged(sizes[(number + 1) % len(sizes)], [_again(move) for move in chosen])
            module = _try(entry, model_class, base, changes) if changes is not None else None
            if module is not None and _stars(_layout(module)) == _stars(layout):
                yield from listings(entry.model_type, module, name, dict(changes or {}), signatures)
        if chosen[0].again and len(chosen) == 1:
            changes = _merged(small, [_again(chosen[0])]) or {}
            module = _try(entry, model_class, base, changes)
            if module is not None:
                yield from listings(entry.model_type, module, f"{name}/again", changes, signatures)


def _moves(
    entry: ModelEntry, model_class: Any, base: dict[str, Any], small: Changes, candidates: Iterator[Move], plain: Layout
) -> tuple[list[Move], list[Move], list[Move]]:
    """What alters the layout alone, what options are tried on top of, and the options that do nothing alone."""
    moves: list[Move] = []
    silent: list[Move] = []
    quiet: list[Move] = []
    seen = {plain}
    before = _stars(plain)
    for number, move in enumerate(candidates):
        if number >= MAX_TRIED or len(moves) >= MAX_MOVES:
            break
        layout = _changed(entry, model_class, base, small, [move])
        if layout is not None and layout not in seen:
            stars = _stars(layout)
            if move.kind != "absent" or stars != before:  # a part left out, and not put back as the library's default
                brings = any(not star.endswith("bias") for star in stars - before)
                _gather(moves, replace(move, stars=stars, brings=brings), before)
        elif move.kind == "option" and not move.name.endswith("+"):
            quiet.append(move)
        elif layout is not None and move.kind not in NO_PATTERN:
            silent.append(move)  # a layer pattern that only an option shows
        if layout is not None:
            seen.add(layout)
    return moves, [*silent[: MAX_CARRIERS // 2], *moves][:MAX_CARRIERS], quiet


def _gather(moves: list[Move], move: Move, before: frozenset[str]) -> None:
    """Append a move; a layer pattern with the tensors of an earlier one is that one in other numbers."""
    if move.kind not in NO_PATTERN and move.stars != before:
        for place, other in enumerate(moves):
            if other.kind == move.kind and other.stars == move.stars:
                moves[place] = other if other.again else replace(other, again=move.changes)
                return
    moves.append(move)


def _promoted(
    entry: ModelEntry, model_class: Any, base: dict[str, Any], small: Changes, carriers: list[Move], quiet: list[Move]
) -> list[Move]:
    """Options that alter the layout on top of a move, or of another such option: moves with what they need."""
    found: list[Move] = []
    for _ in range(2):
        fresh: list[Move] = []
        for carrier in carriers:
            before = _changed(entry, model_class, base, small, [carrier])
            for move in quiet[:MAX_QUIET]:
                if any(move.name in other.name for other in (*found, *fresh)):
                    continue
                layout = _changed(entry, model_class, base, small, [carrier, move])
                if layout is not None and layout != before:
                    fresh.append(Move("option", f"{carrier.name}&{move.name}", (*carrier.changes, *move.changes)))
        found += fresh
        carriers = fresh
    return found[:MAX_MOVES]


def _again(move: Move) -> Move:
    """The move in its other size, where it has one."""
    return replace(move, changes=move.again) if move.again else move


def _changed(
    entry: ModelEntry, model_class: Any, base: dict[str, Any], small: Changes, moves: Sequence[Move]
) -> Layout | None:
    changes = _merged(small, moves)
    return _layout(_try(entry, model_class, base, changes)) if changes is not None else None


def _layout(module: PreTrainedModel | None) -> Layout | None:
    if module is None:
        return None
    counted = Counter((star_name(tensor.name)[0], tensor.shape) for tensor in listing_from_module(module).tensors)
    numbers: dict[str, list[int]] = {}
    for (star, _), number in counted.items():
        numbers.setdefault(star, []).append(number)
    return frozenset((star, tuple(sorted(found))) for star, found in numbers.items())


def _stars(layout: Layout | None) -> frozenset[str]:
    return frozenset(star for star, _ in layout or ())


def _sizes(
    entry: ModelEntry, model_class: Any, base: dict[str, Any], found: list[Leaf], small: dict[str, Any]
) -> Iterator[dict[str, Any]]:
    """Shallow sizes that build, each with as many of its roles as the library takes; the plain one always first."""
    yield dict(small)
    made = [small]
    kept = [leaf for leaf in found if leaf.path not in small]
    wanted: list[RoleChanges] = [
        {"small": small, **apply(tuple(s for s in profile(name) if s.role not in _LENGTH), kept)} for name in SIZES
    ]
    for changes in (
        *(_flat(_build(entry, model_class, base, roles)[0]) for roles in wanted),
        second_size(entry, model_class, base, found, small),
    ):
        if changes not in made:
            made.append(changes)
            yield changes


def _combinations(seed: str, moves: Sequence[Move]) -> Iterator[tuple[Move, ...]]:
    """Which moves to make together, most telling first; deterministic."""
    rng = random.Random(crc32(seed.encode()))  # noqa: S311  # a sample, not a secret
    # moves that are of no kind known to the single-option variants are worth a record by themselves
    yield from ((m,) for m in moves if m.kind != "option" or m.brings or "&" in m.name or m.name.endswith("+"))
    pairs = list(combinations(moves, 2))
    rng.shuffle(pairs)
    pairs.sort(key=_worth)
    absent = [move for move in moves if move.kind == "absent"]
    rest = [move for move in moves if move.kind != "absent"]
    larger = [
        tuple(sorted(rng.sample(moves, size), key=moves.index)) for size in (3, 4, 3, 5, 3, 4) if size <= len(moves)
    ]
    queues: list[list[tuple[Move, ...]]] = [
        [(*absent[:1], *some) for some in combinations(rest, 2)] if absent else [],
        list(pairs),
        list(larger),
    ]
    rng.shuffle(queues[0])
    while any(queues):
        for queue in queues:
            if queue:
                yield queue.pop(0)


def _worth(pair: tuple[Move, Move]) -> tuple[bool, int, int]:
    """Pairs of unlike kinds first, of these what brings tensors, of these what is no option."""
    one, two = pair
    return one.kind == two.kind, -(one.brings + two.brings), sum(move.kind == "option" for move in pair)


def _merged(size: Changes, moves: Sequence[Move]) -> dict[str, Any] | None:
    """All changes; None where two moves contradict each other, or one changes what another leaves out."""
    result = dict(size)
    made: dict[str, Any] = {}
    for move in moves:
        for path, value in move.changes:
            if made.get(path, value) != value:
                return None
            made[path] = value
    whole = {path for path, value in made.items() if value is None or isinstance(value, dict)}
    if any(path.partition(".")[0] in whole for path in made if "." in path):
        return None
    result = {path: value for path, value in result.items() if path.partition(".")[0] not in whole}
    return {**result, **made}
