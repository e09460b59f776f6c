"""The paper's letters (A S D C V F L T R N H P O) as a view over our categories.

"Naming Practices of Pre-trained Models in Hugging Face" (arXiv 2310.01642) names thirteen elements of a package name.
Our categories are finer; every one of them falls into one letter, so that the published study can be run again with
this parser instead of a language model.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from naming.records import Category, Component, ParsedName

LETTERS: Mapping[str, str] = {
    "A": "architecture",
    "S": "model size",
    "D": "data set",
    "C": "characteristics of the data or encoding",
    "V": "version",
    "F": "fine-tuning or other reuse method",
    "L": "language",
    "T": "task",
    "R": "training process",
    "N": "number of layers",
    "H": "number of hidden units or heads",
    "P": "number of parameters",
    "O": "other",
}

LETTER_OF: Mapping[Category, str] = {
    "architecture": "A",
    "product": "A",
    "organization": "O",
    "size": "S",
    "parameters": "P",
    "layers": "N",
    "hidden": "H",
    "heads": "H",
    "dataset": "D",
    "input": "C",
    "language": "L",
    "task": "T",
    "version": "V",
    "training": "R",
    "adaptation": "F",
    "context": "C",
    "quantization": "C",
    "dtype": "C",
    "format": "O",
    "identifier": "O",
    "other": "O",
}
"""The study's prompt counted derivative brands as architectures, and settings of inputs and encodings as
characteristics; formats and counters had no element of their own."""


def letter(component: Component) -> str:
    """The letter of one component."""
    return LETTER_OF[component.category]


def letters(parsed: ParsedName) -> str:
    """The letters of a name, each once, in the order of `LETTERS`."""
    found = {letter(component) for component in parsed.components}
    return "".join(sign for sign in LETTERS if sign in found)


def shares(names: Iterable[Iterable[str]]) -> dict[str, float]:
    """Share of names in which each letter occurs: the study's element table.

    Args:
        names: for each name its letters, in any order.
    """
    counts = dict.fromkeys(LETTERS, 0)
    total = 0
    for signs in names:
        total += 1
        for sign in set(signs):
            if sign in counts:
                counts[sign] += 1
    return {sign: count / total if total else 0.0 for sign, count in counts.items()}
