"""Errors of the application. Each is one line for the user; the exit code says what kind it is."""

from __future__ import annotations

from clustering.text import one_line

DEBUG_VARIABLE = "DARA_DEBUG"
"""Environment variable that makes errors show their traceback; `--debug` sets it."""


def internal_error(error: Exception) -> str:
    """One line for an exception that nobody foresaw."""
    return f"internal error ({type(error).__name__}: {one_line(error)}); run with --debug and report what it prints"


class DaraError(Exception):
    """A known problem; the command line prints its message and leaves with its exit code."""

    exit_code = 4


class UsageError(DaraError):
    """An option or a setting that means nothing."""

    exit_code = 2


class NothingAuditableError(DaraError):
    """The target holds nothing that could be compared with a name."""

    exit_code = 3


class IncompleteAuditError(DaraError):
    """The audit could not be made: unreachable, unreadable, refused."""

    exit_code = 4
