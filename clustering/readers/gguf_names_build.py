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
    "JAIS2": ("jais2",),
}  # fmt: skip
"""gguf's architecture -> the model types of transformers that its converter takes, the namesake first."""
_CLASSES = {"BERT": "BertModel", "T5ENCODER": "T5EncoderModel", "T5": "T5ForConditionalGeneration"}
_MISSING_DEFAULTS: Mapping[str, Mapping[str, Any]] = {
    "nemotron": {"num_key_value_heads": 32, "head_dim": None},
    "hunyuan_v1_dense": {"head_dim": 128},
    "hunyuan_v1_moe": {"head_dim": 128},
}
"""Configurations whose defaults do not build get what they lack."""


def build() -> dict[str, Any]:
    """Architecture -> {"names": GGUF name -> transformers name, "turned": names with exchanged axes, "window": ...}."""
    import gguf
    from gguf.tensor_mapping import get_tensor_name_map

    found: dict[str, Any] = {}
    for member, types in ARCHITECTURES.items():
        architecture = getattr(gguf.MODEL_ARCH, member)
        mapping = get_tensor_name_map(architecture, 512)
        table: dict[str, Any] = {"names": {}, "turned": set(), "window": set()}
        for model_type in types:
            try:
                _add(table, mapping, model_type, _CLASSES.get(member))
            except LiveModelError as error:
                print(f"{member}: {error}", file=sys.stderr)
        if table["names"]:
            rows = {key: sorted(value) for key, value in table.items() if key != "names"}
            rows = {key: value for key, value in rows.items() if value}
            found[gguf.MODEL_ARCH_NAMES[architecture]] = {"names": dict(sorted(table["names"].items())), **rows}
    return dict(sorted(found.items()))


def _add(table: dict[str, Any], mapping: Any, model_type: str, class_name: str | None) -> None:
    """Adds the names of one model type; what an earlier type said stays."""
    name = class_name or _class_of(model_type)
    config = {"model_type": model_type, "architectures": [name], **_MISSING_DEFAULTS.get(model_type, {})}
    module = module_from_config(config)
    hidden = getattr(module.config, "hidden_size", 0)
    conv1d = {path for path, part in module.named_modules() if type(part).__name__ == "Conv1D"}
    for tensor in listing_from_module(module).tensors:
        target = _target(mapping, tensor.name)
        if target is None:
            continue
        key, _ = generic(target)
        if key.endswith(("_exps", "_sinks")):
            key += ".weight"  # parameters without a suffix of their own get one
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


def _target(mapping: Any, name: str) -> str | None:
    """llama.cpp's name of a tensor, after the small renamings that its converter makes first."""
    fused = re.fullmatch(r".*?\.(\d+)\..*experts\.gate_up_proj", name)
    if fused:
        return f"blk.{fused[1]}.ffn_gate_up_exps.weight"
    for spelled in _spellings(name):
        target = mapping.get_name(spelled, try_suffixes=(".weight", ".bias"))
        if isinstance(target, str):
            return target
    return None


def _spellings(name: str) -> Iterator[str]:
    yield name
    yield name.replace("e_score_correction_bias", "e_score_correction.bias")
    yield name.replace(".dt_bias", ".dt_proj.bias")
    yield re.sub(r"^(transformer|model|bert)\.", "", name)


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
