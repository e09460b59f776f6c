"""Golden reports of the example packages, one per format: a change of any report shows in the diff.

Write them anew with `pytest tests/dara/test_golden.py --update-golden`, and read the diff.
"""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import pytest

from dara import __version__
from dara.audit import audit_all
from dara.examples import write_examples
from dara.report import AuditReport, AuditResult
from dara.reports.registry import format_names, format_of
from dara.reports.text import TextReport

GOLDEN = Path(__file__).parent / "golden"
SUFFIX = {"text": "txt", "json": "jsonl", "sarif": "sarif", "markdown": "md", "html": "html"}


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> list[AuditResult]:
    folders = write_examples(tmp_path_factory.mktemp("golden"))
    audited = audit_all([str(folder) for folder in folders])
    # Where the examples were written to is no part of what is compared.
    return [
        replace(item, package=replace(item.package, location="")) if isinstance(item, AuditReport) else item
        for item in audited
    ]


@pytest.mark.parametrize("name", [name for name in format_names() if name in SUFFIX])
def test_report_is_as_reviewed(name: str, results: list[AuditResult], request: pytest.FixtureRequest) -> None:
    sink = io.StringIO()
    (TextReport(color=False, width=80) if name == "text" else format_of(name)).write(results, sink)
    text = sink.getvalue().replace(__version__, "VERSION")
    path = GOLDEN / f"examples.{SUFFIX[name]}"
    if request.config.getoption("--update-golden"):
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
    assert text == path.read_text("utf-8")
