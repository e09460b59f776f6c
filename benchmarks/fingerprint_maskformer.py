"""The MaskFormer family of the development data, in three frameworks: every part of every listing.

What is true is written in the data: configurations of the packages, settings of the original code, the experiment of
the TensorFlow replication. A listing is right when all of its `ATTRIBUTES` are. The per-pixel baselines of the papers
are no members and must not be called so. Listings of one model in several frameworks must be taken into the same parts.
"""

from __future__ import annotations

import gzip
import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.fingerprint_figures import Report, Share
from clustering.identity import Part
from clustering.parts.decompose import decompose
from clustering.readers.select import read_weights
from clustering.tensors import Tensor, TensorListing
from corpora.sources.registry import open_package

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


def _document(path: Path) -> tuple[dict[str, Any], TensorListing]:
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
        document, listing = _document(path)
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
        document, listing = _document(path)
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
        document, listing = _document(path)
        model = document["config"]["model"]
        sizes = model["num_decoder_layers"], model["num_queries"], model["num_classes"]
        truth = ("maskformer", "resnet", "50", model["which_pixel_decoder"], *sizes)
        yield Case(path.name, "TensorFlow Model Garden", listing, truth)
        index = path.with_suffix(".ckpt.index")
        stored = read_weights(open_package(str(index), offline=True).files).listing
        if stored is not None:
            yield Case(index.name, "TensorFlow Model Garden", stored, truth)


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


def maskformers(report: Report, data: Path) -> None:
    """Fills in the listings of every framework."""
    section = "The MaskFormer family"
    cases = [case for source in (_hugging_face, _detectron, _garden) for case in source(data)]
    answers = [(case, *measured(case.listing)) for case in cases]
    for framework in dict.fromkeys(case.framework for case in cases):
        share = Share(f"{framework}: all {len(ATTRIBUTES)} attributes", "100 %", grouped=False)
        for case, found, _ in answers:
            if case.framework == framework and case.truth is not None:
                share.add(case.name, hit=found == case.truth, reason=f"is {case.truth}, answered {found}")
        report.add(section, share)
    for place, attribute in enumerate(ATTRIBUTES):
        share = Share(attribute, "100 %", grouped=False)
        for case, found, _ in answers:
            if case.truth is not None:
                share.add(case.name, hit=found is not None and found[place] == case.truth[place])
        report.add(section, share)
    negatives = Share("per-pixel baselines: no members", "100 %", grouped=False)
    for case, found, _ in answers:
        if case.truth is None:
            negatives.add(case.name, hit=found is None, reason=f"answered {found}")
    report.add(section, negatives, _agreement(answers))


def _agreement(answers: Sequence[tuple[Case, Truth | None, tuple[Part, ...]]]) -> Share:
    """Whether the listings of one model in several frameworks have the same parts."""
    share = Share("one model in several frameworks: the same parts", "100 %", grouped=False)
    models: dict[Truth, list[tuple[Case, tuple[Part, ...]]]] = defaultdict(list)
    for case, _, parts in answers:
        if case.truth is not None:
            models[case.truth].append((case, parts))
    for truth, listings in models.items():
        if len({case.framework for case, _ in listings}) < 2:
            continue
        first, *others = (sorted(parts, key=lambda part: part.role) for _, parts in listings)
        same = all(other == first for other in others)
        share.add(" ".join(map(str, truth)), hit=same, reason=f"{len(listings)} listings differ")
    return share
