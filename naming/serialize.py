"""Parsed names as JSON: the contract of `dara parse` (fields are only ever added)."""

from __future__ import annotations

import json
from json.encoder import encode_basestring as _quoted
from typing import Any

from naming.records import Claim, Component, ParsedName
from naming.text import escape_json


def to_dict(parsed: ParsedName) -> dict[str, Any]:
    """A parsed name as plain JSON data; offsets of components point into `repo`."""
    return {
        "name": parsed.name,
        "owner": parsed.owner,
        "repo": parsed.repo,
        "components": [component_to_dict(component) for component in parsed.components],
        "convention": {"category": parsed.convention.category, "pattern": parsed.convention.pattern},
        "claims": [claim_to_dict(claim) for claim in parsed.claims],
    }


def component_to_dict(component: Component) -> dict[str, Any]:
    """A component as plain JSON data."""
    return {
        "text": component.text,
        "start": component.start,
        "end": component.end,
        "category": component.category,
        "value": component.value,
        "role": component.role,
    }


def claim_to_dict(claim: Claim) -> dict[str, Any]:
    """A claim as plain JSON data."""
    return {
        "kind": claim.kind,
        "value": claim.value,
        "text": claim.text,
        "modality": claim.modality,
        "role": claim.role,
        "accepts": list(claim.accepts),
    }


def to_line(parsed: ParsedName) -> str:
    """A parsed name as one line of JSON without raw control or direction-changing characters.

    The same text as `json.dumps(to_dict(parsed), ensure_ascii=False, separators=(",", ":"))` with the escapes of
    `naming.text`, written piece by piece: the fields are known, and a general encoder takes three times as long.
    """
    components = ",".join(
        [
            f'{{"text":{_quoted(part.text)},"start":{part.start},"end":{part.end},"category":"{part.category}",'
            f'"value":{_quoted(part.value) if type(part.value) is str else _value(part.value)},"role":"{part.role}"}}'
            for part in parsed.components
        ]
    )
    claims = ",".join(
        [
            f'{{"kind":"{made.kind}","value":{_quoted(made.value) if type(made.value) is str else _value(made.value)},'
            f'"text":{_quoted(made.text)},"modality":"{made.modality}","role":"{made.role}",'
            f'"accepts":{_list(made.accepts) if made.accepts else "[]"}}}'
            for made in parsed.claims
        ]
    )
    convention = parsed.convention
    line = (
        f'{{"name":{_quoted(parsed.name)},"owner":{_quoted(parsed.owner)},"repo":{_quoted(parsed.repo)},'
        f'"components":[{components}],"convention":{{"category":"{convention.category}",'
        f'"pattern":{_quoted(convention.pattern)}}},"claims":[{claims}]}}'
    )
    return line if line.isascii() and "\x7f" not in line else escape_json(line)


def _value(value: object) -> str:
    return str(value) if type(value) is int else _ENCODE(value)


_ENCODE = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def _list(words: tuple[str, ...]) -> str:
    """A list of strings as JSON; the types that a word accepts come from the lexicons, so there are few of them."""
    text = _LISTS.get(words)
    if text is None:
        if len(_LISTS) >= _MOST_LISTS:
            _LISTS.clear()
        text = _LISTS[words] = f"[{','.join(map(_quoted, words))}]"
    return text


_LISTS: dict[tuple[str, ...], str] = {}
_MOST_LISTS = 4096
"""Lists that are remembered; forgotten all at once when full."""
