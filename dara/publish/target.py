"""What the repository that is published to already holds, compared with what is to be published.

People overwrite a `bert-base` with tomorrow's `bert-large`, or push every experiment to one repository. Who has pinned
nothing then loads another model under the name that was chosen for the first.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from clustering.facts import Fact, Facts
from clustering.text import escape
from corpora.errors import NotFoundError, PackageError
from corpora.sources.registry import open_package
from dara.measurement import measure
from dara.reports.values import value_text

DIMENSIONS: Final = ("layers", "hidden_size", "experts")
"""Facts that make a variant of a family; heads, labels and vocabularies change with every fine-tuning."""


@dataclass(frozen=True, slots=True)
class Conflict:
    """Something by which the new package is another model than the one that the repository holds."""

    kind: str
    held: Fact
    """In the repository."""
    new: Fact
    """In what is to be published."""

    @property
    def message(self) -> str:
        """One line with both values and where they were read, free of control characters."""
        label = "architecture" if self.kind == "family" else self.kind.replace("_", " ")
        held, new = (value_text(self.kind, fact.value) for fact in (self.held, self.new))
        return (
            f"the repository holds another model: {label} {escape(held)} ({escape(self.held.source)}), "
            f"this one has {escape(new)} ({escape(self.new.source)})"
        )


@dataclass(frozen=True, slots=True)
class Comparison:
    """Result of a comparison. No conflicts and no note: the same architecture, or a new repository."""

    conflicts: tuple[Conflict, ...] = ()
    note: str | None = None
    """Why the repository could not be compared, where it could not."""
    exists: bool = False
    """Whether the repository holds anything."""


def compare_with_target(
    facts: Facts, repo_id: str, *, revision: str | None = None, token: str | bool | None = None
) -> Comparison:
    """Compares the facts of a package with those of the repository that it goes to.

    Only requests that read are made. A repository that is not there, is empty, or holds nothing that can be measured
    conflicts with nothing; one that cannot be reached is noted.
    """
    try:
        package = open_package(f"hf://{repo_id}", revision=revision, token=token)
        held = measure(package, build_graphs=False).facts
    except NotFoundError:
        return Comparison()
    except PackageError as error:
        return Comparison(note=f"not compared with what {escape(repo_id)} holds: {error}")
    failures = package.failures()
    if failures:
        return Comparison(note=f"not compared with what {escape(repo_id)} holds: {failures[0]}", exists=True)
    return Comparison(tuple(_conflicts(held, facts)), exists=True)


def _conflicts(held: Facts, new: Facts) -> Iterator[Conflict]:
    before, after = held.best("family"), new.best("family")
    if before is not None and after is not None and not _agree("family", held, new) and not _twins(held, new):
        yield Conflict("family", before, after)
        return
    for kind in DIMENSIONS:
        old, now = held.best(kind), new.best(kind)
        if old is not None and now is not None and not _agree(kind, held, new):
            yield Conflict(kind, old, now)


def _agree(kind: str, held: Facts, new: Facts) -> bool:
    """Whether any value of one side is one of the other: what is declared here may only be measured there."""
    return not {repr(fact.value) for fact in held.all(kind)}.isdisjoint(repr(fact.value) for fact in new.all(kind))


def _twins(held: Facts, new: Facts) -> bool:
    """Whether some family of one side is a twin of one of the other, which no graph can tell apart."""
    from corpora.reference import load_reference

    scorer = load_reference()
    families = {fact.value for fact in new.all("family")}
    return any(not families.isdisjoint(scorer.twins(str(fact.value))) for fact in held.all("family"))
