"""Snapshots with the hub's shape: owners by a power law, few configs shared by many, damaged rows, planted defects.

Families, classes and tasks are those of transformers' registries; where the development data lie beside the checkout,
a fifth of the rows are fine-tunes of real packages with their published configs. Rows are streamed: a million takes no
more memory than a thousand. The same seed, data and libraries give the same rows on every machine.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

DAMAGED = 0.01
PLANTED = 0.02
"""Shares of rows that are damaged, and of packages whose name states something that the config contradicts."""
REAL = 0.2
"""Share of rows with the config of a real package, where these are there."""
SHARED = Path(__file__).resolve().parents[2] / "shared" / "data" / "hub_packages_dev.jsonl"
HEADS = {
    "MODEL_FOR_CAUSAL_LM_MAPPING_NAMES": ("text-generation", ("chat", "instruct", "lora-merged", "")),
    "MODEL_FOR_MASKED_LM_MAPPING_NAMES": ("fill-mask", ("cased", "uncased", "pretrained", "")),
    "MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING_NAMES": ("text-classification", ("sentiment", "emotion", "toxicity")),
    "MODEL_FOR_TOKEN_CLASSIFICATION_MAPPING_NAMES": ("token-classification", ("ner", "pos", "finetuned-ner")),
    "MODEL_FOR_QUESTION_ANSWERING_MAPPING_NAMES": ("question-answering", ("squad", "qa", "finetuned-squad2")),
    "MODEL_FOR_IMAGE_CLASSIFICATION_MAPPING_NAMES": ("image-classification", ("food", "flowers", "finetuned-pets")),
    "MODEL_FOR_OBJECT_DETECTION_MAPPING_NAMES": ("object-detection", ("coco", "finetuned-cars", "")),
    "MODEL_FOR_CTC_MAPPING_NAMES": ("automatic-speech-recognition", ("timit", "common-voice", "")),
}
_FILES = ("config.json", "model.safetensors", "README.md", "tokenizer.json", "tokenizer_config.json", ".gitattributes")
_LICENSES = ("apache-2.0", "mit", "other", "llama3", "cc-by-4.0", None)
_SIZES = ((4, 256), (6, 384), (6, 512), (12, 768), (24, 1024), (32, 4096))
"""Layers and width."""
_TEMPLATE = (
    "{% for message in messages %}{{'<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>'}}"
)
_METHODS = ("gptq", "awq")


@dataclass(frozen=True, slots=True)
class Kind:
    """One family in one task."""

    family: str
    architecture: str
    task: str
    words: tuple[str, ...]
    others: tuple[str, ...]
    """Families of the same task that the name may state instead, and be wrong."""


def kinds() -> list[Kind]:
    """Families by task, from the registries of the installed transformers. Those with spellings of their own only."""
    from transformers.models.auto import modeling_auto

    from corpora.reference import load_reference

    reference = load_reference()
    found = []
    for mapping, (task, words) in HEADS.items():
        classes = {
            family: name
            for family, name in getattr(modeling_auto, mapping).items()
            if isinstance(name, str) and reference.known(family) and len(family) >= 3
        }
        for family, architecture in classes.items():
            twins = {family, *reference.twins(family)}
            others = tuple(
                other
                for other in classes
                if other not in twins
                and not _related(other, family)
                and not any(_related(other, twin) for twin in twins)
            )
            found.append(Kind(family, architecture, task, words, others))
    return found


def _related(one: str, other: str) -> bool:
    """Whether one may be a generation or a derivative of the other: then a name that states it need not be wrong."""
    a, b = (text.replace("_", "").replace("-", "") for text in (one, other))
    return a[:4] == b[:4] or a in b or b in a


def real_packages(path: Path | None = SHARED) -> list[tuple[str, dict[str, Any]]]:
    """Names and configs of real packages whose names a person found truthful; none where the file is absent."""
    if path is None or not path.is_file():
        return []
    with path.open(encoding="utf-8") as stream:
        rows = [json.loads(line) for line in stream]
    return [(row["repo_id"].rpartition("/")[2], row["config"]) for row in rows if row["name_agrees"]]


def rows(count: int, seed: int = 0, real: list[tuple[str, dict[str, Any]]] | None = None) -> Iterator[tuple[str, str]]:
    """Lines of JSON with the truth: `truthful`, `real`, `damaged`, or `planted:` and the kind of the defect."""
    chance = random.Random(seed)
    all_kinds = kinds()
    chance.shuffle(all_kinds)
    popular = _cumulated([1 / rank for rank in range(1, len(all_kinds) + 1)])
    owners = max(10, count // 8)
    for number in range(count):
        if chance.random() < DAMAGED:
            yield chance.choice(('{"id": "a/b", "config": {"model', "[1, 2]", '{"sha": "x"}', '"text"')), "damaged"
            continue
        owner = f"org{int(owners ** chance.random())}"  # density 1 / rank
        if real and chance.random() < REAL:
            name, config = real[int(len(real) ** chance.random()) - 1]
            yield _line(f"{owner}/{name}-run{number}", config, "", None, chance), "real"
            continue
        kind = chance.choices(all_kinds, cum_weights=popular)[0]
        wrong = chance.random() < PLANTED
        plant = chance.choice(PLANTS) if wrong else None
        made = plant(kind, chance) if plant else None
        words, config = made or _truthful(kind, chance)
        # no version behind the family, which would make it another generation; no word that may be a language
        name = "-".join(word for word in (*words, f"run{number}") if word)
        label = f"planted:{plant.__name__.strip('_')}" if plant and made else "truthful"
        yield _line(f"{owner}/{name}", config, kind.family, kind.task, chance), label


def _cumulated(weights: list[float]) -> list[float]:
    total, found = 0.0, []
    for weight in weights:
        total += weight
        found.append(total)
    return found


Made = tuple[list[str], dict[str, Any]]


def _config(kind: Kind, chance: random.Random) -> dict[str, Any]:
    """One of few configs that the packages of a kind share."""
    layers, width = _SIZES[int(len(_SIZES) * chance.random() ** 2)]
    tokens: dict[str, Any] = {"unk_token": "[UNK]", "pad_token": "[PAD]"}
    if kind.task == "text-generation":
        tokens["chat_template"] = _TEMPLATE * 4
    return {
        "architectures": [kind.architecture],
        "model_type": kind.family,
        "num_hidden_layers": layers,
        "hidden_size": width,
        "tokenizer_config": tokens,
    }


def _truthful(kind: Kind, chance: random.Random) -> Made:
    config = _config(kind, chance)
    words = [_word(kind.family), chance.choice(("", "custom", "test")), chance.choice(kind.words)]
    if chance.random() < 0.1:
        words.append(f"{config['num_hidden_layers']}-layers")
    if chance.random() < 0.05:
        method = chance.choice(_METHODS)
        config["quantization_config"] = {"quant_method": method, "bits": 4}
        words.append(f"{method}-4bit")
    return words, config


def _word(family: str) -> str:
    return family.replace("_", "-")


def _family(kind: Kind, chance: random.Random) -> Made | None:
    """The name states a family that the config is not."""
    if not kind.others:
        return None
    words, config = _truthful(kind, chance)
    return [_word(chance.choice(kind.others)), *words[1:]], config


def _layers(kind: Kind, chance: random.Random) -> Made | None:
    """The name states a number of layers that the config contradicts."""
    config = _config(kind, chance)
    return [_word(kind.family), f"{config['num_hidden_layers'] * 2}-layers"], config


def _quantization(kind: Kind, chance: random.Random) -> Made | None:
    """The name states another method of quantization than the config."""
    config = _config(kind, chance)
    stated, method = chance.sample(_METHODS, 2)
    config["quantization_config"] = {"quant_method": method, "bits": 4}
    return [_word(kind.family), f"{stated}-4bit"], config


def _bits(kind: Kind, chance: random.Random) -> Made | None:
    """The name states another number of bits than the config."""
    config = _config(kind, chance)
    config["quantization_config"] = {"quant_method": "gptq", "bits": 8}
    return [_word(kind.family), "gptq-4bit"], config


PLANTS: tuple[Callable[[Kind, random.Random], Made | None], ...] = (
    _family,
    _family,
    _family,
    _layers,
    _quantization,
    _bits,
)


def _line(name: str, config: dict[str, Any], family: str, task: str | None, chance: random.Random) -> str:
    """A package as the hub's list of models describes it."""
    licence = chance.choice(_LICENSES)
    row: dict[str, Any] = {
        "_id": f"{chance.getrandbits(96):024x}",
        "id": name,
        "sha": f"{chance.getrandbits(160):040x}",
        "author": name.partition("/")[0],
        "config": config,
        "cardData": {"license": licence, "language": ["en"], "tags": ["generated_from_trainer"], "datasets": ["glue"]},
        "tags": [tag for tag in ("transformers", "pytorch", family, task, f"license:{licence}", "region:us") if tag],
        "pipeline_tag": task,
        "library_name": "transformers",
        "siblings": [{"rfilename": file} for file in _FILES],
        "downloads": int(10 ** (6 * chance.random() ** 3)),
        "likes": int(10 ** (3 * chance.random() ** 4)),
        "createdAt": f"202{chance.randrange(6)}-{chance.randrange(1, 13):02d}-01T00:00:00.000Z",
    }
    if family:
        row["safetensors"] = {"parameters": {"F32": 110_000_000}, "total": 110_000_000}
    else:  # of a real package no more is known than its config; made up, it would contradict the name
        row["cardData"] = {"license": licence}
        row["siblings"] = [{"rfilename": "config.json"}]
    return json.dumps(row)


def write_jsonl(count: int, stream: IO[str], truth: IO[str], seed: int = 0, *, real: bool = False) -> None:
    """Writes the rows, and one word of truth a line."""
    for line, label in rows(count, seed, real_packages() if real else None):
        stream.write(line + "\n")
        truth.write(label + "\n")


def write_parquet(source: Path, target: Path) -> int:
    """The usable rows of a file of JSON Lines as Parquet, nested columns as JSON texts; returns their number."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    names = (
        "id",
        "sha",
        "author",
        "config",
        "cardData",
        "tags",
        "pipeline_tag",
        "library_name",
        "siblings",
        "downloads",
        "createdAt",
    )
    schema = pa.schema([(name, pa.int64() if name == "downloads" else pa.string()) for name in names])
    written = 0
    with pq.ParquetWriter(target, schema, compression="zstd") as writer, source.open(encoding="utf-8") as stream:
        for block in iter(lambda: stream.readlines(16 << 20), []):
            values = []
            for line in block:
                try:
                    row = json.loads(line)
                except ValueError:
                    continue
                if isinstance(row, dict) and "id" in row:
                    values.append({key: _flat(row.get(key)) for key in names})
            writer.write_table(pa.Table.from_pylist(values, schema=schema))
            written += len(values)
    return written


def _flat(value: Any) -> Any:
    return json.dumps(value) if isinstance(value, dict | list) else value
