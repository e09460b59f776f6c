"""Listings of live modules and of configurations: exact where transformers is, one clear error everywhere else."""

from __future__ import annotations

import gzip
import json
import struct
import threading
import time
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

from clustering.live.limits import check_config  # noqa: E402
from clustering.live.listing import (  # noqa: E402  # after the optional libraries
    LiveLimits,
    LiveModelError,
    listing_from_config,
    listing_from_module,
    module_from_config,
)

pytestmark = pytest.mark.graph

TINY = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64, "vocab_size": 99}


def saved_header(module: torch.nn.Module, folder: Path) -> dict[str, tuple[int, ...]]:
    """What `save_pretrained` writes, by reading the header of the file."""
    module.save_pretrained(folder)
    with (folder / "model.safetensors").open("rb") as stream:
        header = json.loads(stream.read(struct.unpack("<Q", stream.read(8))[0]))
    return {name: tuple(entry["shape"]) for name, entry in header.items() if name != "__metadata__"}


@pytest.mark.parametrize(
    "config",
    [
        {"model_type": "bert", "architectures": ["BertForMaskedLM"], **TINY},
        {"model_type": "t5", "architectures": ["T5ForConditionalGeneration"], "d_model": 32, "num_layers": 2,
         "d_ff": 64, "num_heads": 2, "d_kv": 16, "vocab_size": 99},
        {"model_type": "mixtral", "architectures": ["MixtralForCausalLM"], **TINY, "num_local_experts": 3,
         "num_key_value_heads": 1},
        {"model_type": "vit", "architectures": ["ViTForImageClassification"], "hidden_size": 32, "num_hidden_layers": 2,
         "num_attention_heads": 2, "intermediate_size": 64},
        {"model_type": "qwen2_moe", "architectures": ["Qwen2MoeForCausalLM"], **TINY, "num_experts": 4,
         "moe_intermediate_size": 16, "shared_expert_intermediate_size": 16, "num_key_value_heads": 1},
    ],
    ids=lambda config: config["model_type"],
)  # fmt: skip
def test_published_spelling_is_what_save_pretrained_writes(config: dict[str, object], tmp_path: Path) -> None:
    model_class = getattr(transformers, config["architectures"][0])
    module = model_class(model_class.config_class.from_dict(config))
    listing = listing_from_config(config, spelling="published")
    assert {tensor.name: tensor.shape for tensor in listing.tensors} == saved_header(module, tmp_path)


def test_memory_spelling_is_the_state_dict_in_order() -> None:
    config = {"model_type": "mixtral", "architectures": ["MixtralForCausalLM"], **TINY, "num_key_value_heads": 1}
    listing = listing_from_config(config)
    module = module_from_config(config)
    assert [tensor.name for tensor in listing.tensors] == list(module.state_dict())
    assert listing.format == "module"
    assert listing.metadata["class"] == "MixtralForCausalLM"


def test_published_order_follows_the_definition() -> None:
    config = {"model_type": "mixtral", "architectures": ["MixtralForCausalLM"], **TINY, "num_key_value_heads": 1}
    names = [tensor.name for tensor in listing_from_config(config, spelling="published").tensors]
    first = [name for name in names if ".layers.0." in name]
    attention = [n for n, name in enumerate(first) if "self_attn" in name]
    experts = [n for n, name in enumerate(first) if "experts" in name]
    norms = [n for n, name in enumerate(first) if "layernorm" in name]
    assert max(attention) < min(experts) < max(experts) < min(norms)
    assert names[0] == "model.embed_tokens.weight"
    assert names[-1] == "lm_head.weight"


def test_shared_parameters_are_listed_once() -> None:
    listing = listing_from_config({"model_type": "bert", "architectures": ["BertForMaskedLM"], **TINY})
    names = [tensor.name for tensor in listing.tensors]
    word = "bert.embeddings.word_embeddings.weight"
    assert "cls.predictions.decoder.weight" not in names
    assert listing.metadata["tied"]["cls.predictions.decoder.weight"] == word
    assert next(tensor for tensor in listing.tensors if tensor.name == word).storage is not None


def test_any_module_is_listed_with_its_buffers_and_without_extra_state() -> None:
    class Odd(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.norm = torch.nn.BatchNorm1d(4)
            self.register_buffer("gone", torch.zeros(3), persistent=False)

        def get_extra_state(self) -> dict[str, int]:
            return {"a": 1}

    listing = listing_from_module(Odd())
    assert [(t.name, t.shape, t.dtype) for t in listing.tensors] == [
        ("norm.weight", (4,), "F32"),
        ("norm.bias", (4,), "F32"),
        ("norm.running_mean", (4,), "F32"),
        ("norm.running_var", (4,), "F32"),
        ("norm.num_batches_tracked", (), "I64"),
    ]
    with pytest.raises(LiveModelError, match="no transformers model"):
        listing_from_module(Odd(), spelling="published")


def test_declared_half_precision_and_quantization_are_logical() -> None:
    config = {"model_type": "llama", "architectures": ["LlamaForCausalLM"], **TINY, "torch_dtype": "bfloat16",
              "quantization_config": {"quant_method": "gptq", "bits": 4}}  # fmt: skip
    listing = listing_from_config(config)
    assert {tensor.dtype for tensor in listing.tensors} == {"BF16"}
    assert not [tensor.name for tensor in listing.tensors if "qweight" in tensor.name]


def test_framework_prefix_case_and_unknown_heads_fall_back() -> None:
    assert listing_from_config({"model_type": "bert", "architectures": ["TFBertForMaskedLM"], **TINY}).metadata[
        "class"
    ] == ("BertForMaskedLM")
    mine = listing_from_config({"model_type": "bert", "architectures": ["MyBertForTokenClassification"], **TINY})
    assert mine.metadata["class"] == "BertForTokenClassification"
    assert mine.metadata["declared"] == "MyBertForTokenClassification"
    mpt = {"model_type": "mpt", "architectures": ["MPTForCausalLM"], "auto_map": {"AutoConfig": "x"}, "d_model": 32,
           "n_heads": 2, "n_layers": 1, "vocab_size": 99}  # fmt: skip
    assert listing_from_config(mpt).metadata["class"] == "MptForCausalLM"


@pytest.mark.parametrize(
    "config",
    [
        {},
        {"architectures": ["os"]},
        {"architectures": ["PreTrainedModel"]},
        {"architectures": ["__class__"], "model_type": "bert' or 1"},
        {"architectures": [{"a": 1}], "model_type": 7},
        {"architectures": ["ChatGLMModel"], "model_type": "chatglm", "auto_map": {"AutoModel": "modeling.X"}},
        {"model_type": "bert", "hidden_size": "x"},
        {"model_type": "bert", "hidden_size": -1},
        {"model_type": "bert", "num_hidden_layers": 10**12},
        {"model_type": "bert", "num_labels": 10**9},
        {"model_type": "mixtral", "num_local_experts": 10**8},
        {"model_type": "bert", "id2label": [1, 2]},
        {"model_type": "llava", "text_config": {"model_type": "nope"}},
        {"model_type": "bert", "hidden_size": 1 << 40},
    ],
    ids=str,
)
def test_bad_configurations_are_one_line_errors(config: dict[str, object]) -> None:
    with pytest.raises(LiveModelError) as caught:
        listing_from_config(config, limits=LiveLimits(seconds=10))
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 600


def test_a_deeply_nested_configuration_is_refused() -> None:
    nested: dict[str, object] = {"model_type": "bert"}
    for _ in range(40):
        nested = {"model_type": "llava", "text_config": nested}
    with pytest.raises(LiveModelError, match="nested"):
        listing_from_config(nested)


def test_near_misses_of_the_limits_are_built() -> None:
    check_config(
        {"num_hidden_layers": 400, "rope_theta": 1e12, "num_labels": 21841, "bos_token_id": 1 << 40}, LiveLimits()
    )
    with pytest.raises(LiveModelError, match="num_hidden_layers"):
        check_config({"text_config": {"num_hidden_layers": 1025}}, LiveLimits())


def test_budget_of_modules_and_time_holds_in_any_thread() -> None:
    big = {"model_type": "bert", **TINY, "num_hidden_layers": 900}
    with pytest.raises(LiveModelError, match="more than 2000 modules"):
        listing_from_config(big, limits=LiveLimits(modules=2_000))
    caught: list[BaseException] = []

    def build() -> None:
        try:
            listing_from_config(big, limits=LiveLimits(seconds=0.01))
        except LiveModelError as error:
            caught.append(error)

    thread = threading.Thread(target=build)
    started = time.monotonic()
    thread.start()
    thread.join(30)
    assert caught
    assert time.monotonic() - started < 20


def test_nothing_stays_patched() -> None:
    before = torch.nn.init.kaiming_uniform_
    listing_from_config({"model_type": "bert", **TINY})
    with pytest.raises(LiveModelError):
        listing_from_config({"model_type": "bert", "hidden_size": "x"})
    assert torch.nn.init.kaiming_uniform_ is before
    assert torch.nn.Linear(2, 2).weight.abs().sum() > 0


def test_the_packages_own_code_is_never_imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "evil.py").write_text("raise SystemExit('ran')")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(LiveModelError):
        listing_from_config({"model_type": "evil", "architectures": ["Evil"], "auto_map": {"AutoModel": "evil.Evil"}})


def test_the_hub_is_never_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("asked the network")

    monkeypatch.setattr("socket.getaddrinfo", refuse)
    config = {
        "model_type": "maskformer",
        "backbone_config": {"model_type": "swin", "depths": [1, 1, 1, 1], "embed_dim": 16, "num_heads": [1, 1, 1, 1]},
        "decoder_config": {"model_type": "detr", "backbone": "owner/some-repository", "decoder_layers": 1},
    }
    assert listing_from_config(config).tensors


@pytest.mark.shared
@pytest.mark.slow
def test_reconstructed_packages_are_built_as_recorded(shared_data: Path) -> None:
    folder = shared_data / "maskformer"
    rows = {
        row["repo_id"]: row["config"]
        for row in map(json.loads, (folder / "hf_configs.jsonl").read_text(encoding="utf-8").splitlines())
    }
    compared = 0
    for path in sorted((folder / "hf_tensors_v5").glob("*.json.gz")):
        record = json.loads(gzip.decompress(path.read_bytes()))
        spelling = "memory" if ".inmemory." in path.name else "published"
        listing = listing_from_config(rows[record["repo_id"]], spelling=spelling)
        rows_of = record["tensors"].items() if isinstance(record["tensors"], dict) else record["tensors"]
        recorded = {name: tuple(shape) for name, shape, *_ in rows_of}
        assert {tensor.name: tensor.shape for tensor in listing.tensors}.items() <= recorded.items(), path.name
        compared += 1
    assert compared
