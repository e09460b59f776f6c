"""Build the raw reference corpus: `python -m corpora.reference.raw OUT.jsonl.gz [--families bert,t5] [--quick]`.

The file's format is told in `corpora.reference.records`; `read_raw(path)` (also importable from here) streams it back
as `ReferenceModel`s. Building needs the `graph` extra. Progress goes to stderr; two runs with the same library
versions write the same bytes. A class that cannot be built is recorded with the reason, never fatal.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import sys
import time
import warnings
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from clustering.zoo import prepare_torchvision
from corpora.reference.enumerate import config_types, model_entries
from corpora.reference.records import Encoder, ReferenceModel, encode_line, raw_file, read_lines, read_raw
from corpora.reference.sizes import settings
from corpora.reference.variants import BuildFailure, Plan, build_entry

__all__ = ["build_raw", "read_lines", "read_raw"]

_TASKS_PER_WORKER = 120
"""A worker is replaced after so many families: imported modeling modules pile up to about 1 GB."""


def build_raw(
    path: Path, *, families: Iterable[str] | None = None, plan: Plan | None = None, workers: int = 2
) -> tuple[int, int]:
    """Build the corpus into a file, which appears under its name when it is complete.

    Args:
        path: Where to write.
        families: Only these model types; None for all.
        plan: Which variants; None for all.
        workers: Processes.

    Returns:
        Number of records and of classes that could not be built.
    """
    chosen = plan or Plan(tuple(settings("profiles")["profiles"]))
    types = config_types() if families is None else tuple(sorted(set(families) & set(config_types())))
    started = time.monotonic()
    models = failures = 0
    with raw_file(path, _versions()) as stream:
        for number, (model_type, lines, built, failed) in enumerate(_results(types, chosen, workers), start=1):
            stream.writelines(lines)
            models, failures = models + built, failures + failed
            _progress(number, len(types), model_type, models, failures, time.monotonic() - started)
    print(file=sys.stderr)
    return models, failures


_Result = tuple[str, list[bytes], int, int]


def _results(types: Sequence[str], plan: Plan, workers: int) -> Iterator[_Result]:
    tasks = [(model_type, plan) for model_type in types]
    if workers <= 1 or len(tasks) <= 1:
        yield from map(_family, tasks)
        return
    context = multiprocessing.get_context("spawn")
    with context.Pool(workers, _prepare, maxtasksperchild=_TASKS_PER_WORKER) as pool:
        yield from pool.imap(_family, tasks, chunksize=1)


def _prepare() -> None:
    """Quiet, offline, one thread: set before the libraries are imported in a worker."""
    os.environ["HF_HUB_OFFLINE"] = "1"
    os.environ["TRANSFORMERS_VERBOSITY"] = "critical"
    warnings.simplefilter("ignore")
    import torch

    torch.set_num_threads(1)
    prepare_torchvision()


def _family(task: tuple[str, Plan]) -> _Result:
    """All lines of one model type."""
    model_type, plan = task
    encoder = Encoder()
    lines: list[bytes] = []
    built: set[str] = set()
    models = failures = 0
    entry = next(iter(model_entries([model_type])))
    for result in build_entry(entry, plan):
        if isinstance(result, ReferenceModel):
            lines.append(encoder.model(result))
            built.add(result.class_name)
            models += 1
        else:
            lines.append(encode_line("failure", _failure(result)))
            failures += 1
    note = "; ".join(entry.unimportable) or ("" if entry.classes else "no model class of its own")
    coverage = {"model_type": model_type, "classes": len(entry.classes), "built": len(built), "note": note}
    lines.append(encode_line("coverage", coverage))
    return model_type, lines, models, failures


def _failure(failure: BuildFailure) -> dict[str, str]:
    return {
        "model_type": failure.model_type,
        "class": failure.class_name,
        "variant": failure.variant,
        "reason": failure.reason,
    }


def _versions() -> dict[str, str]:
    import torch
    import transformers

    return {"transformers": transformers.__version__, "torch": torch.__version__.partition("+")[0]}


def _progress(number: int, total: int, model_type: str, models: int, failures: int, seconds: float) -> None:
    line = f"{number}/{total} {model_type}: {models} records, {failures} failures, {seconds:.0f} s"
    if sys.stderr.isatty():
        print(f"\r\x1b[K{line}", end="", file=sys.stderr, flush=True)
    elif number % 25 == 0 or number == total:
        print(line, file=sys.stderr, flush=True)


def main(argv: Sequence[str] | None = None) -> int:
    """Command line; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m corpora.reference.raw", description="Build the raw reference corpus."
    )
    parser.add_argument("out", type=Path, help="file to write (gzip JSON Lines)")
    parser.add_argument("--families", help="only these model types, comma separated")
    parser.add_argument("--quick", action="store_true", help="library default and two sizes only")
    parser.add_argument("--workers", type=int, default=2, help="processes (default 2)")
    arguments = parser.parse_args(argv)
    _prepare()
    models, failures = build_raw(
        arguments.out,
        families=arguments.families.split(",") if arguments.families else None,
        plan=Plan(tuple(settings("profiles")["quick"]), published=False, options=False) if arguments.quick else None,
        workers=arguments.workers,
    )
    print(f"{models} records, {failures} classes or sizes failed, in {arguments.out}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
