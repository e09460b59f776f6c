"""Settings of a run: options of the command line over `dara.toml` or `[tool.dara]` in pyproject.toml."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, get_args

from clustering.text import escape
from dara.errors import UsageError
from dara.findings import Confidence, Severity

Persona = Literal["default", "pedantic", "all"]
FailOn = Literal["error", "warning", "note", "never"]
ConfidenceWord = Literal["low", "medium", "high"]

_FILE_LIMIT = 1 << 20
_KEYS = frozenset({"select", "ignore", "min-confidence", "fail-on", "persona"})


@dataclass(frozen=True, slots=True)
class Settings:
    """What is checked, what is shown, what fails a run."""

    select: tuple[str, ...] = ()
    """Rule codes, code prefixes (`DAR2`) or slugs; empty selects every rule that is not in preview."""
    ignore: tuple[str, ...] = ()
    """Rule codes, code prefixes or slugs that never run; wins over `select`."""
    min_confidence: Confidence = Confidence.MEDIUM
    """Findings below are counted, but neither shown (unless the persona is `all`) nor a reason to fail."""
    fail_on: FailOn = "warning"
    """Severity from which the exit code is 1."""
    persona: Persona = "default"
    """`default` shows errors and warnings, `pedantic` notes too, `all` also low confidence and preview rules."""

    def __post_init__(self) -> None:
        """Raises `UsageError` for a word that no setting has."""
        if self.fail_on not in get_args(FailOn):
            raise UsageError(f"fail-on is one of {', '.join(get_args(FailOn))}, not '{escape(str(self.fail_on))}'")
        if self.persona not in get_args(Persona):
            raise UsageError(f"persona is one of {', '.join(get_args(Persona))}, not '{escape(str(self.persona))}'")

    @property
    def fail_severity(self) -> Severity | None:
        """The severity that fails a run; None for never."""
        return None if self.fail_on == "never" else Severity[self.fail_on.upper()]

    @property
    def shown_severity(self) -> Severity:
        """The mildest severity that is shown. A run never fails on what is not shown."""
        quiet = self.persona == "default" and self.fail_on != "note"
        return Severity.WARNING if quiet else Severity.NOTE

    @property
    def shown_confidence(self) -> Confidence:
        """The lowest confidence that is shown."""
        return Confidence.LOW if self.persona == "all" else self.min_confidence

    def with_options(self, **options: Any) -> Settings:
        """These settings with every option that is not None put over them."""
        return replace(self, **{key: value for key, value in options.items() if value is not None})


def confidence_of(word: str) -> Confidence:
    """The confidence with a name.

    Raises:
        UsageError: when there is none.
    """
    try:
        return Confidence[word.upper()]
    except KeyError:
        raise UsageError(f"min-confidence is one of low, medium, high, not '{escape(word)}'") from None


def check_selectors(words: Iterable[str]) -> tuple[str, ...]:
    """Rule selectors, checked against the registry.

    Raises:
        UsageError: for a selector that matches no rule, so that a misspelt ignore does not pass unseen.
    """
    from dara.rules.registry import all_rules

    checked = tuple(word.strip() for word in words if word.strip())
    for word in checked:
        if not any(matches(word, rule.code, rule.slug) for rule in all_rules()):
            raise UsageError(f"no rule is called '{escape(word)}'; `dara rules` lists them")
    return checked


def matches(selector: str, code: str, slug: str) -> bool:
    """True when a selector (code, code prefix or slug, any case) means this rule."""
    wanted = selector.lower()
    return slug == wanted or (wanted.startswith("dar") and code.lower().startswith(wanted))


def load_settings(start: Path) -> Settings:
    """Settings of the nearest `dara.toml` or `pyproject.toml` with a `[tool.dara]` table, from `start` upwards.

    Raises:
        UsageError: when such a file cannot be read or has an unknown key or value.
    """
    for folder in (start, *start.parents):
        for path, keys in ((folder / "dara.toml", ()), (folder / "pyproject.toml", ("tool", "dara"))):
            if not path.is_file():
                continue
            table: Any = _read_toml(path)
            for key in keys:
                table = table.get(key) if isinstance(table, dict) else None
            if table is not None:
                return _settings_of(table, path)
    return Settings()


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as stream:
            return tomllib.loads(stream.read(_FILE_LIMIT).decode("utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise UsageError(f"{escape(path.name)}: cannot be read as TOML: {escape(str(error))}") from None


def _settings_of(table: Mapping[str, Any], path: Path) -> Settings:
    where = escape(path.name)
    if not isinstance(table, Mapping):
        raise UsageError(f"{where}: the settings are not a table")
    unknown = sorted(set(table) - _KEYS)
    if unknown:
        raise UsageError(f"{where}: unknown setting '{escape(unknown[0])}'; known are {', '.join(sorted(_KEYS))}")
    options: dict[str, Any] = {}
    for key in ("select", "ignore"):
        if key in table:
            value = table[key]
            if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
                raise UsageError(f"{where}: {key} is a list of rule codes")
            options[key] = check_selectors(value)
    if "min-confidence" in table:
        options["min_confidence"] = confidence_of(str(table["min-confidence"]))
    for key in ("fail-on", "persona"):
        if key in table:
            options[key.replace("-", "_")] = str(table[key])
    return Settings().with_options(**options)
