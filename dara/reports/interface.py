"""The interface of a report format."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar, TextIO

from dara.report import AuditResult


class ReportFormat(ABC):
    """Writes the results of a run. One file per implementation, all listed in `registry`."""

    name: ClassVar[str]

    @abstractmethod
    def write(self, results: Sequence[AuditResult], sink: TextIO) -> None:
        """Writes every result, in the order given."""
