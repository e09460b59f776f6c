"""Several sizes of one configuration: roles, profiles, and that what is built differs in size and not in kind."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpora.reference.sizes import Leaf, apply, profile, role_of, settings

graph = pytest.mark.graph


@pytest.mark.parametrize(
    ("field", "role"),
    [
        ("hidden_size", "width"),
        ("d_model", "width"),
        ("encoder_ffn_dim", "ffn"),
        ("num_hidden_layers", "depth"),
        ("decoder_layers", "depth"),
        ("num_key_value_heads", "kv"),
        ("encoder_attention_heads", "heads"),
        ("vocab_size", "vocab"),
        ("type_vocab_size", "types"),
        ("n_routed_experts", "experts"),
        ("max_position_embeddings", "positions"),
        ("pad_token_id", None),
        ("num_experts_per_tok", None),
        ("hidden_dropout_prob", None),
        ("rope_theta", None),
    ],
)
def test_roles_are_told_by_name(field: str, role: str | None) -> None:
    assert role_of(field) == role


def test_every_profile_is_well_formed() -> None:
    roles = {role for role, _ in settings("roles")["roles"]}
    profiles = settings("profiles")["profiles"]
    assert len(profiles) >= 6
    assert set(settings("profiles")["quick"]) <= set(profiles)
    for name in profiles:
        assert {step.role for step in profile(name)} <= roles


def test_patterns_of_the_settings_compile() -> None:
    for _, rule in settings("roles")["roles"]:
        re.compile(rule)
    for rule in settings("options")["skipped"]:
        re.compile(rule)


@given(st.sampled_from(sorted(settings("profiles")["profiles"])), st.integers(1, 64), st.integers(1, 16))
def test_width_stays_divisible_by_heads(name: str, head_dim: int, heads: int) -> None:
    found = [Leaf("hidden_size", "width", 24 * head_dim * heads), Leaf("num_attention_heads", "heads", 12 * heads)]
    changes = {path: value for change in apply(profile(name), found).values() for path, value in change.items()}
    width = changes.get("hidden_size", found[0].value)
    count = changes.get("num_attention_heads", found[1].value)
    assert width >= 1
    assert count >= 1
    if count != found[1].value:
        assert width % count == 0


def test_scaling_never_rounds_and_lists_are_scaled_stage_by_stage() -> None:
    odd = [
        Leaf("hidden_size", "width", 7),
        Leaf("hidden_sizes", "width", [64, 128]),
        Leaf("depths", "depths", [2, 2, 6, 2]),
    ]
    changes = apply(profile("half"), odd)
    assert "hidden_size" not in changes["width"]
    assert changes["width"]["hidden_sizes"] == [32, 64]
    assert changes["depths"]["depths"] == [2, 2, 2, 2]


@graph
def test_classes_of_a_type_are_enumerated_with_the_bare_model_first() -> None:
    pytest.importorskip("transformers")
    from corpora.reference.enumerate import model_entries

    entry = next(iter(model_entries(["bert"])))
    names = [model_class.__name__ for model_class in entry.classes]
    assert names[0] == entry.base == "BertModel"
    assert {"BertForMaskedLM", "BertForTokenClassification"} <= set(names)
    assert not [name for name in names if name.endswith("PreTrainedModel")]
    assert list(model_entries(["no such type"])) == []


@graph
def test_a_part_counts_under_its_own_type() -> None:
    pytest.importorskip("transformers")
    from corpora.reference.enumerate import model_entries

    entries = {entry.model_type: entry for entry in model_entries(["clip", "clip_text_model", "gpt-sw3"])}
    assert "CLIPTextModel" in [one.__name__ for one in entries["clip_text_model"].classes]
    assert "CLIPTextModel" not in [one.__name__ for one in entries["clip"].classes]
    assert entries["gpt-sw3"].classes == ()  # an alias: such packages declare gpt2


@graph
@pytest.mark.slow
def test_a_family_is_built_in_several_sizes_and_options(tmp_path: Path) -> None:
    pytest.importorskip("transformers")
    from corpora.reference.raw import build_raw
    from corpora.reference.records import read_lines, read_raw

    path = tmp_path / "raw.jsonl.gz"
    models, failures = build_raw(path, families=["mixtral", "layout:moss"], workers=1)
    read = list(read_raw(path))
    assert models == len(read)
    assert failures == 0
    own = [model for model in read if model.class_name == "MixtralForCausalLM"]
    assert {model.spelling for model in own} == {"memory", "published"}
    widths = {model.listing.tensors[0].shape for model in own if model.spelling == "memory"}
    assert len(widths) >= 5
    assert any(model.variant.startswith("flag:tie_word_embeddings") for model in own)
    assert {model.model_type for model in read} == {"mixtral", "moss"}
    assert [record["model_type"] for record in read_lines(path, "coverage")] == ["mixtral"]
    again = tmp_path / "again.jsonl.gz"
    build_raw(again, families=["layout:moss"], workers=1, update=path)
    key = lambda model: (model.model_type, model.class_name, model.variant, model.spelling)  # noqa: E731
    assert sorted(map(key, read_raw(again))) == sorted(map(key, read))


@graph
def test_layoutlmv2_is_built_without_detectron2_and_nothing_stays_patched() -> None:
    pytest.importorskip("transformers")
    from clustering.errors import MissingExtraError
    from clustering.live.listing import listing_from_config
    from corpora.reference.enumerate import model_entries
    from corpora.reference.records import ReferenceModel
    from corpora.reference.variants import Plan, build_entry

    entry = next(iter(model_entries(["layoutlmv2"])))
    built = next(iter(build_entry(entry, Plan(("library",), published=False, options=False))))
    assert isinstance(built, ReferenceModel)
    total = sum(tensor.elements for tensor in built.listing.tensors)
    assert total == pytest.approx(200.5e6, rel=0.005)  # the published base model
    with pytest.raises(MissingExtraError):
        listing_from_config({"model_type": "layoutlmv2", "architectures": ["LayoutLMv2Model"]})


@graph
def test_a_configuration_is_rebuilt_with_changes_in_its_parts() -> None:
    pytest.importorskip("transformers")
    from transformers import LlavaConfig

    from corpora.reference.sizes import leaves, with_changes

    changed = with_changes(LlavaConfig, {}, {"text_config.hidden_size": 512, "text_config.num_attention_heads": 8})
    assert changed.text_config.hidden_size == 512
    assert changed.text_config.head_dim == 64  # derived anew
    assert changed.vision_config.to_dict() == LlavaConfig().vision_config.to_dict()
    assert {"text_config.hidden_size", "vision_config.patch_size"} <= {leaf.path for leaf in leaves(changed)}


def test_settings_hold_nothing_of_a_machine() -> None:
    for name in ("roles", "profiles", "options", "overrides", "published"):
        assert "/home" not in json.dumps(settings(name))


@given(st.lists(st.integers(1, 40), min_size=2, max_size=8))
def test_stages_that_climb_differ_from_what_they_were_and_keep_their_number(depths: list[int]) -> None:
    changes = apply(profile("wide"), [Leaf("depths", "depths", depths)])
    assert changes["depths"]["depths"] == [depth + number for number, depth in enumerate(depths, start=1)]
