"""Shares with intervals that draw whole owners, and the misses behind them."""

from __future__ import annotations

import sys
from collections import defaultdict
from dataclasses import dataclass, field

from benchmarks.verdict_rules import interval, owner_of


@dataclass(slots=True)
class Share:
    """How many of how many, by owner: the packages of one publisher resemble each other."""

    title: str
    bar: str = ""
    """What is asked for, as it is to be shown."""
    grouped: bool = True
    """Whether what is counted has owners; an interval needs them."""
    counts: dict[str, tuple[int, int]] = field(default_factory=dict)
    misses: list[str] = field(default_factory=list)

    def add(self, name: str, *, hit: bool, reason: str = "") -> None:
        """One package, and why it is a miss, where it is one worth a line."""
        owner = owner_of(name)
        right, asked = self.counts.get(owner, (0, 0))
        self.counts[owner] = (right + hit, asked + 1)
        if reason and not hit:
            self.misses.append(f"{name}: {reason}")

    @property
    def right(self) -> int:
        """Hits."""
        return sum(right for right, _ in self.counts.values())

    @property
    def asked(self) -> int:
        """All."""
        return sum(asked for _, asked in self.counts.values())

    def row(self) -> tuple[str, str, str, str, str]:
        """Title, share, count, interval and what is asked for."""
        bounds = interval(self.counts) if self.grouped else None
        return (
            self.title,
            f"{self.right / self.asked:.2%}" if self.asked else "-",
            f"{self.right}/{self.asked}",
            f"{bounds[0]:.1%} to {bounds[1]:.1%}" if bounds else "-",
            self.bar,
        )


@dataclass(slots=True)
class Report:
    """The rows of a run in the order in which they were measured."""

    sections: dict[str, list[Share]] = field(default_factory=lambda: defaultdict(list))
    notes: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))

    def add(self, section: str, *shares: Share) -> None:
        """Rows of a section."""
        self.sections[section] += shares

    def note(self, section: str, text: str) -> None:
        """A line under a section's table."""
        self.notes[section].append(text)

    def show(self) -> None:
        """The tables, then every miss with its reason."""
        head = ("", "share", "count", "95 % by owner", "asked for")
        for section in dict.fromkeys((*self.sections, *self.notes)):
            rows = [share.row() for share in self.sections.get(section, ())]
            print(f"\n{section}")
            if rows:
                widths = [max(len(row[column]) for row in (head, *rows)) for column in range(len(head))]
                for row in (head, *rows):
                    print(
                        "  " + "  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip()
                    )
            for text in self.notes.get(section, ()):
                print(f"  {text}")
        missed = [share for shares in self.sections.values() for share in shares if share.misses]
        if missed:
            print("\nmisses")
        for share in missed:
            print(f"  {share.title}")
            for line in share.misses:
                print(f"    {line}")
        sys.stdout.flush()
