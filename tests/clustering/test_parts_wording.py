"""The dimensions of a part in words."""

from __future__ import annotations

from clustering.identity import Part
from clustering.parts.wording import dimensions


def test_numbers_and_lists_are_told_in_their_order() -> None:
    part = Part("backbone", "swin", "tiny", {"embed_dim": 96, "depths": (2, 2, 6, 2), "shared": True, "levels": []})
    assert dimensions(part) == "embed dim 96, depths [2, 2, 6, 2]"
    assert dimensions(part, 1) == "embed dim 96"
    assert dimensions(Part("pixel_decoder", "fpn", None, {"layers": 0})) == "layers 0"
    assert dimensions(Part("backbone", "swin")) == ""


def test_what_a_stranger_wrote_is_escaped_and_short() -> None:
    told = dimensions(Part("backbone", "x", None, {"a\x1b": "\x1b[31m" + "y" * 500}))
    assert told.isprintable()
    assert len(told) < 80
