"""Family identification over a small corpus made here: no torch, no packaged index."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from collections.abc import Callable, Iterator
from itertools import accumulate
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from clustering.family.calibrate import EXACT, Evidence, Outcome, fit_logistic, probability, threshold
from clustering.family.index import IndexFormatError, decode_template, encode_template, load_index, save_index
from clustering.family.inverted import Inverted
from clustering.family.learn import example, learn_index
from clustering.family.scorer import FamilyScorer
from clustering.family.templates import learn
from clustering.family.unify import Observed, plan, unify
from clustering.graphs.layers import fold_tied, parameters_of, star_name
from clustering.graphs.symbols import Expr, express
from clustering.tensors import Tensor, TensorListing

Rows = Iterator[tuple[str, tuple[int, ...]]]


def decoder(width: int, depth: int, ffn: int, vocab: int, kv: int, **_: int) -> Rows:
    """Pre-norm decoder with gated feed-forward and grouped keys."""
    yield "model.embed_tokens.weight", (vocab, width)
    for n in range(depth):
        base = f"model.layers.{n}"
        yield f"{base}.self_attn.q_proj.weight", (width, width)
        yield f"{base}.self_attn.k_proj.weight", (kv, width)
        yield f"{base}.self_attn.v_proj.weight", (kv, width)
        yield f"{base}.self_attn.o_proj.weight", (width, width)
        yield f"{base}.mlp.gate_proj.weight", (ffn, width)
        yield f"{base}.mlp.up_proj.weight", (ffn, width)
        yield f"{base}.mlp.down_proj.weight", (width, ffn)
        yield f"{base}.input_layernorm.weight", (width,)
        yield f"{base}.post_attention_layernorm.weight", (width,)
    yield "model.norm.weight", (width,)


def biased(**sizes: int) -> Rows:
    """The same with biases on queries, keys and values."""
    for name, shape in decoder(**sizes):
        yield name, shape
        if name.endswith(("q_proj.weight", "k_proj.weight", "v_proj.weight")):
            yield name.replace("weight", "bias"), shape[:1]


def fused(width: int, depth: int, ffn: int, vocab: int, **_: int) -> Rows:
    """Fused queries, keys and values; ungated; learned positions."""
    yield "transformer.wte.weight", (vocab, width)
    yield "transformer.wpe.weight", (ffn // 2 + 1, width)
    for n in range(depth):
        base = f"transformer.h.{n}"
        yield f"{base}.ln_1.weight", (width,)
        yield f"{base}.ln_1.bias", (width,)
        yield f"{base}.attn.c_attn.weight", (width, 3 * width)
        yield f"{base}.attn.c_attn.bias", (3 * width,)
        yield f"{base}.attn.c_proj.weight", (width, width)
        yield f"{base}.attn.c_proj.bias", (width,)
        yield f"{base}.mlp.c_fc.weight", (width, ffn)
        yield f"{base}.mlp.c_fc.bias", (ffn,)
        yield f"{base}.mlp.c_proj.weight", (ffn, width)
        yield f"{base}.mlp.c_proj.bias", (width,)


FAMILIES: dict[str, Callable[..., Rows]] = {"plain": decoder, "biased": biased, "fused": fused}
SIZES = (
    {"width": 128, "depth": 4, "ffn": 344, "vocab": 3200, "kv": 64},
    {"width": 192, "depth": 3, "ffn": 500, "vocab": 4100, "kv": 64},
    {"width": 256, "depth": 6, "ffn": 1100, "vocab": 9000, "kv": 256},
    {"width": 320, "depth": 5, "ffn": 900, "vocab": 5003, "kv": 160},
)
NEW = {"width": 448, "depth": 9, "ffn": 1234, "vocab": 7777, "kv": 112}


def listing(family: str, sizes: dict[str, int]) -> TensorListing:
    return TensorListing(tuple(Tensor(n, s, "F32") for n, s in FAMILIES[family](**sizes)), "safetensors")


def disguised(shown: TensorListing, seed: int | None = None) -> TensorListing:
    tensors = list(shown.tensors)
    if seed is not None:
        random.Random(seed).shuffle(tensors)
    return TensorListing(tuple(Tensor(f"t{n:05d}", t.shape, t.dtype) for n, t in enumerate(tensors)), "x")


@pytest.fixture(scope="module")
def scorer() -> FamilyScorer:
    examples = [
        example(family, f"{family.title()}Model", "library" if not n else f"size{n}", listing(family, sizes))
        for family in FAMILIES
        for n, sizes in enumerate(SIZES)
    ]
    return FamilyScorer(learn_index(examples, priors={"plain": 1.0}))


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("seed", [None, 1, 2])
def test_new_size_without_names_is_explained_exactly(scorer: FamilyScorer, family: str, seed: int | None) -> None:
    answer = scorer.identify(disguised(listing(family, NEW), seed))
    assert answer.structure_only[0].model_type == family
    runners_up = [m.score for m in answer.structure_only[1:]]
    assert all(score <= answer.structure_only[0].score for score in runners_up)


@pytest.mark.parametrize("family", FAMILIES)
def test_both_channels_and_class(scorer: FamilyScorer, family: str) -> None:
    shown = listing(family, NEW)
    assert scorer.identify(shown).family[0].model_type == family
    assert scorer.architecture_class(shown)[0] == f"{family.title()}Model"


@given(st.integers(4, 40), st.integers(2, 20), st.integers(1, 6), st.randoms(use_true_random=False))
@settings(max_examples=25)
def test_every_size_of_a_known_graph_is_exact(width: int, depth: int, groups: int, rng: random.Random) -> None:
    sizes = {"width": 16 * width, "depth": depth, "ffn": 16 * width + 5, "vocab": 6000, "kv": 16 * groups}
    variants = [fold_tied(parameters_of(listing("plain", s))) for s in SIZES]
    ((template, _, _),) = learn(variants)
    shapes = [p.shape for p in fold_tied(parameters_of(listing("plain", sizes)))]
    rng.shuffle(shapes)
    assert unify(template, plan(template), Observed(shapes)).overlap >= EXACT


def test_template_says_what_is_shared() -> None:
    ((template, slots, members),) = learn([fold_tied(parameters_of(listing("fused", s))) for s in SIZES])
    assert members == (0, 1, 2, 3)
    by_star = {star for star, _ in slots}
    assert "transformer.h.*.attn.c_attn.weight" in by_star
    assert any(len(g.dims) == 2 and g.dims[1] == Expr(0, ((0, 3),)) for g in template.groups)
    assert decode_template(encode_template(template)) == template


@pytest.mark.parametrize(("removed", "overlap"), [("bias", 0.95), ("norm", 0.97)])
def test_a_removed_bias_or_norm_is_not_exact(removed: str, overlap: float) -> None:
    ((template, _, _),) = learn([fold_tied(parameters_of(listing("biased", s))) for s in SIZES])
    kept = [t for t in listing("biased", NEW).tensors if removed not in t.name]
    shapes = [p.shape for p in parameters_of(TensorListing(tuple(kept), "x"))]
    assert unify(template, plan(template), Observed(shapes)).overlap < overlap


def test_names_only_uses_the_vocabulary_and_nothing_else(scorer: FamilyScorer) -> None:
    names = tuple(Tensor(t.name, (), t.dtype) for t in listing("fused", NEW).tensors)
    answer = scorer.identify(TensorListing(names, "index", names_only=True))
    assert answer.family[0].model_type == "fused"
    assert answer.structure_only == ()
    assert answer.channel == "vocabulary"


def test_adapters_and_empty_listings_are_not_identified(scorer: FamilyScorer) -> None:
    for shown in (TensorListing((), "x"), TensorListing(listing("plain", NEW).tensors, "x", adapter="lora")):
        answer = scorer.identify(shown)
        assert answer.family == ()
        assert answer.channel == "none"
        assert answer.reason


def test_something_else_is_unknown(scorer: FamilyScorer) -> None:
    rows = tuple(Tensor(f"z.{n}.w", (n + 3, 7 * n + 11, 5), "F32") for n in range(30))
    assert scorer.identify(TensorListing(rows, "x")).family == ()


@given(st.lists(st.lists(st.integers(0, 2**40), max_size=6), max_size=40))
@settings(max_examples=60)
def test_hostile_shapes_never_raise(scorer: FamilyScorer, shapes: list[list[int]]) -> None:
    rows = tuple(Tensor(f"x.{n}", tuple(s), "F32") for n, s in enumerate(shapes))
    scorer.identify(TensorListing(rows, "x"))


def test_index_round_trip_is_byte_identical(scorer: FamilyScorer, tmp_path: Path) -> None:
    one, two = tmp_path / "a.npz", tmp_path / "b.npz"
    save_index(scorer.index, one)
    save_index(load_index(one), two)
    assert one.read_bytes() == two.read_bytes()
    shown = disguised(listing("plain", NEW))
    assert FamilyScorer(load_index(one)).identify(shown) == scorer.identify(shown)


def rows_of(inverted: Inverted) -> tuple[list[int], list[int], list[float]]:
    """Numbers of all rows, where each row begins, and the weights."""
    found: list[list[tuple[int, float]]] = [[] for _ in range(inverted.length)]
    for number in range(len(inverted.starts) - 1):
        span = slice(inverted.starts[number], inverted.starts[number + 1])
        steps = inverted.weights[span].tolist() if inverted.weights is not None else [0] * len(inverted.rows[span])
        unit = float(inverted.greatest[number]) / 255 if inverted.greatest is not None else 1.0
        for row, step in zip(inverted.rows[span].tolist(), steps, strict=True):
            found[row].append((number, step * unit))
    flat = [entry for row in found for entry in row]
    return [n for n, _ in flat], [0, *accumulate(map(len, found))], [weight for _, weight in flat]


def test_an_index_of_the_first_layout_is_converted(scorer: FamilyScorer, tmp_path: Path) -> None:
    index = scorer.index
    arrays: dict[str, NDArray[Any]] = {}
    for name, offsets, kind in (
        ("stars", "star", np.int32),
        ("tails", "tail", np.int32),
        ("tokens", "token", np.int32),
    ):
        flat, starts, weights = rows_of(getattr(index, name))
        arrays[name], arrays[f"{offsets}_offsets"] = np.array(flat, kind), np.array(starts, np.int64)
        if name == "tokens":
            arrays["token_weights"] = np.array(weights, np.float32)
    for name in ("families", "classes", "star_names", "tail_names", "token_names"):
        arrays[name] = np.frombuffer("\n".join(getattr(index, name)).encode(), np.uint8)
    for name in ("templates", "unions"):
        arrays[name] = np.frombuffer(b"\n".join(getattr(index, name)), np.uint8)
    for name in ("priors", "star_idf", "tail_idf", "token_idf", "usual", "usual_offsets"):
        arrays[name] = getattr(index, name)
    for name in ("family", "class", "template", "published", "variants"):
        arrays[f"layout_{name}"] = getattr(index, f"layout_{name}")
    arrays["meta"] = np.frombuffer(json.dumps({**index.meta, "format": 1}).encode(), np.uint8)
    np.savez_compressed(tmp_path / "old.npz", **arrays)  # type: ignore[arg-type]  # the stub mixes flags and arrays
    old = load_index(tmp_path / "old.npz")
    save_index(index, tmp_path / "new.npz")
    new = load_index(tmp_path / "new.npz")
    for shown in (listing("plain", NEW), disguised(listing("plain", NEW)), disguised(listing("fused", NEW))):
        assert FamilyScorer(old).identify(shown) == FamilyScorer(new).identify(shown) == scorer.identify(shown)
    arrays["meta"] = np.frombuffer(b'{"format": 99}', np.uint8)
    np.savez_compressed(tmp_path / "other.npz", **arrays)  # type: ignore[arg-type]  # the stub mixes flags and arrays
    with pytest.raises(IndexFormatError, match="index format 99, this version reads 2"):
        load_index(tmp_path / "other.npz")


def test_damaged_index_is_one_clear_error(tmp_path: Path) -> None:
    bad = tmp_path / "bad.npz"
    bad.write_bytes(b"PK not an archive")
    with pytest.raises(IndexFormatError, match=r"bad\.npz"):
        load_index(bad)
    with pytest.raises(IndexFormatError):
        load_index(tmp_path / "absent.npz")


@pytest.mark.parametrize(
    ("name", "star"),
    [
        ("module.model.layers.11.mlp.weight", "layers.*.mlp.weight"),
        ("tf_bert/bert/encoder/layer_._3/output/dense/kernel:0", "bert.encoder.layer.*.output.dense.weight"),
        ("base_model.model.h.0.ln.gamma", "h.*.ln.weight"),
        ("conv1.weight", "conv1.weight"),
    ],
)
def test_star_names(name: str, star: str) -> None:
    assert star_name(name)[0] == star


def test_expressions_need_several_sizes() -> None:
    columns = [(8, 16, 24, 40), (24, 48, 72, 120), (2, 2, 2, 2), (10, 99, 31, 7)]
    exprs, variables = express(columns, [5, 1, 1, 1])
    assert exprs[0] == Expr(0, ((0, 1),))
    assert exprs[1] == Expr(0, ((0, 3),))
    assert exprs[2] == Expr(2)
    assert variables == 2
    near, count = express([(8, 16), (24, 48)], [1, 1])
    assert near[0] != near[1]
    assert count == 2, "two sizes are too few to call a ratio structure"


def test_calibration_orders_and_withholds() -> None:
    sure, doubtful = Evidence(1.0, 0.9, 1.0, 12), Evidence(0.8, 0.1, 0.3, 12)
    outcomes = [Outcome(sure, right=True)] * 40 + [Outcome(doubtful, right=False)] * 40
    weights = fit_logistic(outcomes)
    assert probability(weights, sure) > 0.9
    assert probability(weights, doubtful) < 0.1
    assert threshold(weights, outcomes, false_unknown=0.02) > 0.5
    assert probability(weights[:4], sure) > probability(weights[:4], doubtful), "an earlier index has fewer weights"


def test_identification_imports_neither_sklearn_nor_torch() -> None:
    code = (
        "import clustering.family.scorer, sys;"
        "print(sorted({'sklearn', 'torch', 'transformers', 'spacy'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_classifier_keeps_the_scikit_learn_contract() -> None:
    pytest.importorskip("sklearn")
    from sklearn.base import clone
    from sklearn.exceptions import NotFittedError

    from clustering.family.estimator import FamilyClassifier

    shown = [listing(family, sizes) for family in FAMILIES for sizes in SIZES]
    labels = [family for family in FAMILIES for _ in SIZES]
    model = clone(FamilyClassifier(channel="structure"))
    with pytest.raises(NotFittedError):
        model.predict_proba(shown)
    assert model.fit(shown, labels) is model
    fresh = [disguised(listing(family, NEW)) for family in FAMILIES]
    assert model.predict(fresh).tolist() == list(FAMILIES)
    assert model.score(fresh, list(FAMILIES)) == 1.0
    assert np.allclose(model.predict_proba(fresh).sum(axis=1), 1.0)
    with pytest.raises(ValueError, match="channel"):
        FamilyClassifier(channel="smell").fit(shown, labels)
    with pytest.raises(ValueError, match="length"):
        FamilyClassifier().fit(shown, labels[:-1])
