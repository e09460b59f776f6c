"""Whether a live module and the file saved from it have one fingerprint, over every class of the transformers library.

    python -m benchmarks.live_files [--families bert,t5] [--share 0.1] [--seed 0] [--list]

Every class is built on the meta device in the library's default size. Its file is written by the class's own
`save_pretrained`; only the last step is replaced, the one that writes bytes: header as the library wrote it, a hole for
the data. The file is read back by the reader of packages. What is compared is the fingerprint of the file (digest,
structure, vocabulary) with that of the module as `saved_listing` lists it, with that of the file in random order and,
for information, with that of the module as it is in memory.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import struct
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # runs as a file as well as with -m

from clustering.errors import MissingExtraError
from clustering.graphs.fingerprint import fingerprint
from clustering.live.listing import LiveLimits, LiveModelError, listing_from_module, module_from_class, saved_listing
from clustering.live.modules import quiet
from clustering.live.zoo import prepare_torchvision
from clustering.readers.select import read_weights
from clustering.tensors import TensorListing
from corpora.reference.enumerate import ModelEntry, model_entries
from corpora.reference.overrides import arguments_for
from corpora.reference.sizes import with_changes
from corpora.reference.standins import detectron2_backbone
from corpora.sources.registry import open_package

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel

LIMITS = LiveLimits(seconds=60.0, modules=200_000)


def write_hole(tensors: Mapping[str, torch.Tensor], path: str, metadata: Mapping[str, str] | None = None) -> None:
    """Stands for `safetensors.torch.save_file`: the same header, a hole for the data."""
    spelled = {
        "float32": "F32", "float16": "F16", "bfloat16": "BF16", "int64": "I64", "int32": "I32", "bool": "BOOL",
        "uint8": "U8", "int8": "I8", "float64": "F64", "complex64": "C64",
    }  # fmt: skip
    header: dict[str, Any] = {"__metadata__": dict(metadata or {})}
    position = 0
    for name, tensor in sorted(tensors.items(), key=lambda item: (-item[1].element_size(), item[0])):
        end = position + tensor.numel() * tensor.element_size()
        dtype = spelled[str(tensor.dtype).removeprefix("torch.")]
        header[name] = {"dtype": dtype, "shape": list(tensor.shape), "data_offsets": [position, end]}
        position = end
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with Path(path).open("wb") as stream:
        stream.write(struct.pack("<Q", len(text)) + text)
        stream.truncate(8 + len(text) + position)


@contextmanager
def without_data() -> Iterator[None]:
    """Within it, `save_pretrained` writes headers over holes."""
    from transformers import modeling_utils

    before = modeling_utils.safe_save_file
    modeling_utils.safe_save_file = write_hole
    try:
        yield
    finally:
        modeling_utils.safe_save_file = before


def listing_of_file(module: PreTrainedModel, folder: Path) -> TensorListing:
    """What the file saved from a module holds.

    Raises:
        LiveModelError: the class cannot be saved, or its file cannot be read.
    """
    try:
        with without_data(), quiet():
            module.save_pretrained(folder, max_shard_size="100TB")
    except Exception as error:
        raise LiveModelError(f"not saved ({type(error).__name__}: {' '.join(str(error).split())[:120]})") from error
    result = read_weights(open_package(str(folder), offline=True).files)
    if result.listing is None:
        raise LiveModelError(f"not read ({result.skipped})")
    return result.listing


def built(entry: ModelEntry, model_class: type[PreTrainedModel]) -> PreTrainedModel:
    """A class in the library's default size.

    Raises:
        LiveModelError, MissingExtraError: it cannot be built.
    """
    try:
        config = with_changes(entry.config_class, arguments_for(entry.model_type, model_class.__name__), {})
    except Exception as error:
        raise LiveModelError(f"configuration refused ({type(error).__name__})") from error
    with detectron2_backbone() if entry.model_type == "layoutlmv2" else nullcontext():
        return module_from_class(model_class, config, limits=LIMITS)


def differences(one: TensorListing, other: TensorListing) -> str:
    """The first tensors that only one of two listings has, for a reader."""
    left = {(t.name, t.shape, t.dtype) for t in one.tensors}
    right = {(t.name, t.shape, t.dtype) for t in other.tensors}
    return f"only module {sorted(left - right)[:3]}, only file {sorted(right - left)[:3]}"


def main() -> int:
    """Command line; exits 1 when a fingerprint differs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--families", help="only these model types, comma separated")
    parser.add_argument("--share", type=float, default=1.0, help="share of the families, by a seeded choice")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--list", action="store_true", help="name every class that differs or cannot be judged")
    options = parser.parse_args()
    os.environ["HF_HUB_OFFLINE"] = "1"
    prepare_torchvision()
    rng = random.Random(options.seed)
    tally: Counter[str] = Counter()
    started = time.perf_counter()
    for entry in model_entries(options.families.split(",") if options.families else None):
        if rng.random() >= options.share:
            continue
        for model_class in entry.classes:
            verdict, detail = _judged(entry, model_class)
            tally[verdict] += 1
            if options.list and not verdict.startswith("equal"):
                print(f"  {verdict}: {entry.model_type} {model_class.__name__}: {detail}", flush=True)
    for verdict, number in sorted(tally.items()):
        print(f"{verdict}: {number}")
    print(f"{sum(tally.values())} classes, {time.perf_counter() - started:.0f} s")
    return int(any(verdict.startswith("different") for verdict in tally))


def _judged(entry: ModelEntry, model_class: type[PreTrainedModel]) -> tuple[str, str]:
    try:
        module = built(entry, model_class)
    except (LiveModelError, MissingExtraError) as error:
        return "not built", str(error)
    try:
        live = saved_listing(module)
        with tempfile.TemporaryDirectory() as folder:
            stored = listing_of_file(module, Path(folder))
    except LiveModelError as error:
        return "not saved", str(error)
    ours, theirs = fingerprint(live), fingerprint(stored)
    if ours.digest != theirs.digest:
        return "different digest", differences(live, stored)
    if (ours.structure, ours.vocabulary) != (theirs.structure, theirs.vocabulary):
        return "different structure or names", differences(live, stored)
    shuffled = random.Random(0).sample(stored.tensors, len(stored.tensors))
    if fingerprint(TensorListing(tuple(shuffled), stored.format)).structure != theirs.structure:
        return "different structure in another order", ""
    plain = fingerprint(listing_from_module(module))
    if plain.digest != theirs.digest:
        return "equal (restructured when saved: other tensors in memory)", ""
    return ("equal" if plain.structure == theirs.structure else "equal (definition order folds otherwise)"), ""


if __name__ == "__main__":
    raise SystemExit(main())
