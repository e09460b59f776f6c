"""Real classes in a small size, exported by `torch.onnx.export` and read back (see `benchmarks.exports`).

Parameters are filled with random numbers first: the exporter keeps one of several constants of equal values, and in a
model that nobody trained all biases are equal.
"""

from __future__ import annotations

import contextlib
import inspect
import io
import os
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from benchmarks.fingerprint_figures import Report, Share
from clustering.family.scorer import FamilyScorer
from clustering.graphs.fingerprint import fingerprint
from clustering.live.inputs import candidate_inputs
from clustering.live.listing import saved_listing
from clustering.live.modules import load_transformers, quiet
from clustering.readers.select import read_weights
from clustering.tensors import TensorListing
from corpora.sources.registry import open_package

CLASSES = (
    "BertModel", "BertForSequenceClassification", "RobertaForMaskedLM", "XLMRobertaForTokenClassification",
    "ElectraModel", "DistilBertForSequenceClassification", "AlbertModel", "MPNetModel", "DebertaV2Model",
    "GPT2LMHeadModel", "GPTNeoXForCausalLM", "OPTForCausalLM", "BloomForCausalLM", "LlamaForCausalLM",
    "MistralForCausalLM", "Qwen2ForCausalLM", "Qwen3ForCausalLM", "Gemma2ForCausalLM", "PhiForCausalLM",
    "T5EncoderModel", "BartModel", "MarianModel", "ViTForImageClassification", "DeiTModel",
    "BeitForImageClassification", "Dinov2Model", "SwinForImageClassification", "ResNetForImageClassification",
    "ConvNextModel", "Wav2Vec2ForCTC", "HubertModel", "CLIPModel", "SiglipModel",
)  # fmt: skip
"""Classes that are published as ONNX most: encoders for retrieval, language models for the browser, vision."""
_SIZES = {
    **dict.fromkeys(("hidden_size", "d_model", "n_embd", "dim", "word_embed_proj_dim", "embedding_size"), 64),
    **dict.fromkeys(("num_hidden_layers", "n_layer", "n_layers", "num_layers", "encoder_layers", "decoder_layers"), 3),
    **dict.fromkeys(("intermediate_size", "d_ff", "ffn_dim", "encoder_ffn_dim", "decoder_ffn_dim", "hidden_dim"), 160),
    **dict.fromkeys(("num_attention_heads", "n_head", "n_heads", "num_heads"), 4),
    **dict.fromkeys(("encoder_attention_heads", "decoder_attention_heads"), 4),
    "num_key_value_heads": 2,
    "head_dim": 16,
    "d_kv": 16,
    "vocab_size": 5_003,
    "pad_token_id": 1,
}
"""Configuration fields made small, where a class has them as one number."""


def module_of(class_name: str) -> Any:
    """A class with random weights in a small size."""
    import torch

    model_class = getattr(load_transformers(), class_name)
    usual = model_class.config_class()
    sizes = {name: size for name, size in _SIZES.items() if type(getattr(usual, name, None)) is int}
    with quiet():
        config = model_class.config_class(**sizes)
        config._attn_implementation = "eager"  # noqa: SLF001  # fused attention cannot be exported everywhere
        module = model_class(config).eval()
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.normal_()
        for name, buffer in module.named_buffers():
            if "running" in name:
                buffer.uniform_(0.5, 2.0)
    return module


def exported(module: Any) -> bytes:
    """The module as an ONNX file.

    Raises:
        RuntimeError: no made-up inputs fit, or the exporter refuses.
    """
    import torch

    forward = module.forward
    reason = "no inputs are known"
    for given in candidate_inputs(module):
        names = [name for name in given if name != "use_cache"]
        values = tuple(torch.zeros(given[name].shape, dtype=given[name].dtype) for name in names)

        module.forward = _flat(forward, names)
        # batch and length are left open, as published exports have them; else tables of positions are cut
        axes = {
            name: {0: "batch", **({1: "length"} if v.dim() == 2 else {})} for name, v in zip(names, values, strict=True)
        }
        written = io.BytesIO()
        try:
            with silence(), torch.no_grad():
                torch.onnx.export(
                    module, values, written, dynamo=False, opset_version=17, input_names=names, dynamic_axes=axes
                )
        except Exception as error:  # noqa: BLE001  # whatever it raises, the next inputs are tried
            reason = " ".join(str(error).split())[:100]
            continue
        finally:
            module.forward = forward
        return written.getvalue()
    raise RuntimeError(reason)


def _flat(forward: Callable[..., Any], names: Sequence[str]) -> Callable[..., Any]:
    """A forward pass that takes its inputs by place and gives tensors alone."""
    import torch

    cached = {"use_cache": False} if "use_cache" in inspect.signature(forward).parameters else {}

    def run(*inputs: Any) -> tuple[Any, ...]:
        found = forward(**dict(zip(names, inputs, strict=True)), **cached)
        return tuple(value for value in found.values() if isinstance(value, torch.Tensor))

    return run


@contextlib.contextmanager
def silence() -> Iterator[None]:
    """The exporter prints whole graphs about what it cannot do, some from C++."""
    kept, nowhere = os.dup(1), os.open(os.devnull, os.O_WRONLY)
    sys.stdout.flush()
    try:
        os.dup2(nowhere, 1)
        with warnings.catch_warnings(), quiet(), contextlib.redirect_stderr(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        os.dup2(kept, 1)
        os.close(kept)
        os.close(nowhere)


def stored(data: bytes) -> TensorListing:
    """The listing that our reader makes of a file."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.onnx"
        path.write_bytes(data)
        listing = read_weights(open_package(str(path), offline=True).files).listing
    if listing is None:
        raise RuntimeError("not read")
    return listing


def onnx_figures(report: Report, scorer: FamilyScorer) -> None:
    """Fills in what is left of a class after its export."""
    section = "ONNX"
    shares = [
        Share(title, grouped=False)
        for title in ("the digest of the module", "its structure", "its vocabulary", "family right", "as the module's")
    ]
    for class_name in CLASSES:
        try:
            module = module_of(class_name)
            listing, ours = stored(exported(module)), saved_listing(module)
        except Exception as error:  # noqa: BLE001  # a class that cannot be exported is told and left out
            report.note(section, f"not exported: {class_name}: {' '.join(str(error).split())[:100]}")
            continue
        there, here = fingerprint(listing), fingerprint(ours)
        family = str(module.config.model_type)
        found, known = scorer.identify(listing).family, scorer.identify(ours).family
        said = ", ".join(f"{match.model_type} {match.score:.2f}" for match in found[:3]) or "unknown"
        before = ", ".join(f"{match.model_type} {match.score:.2f}" for match in known[:3]) or "unknown"
        right, before_right = (
            bool(ranked) and family in (ranked[0].model_type, *ranked[0].twins) for ranked in (found, known)
        )
        hits = (
            there.digest == here.digest,
            there.structure == here.structure,
            there.vocabulary == here.vocabulary,
            right,
            right or not before_right,
        )
        for share, hit in zip(shares, hits, strict=True):
            share.add(class_name, hit=hit, reason=f"answered {said}; the module itself {before}")
    report.add(section, *shares)
