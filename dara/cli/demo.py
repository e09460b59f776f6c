"""`dara demo`: writes the bundled example packages and audits them."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Annotated

import typer

from dara.cli.output import report_sink


def demo(
    folder: Annotated[
        Path | None, typer.Option("--keep", help="Write the example packages here and keep them.")
    ] = None,
) -> None:
    """Audit a set of example packages, true and false names, with real headers and no weights.

    Example: dara demo
    """
    from dara.audit import audit_all
    from dara.examples import write_examples
    from dara.reports.registry import format_of
    from dara.settings import Settings

    with tempfile.TemporaryDirectory(prefix="dara-demo-") as scratch:
        root = folder or Path(scratch)
        results = audit_all([str(path) for path in write_examples(root)], settings=Settings())
        with report_sink(None) as sink:
            format_of("text").write(results, sink)
