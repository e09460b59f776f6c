"""A comparison as JSON (`dara-comparison/1`) and as text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from clustering.alignment.align import Lone, Pair
from clustering.identity import Part
from clustering.text import escape
from dara.compare import Comparison, PartPair, Side, grouped, layouts, starred
from dara.reports.document import clean

SCHEMA = "dara-comparison/1"

_SHOWN = 12
_NAME = 96


def comparison_document(comparison: Comparison) -> dict[str, Any]:
    """The JSON object of a comparison."""
    alignment = comparison.alignment
    return {
        "schema": SCHEMA,
        "same": comparison.same,
        "complete": comparison.complete,
        "left": _side(comparison.left),
        "right": _side(comparison.right),
        "parts": [_parts(pair) for pair in comparison.parts],
        "facts": [{"kind": kind, "left": clean(left), "right": clean(right)} for kind, left, right in comparison.facts],
        "pairs": [_pair(pair) for pair in alignment.pairs],
        "only_left": [_lone(item) for item in alignment.left_only],
        "only_right": [_lone(item) for item in alignment.right_only],
        "layouts": dict(layouts(comparison)),
    }


def _side(side: Side) -> dict[str, Any]:
    return {
        "name": clean(side.name),
        "format": side.listing.format,
        "tensors": len(side.listing.tensors),
        "digest": side.digest,
        "structure": side.structure,
        "built_from_config": side.built,
        "problems": [clean(problem) for problem in side.problems],
    }


def _parts(pair: PartPair) -> dict[str, Any]:
    return {
        "role": clean(pair.role),
        "same": pair.same,
        "left": _part(pair.left),
        "right": _part(pair.right),
        "differences": list(pair.differences),
    }


def _part(part: Part | None) -> dict[str, Any] | None:
    if part is None:
        return None
    return {"family": clean(part.family), "variant": clean(part.variant), "detail": clean(dict(part.detail))}


def _pair(pair: Pair) -> dict[str, Any]:
    return {
        "left": clean(pair.left),
        "right": clean(pair.right),
        "left_shape": list(pair.left_shape),
        "right_shape": list(pair.right_shape),
        "change": pair.change,
        "layout": pair.layout,
        "buffer": pair.buffer,
    }


def _lone(item: Lone) -> dict[str, Any]:
    return {"name": clean(item.name), "shape": list(item.shape), "kind": item.kind}


def comparison_text(comparison: Comparison, *, full: bool = False) -> Iterator[str]:
    """Lines for people.

    Args:
        comparison: what was found.
        full: every pair, every tensor that stands alone.
    """
    for word, side in (("left", comparison.left), ("right", comparison.right)):
        built = ", built from config.json" if side.built else f", {side.listing.format}"
        yield f"{word:<6} {escape(side.name)}: {len(side.listing.tensors):,} tensors{built}"
        for problem in side.problems:
            yield f"       not complete: {escape(problem)}"
    yield ""
    yield "The graphs are the same once layout is set aside." if comparison.same else "The graphs differ."
    yield ""
    yield "Parts"
    for pair in comparison.parts:
        yield from _part_lines(pair)
    if comparison.facts:
        yield ""
        yield "Facts that differ"
        for kind, left, right in comparison.facts:
            yield f"  {kind:<20} {_value(left)} | {_value(right)}"
    yield ""
    counts = ", ".join(f"{count:,} {name}" for name, count in layouts(comparison).items())
    yield f"Tensors: {len(comparison.alignment.pairs):,} pairs ({counts or 'none'})"
    changed = [pair for pair in comparison.alignment.pairs if pair.change == "resized"]
    for title, pairs in (
        ("same place, other size", changed),
        *((("pairs", comparison.alignment.pairs),) if full else ()),
    ):
        if pairs:
            yield f"  {title}"
            yield from _pair_lines(pairs, full=full)
    yield from _lone_lines("only left", comparison.alignment.left_only, full=full)
    yield from _lone_lines("only right", comparison.alignment.right_only, full=full)


def _part_lines(pair: PartPair) -> Iterator[str]:
    sign = "=" if pair.same else "~" if pair.left and pair.right else "<" if pair.left else ">"
    yield f"  {sign} {escape(pair.role):<20} {_named(pair.left)} | {_named(pair.right)}"
    for key in pair.differences:
        if key not in {"family", "variant"} and pair.left is not None and pair.right is not None:
            yield f"      {escape(key)}: {_value(pair.left.detail.get(key))} | {_value(pair.right.detail.get(key))}"


def _named(part: Part | None) -> str:
    if part is None:
        return "-"
    return escape(part.family + (f" {part.variant}" if part.variant else ""))


def _value(value: Any) -> str:
    if value is None:
        return "-"
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else escape(str(value))


def _shape(shape: Sequence[int]) -> str:
    return "[" + ", ".join(map(str, shape)) + "]"


def _pair_lines(pairs: Sequence[Pair], *, full: bool) -> Iterator[str]:
    rows: dict[tuple[str, str, str, str, str], int] = {}
    for pair in pairs:  # names that differ in their indices only are one row, unless every pair is wanted
        left, right = (name if full else starred(name) for name in (pair.left, pair.right))
        key = (left, _shape(pair.left_shape), right, _shape(pair.right_shape), pair.layout)
        rows[key] = rows.get(key, 0) + 1
    limit = None if full else _NAME
    for number, ((left, ours, right, theirs, layout), count) in enumerate(rows.items()):
        if not full and number == _SHOWN:
            yield f"    and {len(rows) - _SHOWN:,} more (--full)"
            return
        times = f" x {count}" if count > 1 else ""
        yield f"    {escape(left, limit)} {ours} -> {escape(right, limit)} {theirs} {layout}{times}"


def _lone_lines(title: str, lone: Sequence[Lone], *, full: bool) -> Iterator[str]:
    if not lone:
        return
    parameters = sum(item.kind == "parameter" for item in lone)
    rest = len(lone) - parameters
    yield f"  {title}: {parameters:,} parameters" + (f", {rest:,} that no graph is made of" if rest else "")
    groups = grouped(lone)
    for group in groups if full else groups[:_SHOWN]:
        times = f" x {group.count}" if group.count > 1 else ""
        note = "" if group.kind == "parameter" else f" ({group.kind})"
        yield f"    {escape(group.name, None if full else _NAME)} {_shape(group.shape)}{times}{note}"
    if not full and len(groups) > _SHOWN:
        yield f"    and {len(groups) - _SHOWN:,} more (--full)"
