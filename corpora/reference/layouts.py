"""Published layouts of families that live as code on the hub, which is never run: tensor lists as data.

One JSON file of `published/` describes one layout with its sizes:

* `model_type`, `class`: what such packages declare. `source`: where the facts come from. `classes`: further class
  names with the tensors that they add, `{"name": [...]}`.
* `fields`: configuration fields with defaults. `sizes`: name to changed fields; each becomes one model.
* `tensors`: items in definition order. An item is one of

  * `[name, [dim, ...]]`, where a dim is an integer or an arithmetic expression of fields;
  * `[name, [dim, ...], condition]`, only there when the condition is not zero;
  * `{"repeat": expression, "as": letter, "tensors": [...]}`, with `{letter}` in names counting from `start` (0);
  * `{"when": condition, "tensors": [...]}`;
  * `{"layout": file, "prefix": text, "fields": {field: expression}}`, another layout as a part;
  * `{"config": {...}, "prefix": text}`, a class of transformers as a part, built from a configuration whose values
    may be expressions written as `"=expression"` (`"?expression"` for a boolean).

Nothing but integer arithmetic is evaluated.
"""

from __future__ import annotations

import ast
import json
import operator
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from importlib.resources import files
from typing import Any

from clustering.live.listing import listing_from_config
from clustering.tensors import Tensor, TensorListing
from corpora.reference.records import ReferenceModel

Row = tuple[str, tuple[int, ...]]
_OPERATORS: dict[type[ast.AST], Callable[[int, int], int]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
}
_COMPARISONS: dict[type[ast.AST], Callable[[int, int], bool]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.GtE: operator.ge,
}
MAX_TENSORS = 20_000
"""A layout longer than this is a mistake in its file."""


class LayoutError(Exception):
    """A layout file does not follow the format; the message names the file and the item."""


def layout_names() -> tuple[str, ...]:
    """The layouts that there are, sorted."""
    folder = files("corpora.reference") / "published"
    return tuple(sorted(entry.name.removesuffix(".json") for entry in folder.iterdir() if entry.name.endswith(".json")))


def published_models(name: str) -> Iterator[ReferenceModel]:
    """Every size and class of a layout.

    Raises:
        LayoutError: the file does not follow the format.
    """
    layout = _load(name)
    classes: Mapping[str, Sequence[Any]] = {layout["class"]: (), **layout.get("classes", {})}
    for size, changed in layout["sizes"].items():
        fields = {**layout["fields"], **changed}
        for class_name, more in classes.items():
            rows = _checked(name, [*layout["tensors"], *more], fields)
            tensors = tuple(Tensor(tensor, shape, "F32") for tensor, shape in rows)
            metadata = {"class": class_name, "spelling": "published"}
            listing = TensorListing(tensors, "module", metadata=metadata)
            yield ReferenceModel(layout["model_type"], class_name, f"published:{size}", changed, listing, "published")


@cache
def _load(name: str) -> dict[str, Any]:
    text = (files("corpora.reference") / "published" / f"{name}.json").read_text(encoding="utf-8")
    loaded: dict[str, Any] = json.loads(text)
    missing = {"model_type", "class", "source", "fields", "sizes", "tensors"} - set(loaded)
    if missing:
        raise LayoutError(f"{name}.json lacks {', '.join(sorted(missing))}")
    return loaded


def _checked(name: str, items: Sequence[Any], fields: Mapping[str, int]) -> list[Row]:
    rows = list(_rows(items, dict(fields), ""))
    names = [row[0] for row in rows]
    if len(rows) > MAX_TENSORS or len(set(names)) != len(names):
        raise LayoutError(f"{name}.json: {len(rows)} tensors, {len(set(names))} different names")
    return rows


def _rows(items: Sequence[Any], fields: dict[str, int], prefix: str) -> Iterator[Row]:
    for item in items:
        if isinstance(item, list):
            tensor, dims, *condition = item
            if not condition or evaluate(condition[0], fields):
                yield prefix + _numbered(tensor, fields), tuple(evaluate(dim, fields) for dim in dims)
        elif "repeat" in item:
            start = item.get("start", 0)
            for number in range(evaluate(start, fields), evaluate(item["repeat"], fields)):
                yield from _rows(item["tensors"], {**fields, item["as"]: number}, prefix)
        elif "when" in item:
            if evaluate(item["when"], fields):
                yield from _rows(item["tensors"], fields, prefix)
        elif "layout" in item:
            part = _load(item["layout"])
            inner = {key: evaluate(value, fields) for key, value in item.get("fields", {}).items()}
            yield from _rows(part["tensors"], {**part["fields"], **inner}, prefix + item["prefix"])
        else:
            for tensor in listing_from_config(_filled(item["config"], fields)).tensors:
                yield prefix + item["prefix"] + tensor.name, tensor.shape


def _numbered(tensor: str, fields: Mapping[str, int]) -> str:
    """Put loop counters into a name: `h.{i}.weight`."""
    for letter, value in fields.items():
        if len(letter) == 1:
            tensor = tensor.replace("{" + letter + "}", str(value))
    return tensor


def _filled(value: Any, fields: Mapping[str, int]) -> Any:
    """A configuration with its `=expression` values evaluated."""
    if isinstance(value, dict):
        return {key: _filled(inner, fields) for key, inner in value.items()}
    if isinstance(value, str) and value.startswith("="):
        return evaluate(value[1:], fields)
    if isinstance(value, str) and value.startswith("?"):
        return bool(evaluate(value[1:], fields))
    return value


def evaluate(expression: int | str, fields: Mapping[str, int]) -> int:
    """The value of an integer expression: numbers, fields, + - * // % and comparisons.

    Raises:
        LayoutError: anything else.
    """
    if isinstance(expression, int):
        return int(expression)
    try:
        return int(_value(ast.parse(expression, mode="eval").body, fields))
    except (SyntaxError, KeyError, ZeroDivisionError) as error:
        raise LayoutError(f"cannot evaluate {expression!r}: {error}") from error


def _value(node: ast.AST, fields: Mapping[str, int]) -> int:
    match node:
        case ast.Constant(value=int() as number):
            return number
        case ast.Name(id=name):
            return fields[name]
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _OPERATORS:
            return _OPERATORS[type(op)](_value(left, fields), _value(right, fields))
        case ast.Compare(left=left, ops=[op], comparators=[right]) if type(op) in _COMPARISONS:
            return _COMPARISONS[type(op)](_value(left, fields), _value(right, fields))
        case _:
            raise LayoutError(f"{ast.unparse(node)!r} is not integer arithmetic")
