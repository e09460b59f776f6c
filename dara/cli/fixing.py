"""`--fix --apply`: the corrections that a run proposed, written into local folders."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from clustering.text import escape
from dara.cli.output import warn
from dara.errors import IncompleteAuditError, UsageError
from dara.fixing.records import Fix
from dara.report import AuditReport, AuditResult


@dataclass(frozen=True, slots=True)
class Changes:
    """What a run may change on disk."""

    pairs: tuple[tuple[Path, AuditResult], ...]
    """Each folder with its result."""
    rename_folder: bool


def check(targets: Sequence[str], *, fix: bool, apply: bool, rename_folder: bool) -> None:
    """Refuses combinations that could not do what they say, before anything is read.

    Raises:
        UsageError: `--apply` without `--fix`, `--rename-folder` without `--apply`, or a target that is no local folder.
    """
    if apply and not fix:
        raise UsageError("--apply writes what --fix proposes; give both")
    if rename_folder and not apply:
        raise UsageError("--rename-folder goes with --fix --apply")
    stranger = next((target for target in targets if not Path(target).is_dir()), None) if apply else None
    if stranger is not None:
        raise UsageError(f"--apply changes local folders only, and '{escape(stranger)}' is none")


def apply_fixes(changes: Changes) -> int:
    """Writes cards and renames folders; tells each change, or why it was not made.

    Returns:
        0, or 4 when a change that was asked for could not be made.
    """
    code = 0
    for folder, result in changes.pairs:
        if not isinstance(result, AuditReport) or result.fix is None or result.fix.empty:
            continue
        try:
            _apply(folder, result, result.fix, rename=changes.rename_folder)
        except IncompleteAuditError as error:
            warn(str(error))
            code = error.exit_code
    return code


def _apply(folder: Path, report: AuditReport, fix: Fix, *, rename: bool) -> None:
    from dara.fixing.apply import rename_folder, write_card

    if report.package.source != "folder":
        raise IncompleteAuditError(f"{escape(str(folder))}: the hub's cache is not changed")
    if fix.card is not None:
        write_card(folder, fix.card)
        keys = ", ".join(escape(edit.key) for edit in fix.card.edits)
        warn(f"{escape(str(folder / fix.card.path))}: {keys} written")
    if fix.rename is not None and rename:
        there = rename_folder(folder, fix.rename.old, fix.rename.new)
        warn(f"{escape(str(folder))}: renamed to {escape(there.name)}")
    elif fix.rename is not None:
        warn(f"{escape(fix.rename.old)}: the name is left to you; --rename-folder renames a folder that carries it")
