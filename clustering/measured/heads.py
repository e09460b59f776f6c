"""The head of a model: what its last layers compute, told from tensors outside of the blocks.

A head's tensors say more or less: `qa_outputs` is one thing, a lone `classifier` serves sequences as well as tokens.
Where several tasks fit, all are given and no single `task` is claimed.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from clustering.blocks.names import Named
from clustering.facts import Fact
from clustering.tables import table

MAX_LABELS = 200_000
"""More outputs than this are a vocabulary, not labels."""


@dataclass(frozen=True, slots=True)
class Head:
    """One head."""

    kind: str
    tensor: str
    """Name of the tensor that shows it."""
    outputs: int | None
    """Rows of its last matrix."""
    tasks: tuple[str, ...]
    """Pipeline tags that fit, likeliest first."""
    labels: int | None
    """Number of classes, without a `no object` class."""


@dataclass(frozen=True, slots=True)
class _Rule:
    kind: str
    pattern: re.Pattern[str]
    needs: re.Pattern[str] | None
    no_object: re.Pattern[str] | None
    tasks: tuple[str, ...]
    labels: bool
    modality: str | None


@cache
def _rules() -> tuple[_Rule, ...]:
    raw: dict[str, Any] = table("heads")
    return tuple(
        _Rule(
            item["kind"],
            re.compile(item["pattern"]),
            re.compile(item["needs"]) if "needs" in item else None,
            re.compile(item["no_object"]) if "no_object" in item else None,
            tuple(item["tasks"]),
            "labels" in item,
            item.get("modality"),
        )
        for item in raw["heads"]
    )


def find_head(
    loose: Sequence[Named],
    *,
    modality: str = "text",
    encoder_decoder: bool = False,
    tower: str | None = None,
    vocabulary: int | None = None,
) -> Head | None:
    """The head of a model.

    Args:
        loose: tensors outside of the blocks, in order.
        modality: `text`, `vision` or `audio`: what the main stack reads.
        encoder_decoder: whether an encoder feeds a decoder.
        tower: `vision` or `audio` where such a tower feeds the main stack.
        vocabulary: rows of the token table, which a language-model head has too.
    """
    by_path: dict[str, list[Named]] = {}
    for named in loose:
        if not named.is_buffer:
            by_path.setdefault(named.dotted, []).append(named)
    for rule in _rules():
        if rule.modality is not None and rule.modality != modality:
            continue
        if rule.needs is not None and not any(rule.needs.search(path) for path in by_path):
            continue
        hits = [path for path in by_path if rule.pattern.search(path)]
        if rule.labels:
            hits = [
                path
                for path in hits
                if any(named.leaf == "weight" and len(named.shape) >= 2 for named in by_path[path])
            ]
        if rule.kind == "language-model":
            hits = [path for path in hits if any(_speaks(named, modality, vocabulary) for named in by_path[path])]
        if hits:
            return _head(rule, hits, by_path, modality=modality, encoder_decoder=encoder_decoder, tower=tower)
    return None


def _speaks(named: Named, modality: str, vocabulary: int | None) -> bool:
    """Whether a matrix maps to a vocabulary: the model's own, or (speech) one of characters."""
    if len(named.shape) < 2 or modality == "vision":
        return False
    return modality == "audio" or (vocabulary is not None and 2 * named.shape[0] > vocabulary)


def _head(
    rule: _Rule,
    hits: Sequence[str],
    by_path: dict[str, list[Named]],
    *,
    modality: str,
    encoder_decoder: bool,
    tower: str | None,
) -> Head:
    ordered = sorted(hits, key=_natural, reverse=True) if rule.labels else hits  # the last layer of several decides
    named = next((item for path in ordered for item in by_path[path] if len(item.shape) >= 2), by_path[hits[0]][0])
    outputs = named.shape[0] if named.shape else None
    labels = outputs if rule.labels and outputs is not None and outputs <= MAX_LABELS else None
    if labels is not None and rule.no_object is not None and rule.no_object.search(named.dotted):
        labels -= 1
    tasks = rule.tasks
    if labels is not None and any("tdnn" in path for path in by_path):
        return Head("x-vector", named.tensor.name, outputs, ("audio-xvector",), None)  # its classifier ends in a vector
    if labels == 1:
        labels = None  # a regression, a ranking or a choice among several inputs: no number of classes
        tasks = (*tasks, "multiple-choice") if rule.kind in {"classifier", "score"} else tasks
    if rule.kind == "detection" and any("mask" in path for path in by_path):
        tasks = (*tasks, "image-segmentation")
    if rule.kind in {"classifier", "score", "sequence-classifier"}:
        tasks = _classifier_tasks(rule.kind, by_path, modality, tasks)
    elif rule.kind in {"language-model", "masked-language-model"}:
        tasks = _language_tasks(modality, encoder_decoder=encoder_decoder, tower=tower, tasks=tasks)
    return Head(rule.kind, named.tensor.name, outputs, tasks, labels)


def _natural(path: str) -> tuple[tuple[int, str | int], ...]:
    """Sorts `layers.10` behind `layers.9`."""
    return tuple((1, int(part)) if part.isdecimal() else (0, part) for part in path.split("."))


def _classifier_tasks(
    kind: str, by_path: dict[str, list[Named]], modality: str, tasks: tuple[str, ...]
) -> tuple[str, ...]:
    if modality == "vision":
        return ("image-classification", "video-classification")
    if modality == "audio":
        # transformers' sequence classifiers of speech models project before they classify; frame classifiers do not
        return (
            ("audio-classification",)
            if any(path.endswith("projector") for path in by_path)
            else ("audio-classification", "audio-frame-classification")
        )
    if kind == "classifier" and any(re.search(r"(^|\.)pre_classifier$", path) for path in by_path):
        return tuple(task for task in tasks if task != "token-classification")
    return tasks


def _language_tasks(
    modality: str, *, encoder_decoder: bool, tower: str | None, tasks: tuple[str, ...]
) -> tuple[str, ...]:
    if modality == "audio":
        return ("automatic-speech-recognition",)
    if tower == "vision":
        return ("image-text-to-text", "image-to-text", "visual-question-answering")
    if tower == "audio":
        return ("audio-text-to-text", "automatic-speech-recognition")
    if encoder_decoder:
        return ("text2text-generation", "summarization", "translation", "image-to-text", "automatic-speech-recognition")
    return tasks


def head_facts(head: Head | None) -> list[Fact]:
    """`head`, `task_candidates`, `num_labels`, and `task` where only one fits."""
    if head is None:
        return []
    source = f"shape of {head.tensor}" if head.outputs is not None else head.tensor
    facts = [
        Fact("head", {"kind": head.kind, "outputs": head.outputs}, "measured", source),
        Fact("task_candidates", list(head.tasks), "measured", source),
    ]
    if len(head.tasks) == 1:
        facts.append(Fact("task", head.tasks[0], "measured", source))
    if head.labels is not None:
        facts.append(Fact("num_labels", head.labels, "measured", source))
    return facts
