"""How well `dara compare` pairs tensors: precision and recall against pairings that are known.

    python -m benchmarks.compare

Two kinds of truth. The hand-made correspondence of a MaskFormer in TensorFlow Model Garden with its original
(`maskformer/tfmg_vs_detectron2_correspondence.json` of the development data), and published conversions replayed: a
transformers class on the meta device, and the same tensors under the names and layouts that another library gives them.
Conversions of the MaskFormer family by transformers have no written truth; for them it is measured whether everything
finds a counterpart.
"""

from __future__ import annotations

import gzip
import json
import re
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # runs as a file as well as with -m

from clustering.alignment.align import Alignment, align
from clustering.tensors import Tensor, TensorListing

DATA = Path(__file__).resolve().parents[2] / "shared" / "data" / "maskformer"
_SUFFIX = "/.ATTRIBUTES/VARIABLE_VALUE"

Shape = tuple[int, ...]
Truth = set[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Spelling:
    """Another library's names of a class: rules tried in order, the first that matches wins."""

    config: dict[str, object]
    rules: tuple[tuple[str, str], ...]
    fused: tuple[tuple[tuple[str, ...], str], ...] = ()
    """Names (as patterns with one group) that are stacked into one."""
    turn: Callable[[str, Shape], Shape] = lambda _, shape: shape
    form: str = "pytorch"


def _qkv(prefix: str, parts: Sequence[str], target: str) -> tuple[tuple[str, ...], str]:
    return tuple(prefix + part for part in parts), target


def _flax(name: str, shape: Shape) -> Shape:
    return shape[::-1] if name.endswith("kernel") else shape


SPELLINGS: dict[str, Spelling] = {
    "vit: timm": Spelling(
        {"model_type": "vit", "architectures": ["ViTForImageClassification"], "num_hidden_layers": 4},
        (
            (r"vit\.embeddings\.cls_token", "cls_token"),
            (r"vit\.embeddings\.position_embeddings", "pos_embed"),
            (r"vit\.embeddings\.patch_embeddings\.projection\.(.*)", r"patch_embed.proj.\1"),
            (r"vit\.layers\.(\d+)\.attention\.o_proj\.(.*)", r"blocks.\1.attn.proj.\2"),
            (r"vit\.layers\.(\d+)\.(mlp\.fc[12]\..*)", r"blocks.\1.\2"),
            (r"vit\.layers\.(\d+)\.layernorm_before\.(.*)", r"blocks.\1.norm1.\2"),
            (r"vit\.layers\.(\d+)\.layernorm_after\.(.*)", r"blocks.\1.norm2.\2"),
            (r"vit\.layernorm\.(.*)", r"norm.\1"),
            (r"classifier\.(.*)", r"head.\1"),
        ),
        (
            _qkv(
                r"vit\.layers\.(\d+)\.attention\.",
                ("q_proj.weight", "k_proj.weight", "v_proj.weight"),
                r"blocks.\1.attn.qkv.weight",
            ),
            _qkv(
                r"vit\.layers\.(\d+)\.attention\.",
                ("q_proj.bias", "k_proj.bias", "v_proj.bias"),
                r"blocks.\1.attn.qkv.bias",
            ),
        ),
    ),
    "llama: GGUF": Spelling(
        {
            "model_type": "llama",
            "architectures": ["LlamaForCausalLM"],
            "num_hidden_layers": 4,
            "num_key_value_heads": 8,
        },
        (
            (r"model\.embed_tokens\.(.*)", r"token_embd.\1"),
            (r"model\.layers\.(\d+)\.self_attn\.([qkv])_proj\.(.*)", r"blk.\1.attn_\2.\3"),
            (r"model\.layers\.(\d+)\.self_attn\.o_proj\.(.*)", r"blk.\1.attn_output.\2"),
            (r"model\.layers\.(\d+)\.mlp\.(gate|up|down)_proj\.(.*)", r"blk.\1.ffn_\2.\3"),
            (r"model\.layers\.(\d+)\.input_layernorm\.(.*)", r"blk.\1.attn_norm.\2"),
            (r"model\.layers\.(\d+)\.post_attention_layernorm\.(.*)", r"blk.\1.ffn_norm.\2"),
            (r"model\.norm\.(.*)", r"output_norm.\1"),
            (r"lm_head\.(.*)", r"output.\1"),
        ),
    ),
    "llama: original": Spelling(
        {"model_type": "llama", "architectures": ["LlamaForCausalLM"], "num_hidden_layers": 4},
        (
            (r"model\.embed_tokens\.(.*)", r"tok_embeddings.\1"),
            (r"model\.layers\.(\d+)\.self_attn\.([qkvo])_proj\.(.*)", r"layers.\1.attention.w\2.\3"),
            (r"model\.layers\.(\d+)\.mlp\.gate_proj\.(.*)", r"layers.\1.feed_forward.w1.\2"),
            (r"model\.layers\.(\d+)\.mlp\.down_proj\.(.*)", r"layers.\1.feed_forward.w2.\2"),
            (r"model\.layers\.(\d+)\.mlp\.up_proj\.(.*)", r"layers.\1.feed_forward.w3.\2"),
            (r"model\.layers\.(\d+)\.input_layernorm\.(.*)", r"layers.\1.attention_norm.\2"),
            (r"model\.layers\.(\d+)\.post_attention_layernorm\.(.*)", r"layers.\1.ffn_norm.\2"),
            (r"model\.norm\.(.*)", r"norm.\1"),
            (r"lm_head\.(.*)", r"output.\1"),
        ),
    ),
    "llama: fused (Phi-3 layout)": Spelling(
        {
            "model_type": "llama",
            "architectures": ["LlamaForCausalLM"],
            "num_hidden_layers": 4,
            "num_key_value_heads": 8,
        },
        (
            (r"model\.layers\.(\d+)\.self_attn\.o_proj\.(.*)", r"h.\1.attn.out.\2"),
            (r"model\.layers\.(\d+)\.mlp\.down_proj\.(.*)", r"h.\1.mlp.down.\2"),
            (r"model\.layers\.(\d+)\.input_layernorm\.(.*)", r"h.\1.ln_1.\2"),
            (r"model\.layers\.(\d+)\.post_attention_layernorm\.(.*)", r"h.\1.ln_2.\2"),
            (r"model\.embed_tokens\.(.*)", r"wte.\1"),
            (r"model\.norm\.(.*)", r"ln_f.\1"),
            (r"lm_head\.(.*)", r"head.\1"),
        ),
        (
            _qkv(
                r"model\.layers\.(\d+)\.self_attn\.",
                ("q_proj.weight", "k_proj.weight", "v_proj.weight"),
                r"h.\1.attn.qkv.weight",
            ),
            _qkv(r"model\.layers\.(\d+)\.mlp\.", ("gate_proj.weight", "up_proj.weight"), r"h.\1.mlp.gate_up.weight"),
        ),
    ),
    "whisper: OpenAI": Spelling(
        {
            "model_type": "whisper",
            "architectures": ["WhisperForConditionalGeneration"],
            "encoder_layers": 3,
            "decoder_layers": 3,
        },
        (
            (r"(?:model\.)?(encoder|decoder)\.layers\.(\d+)\.self_attn\.q_proj\.(.*)", r"\1.blocks.\2.attn.query.\3"),
            (r"(?:model\.)?(encoder|decoder)\.layers\.(\d+)\.self_attn\.k_proj\.(.*)", r"\1.blocks.\2.attn.key.\3"),
            (r"(?:model\.)?(encoder|decoder)\.layers\.(\d+)\.self_attn\.v_proj\.(.*)", r"\1.blocks.\2.attn.value.\3"),
            (r"(?:model\.)?(encoder|decoder)\.layers\.(\d+)\.self_attn\.out_proj\.(.*)", r"\1.blocks.\2.attn.out.\3"),
            (
                r"(?:model\.)?decoder\.layers\.(\d+)\.encoder_attn\.q_proj\.(.*)",
                r"decoder.blocks.\1.cross_attn.query.\2",
            ),
            (r"(?:model\.)?decoder\.layers\.(\d+)\.encoder_attn\.k_proj\.(.*)", r"decoder.blocks.\1.cross_attn.key.\2"),
            (
                r"(?:model\.)?decoder\.layers\.(\d+)\.encoder_attn\.v_proj\.(.*)",
                r"decoder.blocks.\1.cross_attn.value.\2",
            ),
            (
                r"(?:model\.)?decoder\.layers\.(\d+)\.encoder_attn\.out_proj\.(.*)",
                r"decoder.blocks.\1.cross_attn.out.\2",
            ),
            (r"(?:model\.)?(encoder|decoder)\.layers\.(\d+)\.self_attn_layer_norm\.(.*)", r"\1.blocks.\2.attn_ln.\3"),
            (
                r"(?:model\.)?decoder\.layers\.(\d+)\.encoder_attn_layer_norm\.(.*)",
                r"decoder.blocks.\1.cross_attn_ln.\2",
            ),
            (r"(?:model\.)?(encoder|decoder)\.layers\.(\d+)\.fc1\.(.*)", r"\1.blocks.\2.mlp.0.\3"),
            (r"(?:model\.)?(encoder|decoder)\.layers\.(\d+)\.fc2\.(.*)", r"\1.blocks.\2.mlp.2.\3"),
            (r"(?:model\.)?(encoder|decoder)\.layers\.(\d+)\.final_layer_norm\.(.*)", r"\1.blocks.\2.mlp_ln.\3"),
            (r"(?:model\.)?encoder\.layer_norm\.(.*)", r"encoder.ln_post.\1"),
            (r"(?:model\.)?decoder\.layer_norm\.(.*)", r"decoder.ln.\1"),
            (r"(?:model\.)?encoder\.embed_positions\.weight", "encoder.positional_embedding"),
            (r"(?:model\.)?decoder\.embed_positions\.weight", "decoder.positional_embedding"),
            (r"(?:model\.)?decoder\.embed_tokens\.weight", "decoder.token_embedding.weight"),
            (r"(?:model\.)?encoder\.(conv[12]\..*)", r"encoder.\1"),
        ),
    ),
    "bert: Flax": Spelling(
        {"model_type": "bert", "architectures": ["BertForSequenceClassification"], "num_hidden_layers": 4},
        (
            (r"(.*embeddings)\.weight", r"\1.embedding"),
            (r"(.*LayerNorm)\.weight", r"\1.scale"),
            (r"(.*)\.weight", r"\1.kernel"),
            (r"(.*)", r"\1"),
        ),
        turn=_flax,
        form="flax",
    ),
    "gpt2: linear layers": Spelling(
        {"model_type": "gpt2", "architectures": ["GPT2LMHeadModel"], "n_layer": 4},
        (
            (r"transformer\.wte\.(.*)", r"embed.tokens.\1"),
            (r"transformer\.wpe\.(.*)", r"embed.positions.\1"),
            (r"transformer\.h\.(\d+)\.ln_1\.(.*)", r"layers.\1.norm1.\2"),
            (r"transformer\.h\.(\d+)\.ln_2\.(.*)", r"layers.\1.norm2.\2"),
            (r"transformer\.h\.(\d+)\.attn\.c_attn\.(.*)", r"layers.\1.attention.qkv.\2"),
            (r"transformer\.h\.(\d+)\.attn\.c_proj\.(.*)", r"layers.\1.attention.dense.\2"),
            (r"transformer\.h\.(\d+)\.mlp\.c_fc\.(.*)", r"layers.\1.ffn.linear1.\2"),
            (r"transformer\.h\.(\d+)\.mlp\.c_proj\.(.*)", r"layers.\1.ffn.linear2.\2"),
            (r"transformer\.ln_f\.(.*)", r"norm.\1"),
        ),
        turn=lambda name, shape: shape[::-1] if len(shape) == 2 and name.startswith("layers") else shape,
    ),
}


def respelled(listing: TensorListing, spelling: Spelling) -> tuple[TensorListing, Truth]:
    """The listing in another library's spelling, and which tensor is which; tensors without a rule are left out."""
    truth: Truth = set()
    shapes: dict[str, Shape] = {}
    for tensor in listing.tensors:
        target = _fused_name(tensor.name, spelling)
        if target is not None:
            known = shapes.get(target)
            shapes[target] = tensor.shape if known is None else (known[0] + tensor.shape[0], *known[1:])
            truth.add((tensor.name, target))
            continue
        for pattern, replacement in spelling.rules:
            if re.fullmatch(pattern, tensor.name):
                name = re.sub(pattern, replacement, tensor.name)
                shapes[name] = spelling.turn(name, tensor.shape)
                truth.add((tensor.name, name))
                break
    tensors = tuple(Tensor(name, shape, "F32") for name, shape in sorted(shapes.items()))
    return TensorListing(tensors, spelling.form), truth


def _fused_name(name: str, spelling: Spelling) -> str | None:
    for patterns, target in spelling.fused:
        for pattern in patterns:
            found = re.fullmatch(pattern, name)
            if found:
                return found.expand(target)
    return None


def score(found: Alignment, truth: Truth) -> tuple[float, float]:
    """Precision and recall of the pairs."""
    pairs = {(pair.left.removesuffix(_SUFFIX), pair.right.removesuffix(_SUFFIX)) for pair in found.pairs}
    hits = len(pairs & truth)
    return hits / max(1, len(pairs)), hits / max(1, len(truth))


def read(path: Path) -> TensorListing:
    """A listing of the development data."""
    document = json.loads(gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes())
    rows = document.get("tensors") or document["checkpoint_variables"]
    form = "tensorflow" if path.name.startswith("tfmg") else "pytorch"
    return TensorListing(tuple(Tensor(row[0], tuple(row[1]), "F32") for row in rows), form)


def replayed() -> None:
    """Published conversions."""
    from clustering.live.listing import listing_from_config

    for title, spelling in SPELLINGS.items():
        listing = listing_from_config(spelling.config)
        other, truth = respelled(listing, spelling)
        started = time.perf_counter()
        found = align(listing, other)
        seconds = time.perf_counter() - started
        precision, recall = score(found, truth)
        print(f"{title:<30} {len(truth):>5} pairs  precision {precision:.3f}  recall {recall:.3f}  {seconds:.2f} s")
        pairs = {(pair.left, pair.right) for pair in found.pairs}
        for left, right in sorted(truth - pairs)[:3]:
            print(f"    missed {left} -> {right}")
        for left, right in sorted(pairs - truth)[:3]:
            print(f"    wrong  {left} -> {right}")


def maskformers() -> None:
    """The family in three frameworks."""
    gold = json.loads((DATA / "tfmg_vs_detectron2_correspondence.json").read_text("utf-8"))
    truth = {(left, right) for left, right, _ in gold["pairs"] if right}
    found = align(read(DATA / gold["tfmg"]), read(DATA / gold["original"]))
    precision, recall = score(found, truth)
    print(f"{'TFMG against detectron2':<30} {len(truth):>5} pairs  precision {precision:.3f}  recall {recall:.3f}")
    for path in sorted((DATA / "hf_tensors").glob("*.json.gz")):
        original = _original(path.name)
        if original is None:
            continue
        found = align(read(path), read(original))
        lone = [sum(item.kind == "parameter" for item in side) for side in (found.left_only, found.right_only)]
        print(f"  {path.name.removesuffix('.json.gz'):<52} same {found.same!s:<5} alone {lone[0]} | {lone[1]}")


def _original(name: str) -> Path | None:
    """The original of a package converted by transformers, where the development data holds it."""
    found = re.match(r"\w+?__(mask2?former)-(swin-\w+?|resnet\d+)(?:-IN21k)?-(ade|coco|cityscapes)(?:-(\w+))?\.", name)
    if found is None:
        return None
    family, backbone, data, task = found.groups()
    backbone = backbone.replace("resnet", "r").replace("-", "_")
    data = {
        "ade": "ade150",
        "coco": "coco133" if task in {None, "panoptic"} else "coco80",
        "cityscapes": "cityscapes19",
    }[data]
    task = "panoptic" if family == "maskformer" and data == "coco133" else task
    path = DATA / "detectron2" / ("_".join(filter(None, ("d2", family, backbone, data, task))) + ".json")
    return path if path.exists() else None


def main() -> int:
    """Prints the table."""
    replayed()
    if DATA.is_dir():
        maskformers()
    else:
        print("the development data is not beside this checkout", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
