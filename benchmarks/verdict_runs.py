"""Runs the rules over labelled cases; shared by quality.py and verdicts.py."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from functools import cache, lru_cache
from typing import Any

from benchmarks.verdict_data import Case
from clustering.facts import Facts
from dara.engine import run
from dara.findings import Confidence, Finding, Outcomes, Severity
from dara.rules.registry import all_rules
from dara.subject import Subject
from naming.records import ParsedName


@lru_cache(maxsize=65536)
def _parsed(name: str) -> ParsedName:
    from naming import parse_name

    return parse_name(name)


@cache
def kinship() -> Any:
    """The reference corpus, or None where its index has not been built."""
    from corpora.reference import load_reference

    try:
        return load_reference()
    except (OSError, ValueError, RuntimeError) as error:
        print(f"no reference index: {error}", file=sys.stderr)
        return None


def declared_subject(config: Mapping[str, Any]) -> Subject:
    """A package of which only the configuration is known."""
    from clustering.declared.config import declared_facts

    return Subject(facts=Facts(declared_facts(config)), config=config, kinship=kinship(), files=("config.json",))


def subject_of(case: Case, *, build_graphs: bool = False) -> Subject:
    """A case without its name: what the files tell."""
    if case.folder is None:
        return declared_subject(case.config)
    from corpora.sources.registry import open_package
    from dara.measurement import measure

    package = open_package(str(case.folder))
    known = measure(package, build_graphs=build_graphs)
    return Subject(
        facts=known.facts,
        config=known.config,
        card=known.card,
        listing=known.listing,
        fingerprint=known.fingerprint,
        identification=known.identification,
        parts=known.parts,
        kinship=kinship(),
        files=tuple(package.files.sizes()),
    )


def judge(subject: Subject, name: str) -> Outcomes:
    """Every outcome for a package under a name."""
    return run(all_rules(), subject.under(_parsed(name)))


def accusations(outcomes: Outcomes) -> tuple[Finding, ...]:
    """Findings that count: errors and warnings of at least medium confidence."""
    return tuple(
        finding
        for finding in outcomes.findings
        if finding.severity >= Severity.WARNING and finding.confidence >= Confidence.MEDIUM
    )


def table(rows: Iterable[tuple[Any, ...]], heads: tuple[str, ...]) -> str:
    """Rows as aligned text."""
    body = [tuple(str(cell) for cell in row) for row in rows]
    widths = [max(len(row[column]) for row in (heads, *body)) for column in range(len(heads))]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in (heads, *body)
    ]
    return "\n".join(lines)
