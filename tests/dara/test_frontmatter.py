"""Values of a card's front matter are exchanged where they stand; every other byte stays, or nothing is changed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpora.card import parse_card
from corpora.errors import DamagedFileError
from dara.fixing.frontmatter import edited
from dara.fixing.records import CardEdit


def replacing(key: str, old: str, new: str) -> CardEdit:
    return CardEdit("DAR807", key, old, new, "because")


CARDS = [
    ("---\nlicense: mit\npipeline_tag: x\n---\n# T\n", "---\nlicense: mit\npipeline_tag: NEW\n---\n# T\n"),
    (
        "---\r\npipeline_tag: x # why\r\nlicense: mit\r\n---\r\nT",
        "---\r\npipeline_tag: NEW # why\r\nlicense: mit\r\n---\r\nT",
    ),
    ("---\npipeline_tag: 'x'\n---\n", "---\npipeline_tag: 'NEW'\n---\n"),
    ('---\npipeline_tag: "x" # "q"\n---\n', '---\npipeline_tag: "NEW" # "q"\n---\n'),
    ("---\npipeline_tag:\n  - x # one\ntags: [a, b]\n---\n", "---\npipeline_tag:\n  - NEW # one\ntags: [a, b]\n---\n"),
    ("---\n{pipeline_tag: x, license: mit}\n---\n", "---\n{pipeline_tag: NEW, license: mit}\n---\n"),
    (
        "\ufeff---\n# 日本語 😀\nname: é\npipeline_tag:   x\n---\n",
        "\ufeff---\n# 日本語 😀\nname: é\npipeline_tag:   NEW\n---\n",
    ),
    ("---\n'pipeline_tag': x\n---\npipeline_tag: x\n", "---\n'pipeline_tag': NEW\n---\npipeline_tag: x\n"),
]


@pytest.mark.parametrize(("before", "after"), CARDS)
def test_only_the_value_changes(before: str, after: str) -> None:
    assert edited(before, [replacing("pipeline_tag", "x", "NEW")], "README.md") == after


@pytest.mark.parametrize(
    "card",
    [
        "no front matter at all\n",
        "---\nnever: closed\npipeline_tag: x\n",
        "---\n- pipeline_tag\n---\n",
        "---\npipeline_tag: x\npipeline_tag: y\n---\n",
        "---\npipeline_tag: [x, y]\n---\n",
        "---\npipeline_tag: {x: y}\n---\n",
        "---\npipeline_tag: |\n  x\n---\n",
        "---\npipeline_tag: &a x\nother: *a\n---\n",
        "---\npipeline_tag: *a\n---\n",
        "---\npipeline_tag: !!python/object/apply:os.system ['x']\n---\n",
        "---\n? [pipeline_tag]\n: x\n---\n",
        "---\npipeline_tag: " + "[" * 5000 + "\n---\n",
        (
            "---\na: &a [1,1,1,1,1,1,1,1,1]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]\n"
            "d: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c]\ne: [*d,*d,*d,*d,*d,*d,*d,*d,*d]\nf: [*d,*d,*d,*d,*d,*d,*d,*d,*d]\n"
            "g: [*d,*d,*d,*d,*d,*d,*d,*d,*d]\nh: [*d,*d,*d,*d,*d,*d,*d,*d,*d]\npipeline_tag: [x, *d]\n---\n"
        ),
        "---\npipeline_tag: x\x07\n---\n",
    ],
)
def test_a_card_that_cannot_be_changed_safely_is_refused(card: str) -> None:
    with pytest.raises(DamagedFileError, match=r"README\.md"):
        edited(card, [replacing("pipeline_tag", "x", "NEW")], "README.md")


@given(
    key=st.sampled_from(["pipeline_tag", "library_name"]),
    value=st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"]), min_size=1, max_size=40),
    body=st.text(max_size=80),
    end=st.sampled_from(["\n", "\r\n"]),
)
def test_whatever_the_value_the_rest_of_the_card_stays(key: str, value: str, body: str, end: str) -> None:
    head = f"---{end}# a comment{end}license: mit{end}{key}: "
    tail = f" # why{end}tags: [one, two]{end}---{end}"
    try:
        after = edited(head + "old" + tail + body, [replacing(key, "old", value)], "README.md")
    except DamagedFileError:
        return  # a text that YAML cannot hold
    assert after.startswith(head)
    assert after.endswith(tail + body)
    assert parse_card(after).data[key] == value
