"""What the rules say of changed packages, and of renames that keep the meaning: the figures of verdicts.py."""

from __future__ import annotations

import random
import sys
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from benchmarks.mutations import RENAMES, Mutation, harmless, swapped
from benchmarks.verdict_rules import Tally, owner_of
from benchmarks.verdict_runs import accusations, judge, table
from dara.findings import Finding, Outcomes, Severity
from dara.rules.common.families import gather
from dara.subject import Subject

Packages = Sequence[tuple[str, Subject]]


@dataclass(slots=True)
class Kind:
    """What is counted for one kind of change, or of harmless rename."""

    total: int = 0
    exact: int = 0
    """Found by a rule that is about the change."""
    caught: int = 0
    """Accused of anything."""
    errors: int = 0
    sources: set[str] = field(default_factory=set)


def mutations(packages: Packages, count: int, seed: int) -> list[Mutation]:
    """`count` mutations, balanced over kinds; kinds with few sources repeat under other owners."""
    from naming import parse_name

    draw = random.Random(seed)
    by_kind: dict[str, list[Mutation]] = defaultdict(list)
    for name, subject in packages:
        parsed = parse_name(name)
        for _ in range(6):
            for maker in RENAMES:
                for mutation in maker(parsed, subject, draw):
                    by_kind[mutation.kind].append(mutation)
    weighed = [(name, subject) for name, subject in packages if subject.identification is not None and subject.listing]
    for name, subject in weighed:
        own = gather(subject)
        for other_name, other in draw.sample(weighed, min(8, len(weighed))):
            theirs = gather(other)
            related = (own.declared_twins | own.measured_set) & (theirs.declared_twins | theirs.measured_set)
            if not related and own.declared[:3] != theirs.declared[:3]:
                by_kind["swapped weights"].append(swapped(subject, other, name, f"{name} over {other_name}"))
    share = max(1, count // max(1, len(by_kind)))
    chosen: list[Mutation] = []
    for kind in sorted(by_kind):
        pool = by_kind[kind]
        unique = list({(item.name, item.origin): item for item in pool}.values())
        draw.shuffle(unique)
        for number in range(share):
            item = unique[number % len(unique)]
            round_ = number // len(unique)
            if round_ and item.kind != "swapped weights":
                item = replace(item, name=f"owner{round_}/{item.name.rpartition('/')[2]}")
            chosen.append(item)
    return chosen


def change_figures(packages: Packages, count: int, seed: int, tally: Tally, *, listing: bool) -> None:
    """Recall per kind of change, and false errors on renames that keep the meaning; `tally` takes each rule's part."""
    start = time.perf_counter()
    verdicts = {name: judge(subject, name) for name, subject in packages}
    # A package that is accused already, rightly or not, tells nothing about a further change.
    packages = [item for item in packages if not accusations(verdicts[item[0]])]
    notes = _changes(packages, count, seed, tally, verdicts)
    notes += _renames(packages, seed, tally, verdicts)
    print(f"{time.perf_counter() - start:.0f} s", file=sys.stderr)
    if listing:
        print("\n".join(notes))


def _changes(packages: Packages, count: int, seed: int, tally: Tally, verdicts: dict[str, Outcomes]) -> list[str]:
    kinds: dict[str, Kind] = defaultdict(Kind)
    missed: set[str] = set()
    beside: set[str] = set()
    # Changes of one graph together: what was asked of the last few graphs is remembered.
    for mutation in sorted(mutations(packages, count, seed), key=lambda item: (id(item.subject.listing), item.name)):
        outcomes = judge(mutation.subject, mutation.name)
        found = accusations(outcomes)
        codes = {finding.code for finding in found} & mutation.codes
        kind = kinds[mutation.kind]
        kind.total += 1
        kind.exact += bool(codes)
        kind.caught += bool(found)
        kind.sources.add(mutation.origin)
        for code in codes or {min(mutation.codes)}:
            tally.add_change(code, owner_of(mutation.origin), found=code in codes)
        if not codes:
            missed.add(f"  miss  {mutation.kind} {mutation.name.rpartition('/')[2]} ({mutation.origin})")
        for finding in _new(outcomes, verdicts[_origin(mutation)]):
            right = _is_about(finding, mutation)
            tally.add_level("changes", finding, owner_of(mutation.origin), right=right)
            if not right:
                told = f"{finding.code} {finding.confidence.label} {finding.message}"
                beside.add(f"  beside  {mutation.kind} {mutation.name.rpartition('/')[2]}: {told}")
    print(f"\n{sum(kind.total for kind in kinds.values())} mutations of {len(packages)} truthful packages, seed {seed}")
    rows = [
        (name, f"{kind.exact / kind.total:.3f}", f"{kind.caught / kind.total:.3f}", kind.total, len(kind.sources))
        for name, kind in sorted(kinds.items())
    ]
    print(table(rows, ("change", "recall by its rules", "any accusation", "mutations", "packages")))
    return [*sorted(missed), *sorted(beside)]


def _renames(packages: Packages, seed: int, tally: Tally, verdicts: dict[str, Outcomes]) -> list[str]:
    from naming import parse_name

    kinds: dict[str, Kind] = defaultdict(Kind)
    notes: list[str] = []
    draw = random.Random(seed)
    for name, subject in packages:
        for mutation in harmless(parse_name(name), subject, draw):
            outcomes = judge(subject, mutation.name)
            found = accusations(outcomes)
            kind = kinds[mutation.kind]
            kind.total += 1
            kind.caught += bool(found)
            kind.errors += any(item.severity is Severity.ERROR for item in found)
            notes.extend(f"  false {mutation.name}: {item.code} {item.message}" for item in found)
            for finding in _new(outcomes, verdicts[name]):
                tally.add_level("kept", finding, owner_of(name), right=False)
    print("\nrenames that keep the meaning")
    rows = [(name, kind.total, kind.errors, kind.caught) for name, kind in sorted(kinds.items())]
    print(table(rows, ("rename", "packages", "errors", "accused")))
    return notes


def _is_about(finding: Finding, mutation: Mutation) -> bool:
    """Whether a finding speaks of what was changed.

    Over another package's weights every sentence of the name is wrong, not only that of its family; and `8x7B` states a
    number of parameters beside that of experts.
    """
    if finding.code in mutation.codes or mutation.kind == "swapped weights":
        return True
    return mutation.kind == "experts" and finding.code == "DAR201"


def _new(outcomes: Outcomes, before: Outcomes) -> list[Finding]:
    """Errors and warnings that were not there before the change."""
    known = {_said(finding) for finding in before.findings}
    return [item for item in outcomes.findings if item.severity >= Severity.WARNING and _said(item) not in known]


def _said(finding: Finding) -> tuple[str, str]:
    return finding.code, finding.claim.text if finding.claim is not None else finding.message


def _origin(mutation: Mutation) -> str:
    """The package that was changed; weights come from another one."""
    return mutation.origin.partition(" over ")[0]
