"""Published members of the MaskFormer family, taken apart, in three frameworks."""

from __future__ import annotations

import pytest

from benchmarks.maskformer_data import DATA, FRAMEWORKS, measured, read_listing
from clustering.parts.decompose import decompose

pytestmark = [
    pytest.mark.shared,
    pytest.mark.skipif(not DATA.is_dir(), reason="development data is not beside the checkout"),
]


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_every_published_listing(framework: str) -> None:
    cases = list(FRAMEWORKS[framework](DATA))
    assert cases
    wrong = {case.name: (case.truth, found) for case in cases if (found := measured(case.listing)[0]) != case.truth}
    assert wrong == {}


def test_baselines_of_the_papers_are_among_the_listings() -> None:
    assert [case.name for case in FRAMEWORKS["detectron2"](DATA) if case.truth is None]


@pytest.mark.parametrize(
    "names",
    [
        (
            "tfmg_maskformer_r50.json",
            "tfmg_maskformer_r50_trainer.json",
            "detectron2/d2_maskformer_r50_coco133_panoptic.json",
            "detectron2/d2_maskformer_r50_coco133_panoptic.pkl_layout.json",
        ),
        (
            "hf_tensors/facebook__maskformer-resnet50-ade.json.gz",
            "hf_tensors_v5/facebook__maskformer-resnet50-ade.saved.json.gz",
            "detectron2/d2_maskformer_r50_ade150.json",
        ),
        ("hf_tensors/facebook__maskformer-swin-base-ade.json.gz", "detectron2/d2_maskformer_swin_base_ade150.json"),
        (
            "hf_tensors/facebook__mask2former-swin-tiny-ade-semantic.json.gz",
            "detectron2/d2_mask2former_swin_tiny_ade150_semantic.json",
        ),
        (
            "hf_tensors/shi-labs__oneformer_ade20k_swin_tiny.json.gz",
            "hf_tensors_v5/shi-labs__oneformer_ade20k_swin_tiny.inmemory.json.gz",
            "detectron2/d2_oneformer_swin_tiny_ade150.json",
        ),
    ],
)
def test_frameworks_agree_on_parts(names: tuple[str, ...]) -> None:
    first, *others = (decompose(read_listing(DATA / name)[1]) for name in names)
    assert first
    for other in others:
        assert other == first
