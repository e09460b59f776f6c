"""The rule pages in docs/ are those that the docstrings give."""

from __future__ import annotations

from pathlib import Path

import pytest

from dara.rules.interface import HEADINGS
from dara.rules.pages import main, pages
from dara.rules.registry import all_rules

FOLDER = Path(__file__).parents[2] / "docs" / "rules"


def test_generated_pages_are_up_to_date() -> None:
    assert {path.name: path.read_text("utf-8") for path in FOLDER.glob("*.md")} == pages(), "run `make docs`"


@pytest.mark.parametrize("rule", all_rules(), ids=lambda rule: rule.code)
def test_every_page_has_its_headings_in_order(rule: object) -> None:
    text = pages()[f"{rule.code}.md"]  # type: ignore[attr-defined]
    places = [text.find(f"## {heading}\n") for heading in HEADINGS]
    assert -1 not in places
    assert places == sorted(places)


def test_pages_of_rules_that_are_gone_are_removed(tmp_path: Path) -> None:
    (tmp_path / "DAR999.md").write_text("old")
    main(tmp_path)
    assert not (tmp_path / "DAR999.md").exists()
    assert (tmp_path / "README.md").exists()
