"""Builds `clustering/data/gguf_names.json`: `python -m clustering.readers.gguf_names_build [OUT]`.

GGUF files keep their tensors under llama.cpp's names. The gguf library knows how llama.cpp's converter renames the
tensors of every architecture; run over the classes of the installed transformers, it gives the way back. Needs the
extras `graph` and `gguf`; two runs with the same versions write the same bytes.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from clustering.live.listing import LiveModelError, listing_from_module, module_from_config
from clustering.readers.gguf_names import NAMES, generic
from clustering.tensors import TensorListing

ARCHITECTURES: Mapping[str, tuple[str, ...]] = {
    "LLAMA": ("llama", "mistral", "mixtral"), "LLAMA4": ("llama4_text",), "FALCON": ("falcon",),
    "FALCON_H1": ("falcon_h1",), "GPT2": ("gpt2",), "GPTJ": ("gptj",), "GPTNEOX": ("gpt_neox",), "MPT": ("mpt",),
    "STARCODER": ("gpt_bigcode",), "STARCODER2": ("starcoder2",), "BERT": ("bert",), "MODERN_BERT": ("modernbert",),
    "NOMIC_BERT": ("nomic_bert",), "EUROBERT": ("eurobert",), "BLOOM": ("bloom",), "STABLELM": ("stablelm",),
    "QWEN2": ("qwen2",), "QWEN2MOE": ("qwen2_moe",), "QWEN3": ("qwen3",), "QWEN3MOE": ("qwen3_moe",),
    "QWEN3NEXT": ("qwen3_next",), "QWEN35": ("qwen3_5_text",), "QWEN35MOE": ("qwen3_5_moe_text",), "PHI2": ("phi",),
    "PHI3": ("phi3",), "PHIMOE": ("phimoe",), "GEMMA": ("gemma",), "GEMMA2": ("gemma2",), "GEMMA3": ("gemma3_text",),
    "GEMMA3N": ("gemma3n_text",), "GEMMA_EMBEDDING": ("gemma3_text",), "MAMBA": ("mamba",), "MAMBA2": ("mamba2",),
    "JAMBA": ("jamba",), "COMMAND_R": ("cohere",), "COHERE2": ("cohere2",), "OLMO": ("olmo",), "OLMO2": ("olmo2",),
    "OLMOE": ("olmoe",), "DEEPSEEK2": ("deepseek_v2", "deepseek_v3"), "GLM4": ("glm4",), "GLM4_MOE": ("glm4_moe",),
    "CHATGLM": ("glm",), "T5": ("t5",), "T5ENCODER": ("t5",), "NEMOTRON": ("nemotron",), "EXAONE4": ("exaone4",),
    "GRANITE": ("granite",), "ARCEE": ("arcee",), "ERNIE4_5": ("ernie4_5",), "ERNIE4_5_MOE": ("ernie4_5_moe",),
    "HUNYUAN_MOE": ("hunyuan_v1_moe",), "HUNYUAN_DENSE": ("hunyuan_v1_dense",), "SMOLLM3": ("smollm3",),
    "GPT_OSS": ("gpt_oss",), "LFM2": ("lfm2",), "LFM2MOE": ("lfm2_moe",), "SEED_OSS": ("seed_oss",),
    "APERTUS": ("apertus",), "DOTS1": ("dots1",), "MINIMAXM2": ("minimax_m2",), "AFMOE": ("afmoe",),
    "JAIS2": ("jais2",), "QWEN2VL": ("qwen2_vl_text", "qwen2_5_vl_text"), "QWEN3VL": ("qwen3_vl_text",),
    "QWEN3VLMOE": ("qwen3_vl_moe_text",), "GEMMA4": ("gemma4_text",), "DBRX": ("dbrx",), "NEMOTRON_H": ("nemotron_h",),
    "NEMOTRON_H_MOE": ("nemotron_h",), "EXAONE_MOE": ("exaone_moe",), "GRANITE_MOE": ("granitemoe",),
    "GRANITE_HYBRID": ("granitemoehybrid",), "CHAMELEON": ("chameleon",), "HUNYUAN_VL": ("hunyuan_vl_text",),
    "MISTRAL3": ("ministral3",), "MISTRAL4": ("mistral4",), "MIMO2": ("mimo_v2_flash",), "GLM_DSA": ("glm_moe_dsa",),
    "MINICPM3": ("minicpm3",), "KIMI_LINEAR": ("kimi_linear",),
}  # fmt: skip
"""gguf's architecture -> the model types of transformers that its converter takes, the namesake first."""
_CLASSES = {"BERT": "BertModel", "T5ENCODER": "T5EncoderModel", "T5": "T5ForConditionalGeneration"}
_MISSING_DEFAULTS: Mapping[str, Mapping[str, Any]] = {
    "nemotron": {"num_key_value_heads": 32, "head_dim": None},
    "hunyuan_v1_dense": {"head_dim": 128},
    "hunyuan_v1_moe": {"head_dim": 128},
    "hunyuan_vl_text": {"head_dim": 128},
    "chameleon": {"vocabulary_map": {"<image>": 8711}},
    "dbrx": {"attn_config": {"rope_theta": 500000.0, "kv_n_heads": 8, "clip_qkv": 8.0}},
    "dots1": {"n_routed_experts": 32, "n_shared_experts": 2, "num_experts_per_tok": 6, "first_k_dense_replace": 1},
    "lfm2_moe": {"num_hidden_layers": 24, "layer_types": ["conv", "conv", "full_attention", "conv"] * 6},
}
"""Configurations whose defaults do not build get what they lack."""


_FUSED = (
    (r".*?\.(\d+)\..*experts\.gate_up_proj", "blk.{}.ffn_gate_up_exps.weight"),
    (r".*?\.(\d+)\..*experts\.gate_up_proj_bias", "blk.{}.ffn_gate_up_exps.bias"),
    (r".*?\.(\d+)\..*experts\.down_proj_bias", "blk.{}.ffn_down_exps.bias"),
    (r".*?\.(\d+)\.block_sparse_moe\.input_linear\.weight", "blk.{}.ffn_gate_up_exps.weight"),
    (r".*?\.(\d+)\.shared_mlp\.input_linear\.weight", "blk.{}.ffn_gate_up_shexp.weight"),
)
"""Gates and inputs in one tensor, which llama.cpp keeps apart; `gguf_names.translated` joins them under these names."""
_RENAMED = (
    ("mlp.gate.moe_statics", "mlp.moe_statics"),
    ("e_score_correction_bias", "e_score_correction.bias"),
    (".dt_bias", ".dt_proj.bias"),
    ("block_sparse_moe.router.weight", "block_sparse_moe.router.layer.weight"),
    ("block_sparse_moe.experts.down_proj", "block_sparse_moe.output_linear"),
    (".forget_gate.", "."),
)
"""What the installed transformers calls otherwise than the releases that llama.cpp's table was written for."""
_WITHOUT_EXPERTS = {
    "blk.{}.ffn_gate_up_shexp.weight": "blk.{}.ffn_gate_up.weight",
    "blk.{}.ffn_down_shexp.weight": "blk.{}.ffn_down.weight",
}
"""A shared expert with gate and input in one, beside no experts, is written as a plain feed-forward (GraniteMoeModel of
convert_hf_to_gguf.py)."""


def build() -> dict[str, Any]:
    """Architecture -> {"names": GGUF name -> transformers name, and names whose layout differs}.

    `turned`: the last two axes are exchanged. `window`: a middle axis of one is squeezed. `flat`: a vector has further
    axes. `row`: a vector has a first axis of one in transformers.
    """
    import gguf
    from gguf.tensor_mapping import get_tensor_name_map

    found: dict[str, Any] = {}
    for member, types in ARCHITECTURES.items():
        architecture = getattr(gguf.MODEL_ARCH, member)
        mapping = get_tensor_name_map(architecture, 512)
        table: dict[str, Any] = {"names": {}, **{kind: set() for kind in ("turned", "window", "flat", "row")}}
        for model_type in types:
            try:
                _add(table, mapping, configuration(member, model_type))
            except LiveModelError as error:
                print(f"{member}: {error}", file=sys.stderr)
        if table["names"]:
            rows = {key: sorted(value) for key, value in table.items() if key != "names"}
            rows = {key: value for key, value in rows.items() if value}
            found[gguf.MODEL_ARCH_NAMES[architecture]] = {"names": dict(sorted(table["names"].items())), **rows}
    return dict(sorted(found.items()))


def configuration(member: str, model_type: str) -> dict[str, Any]:
    """The configuration of the class that stands for a model type of an architecture, in the library's default size.

    Raises:
        LiveModelError: there is no class.
    """
    name = _CLASSES.get(member) or _class_of(model_type)
    return {"model_type": model_type, "architectures": [name], **_MISSING_DEFAULTS.get(model_type, {})}


def _add(table: dict[str, Any], mapping: Any, config: Mapping[str, Any]) -> None:
    """Adds the names of one model type; what an earlier type said stays."""
    module = module_from_config(config)
    hidden = getattr(module.config, "hidden_size", 0)
    conv1d = {path for path, part in module.named_modules() if type(part).__name__ == "Conv1D"}
    for tensor in nameable_listing(module, mapping).tensors:
        target = target_name(mapping, tensor.name)
        if target is None:
            continue
        key, _ = generic(target)
        if key in table["names"]:
            continue
        table["names"][key] = re.sub(r"(?<=\.)\d+(?=\.)", "{}", tensor.name, count=1)
        experts = len(tensor.shape) == 3 and "exps" in key
        # Experts are [experts, outputs, inputs] in GGUF: the hidden size is last, for outputs it is in the middle.
        side, other = tensor.shape[1:][:: 1 if "down" in key else -1] if experts else (0, 0)
        if tensor.name.removesuffix(".weight") in conv1d or (experts and side != hidden and other == hidden):
            table["turned"].add(key)
        if len(tensor.shape) == 3 and tensor.shape[1] == 1 and not experts:
            table["window"].add(key)
        if len(tensor.shape) == 1 and ".ssm_" in key:
            table["flat"].add(key)
        if len(tensor.shape) == 2 and tensor.shape[0] == 1:
            table["row"].add(key)
    if _WITHOUT_EXPERTS.keys() <= table["names"].keys():
        for key, dense in _WITHOUT_EXPERTS.items():
            table["names"].setdefault(dense, table["names"][key])


def nameable_listing(module: Any, mapping: Any) -> TensorListing:
    """A module's tensors as in memory or as published, whichever llama.cpp's table has names for more of."""
    memory, published = (listing_from_module(module, spelling=spelling) for spelling in ("memory", "published"))

    def share(listing: TensorListing) -> float:
        named = sum(target_name(mapping, tensor.name) is not None for tensor in listing.tensors)
        return named / max(1, len(listing.tensors))

    return published if share(published) > share(memory) else memory


def target_name(mapping: Any, name: str) -> str | None:
    """llama.cpp's name of a tensor, after the renamings that its converter makes first; None where it has none."""
    for pattern, target in _FUSED:
        fused = re.fullmatch(pattern, name)
        if fused:
            return target.format(fused[1])
    for spelled in _spellings(name):
        target = mapping.get_name(spelled, try_suffixes=(".weight", ".bias"))
        if isinstance(target, str):
            # parameters without a suffix of their own get one
            return f"{target}.weight" if target.endswith(("_exps", "_sinks")) else target
    return None


def _spellings(name: str) -> Iterator[str]:
    yield name
    for ours, theirs in _RENAMED:
        name = name.replace(ours, theirs)
    yield name
    bare = re.sub(r"^(transformer|model|bert)\.", "", name)
    yield bare
    yield f"model.{name}"
    yield f"backbone.{bare}"


def _class_of(model_type: str) -> str:
    from transformers.models.auto import modeling_auto

    for table in ("MODEL_FOR_CAUSAL_LM_MAPPING_NAMES", "MODEL_MAPPING_NAMES"):
        name = getattr(modeling_auto, table).get(model_type)
        if name:
            return str(name[0] if isinstance(name, tuple) else name)
    raise LiveModelError(f"{model_type} has no class")


def main() -> None:
    """Writes the table."""
    out = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).resolve().parents[1] / "data" / f"{NAMES}.json"
    out.write_text(json.dumps(build(), indent=1, sort_keys=True) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
