"""What export tools leave of a model: the family by both channels on GGUF and ONNX spellings of real classes.

    python -m benchmarks.exports [--gguf] [--onnx]

GGUF: every class that the gguf library knows how to rename, built on the meta device in the library's default size and
renamed by that library's own table (`get_tensor_name_map`), with the changes of layout that llama.cpp's converter makes
(experts' gates and inputs apart, `Conv1D` the other way round, windows of one channel squeezed). The listing is asked
for as it is, and as the reader of packages hands it on (`clustering.readers.gguf_names.translated`).

ONNX: classes in a small size with random weights, exported by `torch.onnx.export` and read by our reader: whether the
fingerprint is that of the module, and the family. Needs the extras `graph` and `onnx`.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # runs as a file as well as with -m

from benchmarks.exports_onnx import onnx_figures
from benchmarks.fingerprint_figures import Report, Share
from clustering.errors import MissingExtraError
from clustering.family.scorer import FamilyScorer
from clustering.live.listing import LiveModelError, module_from_config
from clustering.readers.gguf_names import translated
from clustering.readers.gguf_names_build import ARCHITECTURES, configuration, nameable_listing, target_name
from clustering.tensors import Tensor, TensorListing
from corpora.reference import load_reference


def as_gguf(config: Mapping[str, object], member: str) -> tuple[TensorListing, int]:
    """The listing of a class under llama.cpp's names, and how many tensors its table has no name for.

    Raises:
        LiveModelError, MissingExtraError: the class cannot be built.
    """
    import gguf
    from gguf.tensor_mapping import get_tensor_name_map

    architecture = getattr(gguf.MODEL_ARCH, member)
    mapping = get_tensor_name_map(architecture, 512)
    module = module_from_config(config)
    hidden = int(getattr(getattr(module, "config", None), "hidden_size", 0) or 0)
    turned = {path for path, part in module.named_modules() if type(part).__name__ == "Conv1D"}
    tensors: list[Tensor] = []
    unnamed = 0
    for tensor in nameable_listing(module, mapping).tensors:
        name = target_name(mapping, tensor.name)
        if name is None:
            unnamed += 1
            continue
        shape = tuple(size for size in tensor.shape if size != 1) or tensor.shape
        if tensor.name.removesuffix(".weight") in turned and len(shape) == 2:
            shape = shape[::-1]
        if "exps." in name and len(shape) == 3:
            shape = _outputs_first(shape, hidden, down="down" in name)
        if name.endswith((".ssm_a", ".ssm_d")) and len(shape) == 1:
            shape = (*shape, 1)
        plain = Tensor(name, shape, "F16")
        if "_gate_up_" in name:
            axis = len(shape) - 1 if name.endswith("bias") else len(shape) - 2
            half = tuple(size // 2 if place == axis else size for place, size in enumerate(shape))
            tensors += [Tensor(name.replace("gate_up", part), half, "F16") for part in ("gate", "up")]
        else:
            tensors.append(plain)
    metadata = {"general.architecture": gguf.MODEL_ARCH_NAMES[architecture]}
    return TensorListing(tuple(tensors), "gguf", metadata=metadata), unnamed


def _outputs_first(shape: tuple[int, ...], hidden: int, *, down: bool) -> tuple[int, ...]:
    """Experts' matrices as llama.cpp keeps them: [experts, outputs, inputs]."""
    experts, one, other = shape
    wrong = other == hidden != one if down else one == hidden != other
    return (experts, other, one) if wrong else shape


def gguf_cases() -> Iterator[tuple[str, str, TensorListing, int]]:
    """(architecture, family, listing, tensors without a name)."""
    for member, types in ARCHITECTURES.items():
        for model_type in types:
            try:
                listing, unnamed = as_gguf(configuration(member, model_type), member)
            except (LiveModelError, MissingExtraError) as error:
                print(f"  not built: {member} {model_type}: {error}", file=sys.stderr)
                continue
            yield member, model_type, listing, unnamed


def gguf_figures(report: Report, scorer: FamilyScorer) -> None:
    """Fills in the GGUF spellings."""
    section = "GGUF"
    ways = {"as stored": lambda listing: listing, "as the reader hands it on": translated}
    shares = {way: (Share(f"{way}: right", grouped=False), Share(f"{way}: itself", grouped=False)) for way in ways}
    channels: dict[str, Counter[str]] = {way: Counter() for way in ways}
    missing = 0
    for member, family, listing, unnamed in gguf_cases():
        missing += bool(unnamed)
        for way, change in ways.items():
            answer = scorer.identify(change(listing))
            channels[way][answer.channel] += 1
            first = answer.family[0] if answer.family else None
            hit = first is not None and family in (first.model_type, *first.twins)
            said = ", ".join(f"{match.model_type} {match.score:.2f}" for match in answer.family[:3]) or "unknown"
            reason = f"{family}, answered {said}; {answer.reason}; {unnamed} tensors without a name"
            shares[way][0].add(member, hit=hit, reason=reason)
            shares[way][1].add(member, hit=first is not None and first.model_type == family)
    for way, pair in shares.items():
        report.add(section, *pair)
        report.note(section, f"{way}: decided by {dict(channels[way])}")
    report.note(section, f"{missing} classes have tensors that the library's table does not name; they are left out")


def main() -> int:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gguf", action="store_true", help="only GGUF")
    parser.add_argument("--onnx", action="store_true", help="only ONNX")
    options = parser.parse_args()
    started = time.process_time()
    report, scorer = Report(), load_reference()
    if options.gguf or not options.onnx:
        gguf_figures(report, scorer)
    if options.onnx or not options.gguf:
        onnx_figures(report, scorer)
    report.show()
    print(f"\n{time.process_time() - started:.0f} s of processor")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
