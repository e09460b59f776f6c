"""Writes a page per rule from its docstring, and the catalogue: `python -m dara.rules.pages docs/rules`."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from dara.rules.interface import Rule
from dara.rules.registry import all_rules

GROUPS = {
    "1": "Architecture",
    "2": "Scale",
    "3": "Task and labels",
    "4": "Data and language",
    "5": "Encoding",
    "6": "Lineage",
    "7": "Form of the name",
    "8": "Attributes that reuse needs",
}
"""Subject of each range of codes, by the first digit."""


def page(rule: Rule) -> str:
    """The page of one rule."""
    status = "; in preview" if rule.preview else ""
    head = f"# {rule.code} {rule.slug}\n\nSeverity: {rule.severity.label}. Since {rule.since}{status}.\n\n"
    return f"{head}{rule.documentation.rstrip()}\n"


def catalogue() -> str:
    """The page that lists every rule."""
    return "\n".join(_catalogue()) + "\n"


def pages() -> dict[str, str]:
    """File names and contents of the whole folder."""
    return {"README.md": catalogue(), **{f"{rule.code}.md": page(rule) for rule in all_rules()}}


def _catalogue() -> Iterator[str]:
    yield "# Rules"
    yield ""
    yield "Generated from the rules' docstrings by `make docs`."
    for digit, title in GROUPS.items():
        rules = [rule for rule in all_rules() if rule.code[3] == digit]
        if not rules:
            continue
        yield ""
        yield f"## {title}"
        yield ""
        yield "| code | slug | severity | what it says |"
        yield "|---|---|---|---|"
        for rule in rules:
            yield f"| [{rule.code}]({rule.code}.md) | {rule.slug} | {rule.severity.label} | {rule.summary} |"


def main(folder: Path) -> None:
    """Writes the pages and removes those of rules that are gone."""
    folder.mkdir(parents=True, exist_ok=True)
    wanted = pages()
    for name, text in wanted.items():
        (folder / name).write_text(text, encoding="utf-8")
    for path in folder.glob("*.md"):
        if path.name not in wanted:
            path.unlink()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
