"""JSON: one indented document for one target, one object a line for several."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TextIO

from dara.report import AuditResult
from dara.reports.document import audit_document
from dara.reports.interface import ReportFormat


class JsonReport(ReportFormat):
    """`--format json`."""

    name = "json"

    def write(self, results: Sequence[AuditResult], sink: TextIO) -> None:
        """One target: an indented document. Several: JSON Lines, in the order given."""
        if len(results) == 1:
            json.dump(audit_document(results[0]), sink, indent=2, sort_keys=True, ensure_ascii=False)
            sink.write("\n")
        else:
            JsonLinesReport().write(results, sink)


class JsonLinesReport(ReportFormat):
    """`--format jsonl`."""

    name = "jsonl"

    def write(self, results: Sequence[AuditResult], sink: TextIO) -> None:
        """One object a line, in the order given."""
        for result in results:
            json.dump(audit_document(result), sink, sort_keys=True, ensure_ascii=False)
            sink.write("\n")
