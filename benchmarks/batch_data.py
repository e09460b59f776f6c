"""Snapshots with the hub's shape: owners by a power law, few configs shared by many, damaged rows, planted defects.

Families, classes and tasks are those of transformers' registries; nothing is taken from published packages. The same
seed gives the same rows on every machine.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

DAMAGED = 0.01
PLANTED = 0.02
"""Shares of rows that are damaged, and of packages whose name states another family than the config."""
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


def rows(count: int, seed: int = 0) -> Iterator[tuple[str, str]]:
    """Lines of JSON with the truth: `truthful`, `planted`, `damaged`."""
    chance = random.Random(seed)
    all_kinds = kinds()
    chance.shuffle(all_kinds)
    popular = [1 / rank for rank in range(1, len(all_kinds) + 1)]
    planted = [kind for kind in all_kinds if kind.others]
    owners = max(10, count // 8)
    for number in range(count):
        if chance.random() < DAMAGED:
            yield chance.choice(('{"id": "a/b", "config": {"model', "[1, 2]", '{"sha": "x"}', '"text"')), "damaged"
            continue
        wrong = chance.random() < PLANTED
        kind = chance.choice(planted) if wrong else chance.choices(all_kinds, popular)[0]
        stated = chance.choice(kind.others) if wrong else kind.family
        owner = f"org{int(owners ** chance.random())}"  # density 1 / rank
        # no version behind the family, which would make it another generation; no word that may be a language
        parts = [
            stated.replace("_", "-"),
            chance.choice(("", "custom", "test")),
            chance.choice(kind.words),
            f"run{number}",
        ]
        name = f"{owner}/{'-'.join(part for part in parts if part)}"
        yield json.dumps(_row(name, kind, chance)), "planted" if wrong else "truthful"


def _row(name: str, kind: Kind, chance: random.Random) -> dict[str, Any]:
    """A package as the hub's list of models describes it."""
    licence = chance.choice(_LICENSES)
    return {
        "_id": f"{chance.getrandbits(96):024x}",
        "id": name,
        "sha": f"{chance.getrandbits(160):040x}",
        "author": name.partition("/")[0],
        "config": {
            "architectures": [kind.architecture],
            "model_type": kind.family,
            "tokenizer_config": {"unk_token": "[UNK]", "pad_token": "[PAD]"},
        },
        "cardData": {"license": licence, "language": ["en"], "tags": ["generated_from_trainer"], "datasets": ["glue"]},
        "tags": ["transformers", "pytorch", kind.family, kind.task, f"license:{licence}", "region:us"],
        "pipeline_tag": kind.task,
        "library_name": "transformers",
        "siblings": [{"rfilename": file} for file in _FILES],
        "downloads": int(10 ** (6 * chance.random() ** 3)),
        "likes": int(10 ** (3 * chance.random() ** 4)),
        "createdAt": f"202{chance.randrange(6)}-{chance.randrange(1, 13):02d}-01T00:00:00.000Z",
        "safetensors": {"parameters": {"F32": 110_000_000}, "total": 110_000_000},
    }


def write_jsonl(count: int, stream: IO[str], truth: IO[str], seed: int = 0) -> None:
    """Writes the rows, and one word of truth a line."""
    for line, label in rows(count, seed):
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
