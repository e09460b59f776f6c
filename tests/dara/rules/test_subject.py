"""What a subject computes of its package: once, and whatever the name."""

from __future__ import annotations

from dataclasses import replace

from clustering.facts import Fact, Facts
from dara.rules.common.families import gather
from dara.subject import Subject
from naming import parse_name


def test_a_value_is_computed_once_for_every_name_and_without_one() -> None:
    seen: list[Subject] = []

    def value(subject: Subject) -> int:
        seen.append(subject)
        return len(seen)

    first = Subject(facts=Facts(()), parsed=parse_name("a/bert-base"))
    assert (first.computed(value), first.under(parse_name("a/gpt2")).computed(value), first.computed(value)) == (
        1,
        1,
        1,
    )
    assert [subject.parsed for subject in seen] == [None]
    assert replace(first, files=("x",)).computed(value) == 2


def test_the_family_of_a_changed_copy_is_gathered_anew() -> None:
    first = Subject(facts=Facts([Fact("family", "bert", "declared", "config.json: model_type")]))
    assert gather(first) is gather(first.under(parse_name("a/gpt2")))
    changed = replace(first, facts=Facts([Fact("family", "gpt2", "declared", "config.json: model_type")]))
    assert (gather(first).declared, gather(changed).declared) == ("bert", "gpt2")
