"""timm architectures on the meta device; a clear message where timm is missing."""

from __future__ import annotations

import importlib.util

import pytest

pytest.importorskip("torch")

from clustering.errors import MissingExtraError  # after the optional library
from clustering.live.listing import LiveModelError, listing_from_config, listing_from_module
from clustering.live.zoo import prepare_torchvision, timm_module

pytestmark = pytest.mark.graph
HAS_TIMM = importlib.util.find_spec("timm") is not None
with_timm = pytest.mark.skipif(not HAS_TIMM, reason="timm is not installed")


@pytest.mark.skipif(HAS_TIMM, reason="timm is installed")
def test_a_missing_timm_is_named_with_what_installs_it() -> None:
    with pytest.raises(MissingExtraError, match=r"pip install 'dara\[timm\]'"):
        timm_module("resnet18")
    with pytest.raises(MissingExtraError, match="timm"):
        listing_from_config({"architecture": "resnet18", "num_classes": 10})


def test_preparing_torchvision_twice_is_harmless() -> None:
    prepare_torchvision()
    prepare_torchvision()


@with_timm
def test_an_architecture_is_built_with_or_without_its_tag() -> None:
    plain = listing_from_module(timm_module("resnet18"))
    tagged = listing_from_module(timm_module("resnet18.a1_in1k", num_classes=10))
    assert plain.tensors[0].shape == (64, 3, 7, 7)
    assert plain.tensors[:-2] == tagged.tensors[:-2]
    assert tagged.tensors[-2].shape == (10, 512)


@with_timm
@pytest.mark.parametrize("name", ["", "no such model", "../resnet18", "hf_hub:someone/else", "resnet18/../x"])
def test_unknown_architectures_are_one_error(name: str) -> None:
    with pytest.raises(LiveModelError, match="no architecture of timm"):
        timm_module(name)
