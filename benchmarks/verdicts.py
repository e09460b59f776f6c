"""Verdicts on truthful packages made untruthful, on meaning-preserving renames, and the naive check beside.

    python -m benchmarks.verdicts --packages DIR [--count 20000] [--list]

Recall counts errors and warnings of at least medium confidence from a rule that is about the change. The naive check
compares the longest family word in the name with the configuration's model_type.
"""

from __future__ import annotations

import argparse
import gzip
import json
import sys
import time
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any, Final

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # runs as a file as well as with -m

from benchmarks.verdict_cache import SubjectCache, state_of
from benchmarks.verdict_changes import change_figures
from benchmarks.verdict_data import DATA, Case, family_cases, hub_cases
from benchmarks.verdict_rules import HEADS, Tally, level_rows, rows
from benchmarks.verdict_runs import declared_subject, judge, kinship, table
from clustering.facts import Facts
from clustering.tensors import Tensor, TensorListing
from dara.findings import Outcomes
from dara.subject import Subject

SURE: Final = 0.8
"""Labels that the judge was less sure of are left out."""


def maskformer_subjects(kept: SubjectCache) -> Iterator[tuple[str, Subject]]:
    """Real MaskFormer-like packages with the tensors of their published weights."""
    folder = DATA / "maskformer"
    if not folder.is_dir():
        return
    for line in (folder / "hf_configs.jsonl").read_text("utf-8").splitlines():
        row = json.loads(line)
        path = folder / "hf_tensors" / (row["repo_id"].replace("/", "__") + ".json.gz")
        if not path.exists():
            continue
        content = line + state_of(path)
        yield row["repo_id"], kept.get(row["repo_id"], content, partial(_maskformer, row["config"], path))


def _maskformer(config: Mapping[str, Any], path: Path) -> Subject:
    from clustering.declared.config import declared_facts
    from clustering.measured.listing import measured_facts
    from clustering.parts.decompose import decompose

    with gzip.open(path, "rt", encoding="utf-8") as stream:
        rows = json.load(stream)
    listing = TensorListing(
        tuple(Tensor(name, tuple(shape), "F32", file="model.safetensors") for name, shape, _ in rows["tensors"]),
        "safetensors",
    )
    reference = kinship()
    return Subject(
        facts=Facts((*declared_facts(config), *measured_facts(listing))),
        config=config,
        listing=listing,
        identification=reference.identify(listing) if reference is not None else None,
        parts=decompose(listing, config),
        kinship=reference,
        files=("config.json", "model.safetensors"),
    )


def truthful(packages: Path | None, kept: SubjectCache) -> list[tuple[str, Subject]]:
    """Packages whose names hold by the judge, with what their files tell."""
    found = [(case.name, kept.measured(case)) for case in hub_cases(packages) if case.mismatch is False]
    return [*found, *maskformer_subjects(kept)]


def real_results(
    packages: list[tuple[str, Subject]], folder: Path | None, kept: SubjectCache
) -> Iterator[tuple[Case, Outcomes]]:
    """Every labelled package with what the rules say of it; packages that were measured already are not read again."""
    known = dict(packages)
    for case in hub_cases(folder):
        if case.mismatch is not None:
            yield case, judge(known.get(case.name) or kept.measured(case), case.name)
    for name, subject in packages[sum(case.mismatch is False for case in hub_cases(folder)) :]:
        yield Case(name, {}, False, "maskformer"), judge(subject, name)
    for case in family_cases():
        if case.sure >= SURE:
            yield case, judge(declared_subject(case.config), case.name)


def looks_wrong(tally: Tally) -> None:
    """Names of `tests/dara/rules/truthful.jsonl`, true though a simple check would call them wrong."""
    path = Path(__file__).resolve().parents[1] / "tests" / "dara" / "rules" / "truthful.jsonl"
    for line in path.read_text("utf-8").splitlines():
        row = json.loads(line)
        for finding in judge(declared_subject(row["config"]), row["name"]).findings:
            tally.add_level("look wrong", finding, row["name"], right=False)


def naive_figures() -> None:
    """Longest family word in the name against model_type."""
    rows = []
    words = _family_words()
    for title, cases in (("hub", hub_cases()), ("family", [case for case in family_cases() if case.sure >= SURE])):
        wrong = right = missed = 0
        for case in cases:
            if case.mismatch is None:
                continue
            accused = _naive(case, words)
            wrong += accused and not case.mismatch
            right += accused and case.mismatch
            missed += case.mismatch and not accused
        if wrong + right:
            rows.append(
                (title, f"{right / (right + wrong):.3f}", f"{right / max(1, right + missed):.3f}", right + wrong)
            )
    if rows:
        print("\nnaive check: longest family word against model_type")
        print(table(rows, ("labels", "precision", "recall", "accusations")))


def _family_words() -> list[str]:
    """Every model type of the library, longest first, in the spelling of names."""
    from naming.lexicon import read_documents

    document = read_documents()["families_transformers.json"]
    names = {str(name).replace("_", "-").lower() for name in document["registry"]}
    return sorted(names - {""}, key=lambda name: (-len(name), name))


def _naive(case: Case, words: list[str]) -> bool:
    name = f"-{case.name.rpartition('/')[2].lower().replace('_', '-')}-"
    word = next((word for word in words if f"-{word}-" in name), None)
    return word is not None and word != str(case.config.get("model_type", "")).replace("_", "-").lower()


def main() -> int:
    """Prints every figure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--packages", type=Path, help="folder that make_packages.py wrote")
    parser.add_argument("--count", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=11)
    parser.add_argument("--list", action="store_true", help="list every miss once")
    parser.add_argument("--keep", type=Path, help="folder for measured packages, so that a second run measures none")
    parser.add_argument("--write", type=Path, help="file for the figures of each rule, as JSON")
    args = parser.parse_args()
    naive_figures()
    kept = SubjectCache(args.keep)
    start = time.perf_counter()
    packages = truthful(args.packages, kept)
    print(f"{len(packages)} packages measured in {time.perf_counter() - start:.0f} s", file=sys.stderr)
    if not packages:
        from benchmarks.verdict_data import generated_cases

        packages = [(case.name, declared_subject(case.config)) for case in generated_cases() if case.mismatch is False]
    tally = Tally()
    tally.add_real(real_results(packages, args.packages, kept))
    change_figures(packages, args.count, args.seed, tally, listing=args.list)
    figures = tally.figures()
    print("\neach rule: changes found, precision on labelled packages, true names accused; intervals by owner")
    print(table(rows(figures), HEADS))
    looks_wrong(tally)
    levels = tally.confidence()
    print("\nconfidence: errors and warnings that are right, by source")
    print(table(level_rows(levels), ("confidence", "source", "right", "owners", "95 % by owner")))
    if args.write is not None:
        document = {
            "seed": args.seed,
            "mutations": args.count,
            "packages": len(packages),
            "rules": figures,
            "confidence": levels,
        }
        args.write.write_text(json.dumps(document, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
