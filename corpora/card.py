"""The model card: what the front matter of README.md declares."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from clustering.text import escape
from corpora.errors import DamagedFileError
from corpora.yamltext import parse_yaml

CARD_PATH: Final = "README.md"

MAX_BODY: Final = 64 << 10
"""Characters of the card's text that are kept."""

_MAX_ITEMS: Final = 1_000
_MAX_TEXT: Final = 1_000
_FRONT_MATTER: Final = re.compile(r"\A\ufeff?\s*---[ \t]*\r?\n(.*?)^---[ \t]*\r?$", re.DOTALL | re.MULTILINE)


@dataclass(frozen=True, slots=True)
class ModelCard:
    """Declarations of a model card. Empty when the package has none."""

    present: bool = False
    """Whether there is a card at all; False too for a card without front matter when nothing else is known."""
    license: str | None = None
    language: tuple[str, ...] = ()
    datasets: tuple[str, ...] = ()
    base_model: tuple[str, ...] = ()
    base_model_relation: str | None = None
    """finetune, adapter, quantized, merge; as written."""
    pipeline_tag: str | None = None
    library_name: str | None = None
    tags: tuple[str, ...] = ()
    metrics: tuple[str, ...] = ()
    model_index: tuple[Mapping[str, Any], ...] = ()
    """Evaluation results, as written."""
    name: str | None = None
    """The intended `owner/repo` where the card says `dara: {name: ...}`."""
    ignore: tuple[str, ...] = ()
    """Codes of findings to leave out, from `dara: {ignore: [...]}`."""
    data: Mapping[str, Any] = field(default_factory=dict)
    """The whole front matter as plain values."""
    body: str = ""
    """The text below the front matter, shortened."""
    notes: tuple[str, ...] = ()
    """What could not be used and why."""


class _Fields:
    """Reads front matter whose values may have any type, and notes what does not fit."""

    def __init__(self, data: Mapping[str, Any], notes: list[str]) -> None:
        self._data = data
        self._notes = notes

    def text(self, key: str) -> str | None:
        """One text; a list of one text is accepted."""
        value = self._data.get(key)
        if isinstance(value, list) and len(value) == 1:
            value = value[0]
        if value is None:
            return None
        if isinstance(value, bool | dict | list):
            self._notes.append(f"card: {key} is not a text")
            return None
        return str(value)[:_MAX_TEXT].strip() or None

    def texts(self, key: str) -> tuple[str, ...]:
        """A list of texts; a single text is a list of one."""
        value = self._data.get(key)
        if value is None:
            return ()
        items = value if isinstance(value, list) else [value]
        good = [item for item in items if isinstance(item, str | int | float) and not isinstance(item, bool)]
        if len(good) < len(items):
            self._notes.append(f"card: {key} holds values that are not texts")
        if len(good) > _MAX_ITEMS:
            self._notes.append(f"card: only the first {_MAX_ITEMS} values of {key} are used")
        stripped = (str(item)[:_MAX_TEXT].strip() for item in good[:_MAX_ITEMS])
        return tuple(dict.fromkeys(item for item in stripped if item))

    def mappings(self, key: str) -> tuple[Mapping[str, Any], ...]:
        """A list of mappings."""
        value = self._data.get(key)
        if value is None:
            return ()
        good = tuple(item for item in value if isinstance(item, dict)) if isinstance(value, list) else ()
        if not isinstance(value, list) or len(good) < len(value):
            self._notes.append(f"card: {key} is not a list of mappings")
        return good[:_MAX_ITEMS]


def _codes(data: Mapping[str, Any], notes: list[str]) -> tuple[tuple[str, ...], str | None]:
    """Ignored codes and intended name of the `dara` block."""
    block = data.get("dara")
    if block is None:
        return (), None
    if not isinstance(block, dict):
        notes.append("card: dara is not a mapping")
        return (), None
    ignore = block.get("ignore")
    if isinstance(ignore, str):
        block = {**block, "ignore": ignore.replace(",", " ").split()}
    fields = _Fields(block, notes)
    return fields.texts("ignore"), fields.text("name")


def _strings_for_keys(data: Mapping[Any, Any], notes: list[str]) -> dict[str, Any]:
    odd = sum(not isinstance(key, str) for key in data)
    if odd:
        notes.append(f"card: {odd} keys of the front matter are not texts")
    return {key: value for key, value in data.items() if isinstance(key, str)}


def parse_card(text: str, label: str = CARD_PATH) -> ModelCard:
    """Reads a model card. A damaged front matter is a note, not an error: the card's text is still there."""
    notes: list[str] = []
    match = _FRONT_MATTER.match(text)
    if match is None:
        if text.lstrip("\ufeff \t\r\n").startswith("---"):
            notes.append(f"{escape(label)}: the front matter has no closing line of three dashes")
        return ModelCard(present=True, body=text[:MAX_BODY], notes=tuple(notes))
    body = text[match.end() :].lstrip()[:MAX_BODY]
    try:
        data = parse_yaml(match.group(1), f"{escape(label)} front matter")
    except DamagedFileError as error:
        return ModelCard(present=True, body=body, notes=(str(error),))
    if data is None:
        data = {}
    if not isinstance(data, dict):
        return ModelCard(present=True, body=body, notes=(f"{escape(label)} front matter: not a mapping",))
    return card_of(data, body, tuple(notes))


def card_of(data: Mapping[Any, Any], body: str = "", notes: tuple[str, ...] = ()) -> ModelCard:
    """A card from front matter that is already parsed; values that do not fit are noted and left out."""
    found = list(notes)
    data = _strings_for_keys(data, found)
    fields = _Fields(data, found)
    ignore, name = _codes(data, found)
    return ModelCard(
        present=True,
        license=fields.text("license"),
        language=fields.texts("language"),
        datasets=fields.texts("datasets"),
        base_model=fields.texts("base_model"),
        base_model_relation=fields.text("base_model_relation"),
        pipeline_tag=fields.text("pipeline_tag"),
        library_name=fields.text("library_name"),
        tags=fields.texts("tags"),
        metrics=fields.texts("metrics"),
        model_index=fields.mappings("model-index"),
        name=name,
        ignore=ignore,
        data=data,
        body=body,
        notes=tuple(found),
    )
