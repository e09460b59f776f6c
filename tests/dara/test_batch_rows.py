"""Rows of the tables say what the JSON report says, for plain and for hostile names."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clustering.facts import Fact, Facts
from corpora.package import HubMetadata, Package
from corpora.sources.rows import NoFiles
from dara.batch.rows import Rows, _name_documents, _number
from dara.batch.tables import TABLES, column_names
from dara.report import AuditReport
from dara.reports.document import audit_document, claim_document, component_document
from naming import parse_name

WORDS = st.sampled_from(
    [
        "bert",
        "7B",
        "8x7B",
        "4bit",
        "GPTQ",
        "v1.5",
        "128k",
        "en-de",
        "squad",
        "q4_K_M",
        "large",
        "\x1b[31m",
        "é",
        "\u202e",
        "<x>",
    ]
)


@given(st.lists(WORDS, min_size=1, max_size=8), st.sampled_from("-_. "))
def test_documents_of_names_are_those_of_the_report(words: list[str], between: str) -> None:
    parsed = parse_name("acme/" + between.join(words))
    found = {key: json.loads(text) for key, text in _name_documents(parsed).items()}
    assert found["components"] == json.loads(json.dumps([component_document(item) for item in parsed.components]))
    assert found["claims"] == json.loads(json.dumps([claim_document(item) for item in parsed.claims]))


def package(report: AuditReport, **metadata: object) -> Package:
    known = HubMetadata(**metadata)  # type: ignore[arg-type]
    return Package("snapshot", "models:1", NoFiles(), report.package.owner, report.package.repo, metadata=known)


@pytest.mark.parametrize("name", ["report", "hostile_report"])
def test_rows_of_a_report(name: str, request: pytest.FixtureRequest) -> None:
    report: AuditReport = request.getfixturevalue(name)
    rows = Rows()
    rows.add_report(3, package(report), report)
    document = audit_document(report)
    (row,) = rows.tables["packages"]
    assert json.loads(row["facts"]) == document["facts"]
    assert json.loads(row["fingerprint"]) == document["fingerprint"]
    assert json.loads(row["claims"]) == document["claims"]
    (finding,) = rows.tables["findings"]
    assert finding["message"] == document["findings"][0]["message"]
    assert json.loads(finding["evidence"]) == document["findings"][0]["evidence"]
    assert [r["reason"] for r in rows.tables["skipped"]] == [item["reason"] for item in document["skipped"]]
    for table in TABLES:
        for made in rows.tables[table]:
            assert set(made) <= set(column_names(table)), "no value is lost for want of a column"
            for value in made.values():
                assert not isinstance(value, str) or value.isprintable()


def test_numbers_that_no_column_holds(report: AuditReport) -> None:
    rows = Rows()
    rows.add_report(0, package(report, downloads=1 << 70, likes=3), report)
    assert (rows.tables["packages"][0]["downloads"], rows.tables["packages"][0]["likes"]) == (None, 3)
    assert [_number(value) for value in (10**400, float("nan"), float("inf"), True, "7", 7)] == [None] * 5 + [7.0]


def test_values_of_any_type_fit_text_columns(report: AuditReport) -> None:
    from dataclasses import replace

    odd = replace(report, facts=Facts([Fact("family", ["a", {"b": float("nan")}], "declared", "x")]))
    rows = Rows()
    rows.add_report(0, package(odd), odd)
    assert rows.tables["packages"][0]["family"] == '["a",{"b":null}]'
