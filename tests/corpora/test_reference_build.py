"""The reference corpus: changes that are combined, and an index that equal records give byte for byte."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from clustering.family.learn import Example, example
from clustering.tensors import Tensor, TensorListing
from corpora.reference import build as build_module
from corpora.reference.build import main as build_index
from corpora.reference.build_calibration import LAYOUT_VARIANTS, _withheld_variants, trade_off
from corpora.reference.combinations import Move, _combinations, _merged
from corpora.reference.further import _recorded
from corpora.reference.records import Encoder, ReferenceModel, raw_file
from corpora.reference.variants import BuildFailure

WIDTHS = {
    "library": (64, 4),
    "half": (32, 2),
    "wide": (128, 3),
    "deep": (64, 9),
    "mixed0": (96, 5),
    "flag:bias": (64, 3),
}


def listing(family: str, width: int, depth: int, *, bias: bool) -> TensorListing:
    rows = [("embed.weight", (1000 + width, width))]
    for n in range(depth):
        base = f"{family}.{n}"
        rows += [(f"{base}.up.weight", (3 * width, width)), (f"{base}.down.weight", (width, 3 * width))]
        rows += [(f"{base}.norm.weight", (width,))] * (family != "plain")
        rows += [(f"{base}.down.bias", (width,))] * bias
    return TensorListing(tuple(Tensor(name, shape, "F32") for name, shape in rows), "module")


def models() -> Iterator[ReferenceModel]:
    for family in ("plain", "normed"):
        for variant, (width, depth) in WIDTHS.items():
            shown = listing(family, width, depth, bias=variant.startswith("flag:"))
            yield ReferenceModel(family, f"{family.title()}Model", variant, {}, shown)


def test_equal_records_give_an_equal_index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build_module, "derivation_priors", lambda: {"plain": 1.0})
    raw = tmp_path / "raw.jsonl.gz"
    encoder = Encoder("type:x")
    with raw_file(raw, {"transformers": "5"}) as stream:
        stream.writelines(encoder.model(model) for model in models())
    one, two = tmp_path / "one.npz", tmp_path / "two.npz"
    assert build_index([str(raw), str(one)]) == 0
    assert build_index([str(raw), str(two)]) == 0
    assert one.read_bytes() == two.read_bytes()


def examples() -> list[Example]:
    return [example(m.model_type, m.class_name, m.variant, m.listing) for m in models()]


def test_one_variant_of_a_family_is_withheld_and_never_the_default() -> None:
    kept = _withheld_variants(examples())
    assert set(kept) == {"plain", "normed"}
    assert all(variant in WIDTHS and variant != "library" for variant in kept.values())
    assert kept == _withheld_variants(examples()[::-1]), "the order of the records plays no part"


def test_an_unseen_layout_is_a_mixture_of_options_where_the_family_has_any() -> None:
    """An option that is withheld is one that the corpus never saw; packages rather mix options that it has seen."""
    families = [f"family{n}" for n in range(64)]
    made = [replace(item, family=family) for family in families for item in examples() if item.family == "plain"]
    mixed = [*made, *(replace(made[0], family=family, variant="combined:bias&depth") for family in families)]
    without, kept = _withheld_variants(made), _withheld_variants(mixed)
    turned = {family for family, variant in without.items() if variant == "flag:bias"}
    assert 0 < len(turned) < len(families) / 3
    assert {family for family, variant in kept.items() if variant == "combined:bias&depth"} == turned
    assert {family: kept[family] for family in families if family not in turned} == {
        family: without[family] for family in families if family not in turned
    }


def test_more_withheld_is_more_honest() -> None:
    known = [(0.01 * n, 0, True) for n in range(1, 101)]
    left_out = [(0.004 * n, 1, n % 5 == 0) for n in range(1, 101)]
    points = trade_off([*known, *left_out])
    assert points == sorted(points)
    assert all(withheld <= 0.05 for withheld, _ in points)
    assert points[0][1] >= 0.2, "the same graph elsewhere is honest at any threshold"
    assert trade_off([]) == trade_off(known) == []


def test_a_family_in_one_size_is_not_withheld() -> None:
    (first, *_) = examples()
    assert _withheld_variants([first]) == {}


def test_moves_that_contradict_each_other_are_not_combined() -> None:
    one = Move("option", "a=1", (("a", 1),))
    other = Move("option", "a=2", (("a", 2),))
    absent = Move("absent", "vision_config=None", (("vision_config", None),))
    inside = Move("option", "vision_config.bias=True", (("vision_config.bias", True),))
    assert _merged({}, [one, other]) is None
    assert _merged({}, [absent, inside]) is None
    size = {"vision_config.depth": 3, "depth": 2}
    assert _merged(size, [one, absent]) == {"depth": 2, "a": 1, "vision_config": None}


def test_combinations_are_the_same_every_time_and_mix_kinds_first() -> None:
    moves = [Move(kind, name, ((name, 1),)) for kind, name in (("option", "a"), ("option", "b"), ("layers", "c"))]
    found = list(_combinations("bert", moves))
    assert found == list(_combinations("bert", moves))
    pairs = [several for several in found if len(several) == 2]
    assert {move.kind for move in pairs[0]} == {"option", "layers"}


def test_what_the_library_refuses_is_recorded() -> None:
    def refuse(_entry: Any, _class: Any) -> Iterator[ReferenceModel]:
        raise KeyError("rope")
        yield

    (failure,) = _recorded(SimpleNamespace(model_type="bert"), dict, "combined", refuse)  # type: ignore[arg-type]
    assert isinstance(failure, BuildFailure)
    assert (failure.model_type, failure.class_name, failure.variant) == ("bert", "dict", "combined")
    assert "rope" in failure.reason


@pytest.mark.graph
def test_a_hybrid_without_experts_and_without_its_second_kind_of_layer() -> None:
    pytest.importorskip("torch")
    from corpora.reference.combinations import combined_models
    from corpora.reference.enumerate import model_entries

    (entry,) = model_entries(["granitemoehybrid"])
    model_class = next(c for c in entry.classes if c.__name__.endswith("ForCausalLM"))
    found = list(combined_models(entry, model_class))
    names = [" ".join(t.name for t in model.listing.tensors) for model in found]
    assert any("mamba" not in text and "block_sparse_moe" not in text for text in names)
    assert all(model.variant.startswith(LAYOUT_VARIANTS) for model in found)


@pytest.mark.graph
def test_a_composite_gets_another_text_model() -> None:
    pytest.importorskip("torch")
    from corpora.reference.combinations import combined_models
    from corpora.reference.enumerate import model_entries

    (entry,) = model_entries(["mistral3"])
    model_class = next(c for c in entry.classes if c.__name__.endswith("ForConditionalGeneration"))
    with_qwen = [m for m in combined_models(entry, model_class) if m.variant.startswith("combined:text_config=qwen3")]
    assert len({t.shape for m in with_qwen for t in m.listing.tensors if "q_norm" in t.name}) >= 2, "two sizes"
