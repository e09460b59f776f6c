"""DAR302."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from itertools import pairwise
from typing import Final

from clustering.facts import Fact
from dara.findings import Confidence, Evidence, Outcome, Severity
from dara.rules.common.exempt import is_adapter, repo_words
from dara.rules.common.numbers import check_numbers, whole
from dara.rules.common.tables import table, words
from dara.rules.common.wording import listed, quoted
from dara.rules.contradicted_task import head_facts, heads_of
from dara.rules.interface import Rule
from dara.subject import Subject
from naming.records import Claim

_ODD: Final = re.compile(r"[^a-z0-9]+")


class ContradictedLabels(Rule):
    """The model has another number of classes than the data set in its name.

    ## Why it matters
    The classifier then answers another question than the one the name promises, or was never tuned on that data.

    ## How it is checked
    For the data sets of the name lexicons whose standard task fixes the number of classes (SST-2 2, ADE20K 150, COCO
    panoptic 133, CoNLL-2003 9) the classifier's outputs or the declared label map are compared, when the head is of
    the kind the data set is for. Where a name states several data sets one that fits is enough. Numbers stated outright
    (`5-classes`) are compared as well.

    ## Example
    `someone/maskformer-swin-tiny-ade` whose class head has 133 outputs.

    ## Known limits
    Data sets that serve pre-training (ImageNet-21k in a fine-tuned model's name) say nothing about the head and are not
    compared; nor is a data set that is followed by another adaptation, or one that the name calls a part
    (`ucf101-subset`, `ade20k-mini`).
    """

    code = "DAR302"
    slug = "contradicted-labels"
    severity = Severity.WARNING
    since = "0.1.0"

    def check(self, subject: Subject) -> Iterator[Outcome]:
        """Compares the data sets of the name, and stated class counts, with the head."""
        if is_adapter(subject):
            return
        stated = subject.claims("num_labels")
        if stated:
            yield from check_numbers(self, subject, stated, ("num_labels",), "number of classes", cap=Confidence.MEDIUM)
        heads = {head for fact in head_facts(subject) for head in heads_of(fact)}
        facts = tuple(fact for fact in subject.facts.all("num_labels") if whole(fact.value) is not None)
        known = [(claim, counts) for claim in subject.claims("dataset") if (counts := _counts(claim, frozenset(heads)))]
        if not known:
            return
        if not facts:
            yield self.skipped("the package does not tell its number of classes")
            return
        fits = [claim for claim, counts in known if any(fact.value in counts for fact in facts)]
        for claim, counts in known:
            if claim in fits:
                yield self.held(claim, facts[0])
            elif fits or not _has_last_word(subject, claim):
                yield self.skipped(f"{quoted(claim.text)}: the head belongs to another data set of the name")
            elif _is_excerpt(subject, claim):
                yield self.skipped(f"{quoted(claim.text)}: the name speaks of a part of the data set")
            else:
                yield self._contradiction(claim, counts, facts, listed_here=_is_listed(claim))

    def _contradiction(
        self, claim: Claim, counts: frozenset[int], facts: tuple[Fact, ...], *, listed_here: bool
    ) -> Outcome:
        agree = {fact.basis for fact in facts} == {"measured", "declared"}
        confidence = Confidence.HIGH if agree else Confidence.MEDIUM
        if claim.modality != "stated" or not listed_here:
            confidence = Confidence.LOW
        expected = listed(sorted(counts))
        return self.finding(
            f"name says {quoted(claim.text)}, which has {expected} classes; the head has {facts[0].value}",
            confidence=confidence,
            claim=claim,
            fact=facts[0],
            evidence=tuple(Evidence(fact.source, f"{fact.value} classes") for fact in facts[:3]),
        )


@cache
def _table() -> dict[tuple[str, str], frozenset[int]]:
    """Class counts by squashed data set name and head."""
    rows: dict[tuple[str, str], frozenset[int]] = {}
    for block in table("dataset_labels").values():
        for name, counts in block["labels"].items():
            for head in block["heads"]:
                rows[_ODD.sub("", name), head] = frozenset(counts)
    return rows


def _counts(claim: Claim, heads: frozenset[str]) -> frozenset[int]:
    """Every class count that is truthful for a data set, for the heads the model may have."""
    from naming.lexicon import default_lexicon

    name = _ODD.sub("", str(claim.value).lower())
    found = [counts for head in heads if (counts := _table().get((name, head)))]
    if not found and not any((name, head) in _table() for head in _heads()):
        for entry in default_lexicon().entries(name, "dataset"):
            number, task = entry.get("num_labels"), entry.get("task")
            if isinstance(number, int) and task in heads:
                also = entry.get("num_labels_also") or ()
                found.append(_tolerant(number, task) | {count for count in also if isinstance(count, int)})
    return frozenset[int]().union(*found)


def _is_listed(claim: Claim) -> bool:
    """Whether every truthful reading of the data set was looked up, and not only its standard number of classes."""
    name = _ODD.sub("", str(claim.value).lower())
    return any((name, head) in _table() for head in _heads())


@cache
def _heads() -> frozenset[str]:
    return frozenset(head for block in table("dataset_labels").values() for head in block["heads"])


def _tolerant(number: int, task: str) -> frozenset[int]:
    """Readings of a standard class count: a single output for two classes, types instead of BIO tags, a background."""
    allowed = {number, number + 1}
    if number == 2:
        allowed.add(1)
    if number == 3 and task == "text-classification":
        allowed.add(2)  # entailment or not, positive or negative
    if task == "token-classification":
        allowed |= {number - 1, number + 2, number + 3, (number - 1) // 2, (number - 1) // 2 + 1, 2 * number - 1}
    return frozenset(allowed)


def _has_last_word(subject: Subject, claim: Claim) -> bool:
    """False when an adaptation follows the data set in the name: the head is then that of a later training."""
    if subject.parsed is None:
        return True
    own = next((part for part in subject.parsed.components if part.text == claim.text), None)
    later = [part for part in subject.parsed.components if own is not None and part.start >= own.end]
    return all(part.category not in ("adaptation", "dataset") for part in later)


def _is_excerpt(subject: Subject, claim: Claim) -> bool:
    """Whether the name says that only some classes of the data set were used (`ucf101-subset`, `ade20k-mini`)."""
    if repo_words(subject) & words("subsets"):
        return True
    parts = subject.parsed.components if subject.parsed is not None else ()
    return any(
        first.text == claim.text and second.text.lower() in words("excerpts") for first, second in pairwise(parts)
    )
