"""DAR301."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from typing import Any, Final

from clustering.facts import Fact
from dara.findings import Confidence, Evidence, Outcome, Severity
from dara.rules.common.exempt import is_adapter
from dara.rules.common.tables import table
from dara.rules.common.wording import claimed, listed, quoted
from dara.rules.interface import Rule
from dara.subject import Subject
from naming.records import Claim

_JOINT: Final = re.compile(r"[-_. ]+")


class ContradictedTask(Rule):
    """The name states a task that the model's head cannot do.

    ## Why it matters
    A pipeline chosen by the name fails, or returns labels of another task.

    ## How it is checked
    Task words that fix a head by themselves (`ner`, `qa`, `asr`, `object-detection`; not `classifier` or `detection`)
    are compared with the declared class and the head tensors. A table says for each task which heads exclude it. Heads
    that serve many tasks (text generation, bare encoders, masked language models) exclude none, and so does a head
    that the tensors leave open.

    ## Example
    `someone/bert-base-ner` with the head of BertForQuestionAnswering.

    ## Known limits
    A chat model named after a task it was tuned for is not checked; whether a classifier was trained on the topic in
    the name cannot be seen.
    """

    code = "DAR301"
    slug = "contradicted-task"
    severity = Severity.WARNING
    since = "0.1.0"

    def check(self, subject: Subject) -> Iterator[Outcome]:
        """Compares every task of the name with the head."""
        claims = subject.claims("task")
        if not claims or is_adapter(subject):
            return
        facts = head_facts(subject)
        if not facts:
            yield self.skipped("the package does not tell its head")
            return
        excluded = [claim for claim in claims if _telling(claim) and excluded_by(str(claim.value), facts)]
        for claim in claims:
            fact = facts[0]
            if claim not in excluded:
                if str(claim.value) in {head for item in facts for head in heads_of(item)}:
                    yield self.held(claim, fact)
                continue
            if len(excluded) < len(claims):
                yield self.skipped(f"{quoted(claim.text)}: another task of the name fits the head")
                continue
            agree = {item.basis for item in facts} == {"measured", "declared"}
            confidence = Confidence.HIGH if agree and len(claims) == 1 else Confidence.MEDIUM
            yield self.finding(
                f"name says {claimed(claim.value, claim.text)}, the head is made for {listed(heads_of(fact))}",
                confidence=Confidence.LOW if claim.modality != "stated" else confidence,
                claim=claim,
                fact=fact,
                evidence=tuple(Evidence(item.source, f"head: {listed(heads_of(item))}") for item in facts[:3]),
            )


def head_facts(subject: Subject) -> tuple[Fact, ...]:
    """What is known of the head: the task it was declared and measured for, or the tasks its tensors leave open."""
    known = tuple(fact for fact in subject.facts.all("task") if heads_of(fact))
    if any(fact.basis == "measured" for fact in known):
        return known
    return (*(fact for fact in subject.facts.all("task_candidates") if heads_of(fact)), *known)


def heads_of(fact: Fact) -> tuple[str, ...]:
    """Tasks that a head may serve; several when the tensors leave it open."""
    value: Any = fact.value
    if isinstance(value, str):
        return (value,)
    return tuple(item for item in value if isinstance(item, str)) if isinstance(value, list | tuple) else ()


@cache
def _contradicting(task: str) -> frozenset[str]:
    data = table("tasks")
    found: set[str] = set()
    for word in data["task"].get(task, {}).get("contradicts", ()):
        found.update(data["groups"][word[1:]] if word.startswith("@") else (word,))
    return frozenset(found - {task})


def _telling(claim: Claim) -> bool:
    """Whether the words fix the head by themselves."""
    words = table("tasks")["task"].get(str(claim.value), {}).get("words", ())
    text = _JOINT.sub("", claim.text.lower())
    return any(_JOINT.sub("", word) == text for word in words)


def excluded_by(task: str, facts: tuple[Fact, ...]) -> bool:
    """Whether a task cannot be that of any head that the facts leave open."""
    against = _contradicting(task)
    return all(set(heads_of(fact)) <= against for fact in facts)
