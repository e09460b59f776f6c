"""Errors of the application. Each is one line for the user; the exit code says what kind it is."""

from __future__ import annotations


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
