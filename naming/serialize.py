"""Parsed names as JSON: the contract of `dara parse` (fields are only ever added)."""

from __future__ import annotations

import json
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
    """A parsed name as one line of JSON without raw control or direction-changing characters."""
    return escape_json(json.dumps(to_dict(parsed), ensure_ascii=False, separators=(",", ":")))
