"""The explicit list of rules."""

from __future__ import annotations

from functools import cache

from dara.rules.interface import Rule


@cache
def all_rules() -> tuple[Rule, ...]:
    """Every rule, ordered by code."""
    rules: tuple[Rule, ...] = ()
    return tuple(sorted(rules, key=lambda rule: rule.code))


def rule_of(code: str) -> Rule | None:
    """The rule with a code or slug, whatever the case; None when there is none."""
    wanted = code.strip().lower()
    return next((rule for rule in all_rules() if wanted in (rule.code.lower(), rule.slug)), None)
