"""The interface of a report format."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar, TextIO

from dara.report import AuditResult


class ReportFormat(ABC):
    """Writes the results of a run. One file per implementation, all listed in `registry`."""

    name: ClassVar[str]
    human: ClassVar[bool] = False
    """True for formats that people read in a terminal: colour and progress make sense."""

    @abstractmethod
    def write(self, results: Sequence[AuditResult], sink: TextIO) -> None:
        """Writes every result, in the order given."""
