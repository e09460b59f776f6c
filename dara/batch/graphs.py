"""The different graphs of a run, collected from its shards: signatures, and which packages have each."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from dara.batch.plan import Plan
from dara.batch.shard import shard_folder
from dara.batch.tables import column_names

if TYPE_CHECKING:
    from clustering.clusters.sketch import Sketch

MOST_GRAPHS: Final = 300_000
MOST_BYTES: Final = 512 << 20
"""Graphs that are compared, and bytes of their sketches. Of more, those with the smallest digests are kept: which ones
these are does not depend on the order of the snapshot."""
_FAMILIES: Final = 64
"""Families counted for one graph; a declared family is a stranger's text, so there is no end to them."""
OTHERS: Final = "(others)"
SURE: Final = 0.99
"""Score from which a graph may say that a name does not fit. A measured family takes 0.9; nothing but the graph speaks
here, and at 0.97 a GraniteMoeHybrid was taken for a GLM (benchmarks/clusters.py)."""


@dataclass(slots=True)
class Graph:
    """One graph, that is, one digest."""

    digest: str
    sketch: Sketch
    identified: str | None
    score: float | None
    twins: tuple[str, ...]
    packages: int = 0
    defective: int = 0
    downloads: int | None = None
    """Of all its packages; None where no package states them."""
    families: Counter[str] = field(default_factory=Counter)
    claimed: Counter[str] = field(default_factory=Counter)
    strangers: int = 0
    """Packages whose names state a family that this graph is not."""
    example: str | None = None
    best: tuple[int, int] = (-1, 0)
    """Downloads and position (negative) of the example."""
    parameters: float | None = None

    @property
    def sure(self) -> bool:
        """Whether the reference corpus knows the graph: only then is another family's name worth a word."""
        return self.score is not None and self.score >= SURE

    def answers(self, family: str) -> bool:
        """Whether the graph is that of a family, or of a twin of it."""
        return family == self.identified or family in self.twins

    def count(self, row: dict[str, Any]) -> None:
        """Takes one of its packages into account."""
        self.packages += 1
        self.defective += row["verdict"] == "defective"
        loads = row["downloads"]
        if loads is not None:
            self.downloads = (self.downloads or 0) + loads
        own = row["family"]
        # twins have one graph; the declaration says which of them a package is
        family = own if own is not None and self.answers(own) else self.identified or own or ""
        _add(self.families, family)
        claimed = row["claimed_family"]
        _add(self.claimed, claimed or "")
        if claimed is not None and self.sure and not self.answers(claimed):
            stated = stated_families(row["claims"])
            self.strangers += bool(stated) and not stated & {family, self.identified or "", *self.twins}
        rank = (-1 if loads is None else loads, -row["entry"])
        if self.example is None or rank > self.best:
            self.example, self.best, self.parameters = row["name"], rank, row["parameters"]


def _add(counts: Counter[str], text: str) -> None:
    counts[text if text in counts or len(counts) < _FAMILIES else OTHERS] += 1


@dataclass(slots=True)
class Graphs:
    """All graphs of a run."""

    graphs: dict[str, Graph]
    """By digest, in sorted order."""
    left_out: int
    """Graphs beyond the bounds."""


def collect(plan: Plan, folder: Path) -> Graphs:
    """Reads the signatures of all shards, then the packages that have a graph.

    Raises:
        OSError: a shard cannot be read.
        pyarrow.ArrowException: it is damaged.
    """
    found = _signatures(plan, folder)
    for row in _packages(plan, folder) if found.graphs else ():
        graph = found.graphs.get(row["digest"])
        if graph is not None:
            graph.count(row)
    return found


def _signatures(plan: Plan, folder: Path) -> Graphs:
    from clustering.clusters.sketch import Sketch

    kept: dict[str, Graph] = {}
    shared: dict[bytes, Sketch] = {}
    dropped: set[int] = set()
    size, border = 0, None
    for number in range(plan.shards):
        for row in columns(folder, number, "signatures", column_names("signatures")):
            sketch = Sketch(row["shapes"], row["order"], row["names"])
            digest = row["digest"]
            if border is not None and digest >= border:
                dropped.add(hash(digest))
                continue
            sketch = shared.setdefault(sketch.key, sketch)
            graph = Graph(digest, sketch, row["identified"], row["score"], tuple(row["twins"] or ()))
            before = kept.get(digest)
            if before is None:
                size += sketch.size
            elif _rank(before) <= _rank(graph):
                continue
            kept[digest] = graph
            if len(kept) > MOST_GRAPHS + MOST_GRAPHS // 8 or size > MOST_BYTES + MOST_BYTES // 8:
                border, size = _trim(kept, dropped)
                shared = {graph.sketch.key: graph.sketch for graph in kept.values()}
    if len(kept) > MOST_GRAPHS or size > MOST_BYTES:
        _trim(kept, dropped)
    return Graphs(dict(sorted(kept.items())), len(dropped))


def _rank(graph: Graph) -> tuple[Any, ...]:
    """Which of two readings of one graph counts: files may name the tensors of one graph differently."""
    return (-(graph.score or 0.0), graph.identified or "", graph.twins, graph.sketch.key)


def _trim(kept: dict[str, Graph], dropped: set[int]) -> tuple[str | None, int]:
    """Drops the largest digests until the bounds hold; the smallest dropped one, and the bytes that are left."""
    size, border = 0, None
    for number, digest in enumerate(sorted(kept)):
        following = size + kept[digest].sketch.size
        if border is None and (number >= MOST_GRAPHS or following > MOST_BYTES):
            border = digest
        if border is not None:
            dropped.add(hash(digest))
            del kept[digest]
        else:
            size = following
    return border, size


def _packages(plan: Plan, folder: Path) -> Iterator[dict[str, Any]]:
    wanted = ("entry", "name", "verdict", "digest", "family", "claimed_family", "claims", "downloads", "parameters")
    for number in range(plan.shards):
        yield from columns(folder, number, "packages", wanted, present="digest")


def columns(
    folder: Path, number: int, table: str, names: Sequence[str], *, present: str | None = None
) -> Iterator[dict[str, Any]]:
    """Rows of one table of a finished shard, some columns of them; only rows where the column `present` has a value.

    Raises:
        OSError: it cannot be read.
        pyarrow.ArrowException: it is not what was written.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    every = column_names(table)
    options = pa.ipc.IpcReadOptions(included_fields=sorted(every.index(name) for name in names))
    path = shard_folder(folder, number) / f"{table}.arrow"
    with path.open("rb") as stream, pa.ipc.open_stream(stream, options=options) as reader:
        for batch in reader:
            if present is None:
                yield from batch.to_pylist()
            elif batch.column(present).null_count < len(batch):
                yield from batch.filter(pc.is_valid(batch.column(present))).to_pylist()


def stated_families(claims: str | None) -> frozenset[str]:
    """Families that fit a name, of its claims as JSON: those that its main claim accepts, and their twins."""
    from corpora.reference import load_reference

    found: set[str] = set()
    for claim in json.loads(claims) if claims else ():
        if claim.get("kind") == "family" and claim.get("role") in {"", "main"} and claim.get("modality") == "stated":
            found.update(name for name in (claim["value"], *claim.get("accepts", ())) if isinstance(name, str))
    reference = load_reference()
    return frozenset(found.union(*(reference.twins(name) for name in found)))


def as_json(counts: Counter[str]) -> str:
    """Counts as JSON, most frequent first."""
    ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return json.dumps(dict(ranked), ensure_ascii=False, separators=(",", ":"))
