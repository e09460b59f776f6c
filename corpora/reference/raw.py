"""Build the raw reference corpus: `python -m corpora.reference.raw OUT.jsonl.gz [--families bert,t5] [--quick]`.

Three sources: the classes of the installed transformers, the published layouts of `published/`, and timm where it is
installed. Of transformers every class is built in several sizes, with options, layer patterns and combined changes.

The file's format is told in `corpora.reference.records`; `read_raw(path)` (also importable from here) streams it back
as `ReferenceModel`s. Building needs the `graph` extra. Progress goes to stderr; two runs with the same library
versions write the same bytes. A class that cannot be built is recorded with the reason, never fatal.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import sys
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from clustering.live.zoo import prepare_torchvision
from corpora.reference.enumerate import config_types, model_entries
from corpora.reference.further import further_models
from corpora.reference.layouts import layout_names, published_models
from corpora.reference.records import (
    Encoder,
    ReferenceModel,
    encode_line,
    encoded_lines,
    raw_file,
    read_lines,
    read_raw,
)
from corpora.reference.sizes import settings
from corpora.reference.timm_models import timm_families, timm_models
from corpora.reference.variants import BuildFailure, Plan, build_entry

__all__ = ["build_raw", "read_lines", "read_raw"]

_TASKS_PER_WORKER = 120
"""A worker is replaced after so many families: imported modeling modules pile up to about 1 GB."""


def build_raw(
    path: Path,
    *,
    families: Iterable[str] | None = None,
    plan: Plan | None = None,
    workers: int = 2,
    update: Path | None = None,
    observe: Observer | None = None,
) -> tuple[int, int]:
    """Build the corpus into a file, which appears under its name when it is complete.

    Args:
        path: Where to write.
        families: Only these model types, layouts or families of timm (`layout:qwen` where a name is ambiguous); None
            for all.
        plan: Which variants; None for all.
        workers: Processes.
        update: An earlier corpus, of which everything is carried over that is not built anew. It may be `path` itself.
        observe: Is told of every family that is done.

    Returns:
        Number of records and of classes that could not be built.
    """
    chosen = plan or Plan(tuple(settings("profiles")["profiles"]))
    tasks = _tasks(families, chosen)
    models = failures = 0
    with raw_file(path, _versions()) as stream:
        if update is not None:
            anew = {task.source for task in tasks}
            stream.writelines(line for source, line in encoded_lines(update) if source not in anew)
        for number, (name, lines, built, failed) in enumerate(_results(tasks, workers), start=1):
            stream.writelines(lines)
            models, failures = models + built, failures + failed
            if observe is not None:
                observe(number, len(tasks), f"{name}: {models} records, {failures} failures")
    return models, failures


Observer = Callable[[int, int, str], None]
"""Told after every step: its number, how many there are, and what was done."""
_Result = tuple[str, list[bytes], int, int]


@dataclass(frozen=True, slots=True)
class _Task:
    kind: str
    """`type`: a model type of transformers; `layout`: a published layout; `timm`: a family of timm."""
    name: str
    plan: Plan

    @property
    def source(self) -> str:
        """How lines and the command line name it."""
        return f"{self.kind}:{self.name}"


def _tasks(families: Iterable[str] | None, plan: Plan) -> list[_Task]:
    """What to build, in the order of the file."""
    wanted = None if families is None else set(families)
    tasks = [_Task("type", name, plan) for name in config_types()]
    tasks += [_Task("layout", name, plan) for name in layout_names()]
    tasks += [_Task("timm", name, plan) for name in timm_families()]
    return [task for task in tasks if wanted is None or task.name in wanted or task.source in wanted]


def _results(tasks: Sequence[_Task], workers: int) -> Iterator[_Result]:
    if workers <= 1 or len(tasks) <= 1:
        yield from map(_run, tasks)
        return
    context = multiprocessing.get_context("spawn")
    with context.Pool(workers, prepare, maxtasksperchild=_TASKS_PER_WORKER) as pool:
        yield from pool.imap(_run, tasks, chunksize=1)


def prepare() -> None:
    """Quiet, offline, one thread: set before the libraries are imported in a worker."""
    os.environ["HF_HUB_OFFLINE"] = "1"
    os.environ["TRANSFORMERS_VERBOSITY"] = "critical"
    warnings.simplefilter("ignore")
    import torch

    torch.set_num_threads(1)
    prepare_torchvision()


def _run(task: _Task) -> _Result:
    """All lines of one task."""
    encoder = Encoder(task.source)
    lines: list[bytes] = []
    built: set[str] = set()
    models = failures = 0
    results, coverage = _work(task)
    for result in results:
        if isinstance(result, ReferenceModel):
            lines.append(encoder.model(result))
            built.add(result.class_name)
            models += 1
        else:
            lines.append(encode_line("failure", {**_failure(result), "source": task.source}))
            failures += 1
    if coverage is not None:
        lines.append(encode_line("coverage", {**coverage, "built": len(built), "source": task.source}))
    return task.name, lines, models, failures


def _work(task: _Task) -> tuple[Iterator[ReferenceModel | BuildFailure], dict[str, object] | None]:
    """The models of a task as they are built, and its line of the coverage (without what was built), if it has one."""
    if task.kind == "layout":
        return published_models(task.name), None
    if task.kind == "timm":
        return timm_models(task.name), None
    entry = next(iter(model_entries([task.name])))
    note = "; ".join(entry.unimportable) or ("" if entry.classes else "no model class of its own")
    models = build_entry(entry, task.plan)
    if task.plan.further and entry.classes:
        models = chain(models, further_models(entry))
    return models, {"model_type": task.name, "classes": len(entry.classes), "note": note}


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


def report_progress(number: int, total: int, text: str) -> None:
    """An observer that writes to stderr: one line that changes on a terminal, every 25th step elsewhere."""
    line = f"{number}/{total} {text}"
    if sys.stderr.isatty():
        end = "\n" if number == total else ""
        print(f"\r\x1b[K{line}", end=end, file=sys.stderr, flush=True)
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
    parser.add_argument("--update", type=Path, help="carry over what is not built anew from this earlier corpus")
    arguments = parser.parse_args(argv)
    prepare()
    models, failures = build_raw(
        arguments.out,
        families=arguments.families.split(",") if arguments.families else None,
        plan=Plan(tuple(settings("profiles")["quick"]), published=False, options=False, further=False)
        if arguments.quick
        else None,
        workers=arguments.workers,
        update=arguments.update,
        observe=report_progress,
    )
    print(f"{models} records, {failures} classes or sizes failed, in {arguments.out}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
