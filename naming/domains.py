"""What kind of model a family is: language model, text encoder, vision backbone, detector, speech model ...

The resolver needs this to tell a backbone from a decoder, a context length from a resolution, and a generation number
from a part of a family's name. `domains.json` is generated from the task registries of transformers by
`python -m naming.domains`; families that this library does not hold are listed by hand in its `extra` part, which
regeneration keeps.
"""

from __future__ import annotations

import json
import sys
from functools import cache, lru_cache
from pathlib import Path

FILE = Path(__file__).parent / "domains.json"

_REGISTRIES = {
    "vlm": ("IMAGE_TEXT_TO_TEXT", "MULTIMODAL_LM"),
    "dual": ("ZERO_SHOT_IMAGE_CLASSIFICATION",),
    "speech": ("CTC", "SPEECH_SEQ_2_SEQ", "AUDIO_CLASSIFICATION", "TEXT_TO_WAVEFORM", "TEXT_TO_SPECTROGRAM"),
    "vision": ("IMAGE_CLASSIFICATION", "VIDEO_CLASSIFICATION"),
    "detector": (
        "OBJECT_DETECTION", "UNIVERSAL_SEGMENTATION", "SEMANTIC_SEGMENTATION", "INSTANCE_SEGMENTATION",
        "ZERO_SHOT_OBJECT_DETECTION", "DEPTH_ESTIMATION", "MASK_GENERATION",
    ),
    "encoder": ("MASKED_LM", "TOKEN_CLASSIFICATION"),
    "seq2seq": ("SEQ_TO_SEQ_CAUSAL_LM",),
    "llm": ("CAUSAL_LM",),
}  # fmt: skip
"""Domain -> task registries (`MODEL_FOR_..._MAPPING_NAMES`); a family belongs to the first domain that lists it, unless
`_EXCEPTIONS` says otherwise."""

_EXCEPTIONS = {
    "bart": "seq2seq", "mbart": "seq2seq", "mvp": "seq2seq", "segformer": "detector", "perceiver": "vision",
    "vision-encoder-decoder": "composite", "speech-encoder-decoder": "composite", "encoder-decoder": "composite",
    "blip": "vlm", "blip-2": "vlm", "gpt2": "gpt", "openai-gpt": "gpt", "ctrl": "gpt", "xlnet": "encoder",
    "trocr": "vlm", "pix2struct": "vlm", "fuyu": "vlm", "qwen2_audio": "vlm", "whisper": "speech", "t5gemma2": "vlm",
}  # fmt: skip


def generate() -> dict[str, list[str]]:
    """Domains of the families of the installed transformers (imports the library, but no torch)."""
    from transformers.models.auto import modeling_auto

    domains: dict[str, list[str]] = {domain: [] for domain in (*_REGISTRIES, "gpt", "composite")}
    seen: set[str] = set()
    for domain, names in _REGISTRIES.items():
        for name in names:
            for family in getattr(modeling_auto, f"MODEL_FOR_{name}_MAPPING_NAMES"):
                if family not in seen:
                    seen.add(family)
                    domains[_EXCEPTIONS.get(family, domain)].append(family)
    return {domain: sorted(families) for domain, families in domains.items()}


@cache
def domains() -> dict[str, str]:
    """Family -> domain, for every family that has one."""
    document = json.loads(FILE.read_text(encoding="utf-8"))
    table: dict[str, str] = {}
    for part in ("generated", "extra"):
        for domain, families in document[part].items():
            table.update(dict.fromkeys(families, domain))
    return table


@lru_cache(maxsize=4096)
def domain_of(family: str) -> str:
    """Domain of a family; empty when unknown. Spellings with `-` and `_` are the same family."""
    table = domains()
    return table.get(family) or table.get(family.replace("-", "_")) or table.get(family.replace("_", "-")) or ""


def main() -> None:
    """Write `domains.json` anew, keeping its hand-written part."""
    import transformers

    document = json.loads(FILE.read_text(encoding="utf-8")) if FILE.exists() else {"extra": {}}
    document["source"] = f"transformers {transformers.__version__}: MODEL_FOR_*_MAPPING_NAMES"
    document["generated"] = generate()
    lines = [
        f'  "{part}": {{\n'
        + ",\n".join(f"    {json.dumps(domain)}: {json.dumps(families)}" for domain, families in document[part].items())
        + "\n  }"
        for part in ("generated", "extra")
    ]
    text = "{\n" + f'  "source": {json.dumps(document["source"])},\n' + ",\n".join(lines) + "\n}\n"
    FILE.write_text(text, encoding="utf-8")
    sys.stderr.write(f"{FILE.name}: {sum(map(len, document['generated'].values()))} families\n")


if __name__ == "__main__":
    main()
