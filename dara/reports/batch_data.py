"""What the report of a whole snapshot holds beside its text: packages and graphs as columns, packed.

Texts that repeat are kept once; the JSON is deflated and base64-coded: 100,000 packages are about 2 MB. Of more
packages than a browser handles well, those that a reader looks for are kept: defective ones and outliers first, then
the most downloaded ones. What is left out is counted, and in the tables of the studies.
"""

from __future__ import annotations

import base64
import json
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

from dara.studies.interface import StudyResult, Table
from dara.studies.snapshot import Snapshot

MOST_PACKAGES: Final = 150_000
MOST_GRAPHS: Final = 40_000
"""Dots of the map; of more the ones with most packages."""
MOST_MESSAGES: Final = 20_000
CHOICE: Final = "defective packages, outliers and the most downloaded ones"
_COLUMNS: Final = (
    "entry", "name", "verdict", "codes", "claimed_family", "family", "downloads", "created", "cluster", "outlier",
    "digest",
)  # fmt: skip
_BARS: Final = (
    ("families-largest", "family", "by family, largest first"),
    ("families-worst", "family", "by family, surely high rates first"),
    ("claimed-largest", "claimed", "by the family in the name"),
    ("owners-largest", "owner", "by owner, largest first"),
    ("owners-worst", "owner", "by owner, surely high rates first"),
    ("months", "month", "by month of creation"),
    ("downloads", "downloads", "by tenths of the downloads"),
)


class Words:
    """A column of texts, each kept once."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}
        self._index: list[int] = []

    def add(self, text: str | None) -> None:
        """Appends a value; None is the empty text."""
        self._index.append(self._numbers.setdefault(text or "", len(self._numbers)))

    def document(self) -> dict[str, Any]:
        """The texts, and which of them each row has."""
        return {"values": list(self._numbers), "index": self._index}


def report_data(snapshot: Snapshot, results: Sequence[StudyResult]) -> dict[str, Any]:
    """Everything that the page's script draws from."""
    graphs, number_of = _graphs(snapshot)
    packages, codes, entries = _packages(snapshot, number_of)
    return {
        "total": snapshot.packages,
        "choice": CHOICE,
        "packages": packages,
        "codes": sorted(codes.items()),
        "messages": _messages(snapshot, entries),
        "graphs": graphs,
        "bars": list(_bars(results)),
    }


def packed(document: dict[str, Any]) -> str:
    """A document as the page's script unpacks it: JSON, deflated, in base64."""
    text = json.dumps(document, ensure_ascii=False, separators=(",", ":"))
    return base64.b64encode(zlib.compress(text.encode("utf-8", "backslashreplace"), 6)).decode("ascii")


def _graphs(snapshot: Snapshot) -> tuple[dict[str, Any], dict[str, int]]:
    """Columns of the map, and the number of each digest in them."""
    wanted = ("digest", "cluster", "x", "y", "packages", "identified", "example")
    rows = [row for row in snapshot.rows(wanted, "graphs") if row["cluster"] >= -1]
    if len(rows) > MOST_GRAPHS:
        rows = sorted(sorted(rows, key=lambda row: -row["packages"])[:MOST_GRAPHS], key=lambda row: row["digest"])
    family = Words()
    for row in rows:
        family.add(row["identified"])
    columns = {key: [row[key] for row in rows] for key in ("cluster", "x", "y", "packages", "example")}
    return {**columns, "family": family.document()}, {row["digest"]: number for number, row in enumerate(rows)}


def _chosen(snapshot: Snapshot) -> Any:
    """Whether each package is shown, bool (packages,); None when all are."""
    import numpy as np
    import pyarrow.compute as pc

    if snapshot.packages <= MOST_PACKAGES:
        return None
    classes: list[Any] = []
    downloads: list[Any] = []
    for batch in snapshot.scan(("verdict", "outlier", "downloads")):
        worst = pc.fill_null(pc.equal(batch.column("verdict"), "defective"), False).to_numpy(zero_copy_only=False)
        odd = pc.fill_null(batch.column("outlier"), False).to_numpy(zero_copy_only=False)
        loads = pc.fill_null(batch.column("downloads"), -1).to_numpy(zero_copy_only=False)
        classes.append(worst.astype(np.int8) * 2 + odd)
        downloads.append(loads)
    order = np.lexsort((-np.concatenate(downloads), -np.concatenate(classes)))[:MOST_PACKAGES]
    shown = np.zeros(snapshot.packages, dtype=bool)
    shown[order] = True
    return shown


def _packages(snapshot: Snapshot, number_of: dict[str, int]) -> tuple[dict[str, Any], Counter[str], dict[int, int]]:
    """Columns of the packages, how often each code occurs among them, and the row of each defective entry."""
    shown = _chosen(snapshot)
    words = {key: Words() for key in ("verdict", "codes", "claimed", "family", "month")}
    plain: dict[str, list[Any]] = {key: [] for key in ("name", "downloads", "cluster", "outlier", "graph")}
    codes: Counter[str] = Counter()
    entries: dict[int, int] = {}
    for row in _shown_rows(snapshot, shown):
        if row["codes"] and len(entries) < MOST_MESSAGES:
            entries[row["entry"]] = len(plain["name"])
        codes.update(row["codes"] or ())
        words["verdict"].add(row["verdict"])
        words["codes"].add(" ".join(row["codes"] or ()))
        words["claimed"].add(row["claimed_family"])
        words["family"].add(row["family"])
        words["month"].add((row["created"] or "")[:7])
        plain["name"].append(row["name"] or "")
        plain["downloads"].append(row["downloads"])
        plain["cluster"].append(row["cluster"])
        plain["outlier"].append(int(bool(row["outlier"])))
        plain["graph"].append(number_of.get(row["digest"] or ""))
    return {**plain, **{key: column.document() for key, column in words.items()}}, codes, entries


def _shown_rows(snapshot: Snapshot, shown: Any) -> Iterator[dict[str, Any]]:
    import pyarrow as pa

    start = 0
    for batch in snapshot.scan(_COLUMNS):
        own = batch if shown is None else batch.filter(pa.array(shown[start : start + len(batch)]))
        start += len(batch)
        yield from own.to_pylist()


def _messages(snapshot: Snapshot, entries: dict[int, int]) -> dict[str, str]:
    """The worst finding of packages by their row."""
    import pyarrow as pa
    import pyarrow.compute as pc

    wanted = pa.array(list(entries), pa.int64())
    found: dict[str, str] = {}
    for batch in snapshot.scan(("entry", "code", "message"), "findings"):
        for row in batch.filter(pc.is_in(batch.column("entry"), value_set=wanted)).to_pylist():
            found.setdefault(str(entries[row["entry"]]), f"{row['code']}: {row['message']}")
    return found


def _bars(results: Iterable[StudyResult]) -> Iterator[dict[str, Any]]:
    """Rates that the page draws as bars."""
    tables = {table.key: table for result in results for table in result.tables}
    for key, kind, title in _BARS:
        table = tables.get(key)
        if table is not None and table.rows:
            yield {"key": key, "title": title, "filter": kind, "note": table.note, "rows": list(_bar_rows(table, kind))}


def _bar_rows(table: Table, kind: str) -> Iterator[dict[str, Any]]:
    names = [column.name for column in table.columns]
    for row in table.rows:
        values = dict(zip(names, row, strict=True))
        bar = {key: values[key] for key in ("judged", "defective", "rate", "low", "high")}
        bar = {key: round(value, 5) if isinstance(value, float) else value for key, value in bar.items()}
        if kind == "downloads":
            ends = [int(text.replace(",", "")) for text in str(values["downloads"]).split(" to ")]
            yield {**bar, "label": f"{values['downloads']}", "range": [ends[0], ends[-1]]}
        else:
            yield {**bar, "label": str(row[0])}
