"""Changing values in a model card's front matter: comments, order, line ends and the body stay what they are."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Final

from corpora.errors import DamagedFileError
from corpora.yamltext import parse_yaml
from dara.cardtext import added
from dara.fixing.records import CardEdit
from dara.metadata import Derived

_FRONT_MATTER: Final = re.compile(r"\A(\ufeff?\s*---[ \t]*\r?\n)(.*?)^---[ \t]*\r?$", re.DOTALL | re.MULTILINE)


def edited(before: str, edits: Sequence[CardEdit], shown: str) -> str:
    """A card with entries replaced and added.

    Args:
        before: the whole card.
        edits: those with an `old` value replace it where it stands; the others are added at the end.
        shown: the file's name for messages.

    Raises:
        DamagedFileError: the front matter is no mapping, states a key twice, or holds the value in a form (a block of
            text, an anchor, a list of several) in which it cannot be exchanged safely.
    """
    after = before
    for edit in edits:
        if edit.old is not None:
            after = _replaced(after, edit, shown)
    new = [Derived(edit.key, edit.new, edit.reason) for edit in edits if edit.old is None]
    return added(after, new, shown) if new else after


def _replaced(text: str, edit: CardEdit, shown: str) -> str:
    match = _FRONT_MATTER.match(text)
    if match is None or not isinstance(edit.new, str):
        raise DamagedFileError(f"{shown}: has no front matter whose {edit.key} could be replaced")
    front = match.group(2)
    data = parse_yaml(front, f"{shown} front matter")  # bounds and damage are found here
    refused = DamagedFileError(f"{shown} front matter: {edit.key} is written so that it has to be changed by hand")
    node = _value_node(front, edit.key)
    if not isinstance(data, dict) or node is None:
        raise refused
    start, end = node.start_mark.index, node.end_mark.index
    after = front[:start] + _scalar(edit.new, node.style) + front[end:]
    listed = isinstance(data.get(edit.key), list)
    wanted = {key: ([edit.new] if listed else edit.new) if key == edit.key else value for key, value in data.items()}
    try:
        found = parse_yaml(after, f"{shown} front matter")
    except DamagedFileError:
        raise refused from None
    if not isinstance(found, dict) or found != wanted or list(found) != list(wanted):
        raise refused
    return text[: match.start(2)] + after + text[match.end(2) :]


def _value_node(front: str, key: str) -> Any:
    """The one scalar that is a key's value; None for any other form."""
    import yaml

    root = yaml.compose(front, Loader=yaml.SafeLoader)  # builds nodes, no values; aliases are not expanded
    if not isinstance(root, yaml.MappingNode):
        return None
    values = [value for name, value in root.value if isinstance(name, yaml.ScalarNode) and name.value == key]
    if len(values) != 1:
        return None
    node = values[0]
    if isinstance(node, yaml.SequenceNode) and len(node.value) == 1:
        node = node.value[0]
    return node if isinstance(node, yaml.ScalarNode) and node.style not in ("|", ">") else None


def _scalar(value: str, style: str | None) -> str:
    """A text as YAML, quoted as what it replaces, and anyway where a plain word would be read as something else."""
    import yaml

    dumped = yaml.safe_dump(value, default_style=style if style in ("'", '"') else None, width=1 << 20)
    return str(dumped).removesuffix("\n").removesuffix("\n...")
