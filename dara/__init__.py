"""DARA tells whether a pre-trained model package is what its name says.

    >>> import dara
    >>> report = dara.audit("acme/roberta-base-sentiment")
    >>> report.verdict, [finding.code for finding in report.findings]

Nothing is printed and nothing is imported before it is used: `import dara` costs no more than this file. What is
exported here keeps its name. `dara.publish` holds the checks for training and upload code.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dara.audit import audit, audit_all
    from dara.errors import DaraError, IncompleteAuditError, NothingAuditableError, UsageError
    from dara.findings import Confidence, Evidence, Finding, Held, Severity, Skipped, Verdict
    from dara.report import AuditReport, FailedAudit
    from dara.settings import Settings

__version__ = "0.1.0.dev0"

__all__ = [
    "AuditReport", "Confidence", "DaraError", "Evidence", "FailedAudit", "Finding", "Held", "IncompleteAuditError",
    "NothingAuditableError", "Settings", "Severity", "Skipped", "UsageError", "Verdict", "__version__", "audit",
    "audit_all",
]  # fmt: skip

_HOME = {
    "audit": "dara.audit",
    "audit_all": "dara.audit",
    "AuditReport": "dara.report",
    "FailedAudit": "dara.report",
    "Settings": "dara.settings",
    **dict.fromkeys(("DaraError", "IncompleteAuditError", "NothingAuditableError", "UsageError"), "dara.errors"),
    **dict.fromkeys(("Confidence", "Evidence", "Finding", "Held", "Severity", "Skipped", "Verdict"), "dara.findings"),
}
"""Where each exported name is defined; imported when it is first asked for."""


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import importlib

    module = importlib.import_module(_HOME[name])
    # `dara.audit` is a module and a function at once: see the end of that module.
    return module if name == "audit" else getattr(module, name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
