"""Verdicts on the generated set of the quality harness: the floor that every change has to keep."""

from __future__ import annotations

from benchmarks import verdict_data as data
from benchmarks import verdict_runs as runs


def test_generated_packages():
    cases = data.generated_cases(count=400)
    assert sum(case.mismatch for case in cases) == 200
    judged = [(case, runs.accusations(runs.judge(runs.subject_of(case), case.name))) for case in cases]
    caught = sum(bool(found) for case, found in judged if case.mismatch)
    blamed = [(case.name, found) for case, found in judged if found and not case.mismatch]
    assert caught >= 0.97 * 200
    assert blamed == []


def test_intervals_are_grouped_by_owner():
    cases = [data.Case(f"a/{number}", {}, True, "test") for number in range(50)]
    cases += [data.Case(f"{number}/x", {}, True, "test") for number in range(10)]
    values = [(0, 1)] * 50 + [(1, 1)] * 10
    low, high = data.grouped_interval(cases, values)
    assert low < 10 / 60 < high
    assert high - low > 0.2, "fifty packages of one owner are one observation"
    again = data.grouped_interval(cases, values)
    assert (low, high) == again
