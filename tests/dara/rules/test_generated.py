"""Verdicts on the generated set of the quality harness: the floor that every change has to keep."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def harness(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT))
    from benchmarks import verdict_data, verdict_runs

    yield verdict_data, verdict_runs
    for name in [name for name in sys.modules if name.startswith("benchmarks.")]:
        monkeypatch.delitem(sys.modules, name, raising=False)


def test_generated_packages(harness):
    data, runs = harness
    cases = data.generated_cases(count=400)
    assert sum(case.mismatch for case in cases) == 200
    judged = [(case, runs.accusations(runs.judge(runs.subject_of(case), case.name))) for case in cases]
    caught = sum(bool(found) for case, found in judged if case.mismatch)
    blamed = [(case.name, found) for case, found in judged if found and not case.mismatch]
    assert caught >= 0.97 * 200
    assert blamed == []


def test_intervals_are_grouped_by_owner(harness):
    data, _ = harness
    cases = [data.Case(f"a/{number}", {}, True, "test") for number in range(50)]
    cases += [data.Case(f"{number}/x", {}, True, "test") for number in range(10)]
    values = [(0, 1)] * 50 + [(1, 1)] * 10
    low, high = data.grouped_interval(cases, values)
    assert low < 10 / 60 < high
    assert high - low > 0.2, "fifty packages of one owner are one observation"
    again = data.grouped_interval(cases, values)
    assert (low, high) == again
