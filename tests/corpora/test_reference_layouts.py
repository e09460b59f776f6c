"""Published layouts: their arithmetic, and that they add up to the models that they describe."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpora.reference import layouts
from corpora.reference.layouts import LayoutError, evaluate, layout_names, published_models

# Totals of the published weight files (`metadata.total_size` of their index divided by the width of a number, or the
# count on the model's page), in parameters and known to three digits.
TOTALS = {
    ("qwen", "7b"): 7.72e9,
    ("qwen", "14b"): 14.17e9,
    ("qwen", "72b"): 72.29e9,
    ("qwen_vl", "vl-7b"): 9.66e9,
    ("chatglm2", "6b"): 6.24e9,
    ("chatglm2", "glm-4-9b"): 9.40e9,
    ("internlm2", "1.8b"): 1.89e9,
    ("internlm2", "7b"): 7.74e9,
    ("internlm2", "20b"): 19.86e9,
    ("internlm", "7b"): 7.32e9,
    ("baichuan", "2-7b"): 7.51e9,
    ("baichuan", "2-13b"): 13.90e9,
    ("deepseek", "moe-16b"): 16.38e9,
    ("exaone", "7.8b"): 7.82e9,
    ("exaone", "2.4b"): 2.41e9,
    ("mimo", "7b"): 7.83e9,
    ("orion", "14b"): 14.50e9,
    ("phi_msft", "2"): 2.78e9,
    ("phi3small", "7b"): 7.39e9,
    ("gte_new", "base"): 0.137e9,
    ("yi", "34b"): 34.39e9,
    ("molmo", "7b-d"): 8.02e9,
    ("molmo", "72b"): 73.31e9,
    ("minicpmv_2", "2"): 3.435e9,
    ("open_clip", "vit-b-32"): 151.3e6,
    ("open_clip", "vit-l-14"): 427.6e6,
    ("open_clip", "vit-h-14"): 986.1e6,
    ("open_clip", "vit-bigg-14"): 2.54e9,
    ("phi3_v", "4b"): 4.147e9,
    ("cogvlm", "17b"): 17.64e9,
    ("kimi_vl", "a3b"): 16.41e9,
    ("rwkv5", "1b5"): 1.578e9,
    ("rwkv5", "eagle-7b"): 7.52e9,
    ("rwkv6", "1b6"): 1.60e9,
    ("rwkv6", "7b"): 7.64e9,
    ("jina_bert", "base"): 137.4e6,
    ("jina_bert", "small"): 32.7e6,
}


@pytest.mark.parametrize(("layout", "size"), TOTALS, ids="-".join)
def test_layouts_add_up_to_the_published_models(layout: str, size: str) -> None:
    model = next(model for model in published_models(layout) if model.variant == f"published:{size}")
    total = sum(tensor.elements for tensor in model.listing.tensors)
    assert total == pytest.approx(TOTALS[layout, size], rel=0.004)


@pytest.mark.graph
@pytest.mark.slow
def test_every_layout_builds_in_every_size_and_class() -> None:
    pytest.importorskip("transformers")
    names = layout_names()
    assert len(names) > 25
    for name in names:
        models = list(published_models(name))
        assert len(models) >= 1, name
        for model in models:
            assert model.spelling == "published"
            assert all(size > 0 for tensor in model.listing.tensors for size in tensor.shape), (name, model.variant)


def test_a_classes_extra_tensors_are_added_to_the_layouts() -> None:
    models = {model.class_name: model for model in published_models("internlm2") if model.variant == "published:1.8b"}
    plain = {tensor.name for tensor in models["InternLM2ForCausalLM"].listing.tensors}
    reward = {tensor.name for tensor in models["InternLM2ForRewardModel"].listing.tensors}
    assert reward - plain == {"v_head.weight"}


@given(st.integers(0, 10**6), st.integers(0, 10**6), st.integers(1, 10**4))
def test_expressions_compute_what_python_computes(a: int, b: int, c: int) -> None:
    fields = {"a": a, "b_2": b, "c": c}
    for expression in ("a+b_2", "3*a - b_2", "(a+b_2)//c", "a % c", "a == b_2", "a < b_2", "a >= b_2", "a != c", "7"):
        assert evaluate(expression, fields) == int(eval(expression, {}, fields))  # the same arithmetic, by Python


@pytest.mark.parametrize(
    "expression",
    [
        "",
        "a +",
        "missing",
        "__import__('os')",
        "a.b",
        "a**9",
        "(lambda: 1)()",
        "'x'*9",
        "a if a else 1",
        "a//0",
        "[a]",
        "1.5",
    ],
)
def test_nothing_but_integer_arithmetic_is_evaluated(expression: str) -> None:
    with pytest.raises(LayoutError):
        evaluate(expression, {"a": 3})


def test_a_layout_with_two_equal_names_or_missing_keys_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    broken = {
        "model_type": "x", "class": "X", "source": "", "fields": {"n": 2}, "sizes": {"one": {}},
        "tensors": [{"repeat": "n", "as": "i", "tensors": [["same.weight", [4]]]}],
    }  # fmt: skip
    monkeypatch.setattr(layouts, "_load", lambda _: broken)
    with pytest.raises(LayoutError, match="different names"):
        list(published_models("broken"))
