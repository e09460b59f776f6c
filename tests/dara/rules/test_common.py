"""What rules share: number comparison, wording, families, exemptions; and invariants of rulings."""

from __future__ import annotations

import threading
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from clustering.facts import Fact, Facts
from dara.findings import Confidence, Finding, Held
from dara.rules.common.exempt import is_adapter, is_partial, is_toy, repo_words, resized_on_purpose
from dara.rules.common.families import accepted, family_of_class, gather, squash, sub_families
from dara.rules.common.languages import code_of
from dara.rules.common.numbers import numbers_in, same, whole
from dara.rules.common.rulings import Ruling, rulings, series, strength
from dara.rules.common.wording import listed, quoted, short_number
from dara.rules.confusable_name import skeleton
from dara.rules.contradicted_dtype import canonical
from dara.rules.registry import all_rules
from naming.records import Claim

json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**12), 10**12) | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=8,
)


@pytest.mark.parametrize(
    ("value", "text"),
    [(768, "768"), (6738415616, "6.74B"), (125e6, "125M"), (999.9e6, "1B"), (1.5e12, "1.5T"), (32000, "32K")],
)
def test_short_number(value, text):
    assert short_number(value) == text


def test_listed_shortens_and_escapes():
    assert listed([]) == ""
    assert listed(["a"]) == "a"
    assert listed(["a", "b", "c"]) == "a, b or c"
    assert listed(list("abcdef"), "and") == "a, b, c and 3 more"
    assert listed(["a\x1b[31m"]).isprintable()
    assert quoted("a\nb").isprintable()


@given(json_values)
def test_numbers_of_any_value(value):
    numbers = numbers_in(value)
    assert all(isinstance(number, int) and not isinstance(number, bool) for number in numbers)
    assert same(value, value) == bool(numbers)


def test_booleans_are_no_numbers():
    assert whole(True) is None
    assert numbers_in([True, 3]) == (3,)
    assert numbers_in("512x640") == (512, 640)
    assert not same(384, 224)
    assert same("512x512", [512, 512])


@pytest.mark.parametrize(
    ("class_name", "family"),
    [
        ("XLMRobertaForTokenClassification", "xlmroberta"),
        ("GPT2LMHeadModel", "gpt2"),
        ("T5WithLMHeadModel", "t5"),
        ("DistilBertModel", "distilbert"),
        ("VisionEncoderDecoderModel", "visionencoderdecoder"),
        ("EncoderDecoderModel", "encoderdecoder"),
        ("T5EncoderModel", "t5"),
        ("", ""),
    ],
)
def test_family_of_class(class_name, family):
    assert family_of_class(class_name) == family


def test_sub_families_reads_strangers_safely():
    config = {
        "text_config": {"model_type": "llama"},
        "thinker_config": {"text_config": {"model_type": "qwen2_vl_text"}},
        "vision_config": {"model_type": 7},
        "encoder": "text",
        "backbone": "resnet-50",
    }
    assert sub_families(config) >= {"llama", "qwen2vltext", "qwen2vl", "resnet"}
    assert sub_families(None) == frozenset()


@given(st.dictionaries(st.text(max_size=8), json_values, max_size=5))
def test_sub_families_of_any_config(config):
    assert "" not in sub_families(config)


def test_accepted_falls_back_to_the_value():
    claim = Claim("family", "xlm-roberta", "xlm-r")
    assert accepted(claim) == {"xlmroberta"}
    assert accepted(replace(claim, accepts=("bert", "roberta"))) == {"bert", "roberta"}
    assert accepted(replace(claim, value=None)) == frozenset()


def test_series_of_generations():
    assert series("qwen2_5_vl") == series("qwen3") == "qwen"
    assert series("bert") == "bert"


def test_exemptions(build):
    assert is_toy(build({"name": "a/tiny-random-bert"}))
    assert is_toy(build({"name": "a/bert", "measured": {"hidden_size": 32}}))
    assert not is_toy(build({"name": "a/bert-tiny", "measured": {"hidden_size": 128}}))
    assert not is_toy(build({"name": "a/randomforest-bert"}))
    assert is_partial(build({"name": "a/llava-mmproj"}))
    assert not is_partial(build({"name": "a/headline-bert"}))
    assert is_adapter(build({"name": "a/b", "files": ["adapter_config.json"]}))
    assert not is_adapter(build({"name": "a/b"}))
    assert resized_on_purpose(build({"name": "a/llama-7b-pruned50"}))
    assert not resized_on_purpose(build({"name": "a/mixtral-moe"}))
    assert "tiny-random" in repo_words(build({"name": "a/tiny-random-x"}))


@pytest.mark.parametrize(
    ("word", "code"), [("zh-CN", "zh"), ("Chinese", "zh"), ("de", "de"), ("", ""), ("xx-unknown", "xx")]
)
def test_language_codes(word, code):
    assert code_of(word) == code


@pytest.mark.parametrize(
    ("value", "name"), [("BF16", "bf16"), ("torch.float16", "fp16"), ("F32", "fp32"), ("Q4_K", None), (4, None)]
)
def test_canonical_dtypes(value, name):
    assert canonical(value) == name


def test_skeletons():
    assert skeleton("meta-Ilama") == skeleton("meta-llama")
    assert skeleton("G00gle") == skeleton("google")
    assert skeleton("modern") == skeleton("modem")
    assert skeleton("google") != skeleton("goggle")


def family_subject(build, **case):
    base = {"name": "someone/thing-bert", "claims": [{"kind": "family", "value": "bert", "text": "bert"}]}
    return build({**base, **case})


def test_a_configs_own_graph_bears_no_witness(build):
    """A graph built from config.json repeats the configuration and never raises the confidence."""
    subject = family_subject(build, declared={"family": "deberta-v2"}, family="deberta-v2")
    evidence, (ruled,) = rulings(subject)
    assert ruled.ruling is Ruling.CONTRADICTED
    assert strength(ruled.claim, evidence) is Confidence.HIGH
    evidence, (ruled,) = rulings(replace(subject, listing=None))
    assert strength(ruled.claim, evidence) is Confidence.MEDIUM


@pytest.mark.parametrize("modality", ["stated", "implied", "ambiguous"])
@pytest.mark.parametrize("family", ["", "distilbert", "roberta"])
@pytest.mark.parametrize("declared", ["", "bert", "distilbert", "roberta", "own_net"])
def test_no_more_than_one_accusation_and_never_of_a_true_name(build, modality, family, declared):
    case = {"claims": [{"kind": "family", "value": "bert", "text": "bert", "modality": modality}]}
    if declared:
        case["declared"] = {"family": declared}
    if family:
        case["family"] = family
    subject = family_subject(build, **case)
    outcomes = [
        item for rule in all_rules() if rule.code in ("DAR101", "DAR102", "DAR601") for item in rule.check(subject)
    ]
    accusations = [item for item in outcomes if isinstance(item, Finding)]
    assert len(accusations) <= 1
    assert not (accusations and any(isinstance(item, Held) for item in outcomes))
    if declared == "bert":
        assert not accusations
    if modality == "ambiguous":
        assert all(item.confidence is Confidence.LOW for item in accusations)


KINDS = ["family", "layers", "parameters", "dtype", "quantization", "task", "num_labels", "architecture_class"]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(facts=st.dictionaries(st.sampled_from(KINDS), json_values))
def test_rules_survive_any_declared_value(build, facts):
    """Facts come from files that strangers wrote: whatever stands there, no rule breaks."""
    claims = [
        {"kind": "family", "value": "bert", "text": "bert"},
        {"kind": "layers", "value": 6, "text": "L6"},
        {"kind": "parameters", "value": 7_000_000_000, "text": "7b"},
        {"kind": "dtype", "value": "bf16", "text": "bf16"},
        {"kind": "quantization", "value": {"method": "gptq", "bits": 4}, "text": "gptq"},
        {"kind": "task", "value": "token-classification", "text": "ner"},
        {"kind": "dataset", "value": "conll2003", "text": "conll"},
    ]
    subject = build({"name": "a/bert-L6-7b-bf16-gptq-ner-conll", "claims": claims})
    subject = replace(
        subject, facts=Facts(Fact(kind, value, "declared", "config.json") for kind, value in facts.items())
    )
    for rule in all_rules():
        for item in rule.check(subject):
            if isinstance(item, Finding):
                assert item.message.isprintable()


def test_families_are_gathered_in_threads(build):
    """Fits are remembered per thread; two threads asking at once do not disturb each other."""
    subject = family_subject(build, declared={"family": "bert"}, family="bert")
    answers = []
    threads = [threading.Thread(target=lambda: answers.append(gather(subject))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(map(str, answers))) == 1


def test_squash():
    assert squash("XLM-RoBERTa") == squash("xlm_roberta") == "xlmroberta"
