"""Columns of the tables. Programs read them: columns are added, never renamed or removed."""

from __future__ import annotations

from functools import cache
from typing import Any, Final

TABLES: Final = ("packages", "findings", "skipped")
"""Tables that are put together from shards, each to `NAME.parquet`."""
PARTS: Final = (*TABLES, "signatures")
"""What a shard holds: its rows of the tables, and the signatures of its graphs, which clusters are made of."""
DERIVED: Final = ("graphs", "clusters")
"""Tables that are computed from the others."""
RESULTS: Final = ("run.json", *(f"{name}.parquet" for name in (*TABLES, *DERIVED)), "summary.json", "report.html")
"""Everything that a complete run leaves behind. `run.json` first: without it the others do not count as results."""

_COLUMNS: Final[dict[str, dict[str, str]]] = {
    "packages": {
        "entry": "int",  # position in the snapshot from 0; the order of every table
        "place": "text",  # where it stands: file and line, or folder
        "name": "text",
        "owner": "text",
        "repo": "text",
        "revision": "text",
        "source": "text",
        "verdict": "text",
        "reason": "text",  # why nothing could be audited; null for a package that was
        "errors": "int",  # findings by severity, as far as the settings show them
        "warnings": "int",
        "notes": "int",
        "hidden": "int",  # findings that the settings do not show
        "held": "int",  # claims that were checked and are true
        "codes": "texts",
        "convention": "text",
        "pattern": "text",
        "claimed_family": "text",  # the main family claim of the name
        "family": "text",
        "family_basis": "text",
        "architecture_class": "text",
        "parameters": "number",
        "task": "text",
        "digest": "text",  # fingerprint of the graph; null without weight headers
        "structure": "text",
        "identified": "text",  # best family of the graph, with its calibrated score
        "score": "number",
        "pipeline_tag": "text",
        "library": "text",
        "license": "text",
        "base_models": "texts",
        "downloads": "int",
        "likes": "int",
        "created": "text",
        "modified": "text",
        "components": "text",  # JSON, as in `dara audit --format json`; so are the following
        "claims": "text",
        "facts": "text",
        "fingerprint": "text",
        "remarks": "texts",  # what was odd without hindering the audit
        "damaged": "texts",  # files that could not be read
        "cluster": "int",  # row of `clusters`; null for a package without a cluster
        "cluster_reason": "text",  # why it has none; null for one that has
        "outlier": "flag",  # its name states a family that no graph of its cluster is; null where that cannot be said
    },
    "findings": {
        "entry": "int",
        "name": "text",
        "code": "text",
        "slug": "text",
        "severity": "text",
        "confidence": "text",
        "message": "text",
        "claim_kind": "text",
        "claim_text": "text",
        "fact_kind": "text",
        "fact_basis": "text",
        "suggestion": "text",
        "evidence": "text",  # JSON list of source and detail
    },
    "skipped": {
        "entry": "int",
        "place": "text",
        "name": "text",
        "check": "text",  # `entry` for what could not be made a package at all, `audit` for a package without a result
        "reason": "text",
    },
    "signatures": {
        "digest": "text",
        "identified": "text",
        "score": "number",
        "twins": "texts",
        "shapes": "bytes",  # the three bags of a `clustering.clusters.sketch.Sketch`
        "order": "bytes",
        "names": "bytes",
    },
    "graphs": {
        "digest": "text",  # the order of this table
        "cluster": "int",  # -1: resembles no other graph
        "x": "number",  # place on the map
        "y": "number",
        "identified": "text",  # best family of the graph, with its calibrated score and its twins
        "score": "number",
        "twins": "texts",
        "packages": "int",
        "defective": "int",
        "families": "text",  # JSON: families that the packages are, with their number
        "claimed": "text",  # JSON: families that the names state, with their number; "" for names that state none
        "strangers": "int",  # packages whose names state a family that this graph is not
        "example": "text",  # the most downloaded package, else the first
        "parameters": "number",
    },
    "clusters": {
        "cluster": "int",  # by falling number of packages
        "family": "text",  # the family that most of its packages are
        "purity": "number",  # share of its packages that this family or a twin of it fits
        "packages": "int",
        "graphs": "int",
        "defective": "int",
        "outliers": "int",  # packages whose names state a family that no graph here is
        "families": "text",  # JSON, as in `graphs`
        "claimed": "text",
        "downloads": "int",
        "x": "number",  # mean of its graphs
        "y": "number",
        "example": "text",
    },
}


def column_names(table: str) -> tuple[str, ...]:
    """Columns of a table, in their order."""
    return tuple(_COLUMNS[table])


@cache
def schema_of(table: str) -> Any:
    """The Arrow schema of a table."""
    import pyarrow as pa

    types = {
        "int": pa.int64(),
        "number": pa.float64(),
        "flag": pa.bool_(),
        "text": pa.string(),
        "texts": pa.list_(pa.string()),
        "bytes": pa.binary(),
    }
    return pa.schema([pa.field(name, types[kind]) for name, kind in _COLUMNS[table].items()])
