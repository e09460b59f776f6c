"""The task that a declared class stands for: class suffix to pipeline tag (`data/class_tasks.json`)."""

from __future__ import annotations

from functools import cache
from typing import Any, Literal

from clustering.tables import table

Modality = Literal["text", "vision", "audio"]

_PROBLEM_TASKS = {"regression", "single_label_classification", "multi_label_classification"}


@cache
def _table() -> dict[str, Any]:
    loaded: dict[str, Any] = table("class_tasks")
    return loaded


def class_suffix(class_name: str) -> str | None:
    """The head part of a class name: `ForTokenClassification` of `BertForTokenClassification`."""
    known = _table()["suffixes"]
    fits = [suffix for suffix in (*known, "ForConditionalGeneration") if class_name.endswith(suffix)]
    return max(fits, key=len, default=None)


def task_of_class(class_name: str, modality: Modality | None = "text") -> str | None:
    """The pipeline tag of a class, or None where the class does not fix one.

    Args:
        class_name: as in `architectures` of config.json, with or without a `TF` or `Flax` prefix.
        modality: what the config's sub-configs say the model takes in; decides
            `ForConditionalGeneration`, which says nothing where this is None.
    """
    table = _table()
    bare = class_name.removeprefix("TF").removeprefix("Flax")
    suffix = class_suffix(bare)
    if suffix is None:
        return None
    for prefix, tasks in table["prefixes"].items():
        if bare.startswith(prefix) and suffix in tasks:
            return str(tasks[suffix])
    if suffix == "ForConditionalGeneration":
        if modality is None:
            return None
        return str(table["conditional_generation"][modality])
    if suffix == "ForSequenceClassification" and any(bare.startswith(name) for name in table["audio_classes"]):
        return "audio-classification"
    if suffix == "ForCausalLM" and modality == "vision":
        return "image-text-to-text"
    task = table["suffixes"][suffix]
    return None if task is None else str(task)


def is_problem_type(value: str) -> bool:
    """Whether a string is one of transformers' three problem types."""
    return value in _PROBLEM_TASKS
