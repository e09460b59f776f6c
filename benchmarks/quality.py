"""Figures of quality: family, class and verdicts, on the development data or on a generated set.

    python -m benchmarks.quality [--packages DIR] [--cut 0.8] [--list] [--keep DIR]

`--packages` names the folder that `make_packages.py` wrote, so that weights are measured; without it only
configurations are read. Verdict figures count errors and warnings of at least medium confidence.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # runs as a file as well as with -m

from benchmarks.verdict_cache import SubjectCache
from benchmarks.verdict_data import Case, family_cases, generated_cases, grouped_interval, hub_cases
from benchmarks.verdict_runs import accusations, judge, subject_of, table
from clustering.identity import Identification
from dara.findings import Finding, Severity
from dara.rules.common.families import squash
from dara.subject import Subject

Result = tuple[Case, Subject, tuple[Finding, ...]]


def evaluate(cases: Sequence[Case], kept: SubjectCache) -> list[Result]:
    """Runs every case; progress on stderr."""
    results: list[Result] = []
    start = time.perf_counter()
    for number, case in enumerate(cases, 1):
        subject = subject_of(case) if case.folder is None else kept.measured(case)
        results.append((case, subject, accusations(judge(subject, case.name))))
        if sys.stderr.isatty() and number % 20 == 0:
            print(f"\r{number}/{len(cases)}", end="", file=sys.stderr)
    print(f"\r{len(cases)} cases in {time.perf_counter() - start:.1f} s", file=sys.stderr)
    return results


def verdict_figures(results: Sequence[Result], title: str, *, listing: bool) -> None:
    """Precision, recall, false errors per 1,000 truthful packages, and figures per rule."""
    checkable = [item for item in results if item[0].mismatch is not None]
    cases = [case for case, _, _ in checkable]
    wrong = [item for item in checkable if item[0].mismatch]
    truthful = [item for item in checkable if not item[0].mismatch]
    caught = [item for item in wrong if item[2]]
    blamed = [item for item in truthful if item[2]]
    false_errors = [item for item in truthful if any(finding.severity is Severity.ERROR for finding in item[2])]
    print(f"\n{title}: {len(wrong)} wrong names, {len(truthful)} truthful")
    rows = []
    for label, values, scale in (
        ("recall", [(int(bool(found and case.mismatch)), int(bool(case.mismatch))) for case, _, found in checkable], 1),
        ("precision", [(int(bool(found and case.mismatch)), int(bool(found))) for case, _, found in checkable], 1),
        (
            "false errors per 1,000 truthful",
            [
                (
                    int(not case.mismatch and any(item.severity is Severity.ERROR for item in found)),
                    int(not case.mismatch),
                )
                for case, _, found in checkable
            ],
            1000,
        ),
    ):
        top, bottom = sum(value[0] for value in values), sum(value[1] for value in values)
        low, high = grouped_interval(cases, values)
        share = f"{scale * top / bottom:.3f}" if bottom else "-"
        rows.append((label, share, f"{top}/{bottom}", f"{scale * low:.3f} to {scale * high:.3f}"))
    print(table(rows, ("figure", "value", "count", "95 % by owner")))
    print(f"false errors: {len(false_errors)}, false accusations: {len(blamed)}, caught: {len(caught)}")
    true_by_rule = Counter(finding.code for _, _, found in caught for finding in found)
    false_by_rule = Counter(finding.code for _, _, found in blamed for finding in found)
    codes = sorted(set(true_by_rule) | set(false_by_rule))
    print(
        table([(code, true_by_rule[code], false_by_rule[code]) for code in codes], ("rule", "on wrong", "on truthful"))
    )
    if listing:
        for case, _, _ in (item for item in wrong if not item[2]):
            print(f"  miss  {case.name}: {case.note}")
        for case, _, found in blamed:
            print(
                f"  false {case.name}: "
                + "; ".join(f"{item.code} {item.severity.label} {item.message}" for item in found)
            )
            print(f"        {case.note}")
        for case, _, found in (item for item in results if item[0].mismatch is None and item[2]):
            print(f"  open  {case.name}: " + "; ".join(f"{item.code} {item.message}" for item in found))


def family_figures(results: Sequence[Result]) -> None:
    """Family by structure, vocabulary and both, where weights were measured; class where the estimator gives one."""
    rows = []
    measured = [
        (case, subject) for case, subject, _ in results if subject.identification is not None and subject.listing
    ]
    for channel in ("both", "structure"):
        right = first = silent = 0
        for case, subject in measured:
            answer = subject.identification
            assert answer is not None
            ranked = answer.family if channel == "both" else answer.structure_only
            truth = squash(str(case.config.get("model_type", "")))
            silent += not ranked
            if ranked:
                first += squash(ranked[0].model_type) == truth
                right += truth in {squash(name) for name in (ranked[0].model_type, *ranked[0].twins)}
        if measured:
            total = len(measured)
            rows.append((channel, f"{right / total:.3f}", f"{first / total:.3f}", silent, total))
    if rows:
        print("\nfamily of packages with weights")
        print(table(rows, ("channel", "family or twin", "family", "silent", "packages")))
    channels = Counter(_channel(subject.identification) for _, subject in measured)
    if channels:
        print("deciding channel: " + ", ".join(f"{name} {count}" for name, count in sorted(channels.items())))


def _channel(answer: Identification | None) -> str:
    return answer.channel if answer is not None else "none"


def claim_figures(results: Sequence[Result]) -> None:
    """How many of the statements that a judge read in the names the parser makes as well, by kind."""
    seen: Counter[str] = Counter()
    made: Counter[str] = Counter()
    from naming import parse_name

    for case, _, _ in results:
        claims = parse_name(case.name).claims
        for expected in case.expected.get("claims", ()):
            kind = {"generation": "version"}.get(expected["kind"], expected["kind"])
            seen[kind] += 1
            made[kind] += any(claim.kind == kind or (kind == "backbone" and claim.role) for claim in claims)
    if seen:
        print("\nstatements of the judge that the parser makes too")
        print(table([(kind, made[kind], seen[kind]) for kind in sorted(seen)], ("kind", "made", "of")))


def main() -> int:
    """Prints every figure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--packages", type=Path, help="folder that make_packages.py wrote")
    parser.add_argument("--cut", type=float, default=0.8, help="labels below this confidence of the judge are left out")
    parser.add_argument("--list", action="store_true", help="list every miss and false accusation")
    parser.add_argument("--keep", type=Path, help="folder for measured packages, so that a second run measures none")
    parser.add_argument("--only", choices=("hub", "family", "generated"))
    args = parser.parse_args()
    kept = SubjectCache(args.keep)
    hub = hub_cases(args.packages) if args.only in (None, "hub") else []
    family = [case for case in family_cases() if case.sure >= args.cut] if args.only in (None, "family") else []
    if hub:
        results = evaluate(hub, kept)
        family_figures(results)
        claim_figures(results)
        verdict_figures(results, "real packages", listing=args.list)
    if family:
        verdict_figures(evaluate(family, kept), "real names with their declared class", listing=args.list)
    if not hub and not family:
        verdict_figures(evaluate(generated_cases(), kept), "generated packages", listing=args.list)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
