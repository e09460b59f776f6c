"""`dara rules` and `dara explain`: the catalogue and the page of one rule."""

from __future__ import annotations

import difflib
import json
import sys
from typing import Annotated, Literal

import typer

from clustering.text import escape
from dara.errors import UsageError


def rules(
    output: Annotated[Literal["text", "json"], typer.Option("--format", help="text or json.")] = "text",
) -> None:
    """List every rule with its severity.

    Example: dara rules --format json
    """
    from dara.rules.registry import all_rules

    if output == "json":
        catalogue = [
            {
                "code": rule.code,
                "slug": rule.slug,
                "severity": rule.severity.label,
                "since": rule.since,
                "preview": rule.preview,
                "summary": rule.summary,
                "url": rule.url,
            }
            for rule in all_rules()
        ]
        sys.stdout.write(json.dumps(catalogue, indent=2, sort_keys=True) + "\n")
        return
    width = max((len(rule.slug) for rule in all_rules()), default=0)
    for rule in all_rules():
        preview = " (preview)" if rule.preview else ""
        sys.stdout.write(f"{rule.code}  {rule.slug:<{width}}  {rule.severity.label:<7}  {rule.summary}{preview}\n")


def explain(code: Annotated[str, typer.Argument(metavar="CODE", help="A rule's code or slug.")]) -> None:
    """Print the documentation of one rule.

    Example: dara explain DAR101
    """
    from dara.rules.registry import all_rules, rule_of

    rule = rule_of(code)
    if rule is None:
        known = [word for item in all_rules() for word in (item.code, item.slug)]
        near = difflib.get_close_matches(code.upper(), known, 1) or difflib.get_close_matches(code.lower(), known, 1)
        hint = f"; did you mean {near[0]}?" if near else "; `dara rules` lists them"
        raise UsageError(f"no rule is called '{escape(code)}'{hint}")
    head = f"{rule.code} {rule.slug} ({rule.severity.label}, since {rule.since})"
    sys.stdout.write(f"{head}\n\n{rule.documentation.rstrip()}\n")
