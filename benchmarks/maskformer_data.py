"""The MaskFormer listings of the development data with what is true of them, and what the parts of a listing say.

What is true is written in the data: configurations of the packages, settings of the original code, the experiment of
the TensorFlow replication. The per-pixel baselines of the papers are no members of the family.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clustering.identity import Part
from clustering.parts.decompose import decompose
from clustering.readers.select import read_weights
from clustering.tensors import Tensor, TensorListing
from corpora.sources.registry import open_package

DATA = Path(__file__).resolve().parents[2] / "shared" / "data" / "maskformer"
"""Where the development data are, beside the checkout."""
ATTRIBUTES = ("family", "backbone", "variant", "pixel decoder", "decoder layers", "queries", "classes")
Truth = tuple[Any, ...]
"""The attributes, in that order."""
_SWIN = {(96, 6): "tiny", (96, 18): "small", (128, 18): "base", (192, 18): "large"}
"""Published Swin sizes by width and by the depth of the third stage (arXiv 2103.14030, table 7)."""
_RESNET = {6: "50", 23: "101"}
"""Published ResNets by the depth of their third stage (arXiv 1512.03385, table 1)."""
_PIXEL_DECODERS = {
    "BasePixelDecoder": "fpn",
    "TransformerEncoderPixelDecoder": "transformer_fpn",
    "MSDeformAttnPixelDecoder": "multi_scale_deformable",
}
_DTYPES = {"float32": "F32", "float16": "F16", "float64": "F64", "int64": "I64"}


@dataclass(frozen=True, slots=True)
class Case:
    """One listing with what is true of it; no truth for a model that is no member of the family."""

    name: str
    framework: str
    listing: TensorListing
    truth: Truth | None


def read_listing(path: Path) -> tuple[dict[str, Any], TensorListing]:
    """A file of listings: everything in it, and its tensors."""
    raw = path.read_bytes()
    data: dict[str, Any] = json.loads(gzip.decompress(raw) if path.suffix == ".gz" else raw)
    rows = data.get("tensors") or data["checkpoint_variables"]
    tensors = (Tensor(row[0], tuple(row[1]), _DTYPES.get(row[2], row[2]) if row[2:] else "F32") for row in rows)
    return data, TensorListing(tuple(tensors), "safetensors")


def _hugging_face(data: Path) -> Iterator[Case]:
    configs: dict[str, dict[str, Any]] = {}
    for name in ("hf_configs.jsonl", "hf_configs_unconfirmed.jsonl"):
        for line in (data / name).read_text("utf-8").splitlines():
            row = json.loads(line)
            configs[row["repo_id"]] = row["config"]
    for path in sorted(data.glob("hf_tensors*/*.json.gz")):
        document, listing = read_listing(path)
        config = configs[document["repo_id"]]
        yield Case(f"{path.parent.name}/{path.name}", "Hugging Face", listing, _of_config(config))


def _of_config(config: dict[str, Any]) -> Truth:
    family, backbone = config["model_type"], config["backbone_config"]
    depth = backbone["depths"][2]
    variant = _SWIN[backbone["embed_dim"], depth] if backbone["model_type"] == "swin" else _RESNET[depth]
    decoder = config["decoder_config"] if family == "maskformer" else config
    # the later two count the prediction before the first layer as one layer more
    layers = decoder["decoder_layers"] - (family != "maskformer")
    pixels = "fpn" if family == "maskformer" else "multi_scale_deformable"
    return family, backbone["model_type"], variant, pixels, layers, decoder["num_queries"], len(config["id2label"])


def _detectron(data: Path) -> Iterator[Case]:
    for path in sorted((data / "detectron2").glob("*.json")):
        document, listing = read_listing(path)
        truth = None if "perpixel" in document["model"] else _of_settings(document["model"], document["config"])
        yield Case(f"detectron2/{path.name}", "detectron2", listing, truth)


def _of_settings(name: str, config: dict[str, Any]) -> Truth:
    if "resnet" in config:
        backbone, variant = "resnet", str(config["resnet"]["depth"]) + ("c" if "r101c" in name else "")
    elif "convnext" in name:
        backbone, variant = "convnext", "large"
    else:
        backbone, variant = "swin", next(size for size in ("tiny", "small", "base", "large") if size in name)
    family = name.partition("_")[0]
    layers = 6 if family == "maskformer" else 9  # DEC_LAYERS of the original settings
    pixels = _PIXEL_DECODERS[config["pixel_decoder"]]
    return family, backbone, variant, pixels, layers, config["num_queries"], config["num_classes"]


def _garden(data: Path) -> Iterator[Case]:
    for path in sorted(data.glob("tfmg_maskformer*.json")):
        document, listing = read_listing(path)
        model = document["config"]["model"]
        sizes = model["num_decoder_layers"], model["num_queries"], model["num_classes"]
        truth = ("maskformer", "resnet", "50", model["which_pixel_decoder"], *sizes)
        yield Case(path.name, "TensorFlow Model Garden", listing, truth)
        index = path.with_suffix(".ckpt.index")
        stored = read_weights(open_package(str(index), offline=True).files).listing
        if stored is not None:
            yield Case(index.name, "TensorFlow Model Garden", stored, truth)


FRAMEWORKS: dict[str, Callable[[Path], Iterator[Case]]] = {
    "Hugging Face": _hugging_face,
    "detectron2": _detectron,
    "TensorFlow Model Garden": _garden,
}
"""What reads the listings of a framework."""


def measured(listing: TensorListing) -> tuple[Truth | None, tuple[Part, ...]]:
    """What the parts say, in the order of `ATTRIBUTES`, and the parts; no answer where there is no member."""
    parts = decompose(listing)
    roles = {part.role: part for part in parts}
    model = roles.get("model")
    if model is None:
        return None, parts
    nothing = Part("", "")
    backbone, decoder = roles.get("backbone", nothing), roles.get("transformer_decoder", nothing)
    found = (
        model.family,
        backbone.family,
        backbone.variant,
        roles.get("pixel_decoder", nothing).family,
        decoder.detail.get("layers"),
        decoder.detail.get("queries"),
        roles.get("head", nothing).detail.get("classes"),
    )
    return found, parts
