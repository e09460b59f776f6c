"""Every study, in the order in which they are shown."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from dara.errors import UsageError
from dara.studies.defective import Defective
from dara.studies.graphs import Identical, Mixed
from dara.studies.interface import Study, StudyResult
from dara.studies.licences import Licences
from dara.studies.naming import Conventions, Elements
from dara.studies.rates import Claimed, Downloads, Families, Months, Owners
from dara.studies.snapshot import Snapshot

STUDIES: Final[tuple[type[Study], ...]] = (
    Elements,
    Conventions,
    Families,
    Claimed,
    Owners,
    Months,
    Downloads,
    Defective,
    Mixed,
    Identical,
    Licences,
)


def study_names() -> tuple[str, ...]:
    """Names by which studies are asked for."""
    return tuple(study.name for study in STUDIES)


def run_studies(snapshot: Snapshot, names: Sequence[str] = ()) -> tuple[StudyResult, ...]:
    """Runs studies over one reading of the packages.

    Args:
        snapshot: the results of a run.
        names: which studies; all when empty. They come in the order of the registry.

    Raises:
        UsageError: an unknown name, or results that lack a table.
        IncompleteAuditError: a damaged table.
    """
    unknown = sorted(set(names) - set(study_names()))
    if unknown:
        raise UsageError(f"no study called {unknown[0]!a}; there are {', '.join(study_names())}")
    chosen = [study for study in STUDIES if not names or study.name in names]
    missing = {study.name: snapshot.lacks(study.needs) for study in chosen}
    running = {study.name: study() for study in chosen if missing[study.name] is None}
    columns = sorted({column for study in running.values() for column in study.reads})
    if columns:
        for batch in snapshot.scan(columns):
            for study in running.values():
                if study.reads:
                    study.add(batch.select(list(study.reads)))
    return tuple(
        StudyResult(study.name, study.title, running[study.name].tables(snapshot))
        if study.name in running
        else StudyResult(study.name, study.title, (), f"not available: {missing[study.name]}")
        for study in chosen
    )
