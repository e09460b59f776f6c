"""Errors of packages and their sources.

Each message is one line: what is wrong, with which package or file, and what to do next. `exit_code_hint` is the exit
code that a program which stops because of the error should give: 3 when there is nothing auditable, 4 when there is but
the audit could not complete.
"""

from __future__ import annotations

from typing import ClassVar

from clustering.errors import ReaderError


class PackageError(Exception):
    """A package cannot be opened, or one of its files cannot be used."""

    exit_code_hint: ClassVar[int] = 3


class InvalidTargetError(PackageError):
    """What was given names neither a file, nor a folder, nor a package of a hub; or it names several packages."""


class NotFoundError(PackageError):
    """There is no such file, folder, package or revision."""


class DamagedFileError(PackageError):
    """A file of the package is there but cannot be used: not JSON, too large, too deep, unreadable."""


class GatedError(PackageError, ReaderError):
    """The package exists, but reading it needs a permission that is not there. Also a `ReaderError`, see below."""

    exit_code_hint: ClassVar[int] = 4


class OfflineError(PackageError):
    """The package is not on this machine and the network may not be used."""

    exit_code_hint: ClassVar[int] = 4


class UnavailableError(PackageError, ReaderError):
    """A hub does not answer, answers wrongly, or asks to come back later.

    It is a `ReaderError` too, since it may strike in the middle of reading a weight file. A program that catches those
    as "this file cannot be read" finds it again in `Package.failures()`.
    """

    exit_code_hint: ClassVar[int] = 4


class UnwritableError(PackageError):
    """A file cannot be written: the disk is full, the folder is read-only, another program has it."""

    exit_code_hint: ClassVar[int] = 4
