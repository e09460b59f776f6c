"""What no default of the library shows: integers that are None, switches of constructors, dimensions that are equal."""

from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpora.reference.combinations import Move, _combinations, _gather
from corpora.reference.constructors import constructor_switches, with_arguments
from corpora.reference.parted import APART, apart, deeper
from corpora.reference.sizes import Leaf, settings
from corpora.reference.unset import unset

graph = pytest.mark.graph


@dataclass
class Config:
    hidden_size: int = 768
    num_attention_heads: int = 12
    n_inner: int | None = None
    head_dim: int | None = None
    moe_latent_size: int | None = None
    num_languages: int | None = None
    intermediate_size: int | None = 3072
    bos_token_id: int | None = None
    hash_seed: int | None = None
    classifier_dropout: float | None = None
    name: str | None = None


def test_integers_that_are_none_are_stated_by_their_role() -> None:
    found = {one.name: one for one in unset(Config())}
    assert set(found) == {"n_inner", "head_dim", "moe_latent_size", "num_languages"}
    assert found["n_inner"].value != 4 * 768
    assert found["head_dim"].value == 2 * 64
    assert found["num_languages"].value < 10


def test_the_two_values_have_unlike_relations_to_the_width() -> None:
    for one in unset(Config()):
        assert one.value != one.again
        assert one.value > 0
        assert one.again > 0


@given(st.integers(1, 4096), st.integers(1, 64))
def test_values_are_positive_at_any_width(width: int, heads: int) -> None:
    for one in unset(Config(hidden_size=width, num_attention_heads=heads)):
        assert one.value >= 1
        assert one.again >= 1


def test_without_a_width_only_counts_are_stated() -> None:
    config = Config(hidden_size=None, num_attention_heads=None)  # type: ignore[arg-type]
    assert {one.name for one in unset(config)} == {"num_languages"}


def test_a_configuration_that_refuses_to_tell_its_width_is_no_error() -> None:
    class Refusing(Config):
        def __getattribute__(self, name: str) -> Any:
            if name == "num_attention_heads":
                raise ValueError("one value for each layer")
            return super().__getattribute__(name)

    assert {one.name for one in unset(Refusing())} >= {"n_inner", "num_languages"}


def test_settings_of_unset_integers_have_two_different_values_for_each_role() -> None:
    for role, (first, second) in settings("unset")["values"].items():
        assert first != second, role


class Model:
    def __init__(self, config: object, add_pooling_layer: bool = True, use_mask: bool = False, text: str = "") -> None:
        self.built = (config, add_pooling_layer, use_mask, text)

    @classmethod
    def _from_config(cls, config: object, **arguments: Any) -> "Model":
        return cls(config, **arguments)


def test_switches_of_a_constructor_are_turned_over() -> None:
    assert constructor_switches(Model) == (("add_pooling_layer", False), ("use_mask", True))


def test_a_class_without_switches_has_none() -> None:
    assert constructor_switches(type("Plain", (), {"__init__": lambda self, config: None})) == ()
    assert constructor_switches(object) == ()


def test_a_class_with_arguments_passes_them_on_and_keeps_its_name() -> None:
    switched = with_arguments(Model, {"add_pooling_layer": False})
    assert switched._from_config("config", text="x").built == ("config", False, False, "x")
    assert switched.__name__ == "Model"


def test_fields_of_one_role_move_apart() -> None:
    found = [
        Leaf("moe_intermediate_size", "ffn", 1024),
        Leaf("moe_shared_expert_intermediate_size", "ffn", 1024),
        Leaf("text.intermediate_size", "ffn", 1024),
        Leaf("vocab_size", "vocab", 1000),
        Leaf("other_vocab_size", "vocab", 1000),
    ]
    assert apart(found) == {
        "apart/moe_shared_expert_intermediate_size": {"moe_shared_expert_intermediate_size": 768}
    }, "the first stays, another configuration is its own, and vocabularies are no dimension of layers"


@given(st.lists(st.tuples(st.sampled_from(sorted(APART)), st.integers(2, 4096)), max_size=12))
def test_every_field_that_moves_apart_stays_positive(rows: list[tuple[str, int]]) -> None:
    found = [Leaf(f"field{number}", role, value) for number, (role, value) in enumerate(rows)]
    values = {leaf.path: leaf.value for leaf in found}
    for change in apart(found).values():
        for path, value in change.items():
            assert value >= 1
            assert value != values[path] or value <= 2


def test_one_block_more_in_every_stack() -> None:
    found = [Leaf("num_hidden_layers", "depth", 12), Leaf("n_routed_experts", "experts", 64)]
    assert deeper(found, {"num_hidden_layers": 3, "n_routed_experts": 4}) == {"deeper": {"num_hidden_layers": 4}}


def move(name: str, kind: str, *stars: str, brings: bool = False) -> Move:
    return Move(kind, name, ((name, True),), stars=frozenset(stars), brings=brings)


def test_patterns_with_the_same_tensors_are_one_move_in_two_sizes() -> None:
    moves: list[Move] = []
    plain = frozenset({"a", "b", "c"})
    for one in (
        move("b>a", "layer_types", "a", "c"),
        move("b>c", "layer_types", "a", "c"),
        move("a>b", "layer_types", "b", "c"),
        move("numbers only", "layer_types", "a", "b", "c"),
        move("other numbers", "layer_types", "a", "b", "c"),
        move("bias", "option", "a", "b", "c", "d"),
        move("gate", "option", "a", "b", "c", "d"),
    ):
        _gather(moves, one, plain)
    assert [one.name for one in moves] == ["b>a", "a>b", "numbers only", "other numbers", "bias", "gate"]
    assert moves[0].again == (("b>c", True),)
    assert moves[1].again == ()


def test_what_brings_tensors_is_built_alone_and_combined_first() -> None:
    moves = [
        move("pattern", "layer_types", "a"),
        move("bias", "option", "a", "bias"),
        move("latent", "option", "a", "l", brings=True),
    ]
    found = list(_combinations("any", moves))
    assert (moves[2],) in found
    assert (moves[1],) not in found
    pairs = [chosen for chosen in found if len(chosen) == 2]
    assert pairs[0] == (moves[0], moves[2])


@graph
def test_layer_kinds_come_in_unlike_numbers() -> None:
    pytest.importorskip("transformers")
    from transformers import KimiLinearConfig, NemotronHConfig

    from corpora.reference.patterns import proportions
    from corpora.reference.sizes import leaves

    for config, field, depth in (
        (NemotronHConfig(), "layers_block_type", None),
        (KimiLinearConfig(), "layer_types", "num_hidden_layers"),
    ):
        found = [changes for name, _, changes in proportions(config, leaves(config)) if name == field]
        assert found
        for changes in found:
            numbers = [changes[field].count(kind) for kind in sorted(set(changes[field]))]
            assert len(set(numbers)) == len(numbers)
            assert depth is None or changes[depth] == len(changes[field])


@graph
def test_an_encoder_without_its_pooler_and_a_stated_inner_width_are_built() -> None:
    pytest.importorskip("torch")
    from corpora.reference.enumerate import model_entries
    from corpora.reference.further import _mixed_models, _switched_models

    bert, gpt2 = model_entries(["bert", "gpt2"])
    models = list(_switched_models(bert, bert.classes[0]))
    assert len({model.listing.tensors[0].shape for model in models}) >= 3, "several sizes"
    assert not [t.name for model in models for t in model.listing.tensors if "pooler" in t.name]
    stated = [model for model in _mixed_models(gpt2, gpt2.classes[0]) if "n_inner" in model.config]
    assert len(stated) == 2
    for model in stated:
        shapes = {t.name: t.shape for t in model.listing.tensors}
        assert shapes["h.0.mlp.c_fc.weight"][1] == model.config["n_inner"] != 4 * shapes["h.0.mlp.c_fc.weight"][0]
