"""Every rule: registered once, documented, and held by positive, negative and near-miss fixtures."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from dara.findings import Confidence, Finding, Held, Severity, Skipped
from dara.rules.interface import HEADINGS
from dara.rules.registry import all_rules, rule_of

FIXTURES = Path(__file__).with_name("fixtures")
KINDS = ("positive", "negative", "near_miss")


def cases():
    for path in sorted(FIXTURES.glob("*.toml")):
        document = tomllib.loads(path.read_text("utf-8"))
        for kind in KINDS:
            for number, case in enumerate(document.get(kind, ())):
                yield pytest.param(path.stem, kind, case, id=f"{path.stem}-{kind}-{number}")


def test_codes_and_slugs_are_pinned():
    pinned = tomllib.loads(FIXTURES.parent.joinpath("catalogue.toml").read_text("utf-8"))["rules"]
    assert {rule.code: rule.slug for rule in all_rules()} == pinned


def test_codes_are_ordered_and_unique():
    codes = [rule.code for rule in all_rules()]
    assert codes == sorted(set(codes))
    assert all(re.fullmatch(r"DAR[1-8]\d\d", code) for code in codes)
    assert len({rule.slug for rule in all_rules()}) == len(codes)


@pytest.mark.parametrize("rule", all_rules(), ids=lambda rule: rule.code)
def test_every_rule_is_documented(rule):
    text = rule.documentation
    found = re.findall(r"^## (.+)$", text, re.MULTILINE)
    assert tuple(found) == HEADINGS
    assert rule.summary.endswith(".")
    assert len(rule.summary) < 120
    sections = re.split(r"^## .+$", text, flags=re.MULTILINE)[1:]
    assert all(len(section.split()) >= 4 for section in sections if "`" not in section)
    assert rule_of(rule.code) is rule
    assert rule_of(rule.slug.upper()) is rule


@pytest.mark.parametrize("rule", all_rules(), ids=lambda rule: rule.code)
def test_every_rule_has_fixtures(rule):
    path = FIXTURES / f"{rule.code}.toml"
    assert path.exists(), f"{rule.code} has no fixtures"
    document = tomllib.loads(path.read_text("utf-8"))
    assert set(document) == set(KINDS), f"{rule.code} lacks one of {KINDS}"
    assert all(document[kind] for kind in KINDS)


def test_no_fixture_without_rule():
    assert {path.stem for path in FIXTURES.glob("*.toml")} == {rule.code for rule in all_rules()}


@pytest.mark.parametrize(("code", "kind", "case"), list(cases()))
def test_fixture(code, kind, case, build):
    rule = rule_of(code)
    subject = build(case)
    outcomes = list(rule.check(subject))
    findings = [item for item in outcomes if isinstance(item, Finding)]
    expect = case.get("expect", {})
    if kind == "positive":
        assert len(findings) == expect.get("count", 1), outcomes
        finding = findings[0]
        assert finding.code == code
        assert finding.slug == rule.slug
        assert finding.severity == Severity[expect["severity"].upper()]
        assert finding.confidence == Confidence[expect["confidence"].upper()]
        for word in expect.get("says", ()):
            assert word in finding.message
        assert "\n" not in finding.message
        assert finding.evidence
    else:
        assert findings == [], outcomes
    if "held" in expect:
        assert any(isinstance(item, Held) for item in outcomes) == expect["held"], outcomes
    if "skipped" in expect:
        assert any(expect["skipped"] in item.reason for item in outcomes if isinstance(item, Skipped)), outcomes


@pytest.mark.parametrize("rule", all_rules(), ids=lambda rule: rule.code)
def test_rules_need_nothing(rule, build):
    """A name without claims over an empty package is never accused and never breaks a rule."""
    outcomes = list(rule.check(build({"name": "someone/thing", "files": []})))
    assert not [item for item in outcomes if isinstance(item, Finding) and item.severity > Severity.NOTE]


@pytest.mark.parametrize("rule", all_rules(), ids=lambda rule: rule.code)
def test_messages_escape_foreign_text(rule, build):
    for path in [FIXTURES / f"{rule.code}.toml"]:
        for case in tomllib.loads(path.read_text("utf-8"))["positive"]:
            hostile = dict(case)
            hostile["claims"] = [
                {**claim, "text": claim["text"] + "\x1b[31m\u202e"} for claim in case.get("claims", ())
            ]
            hostile["name"] = case["name"] + "".join(claim["text"] for claim in hostile["claims"])
            hostile["declared"] = {
                key: value + "\x1b[31m" if isinstance(value, str) and key == "license" else value
                for key, value in case.get("declared", {}).items()
            }
            for item in rule.check(build(hostile)):
                text = item.message if isinstance(item, Finding) else getattr(item, "reason", "")
                assert text.isprintable(), text
