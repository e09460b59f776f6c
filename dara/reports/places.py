"""Where in its files a finding can be seen: for annotations of a code review and for SARIF."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from dara.findings import Finding
from dara.report import AuditReport

_MAX_TEXT: Final = 1 << 20
_SOURCE: Final = re.compile(
    r"(?P<file>[^\s:]+\.(?:json|md|safetensors|bin|pth?|ckpt|gguf|onnx|h5|keras|msgpack|npz|pb|py|txt|index))"
    r"(?![\w.])(?::\s*(?P<key>[\w.-]+))?"
)
"""A file and what follows it in `config.json: model_type`; numbers and tensor names have dots too and are no files."""
_KEY: Final = re.compile(r"(?P<key>[\w.-]+)(?:\s*[=:]|$)")
_LINE_PATTERN: Final = {".json": r'^\s*[{{,]?\s*"{key}"\s*:', ".md": r"^\s*{key}\s*:"}
"""How a key stands at the start of a line; a configuration on a single line has no line worth naming."""


@dataclass(frozen=True, slots=True)
class Place:
    """A file of a package, and a line where the file is text and holds the key in question."""

    file: str
    """Path inside the package."""
    path: str
    """The same, seen from the working directory where the package is a folder below it."""
    line: int | None = None


def place_of(report: AuditReport, finding: Finding) -> Place | None:
    """The file that shows the defect, at its line if possible; None when the finding names no file."""
    first: Place | None = None
    for file, key in _candidates(finding):
        place = Place(file, _seen_from_here(report, file), _line(report, file, key) if key else None)
        if place.line is not None:
            return place
        first = first or place
    return first


def _candidates(finding: Finding) -> Iterator[tuple[str, str]]:
    """Files with keys, as the fact and the evidence name them."""
    texts = [(finding.fact.source, "")] if finding.fact else []
    texts += [(item.source, item.detail) for item in finding.evidence]
    for source, detail in texts:
        match = _SOURCE.match(source)
        if match is None or match["file"].startswith(("/", "..")):
            continue
        inner = _KEY.match(detail)
        yield match["file"], match["key"] or (inner["key"] if inner else "")


def _folder(report: AuditReport) -> Path | None:
    known = report.package.source == "folder" and report.package.location
    return Path(report.package.location) if known else None


def _seen_from_here(report: AuditReport, file: str) -> str:
    folder = _folder(report)
    if folder is None:
        return file
    try:
        return (folder / file).absolute().relative_to(Path.cwd()).as_posix()
    except (ValueError, OSError):
        return file


def _line(report: AuditReport, file: str, key: str) -> int | None:
    folder = _folder(report)
    pattern = _LINE_PATTERN.get(Path(file).suffix)
    if folder is None or pattern is None:
        return None
    try:
        if not (folder / file).is_file():
            return None
        with (folder / file).open("rb") as stream:
            text = stream.read(_MAX_TEXT).decode("utf-8", errors="replace")
    except (OSError, ValueError):
        return None
    wanted = re.compile(pattern.format(key=re.escape(key.rpartition(".")[2])))
    return next((number for number, line in enumerate(text.split("\n"), 1) if wanted.match(line)), None)
