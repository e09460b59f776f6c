"""DAR807."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from clustering.facts import Fact
from dara.findings import Confidence, Evidence, Outcome, Severity
from dara.rules.common.exempt import is_adapter
from dara.rules.common.families import gather
from dara.rules.common.tables import table
from dara.rules.common.wording import listed, quoted
from dara.rules.contradicted_task import excluded_by, head_facts, heads_of
from dara.rules.interface import Rule
from dara.subject import Subject

_MARKS: Final = {
    "peft": "adapter_config.json",
    "diffusers": "model_index.json",
    "sentence-transformers": "modules.json",
}
"""Files by which a library knows its own packages. Transformers' config.json is found beside every one of them."""

_SENSES: Final = re.compile(
    r"(?i)image|vision|visual|pixel|patch|video|audio|speech|mel_|wav|feat_extract|encoder_config"
)
"""Keys of configurations that speak of pictures or sounds."""


class ContradictedMetadata(Rule):
    """The model card's task or library is not that of the files.

    ## Why it matters
    Hubs choose the widget, the snippet of code and the search results by these two fields.

    ## How it is checked
    The card's `pipeline_tag` is compared with the head of the declared class, where the tensors do not show another, by
    the same table of tasks that exclude each other as for words of the name. A tag is stricter than a word: a pipeline
    for classifying texts, tokens or spans loads that head and no other, and a known family whose configuration speaks
    of neither pictures nor sounds serves none of their tasks. Its `library_name` is compared with the file by which a
    library knows its own packages (`adapter_config.json`, `model_index.json`, `modules.json`).

    ## Example
    A card with `pipeline_tag: token-classification` over a model that classifies whole texts.

    ## Known limits
    Tasks that one head serves alike (text generation, embeddings) exclude nothing. A package for several libraries is
    not judged, nor one whose library has no such file.
    """

    code = "DAR807"
    slug = "contradicted-metadata"
    severity = Severity.NOTE
    since = "0.1.0"

    def check(self, subject: Subject) -> Iterator[Outcome]:
        """Compares the two fields with what is there."""
        card = subject.card
        if card is None or not card.present:
            return
        if card.pipeline_tag and not is_adapter(subject):
            facts = _declared_head(subject)
            if facts and _has_no_use(card.pipeline_tag, facts, subject):
                yield self.finding(
                    f"the card's pipeline_tag is {quoted(card.pipeline_tag)}, "
                    f"the head is made for {listed(heads_of(facts[0]))}",
                    confidence=Confidence.MEDIUM,
                    fact=facts[0],
                    evidence=tuple(Evidence(item.source, f"head: {listed(heads_of(item))}") for item in facts[:3]),
                )
        shown = library_shown(subject.files)
        stated = (card.library_name or "").lower()
        if shown is not None and stated in _MARKS and stated != shown[0]:
            yield self.finding(
                f"the card's library_name is {quoted(stated)}, the files are those of {shown[0]}",
                confidence=Confidence.MEDIUM,
                fact=Fact("library", shown[0], "declared", f"{shown[1]} is there"),
                evidence=(Evidence(shown[1], f"there, and no {_MARKS[stated]}"),),
            )


def _declared_head(subject: Subject) -> tuple[Fact, ...]:
    """The head of the declared class, unless the tensors show another one: the class is what a pipeline would load."""
    declared = subject.facts.declared("task")
    if declared is None:
        return tuple(fact for fact in subject.facts.all("task") if heads_of(fact))
    seen = [heads_of(fact) for fact in head_facts(subject) if fact.basis == "measured"]
    agree = all(set(heads_of(declared)) & set(heads) for heads in seen)
    return (declared,) if agree and heads_of(declared) else ()


def _has_no_use(tag: str, facts: tuple[Fact, ...], subject: Subject) -> bool:
    """Whether the pipeline of a tag has no use for any head that the facts leave open."""
    groups = table("tasks")["groups"]
    heads = {head for fact in facts for head in heads_of(fact)}
    if tag in groups["sense_tags"] and heads <= set(groups["text_only_heads"]):
        return _is_text_only(subject)
    return excluded_by(tag, facts) or (tag in groups["text_heads"] and heads <= set(groups["text_heads"]) - {tag})


def _is_text_only(subject: Subject) -> bool:
    """Whether nothing in the configuration of a known family speaks of pictures or sounds."""
    config = subject.config or {}
    if "auto_map" in config or not gather(subject).known or {"patch_size", "image_size"} & set(subject.facts.kinds()):
        return False
    whole = not any(isinstance(value, Mapping) and "model_type" in value for value in config.values())
    return whole and not any(_SENSES.search(key) for key in config)


def library_shown(files: Sequence[str]) -> tuple[str, str] | None:
    """The library whose own file the package has, and that file; None unless it is one library."""
    found = [(library, mark) for library, mark in _MARKS.items() if mark in files]
    return found[0] if len(found) == 1 else None
