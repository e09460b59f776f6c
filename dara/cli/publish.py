"""`dara publish`: check, show, ask, upload."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from clustering.text import escape
from dara.cli.output import Color, color_for, known_errors, report_sink, warn
from dara.errors import DaraError, IncompleteAuditError, UsageError


def publish(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The folder that is to be published.")],
    repo_id: Annotated[str, typer.Argument(metavar="OWNER/NAME", help="The repository that it goes to.")],
    *,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask; the check still decides.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check, list what would go, send nothing.")] = False,
    private: Annotated[bool, typer.Option("--private", help="A repository that is made anew is private.")] = False,
    revision: Annotated[str | None, typer.Option(help="The branch to publish to.")] = None,
    message: Annotated[str | None, typer.Option("--message", "-m", help="The commit's message.")] = None,
    ignore: Annotated[
        list[str] | None, typer.Option("--ignore", metavar="CODES", help="Rules that do not matter here.")
    ] = None,
    allow_other_architecture: Annotated[
        bool, typer.Option("--allow-other-architecture", help="The repository may hold another model by now.")
    ] = False,
    color: Annotated[Color, typer.Option("--color", help="Colour in the report.")] = "auto",
) -> None:
    """Check a folder against the name it is to be published under, ask, and upload it.

    Nothing is sent when the check finds something, when the repository holds another architecture, or without consent.
    The access token is the one that `hf auth login` has saved, or HF_TOKEN.

    Exit code: 0 published (or a clean dry run), 1 refused by the check, 2 usage or no consent, 3 nothing to check,
    4 the check or the upload could not complete.

    Example: dara publish ./my-model acme/bert-base-sentiment --dry-run
    """
    from dara.cli.audit import settings_of
    from dara.publish.check import check_folder
    from dara.reports.text import TextReport

    settings = settings_of(ignore=ignore)
    with known_errors():
        check = check_folder(
            folder, repo_id, settings=settings, allow_other_architecture=allow_other_architecture, revision=revision
        )
    with report_sink(None) as sink:
        TextReport(color=color_for(color, sink)).write([check.report], sink)
    if check.comparison.note:
        warn(check.comparison.note)
    if check.refused:
        warn(f"nothing was sent. {check.message}")
        raise typer.Exit(1)
    files = _files(folder)
    if dry_run:
        for path, size in files:
            sys.stdout.write(f"{size:>16,}  {escape(path)}\n")
        warn(f"dry run: nothing was sent; {len(files)} files would go to {escape(repo_id)}")
        return
    if not yes:
        _ask(f"Upload {len(files)} files, {sum(size for _, size in files):,} bytes, to {escape(repo_id)}?")
    _upload(folder, repo_id, private=private or None, revision=revision, message=message)


def _files(folder: Path) -> list[tuple[str, int]]:
    """What an upload sends: everything but version control and caches, as the hub's client leaves them out."""
    found = []
    for path in sorted(folder.rglob("*")):
        relative = path.relative_to(folder)
        if path.is_file() and not {".git", ".cache"} & set(relative.parts):
            found.append((relative.as_posix(), path.stat().st_size))
    return found


def _ask(question: str) -> None:
    """Waits for a yes.

    Raises:
        UsageError: for every other answer, and where there is nobody to answer.
    """
    sys.stderr.write(f"{question} [y/N] ")
    sys.stderr.flush()
    answer = sys.stdin.readline() if sys.stdin else ""
    if answer.strip().lower() not in {"y", "yes"}:
        if not answer:
            sys.stderr.write("\n")
        raise UsageError("not confirmed; nothing was sent (--yes answers for scripts)")


def _upload(folder: Path, repo_id: str, *, private: bool | None, revision: str | None, message: str | None) -> None:
    from dara.publish.upload import send

    try:
        done = send(
            folder,
            repo_id,
            create=True,
            private=private,
            revision=revision,
            commit_message=message or f"Upload {repo_id.rpartition('/')[2]}",
        )
    except DaraError:
        raise
    except Exception as error:
        from clustering.text import one_line

        raise IncompleteAuditError(
            f"the upload to {escape(repo_id)} failed: {one_line(error)}; check `hf auth whoami` and the name"
        ) from error
    sys.stdout.write(f"{escape(str(done.commit_url), None)}\n")
