"""Writing corrections into a local folder, each of them whole or not at all."""

from __future__ import annotations

import os
import stat
import tempfile
from contextlib import suppress
from pathlib import Path

from clustering.text import escape
from dara.errors import IncompleteAuditError
from dara.fixing.records import CardChange


def write_card(folder: Path, change: CardChange) -> None:
    """Writes a changed card in place of the one it was made from.

    The new text is written beside the card, forced to disk, and put in its place in one step; rights are kept.

    Raises:
        IncompleteAuditError: the card is a link, read-only, was changed since, or the folder takes no files.
    """
    path = folder / change.path
    shown = escape(str(path))
    if path.is_symlink():
        raise IncompleteAuditError(f"{shown}: a symbolic link is not written through")
    mode = 0o644
    try:
        present = path.read_bytes() if path.exists() else b""
        if path.exists():
            mode = stat.S_IMODE(path.stat().st_mode)
    except OSError as error:
        raise IncompleteAuditError(f"{shown}: cannot be read: {error.strerror}") from None
    if not mode & 0o222:
        raise IncompleteAuditError(f"{shown}: is read-only, and was left as it is")
    if present != change.before.encode("utf-8"):
        raise IncompleteAuditError(f"{shown}: was changed while it was audited, and was left as it is")
    _replace(path, change.after.encode("utf-8"), mode, shown)


def _replace(path: Path, content: bytes, mode: int, shown: str) -> None:
    temporary = ""
    try:
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
        with os.fdopen(handle, "wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        Path(temporary).chmod(mode)
        Path(temporary).replace(path)
    except OSError as error:
        raise IncompleteAuditError(f"{shown}: cannot be written: {error.strerror}") from None
    finally:
        if temporary:
            with suppress(FileNotFoundError):
                Path(temporary).unlink()


def rename_folder(folder: Path, old: str, new: str) -> Path:
    """Gives a folder that carries its package's name (`OWNER--REPO`, or `REPO`) the corrected one.

    Returns:
        Where it is now.

    Raises:
        IncompleteAuditError: the folder is not called by that name, the new name is taken, or the parent takes none.
    """
    folder = folder.absolute() if folder.name not in ("", "..") else folder.resolve()  # a link stays a link
    shown = escape(str(folder))
    names = {old.replace("/", "--"): new.replace("/", "--"), old.rpartition("/")[2]: new.rpartition("/")[2]}
    wanted = names.get(folder.name)
    if wanted is None:
        raise IncompleteAuditError(f"{shown}: is not called {escape(old)}, so it is not renamed")
    target = folder.with_name(wanted)
    if target.exists() or target.is_symlink():
        raise IncompleteAuditError(f"{escape(str(target))}: is there already; nothing was renamed")
    try:
        folder.rename(target)
    except OSError as error:
        raise IncompleteAuditError(f"{shown}: cannot be renamed: {error.strerror}") from None
    return target
