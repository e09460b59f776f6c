"""Results of `dara batch` made by hand, so that what reads them is tested apart from everything that judges."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from dara.batch.merge import write_json
from dara.batch.tables import DERIVED, TABLES, schema_of

PACKAGE = {
    "verdict": "consistent", "source": "snapshot", "codes": [], "remarks": [], "damaged": [], "base_models": [],
    "errors": 0, "warnings": 0, "notes": 0, "hidden": 0, "held": 0, "convention": "implementation",
    "pattern": "architecture-size",
}  # fmt: skip


def package(entry: int, name: str | None, **values: Any) -> dict[str, Any]:
    """A row of `packages`."""
    owner, _, repo = (name or "").rpartition("/")
    return {**PACKAGE, "entry": entry, "name": name, "owner": owner, "repo": repo, **values}


def finding(entry: int, name: str, message: str, code: str = "DAR101") -> dict[str, Any]:
    """A row of `findings`."""
    return {"entry": entry, "name": name, "code": code, "severity": "error", "confidence": "high", "message": message}


def graph(digest: str, claimed: Mapping[str, int], **values: Any) -> dict[str, Any]:
    """A row of `graphs`."""
    total = sum(claimed.values())
    return {
        "digest": digest, "cluster": 0, "x": 0.0, "y": 0.0, "identified": "bert", "score": 0.99, "twins": [],
        "packages": total, "defective": 0, "families": json.dumps({"bert": total}), "claimed": json.dumps(claimed),
        "strangers": 0, **values,
    }  # fmt: skip


def write_results(
    out: Path, packages: Iterable[Mapping[str, Any]], *, versions: Mapping[str, str] | None = None, **tables: Any
) -> Path:
    """Writes a folder of results; the other tables by name, empty where they are not given."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    out.mkdir(parents=True, exist_ok=True)
    rows: dict[str, Sequence[Mapping[str, Any]]] = {"packages": list(packages), **tables}
    for name in (*TABLES, *DERIVED):
        table = pa.Table.from_pylist([dict(row) for row in rows.get(name, ())], schema=schema_of(name))
        pq.write_table(table, out / f"{name}.parquet", row_group_size=7)
    verdicts = [row["verdict"] for row in rows["packages"]]
    counts = {word: verdicts.count(word) for word in ("consistent", "defective", "unverifiable")}
    write_json(
        out / "summary.json",
        {
            "schema": "dara-batch-summary/1", "entries": len(verdicts), "packages": len(verdicts), "unread_entries": 0,
            "unauditable_packages": 0, "verdicts": counts,
            "findings": {"total": 0, "by_severity": {}, "sure_by_severity": {}, "by_code": {}}, "conventions": {},
            "families": {}, "skipped": {},
            "clusters": {
                "graphs": 0, "graphs_left_out": 0, "clusters": 0, "graphs_alone": 0, "packages": 0, "outliers": 0,
                "without": {},
            },
        },
    )  # fmt: skip
    write_json(
        out / "run.json",
        {
            "schema": "dara-batch/1",
            "inputs": {"snapshot": "models.jsonl", "kind": "jsonl", "identity": "0" * 32, "entries": len(verdicts)},
            "settings": {"select": [], "ignore": []},
            "versions": dict(versions or {"dara": "0.1.0", "fingerprint": "1"}),
        },
    )
    return out
