"""A live module and the file saved from it have one fingerprint, whatever the library restructures on saving."""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

from clustering.errors import MissingExtraError  # noqa: E402  # after the optional libraries
from clustering.graphs.fingerprint import fingerprint  # noqa: E402
from clustering.live.graph import module_graph  # noqa: E402
from clustering.live.listing import (  # noqa: E402
    LiveLimits,
    LiveModelError,
    listing_from_module,
    module_from_class,
    module_from_config,
    saved_listing,
)
from clustering.readers.select import read_weights  # noqa: E402
from clustering.tensors import Tensor, TensorListing  # noqa: E402
from corpora.sources.registry import open_package  # noqa: E402

pytestmark = pytest.mark.graph

TINY = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64, "vocab_size": 99}
SEQ2SEQ = {"d_model": 32, "encoder_layers": 2, "decoder_layers": 2, "encoder_attention_heads": 2,
           "decoder_attention_heads": 2, "encoder_ffn_dim": 64, "decoder_ffn_dim": 64, "vocab_size": 99}  # fmt: skip
CONFIGS = [
    {"model_type": "bert", "architectures": ["BertForPreTraining"], **TINY},
    {"model_type": "roberta", "architectures": ["RobertaForMaskedLM"], **TINY},
    {"model_type": "gpt2", "architectures": ["GPT2LMHeadModel"], "n_embd": 32, "n_layer": 2, "n_head": 2,
     "vocab_size": 99},
    {"model_type": "llama", "architectures": ["LlamaForCausalLM"], **TINY, "tie_word_embeddings": True},
    {"model_type": "mixtral", "architectures": ["MixtralForCausalLM"], **TINY, "num_local_experts": 3},
    {"model_type": "qwen2_moe", "architectures": ["Qwen2MoeForCausalLM"], **TINY, "num_experts": 4,
     "moe_intermediate_size": 16, "shared_expert_intermediate_size": 16, "num_key_value_heads": 1},
    {"model_type": "t5", "architectures": ["T5ForConditionalGeneration"], "d_model": 32, "num_layers": 2, "d_ff": 64,
     "num_heads": 2, "d_kv": 16, "vocab_size": 99},
    {"model_type": "bart", "architectures": ["BartForConditionalGeneration"], **SEQ2SEQ},
    {"model_type": "m2m_100", "architectures": ["M2M100ForConditionalGeneration"], **SEQ2SEQ},
    {"model_type": "vit", "architectures": ["ViTForImageClassification"], "hidden_size": 32, "num_hidden_layers": 2,
     "num_attention_heads": 2, "intermediate_size": 64},
    {"model_type": "swin", "architectures": ["SwinForImageClassification"], "embed_dim": 16, "depths": [1, 2],
     "num_heads": [2, 4]},
    {"model_type": "wav2vec2", "architectures": ["Wav2Vec2ForCTC"], **TINY, "conv_dim": [16, 16], "conv_stride": [5, 2],
     "conv_kernel": [10, 3], "num_feat_extract_layers": 2, "num_conv_pos_embedding_groups": 2},
]  # fmt: skip


def same(one: TensorListing, other: TensorListing) -> bool:
    left, right = fingerprint(one), fingerprint(other)
    return (left.digest, left.structure, left.vocabulary) == (right.digest, right.structure, right.vocabulary)


def real(config: dict[str, object]) -> torch.nn.Module:
    model_class = getattr(transformers, config["architectures"][0])
    return model_class(model_class.config_class.from_dict(config))


@pytest.mark.parametrize("config", CONFIGS, ids=lambda config: config["model_type"])
def test_a_module_has_the_fingerprint_of_its_saved_files(config: dict[str, object], tmp_path: Path) -> None:
    module = real(config)
    module.save_pretrained(tmp_path / "owner--tiny")
    stored = read_weights(open_package(str(tmp_path / "owner--tiny"), offline=True).files).listing
    assert same(saved_listing(module), stored)
    assert same(saved_listing(module_from_config(config)), stored), "with data or on the meta device"
    torch.save(module.state_dict(), tmp_path / "pytorch_model.bin")
    pickled = read_weights(open_package(str(tmp_path / "pytorch_model.bin"), offline=True).files).listing
    assert fingerprint(pickled).digest == fingerprint(listing_from_module(module)).digest


@pytest.mark.parametrize("config", CONFIGS[:4], ids=lambda config: config["model_type"])
def test_one_layer_more_or_wider_is_another_fingerprint(config: dict[str, object]) -> None:
    known = fingerprint(saved_listing(module_from_config(config)))
    depth = "n_layer" if "n_layer" in config else "num_hidden_layers"
    deeper = fingerprint(saved_listing(module_from_config({**config, depth: 3})))
    larger = fingerprint(saved_listing(module_from_config({**config, "vocab_size": 101})))
    assert deeper.digest != known.digest != larger.digest
    assert deeper.structure == known.structure == larger.structure


@pytest.mark.parametrize("config", CONFIGS, ids=lambda config: config["model_type"])
def test_no_order_of_a_file_changes_the_fingerprint_of_a_class(config: dict[str, object]) -> None:
    listing = saved_listing(module_from_config(config))
    for seed in range(3):
        shuffled = random.Random(seed).sample(listing.tensors, len(listing.tensors))
        assert same(TensorListing(tuple(shuffled), "safetensors"), listing)
    by_name = sorted(listing.tensors, key=lambda tensor: tensor.name)
    assert same(TensorListing(tuple(by_name), "safetensors"), listing)


@given(st.randoms(use_true_random=False))
@settings(max_examples=20)
def test_no_order_of_tensors_changes_the_digest(rng: random.Random) -> None:
    layers = [torch.nn.TransformerDecoderLayer(8, 2, 16, device="meta") for _ in range(3)]
    listing = listing_from_module(torch.nn.Sequential(*layers))
    shuffled = list(listing.tensors)
    rng.shuffle(shuffled)
    assert fingerprint(TensorListing(tuple(shuffled), "module")).digest == fingerprint(listing).digest
    assert fingerprint(TensorListing(tuple(shuffled[1:]), "module")).digest != fingerprint(listing).digest


def test_any_module_is_listed_as_its_state() -> None:
    module = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.ReLU(), torch.nn.BatchNorm1d(8), torch.nn.Linear(8, 2))
    rows = [Tensor(name, tuple(value.shape), "F32") for name, value in module.state_dict().items() if value.dim()]
    assert same(saved_listing(module), TensorListing(tuple(sorted(rows, key=lambda t: t.name)), "safetensors"))


def test_layers_without_parameters_stand_at_their_places_and_do_not_count() -> None:
    module = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.ReLU(), torch.nn.Dropout(), torch.nn.Linear(8, 2))
    graph = module_graph(module)
    assert [data.get("op") for _, data in graph.nodes(data=True)] == [None, "ReLU", "Dropout", None]
    assert [data["path"] for _, data in graph.nodes(data=True)] == ["0", "1", "2", "3"]
    assert list(graph.edges) == [(0, 1), (1, 2), (2, 3)]
    without = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.Linear(8, 2))
    assert fingerprint(graph).digest == fingerprint(module_graph(without)).digest
    assert fingerprint(graph).attributes["flow"] != fingerprint(module_graph(without)).attributes["flow"]


def test_a_graph_of_a_model_has_the_digest_of_its_listing() -> None:
    for config in CONFIGS:
        module = module_from_config(config)
        one, other = fingerprint(module_graph(module)), fingerprint(listing_from_module(module))
        assert (one.digest, one.structure) == (other.digest, other.structure), config["model_type"]


@pytest.mark.slow
def test_a_sample_of_all_classes_has_the_fingerprint_of_its_saved_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """What the library hands to the writer of the file, without its data; `benchmarks.live_files` does them all."""
    from corpora.reference.enumerate import model_entries
    from corpora.reference.overrides import arguments_for
    from corpora.reference.sizes import with_changes

    monkeypatch.setitem(os.environ, "HF_HUB_OFFLINE", "1")
    written: dict[str, Tensor] = {}

    def take(tensors: dict[str, torch.Tensor], path: str, metadata: object = None) -> None:
        for name, value in tensors.items():
            written[name] = Tensor(name, tuple(value.shape), "F32" if value.is_floating_point() else "I64")

    monkeypatch.setattr(transformers.modeling_utils, "safe_save_file", take)
    every = [(entry, one) for entry in model_entries() for one in entry.classes]
    compared = 0
    for entry, model_class in random.Random(7).sample(every, 40):
        try:
            config = with_changes(entry.config_class, arguments_for(entry.model_type, model_class.__name__), {})
            module = module_from_class(model_class, config, limits=LiveLimits(modules=60_000))
            live = saved_listing(module)
        except (LiveModelError, MissingExtraError):
            continue
        written.clear()
        module.save_pretrained(tmp_path / model_class.__name__, max_shard_size="100TB")
        stored = TensorListing(tuple(written[name] for name in sorted(written)), "safetensors")
        assert same(live, stored), model_class.__name__
        shuffled = random.Random(7).sample(stored.tensors, len(stored.tensors))
        assert same(live, TensorListing(tuple(shuffled), "safetensors")), model_class.__name__
        compared += 1
    assert compared >= 30
