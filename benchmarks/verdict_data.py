"""Labelled packages for the verdict benchmarks: the development data beside the checkout, or a generated set.

A case is a name, what is known of the package, and whether a person says that they disagree.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


@dataclass(frozen=True, slots=True)
class Case:
    """One labelled package."""

    name: str
    config: Mapping[str, Any]
    mismatch: bool | None
    """True when the name is wrong, None when nothing in it can be checked."""
    source: str
    folder: Path | None = None
    """Where the package lies, when it has files."""
    sure: float = 1.0
    """The judge's own confidence."""
    note: str = ""
    expected: Mapping[str, Any] = field(default_factory=dict)

    @property
    def owner(self) -> str:
        """Publisher; packages of one owner resemble each other."""
        return self.name.rpartition("/")[0].lower()


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    with path.open(encoding="utf-8") as stream:
        for line in stream:
            yield json.loads(line)


def hub_cases(packages: Path | None = None, data: Path = DATA) -> list[Case]:
    """Real packages with their configuration; `packages` is the folder that make_packages.py wrote."""
    path = data / "hub_packages_dev.jsonl"
    if not path.exists():
        return []
    found = []
    for row in _lines(path):
        agrees = row["name_agrees"]
        folder = packages / row["repo_id"].replace("/", "--") if packages is not None else None
        found.append(
            Case(
                name=row["repo_id"],
                config=row["config"],
                mismatch=None if agrees is None else not agrees,
                source="hub",
                folder=folder if folder is not None and folder.is_dir() else None,
                note=row["why"],
                expected=row.get("expected") or {},
            )
        )
    return found


def family_cases(data: Path = DATA) -> list[Case]:
    """Real names with the class that they declare; nothing else is known of them."""
    path = data / "family_dev.jsonl"
    if not path.exists():
        return []
    return [
        Case(
            name=row["repo_id"],
            config={"architectures": [row["architecture"]], "model_type": row["model_type"]},
            mismatch=row["label"] == "mismatch",
            source="family",
            sure=row["confidence"],
            note=f"{row['label']} {row['kind'] or ''} {row['note']}".strip(),
            expected={"claimed": row["claimed_family"], "kind": row["kind"] or "", "label": row["label"]},
        )
        for row in _lines(path)
    ]


def generated_cases(count: int = 2000, seed: int = 7) -> list[Case]:
    """Names and configurations made from the published variants: half truthful, half with one thing changed."""
    from clustering.parts.variants import families, sizes, variant_dims

    draw = random.Random(seed)
    plain = [
        family
        for family in families()
        if any("hidden_size" in row for size in sizes(family) for row in variant_dims(family, size))
    ]
    found: list[Case] = []
    while len(found) < count:
        family = draw.choice(plain)
        size = draw.choice(sizes(family))
        rows = [row for row in variant_dims(family, size) if "hidden_size" in row and "layers" in row]
        if not rows:
            continue
        row = draw.choice(rows)
        config: dict[str, Any] = {
            "model_type": family,
            "hidden_size": row["hidden_size"],
            "num_hidden_layers": row["layers"],
        }
        if "attention_heads" in row:
            config["num_attention_heads"] = row["attention_heads"]
        word, wrong = family.replace("_", "-"), bool(len(found) % 2)
        layers = row["layers"]
        if wrong and draw.random() < 0.5:
            word = draw.choice(
                [other for other in plain if family[:3] not in other and other[:3] not in family]
            ).replace("_", "-")
        elif wrong:
            layers = layers + draw.choice([2, 4, 6])
        # Not `L-16`: behind a vision transformer that is a large model with patches of 16.
        name = f"publisher{draw.randrange(300)}/{word}-{layers}-layer"
        found.append(Case(name, config, wrong, "generated"))
    return found


def grouped_interval(
    cases: Sequence[Case], values: Sequence[tuple[int, int]], *, rounds: int = 1000, seed: int = 1
) -> tuple[float, float]:
    """95 % interval of sum(first) / sum(second) over draws of whole owners with replacement."""
    owners: dict[str, tuple[int, int]] = {}
    for case, (top, bottom) in zip(cases, values, strict=True):
        old = owners.get(case.owner, (0, 0))
        owners[case.owner] = (old[0] + top, old[1] + bottom)
    groups = [pair for pair in owners.values() if pair[1]]
    if not groups:
        return (float("nan"), float("nan"))
    draw = random.Random(seed)
    ratios = []
    for _ in range(rounds):
        sample = draw.choices(groups, k=len(groups))
        ratios.append(sum(pair[0] for pair in sample) / sum(pair[1] for pair in sample))
    ratios.sort()
    return ratios[int(0.025 * rounds)], ratios[int(0.975 * rounds) - 1]
