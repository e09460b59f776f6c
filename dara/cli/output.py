"""Where reports and messages go: the report to stdout or a file, everything else to stderr."""

from __future__ import annotations

import gc
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Literal, TextIO

from clustering.text import escape
from dara.errors import IncompleteAuditError, NothingAuditableError

Color = Literal["auto", "always", "never"]


def warn(message: str) -> None:
    """One line on stderr."""
    sys.stderr.write(f"dara: {message}\n")


def color_for(choice: Color, sink: TextIO) -> bool | None:
    """Whether a sink gets colour. `NO_COLOR` (https://no-color.org) wins over `auto`, an option wins over both."""
    if choice == "always":
        return True
    if choice == "never" or os.environ.get("NO_COLOR") or not sink.isatty():
        return False
    return None


@contextmanager
def report_sink(path: Path | None) -> Iterator[TextIO]:
    """A text stream for the report: stdout, or a file that appears whole or not at all.

    Raises:
        IncompleteAuditError: when the file cannot be written.
    """
    if path is None:
        yield sys.stdout
        sys.stdout.flush()
        return
    try:
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
    except OSError as error:
        raise IncompleteAuditError(f"{escape(str(path))}: cannot be written: {error.strerror}") from None
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            yield stream
        umask = os.umask(0)
        os.umask(umask)
        Path(temporary).chmod(0o666 & ~umask)  # mkstemp makes private files; a report has the usual rights
        Path(temporary).replace(path)
    except OSError as error:
        raise IncompleteAuditError(f"{escape(str(path))}: cannot be written: {error.strerror}") from None
    finally:
        with suppress(FileNotFoundError):
            Path(temporary).unlink()


@contextmanager
def short_run() -> Iterator[None]:
    """For commands that end within seconds: the garbage collector, a seventh of their time, stays off."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


@contextmanager
def known_errors() -> Iterator[None]:
    """Turns a package's errors into those of the application, whose exit code the entry point knows.

    Raises:
        DaraError: one line, with the exit code of the package's error.
    """
    from corpora.errors import PackageError

    try:
        yield
    except PackageError as error:
        kind = (
            NothingAuditableError if error.exit_code_hint == NothingAuditableError.exit_code else IncompleteAuditError
        )
        raise kind(str(error)) from None
