"""YAML written by strangers, read within bounds: no objects, no alias bombs, no deep nesting.

Scalars follow the core schema of YAML 1.2, as the hub's own reader does: `no` is Norwegian and not false, `1_000` and
`12:30` are text, and there are no dates. (PyYAML implements YAML 1.1.)
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from typing import Any, Final

from clustering.text import one_line
from corpora.errors import DamagedFileError

MAX_BYTES: Final = 1 << 20
"""Longest document; the metadata of embedding models with all their benchmark results reaches 500 KB."""

MAX_DEPTH: Final = 32
MAX_NODES: Final = 200_000
"""Nodes after every alias is expanded; the longest real front matter has about 60,000."""


class _Counter:
    """Counts nodes of an event stream as if every alias were expanded."""

    def __init__(self, label: str) -> None:
        self._label = label
        self._total = 0
        self._open: list[tuple[str | None, int]] = []
        self._sizes: dict[str, int] = {}

    def _add(self, nodes: int) -> None:
        self._total += nodes
        if self._total > MAX_NODES:
            msg = f"{self._label}: more than {MAX_NODES:,} values once aliases are expanded; not read"
            raise DamagedFileError(msg)

    def enter(self, anchor: str | None) -> None:
        """A list or mapping starts."""
        self._add(1)
        self._open.append((anchor, self._total))
        if len(self._open) > MAX_DEPTH:
            msg = f"{self._label}: nested more than {MAX_DEPTH} levels deep; not read"
            raise DamagedFileError(msg)

    def leave(self) -> None:
        """The innermost list or mapping ends."""
        anchor, before = self._open.pop()
        if anchor is not None:
            self._sizes[anchor] = self._total - before + 1

    def scalar(self, anchor: str | None) -> None:
        """A single value."""
        self._add(1)
        if anchor is not None:
            self._sizes[anchor] = 1

    def alias(self, anchor: str) -> None:
        """A reference to something earlier; an alias inside what it refers to would never end."""
        if any(name == anchor for name, _ in self._open):
            msg = f"{self._label}: an alias refers to the value that contains it; not read"
            raise DamagedFileError(msg)
        self._add(self._sizes.get(anchor, 1))


@cache
def _loader() -> Any:
    """A safe loader with the scalar rules of YAML 1.2, on libyaml where it is there."""
    import yaml

    base: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

    class CoreLoader(base):  # type: ignore[misc]
        """Safe loader whose types are those of the YAML 1.2 core schema and no others."""

        yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012

    def flat(loader: Any, node: Any) -> Iterator[dict[Any, Any]]:
        # Without PyYAML's merge keys: `<<` is a YAML 1.1 extension, and merging merges grows quadratically.
        # Keys are texts, whatever they look like: numbers chosen to collide would make a mapping quadratic.
        result: dict[Any, Any] = {}
        yield result
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise yaml.constructor.ConstructorError(None, None, "a key is not a text", key.start_mark)
            result[key.value] = loader.construct_object(value)

    plain = ("null", "bool", "int", "float", "str", "seq")
    CoreLoader.yaml_constructors = {
        tag: build
        for tag, build in base.yaml_constructors.items()
        if tag is None or tag.removeprefix("tag:yaml.org,2002:") in plain
    }
    CoreLoader.add_constructor("tag:yaml.org,2002:map", flat)
    resolvers: tuple[tuple[str, str, str], ...] = (
        ("bool", r"^(?:true|True|TRUE|false|False|FALSE)$", "tTfF"),
        ("null", r"^(?:~|null|Null|NULL|)$", "~nN\0"),
        ("int", r"^[-+]?[0-9]{1,100}$", "-+0123456789"),
        (
            "float",
            r"^(?:[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$",
            "-+0123456789.",
        ),
    )
    for kind, pattern, first in resolvers:
        starts = [char if char != "\0" else "" for char in first]
        CoreLoader.add_implicit_resolver(f"tag:yaml.org,2002:{kind}", re.compile(pattern), starts)

    def integer(loader: Any, node: Any) -> int:
        return int(loader.construct_scalar(node))  # PyYAML would read 010 as octal

    CoreLoader.add_constructor("tag:yaml.org,2002:int", integer)
    return CoreLoader


def _check(text: str, label: str) -> None:
    """Walks the event stream (which is not recursive) before anything is built."""
    import yaml

    counter = _Counter(label)
    for event in yaml.parse(text, Loader=_loader()):
        if isinstance(event, yaml.CollectionStartEvent):
            counter.enter(event.anchor)
        elif isinstance(event, yaml.CollectionEndEvent):
            counter.leave()
        elif isinstance(event, yaml.ScalarEvent):
            counter.scalar(event.anchor)
        elif isinstance(event, yaml.AliasEvent):
            counter.alias(event.anchor or "")


def parse_yaml(text: str, label: str) -> Any:
    """Parses one document into plain Python values.

    Args:
        text: the document.
        label: how to call it in messages; has to be free of control characters.

    Raises:
        DamagedFileError: with line and column where there is one.
    """
    import yaml

    if len(text) > MAX_BYTES:
        msg = f"{label}: longer than {MAX_BYTES:,} characters; not read"
        raise DamagedFileError(msg)
    try:
        _check(text, label)
        return yaml.load(text, Loader=_loader())  # noqa: S506 - built on the safe loader
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f" at line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        reason = one_line(ValueError(error.problem or error.context or "syntax error"), 120)
        msg = f"{label}: not YAML: {reason}{where}"
        raise DamagedFileError(msg) from error
    except (yaml.YAMLError, ValueError, TypeError, RecursionError) as error:  # a control character, an unhashable key
        msg = f"{label}: not YAML: {one_line(error, 120)}"
        raise DamagedFileError(msg) from error
