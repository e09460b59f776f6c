"""Writes `data/layouts.json`: real configurations and their tensor layouts, as the installed transformers builds them.

    python -m dara.examples.generate

Needs the `graph` extra; nothing is downloaded. The sizes are those of the published models.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from clustering.live.listing import listing_from_config

SWIN = {"model_type": "swin", "out_features": ["stage1", "stage2", "stage3", "stage4"], "image_size": 384}
SWIN_TINY = {**SWIN, "embed_dim": 96, "depths": [2, 2, 6, 2], "num_heads": [3, 6, 12, 24], "window_size": 7}
SWIN_BASE = {**SWIN, "embed_dim": 128, "depths": [2, 2, 18, 2], "num_heads": [4, 8, 16, 32], "window_size": 12}
DETR = {"model_type": "detr", "d_model": 256, "decoder_layers": 6, "encoder_layers": 0, "num_queries": 100}
ADE20K = {str(number): f"class {number}" for number in range(150)}
BERT = {
    "architectures": ["BertForMaskedLM"],
    "model_type": "bert",
    "hidden_size": 768,
    "num_hidden_layers": 12,
    "num_attention_heads": 12,
    "intermediate_size": 3072,
    "vocab_size": 30522,
    "max_position_embeddings": 512,
    "type_vocab_size": 2,
    "torch_dtype": "float32",
}
LLAMA_1B = {
    "architectures": ["LlamaForCausalLM"],
    "model_type": "llama",
    "hidden_size": 2048,
    "num_hidden_layers": 22,
    "num_attention_heads": 32,
    "num_key_value_heads": 4,
    "intermediate_size": 5632,
    "vocab_size": 32000,
    "max_position_embeddings": 2048,
    "tie_word_embeddings": False,
    "torch_dtype": "bfloat16",
}
LAYOUTS: dict[str, dict[str, Any]] = {
    "bert-base": BERT,
    "bert-base-sequence": {
        **BERT,
        "architectures": ["BertForSequenceClassification"],
        "id2label": {"0": "NEGATIVE", "1": "POSITIVE"},
    },
    "llama-1.1b": LLAMA_1B,
    "maskformer-swin-tiny": {
        "architectures": ["MaskFormerForInstanceSegmentation"],
        "model_type": "maskformer",
        "backbone_config": SWIN_TINY,
        "decoder_config": DETR,
        "id2label": ADE20K,
        "torch_dtype": "float32",
    },
    "mask2former-swin-base": {
        "architectures": ["Mask2FormerForUniversalSegmentation"],
        "model_type": "mask2former",
        "backbone_config": SWIN_BASE,
        "num_queries": 100,
        "decoder_layers": 10,
        "id2label": ADE20K,
        "torch_dtype": "float32",
    },
    "maskformer-swin-base": {
        "architectures": ["MaskFormerForInstanceSegmentation"],
        "model_type": "maskformer",
        "backbone_config": SWIN_BASE,
        "decoder_config": DETR,
        "id2label": ADE20K,
        "torch_dtype": "float32",
    },
}
"""Configurations by the published models' settings: bert-base-uncased, TinyLlama-1.1B, MaskFormer on ADE20K."""

_NUMBER = re.compile(r"(?<=\.)\d+(?=\.|$)")


def fold(tensors: dict[str, list[int]]) -> dict[str, list[int]]:
    """Names that differ in the last number only, with the same shape, as one pattern `a.{0-11}.b`.

    Only runs without a gap are folded, so that expanding gives the same names back.
    """
    groups: dict[tuple[str, str, tuple[int, ...]], list[int]] = {}
    plain: dict[str, list[int]] = {}
    for name, shape in tensors.items():
        last = next(reversed(list(_NUMBER.finditer(name))), None)
        if last is None:
            plain[name] = shape
        else:
            groups.setdefault((name[: last.start()], name[last.end() :], tuple(shape)), []).append(int(last.group()))
    folded = dict(plain)
    for (head, tail, dims), numbers in groups.items():
        for low, high in _runs(sorted(numbers)):
            key = f"{head}{{{low}-{high}}}{tail}" if high > low else f"{head}{low}{tail}"
            folded[key] = list(dims)
    return folded


def _runs(numbers: list[int]) -> list[tuple[int, int]]:
    runs: list[tuple[int, int]] = []
    for number in numbers:
        if runs and number == runs[-1][1] + 1:
            runs[-1] = (runs[-1][0], number)
        else:
            runs.append((number, number))
    return runs


def main() -> None:
    """Writes the file beside this module."""
    document: dict[str, dict[str, Any]] = {}
    for key, config in LAYOUTS.items():
        listing = listing_from_config(config)
        shared: set[str] = set()
        tensors: dict[str, list[int]] = {}
        for tensor in listing.tensors:
            if tensor.storage is not None and tensor.storage in shared:
                continue
            if tensor.storage is not None:
                shared.add(tensor.storage)
            tensors[tensor.name] = list(tensor.shape)
        dtype = "BF16" if config["torch_dtype"] == "bfloat16" else "F32"
        document[key] = {"config": config, "dtype": dtype, "tensors": fold(tensors)}
    lines = []
    for key, layout in document.items():
        head = f' {json.dumps(key)}: {{"config": {json.dumps(layout["config"])},\n  "dtype": "{layout["dtype"]}",\n'
        rows = ",\n".join(f"   {json.dumps(name)}: {json.dumps(shape)}" for name, shape in layout["tensors"].items())
        lines.append(f'{head}  "tensors": {{\n{rows}\n  }}}}')
    path = Path(__file__).parent / "data" / "layouts.json"
    path.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")


if __name__ == "__main__":
    main()
