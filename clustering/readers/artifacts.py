"""Which files of a package belong together as one model, and which of several models is the main one."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from posixpath import basename, dirname, join

from clustering.readers.interface import WeightReader
from clustering.readers.registry import READERS, reader_for

_SHARD = re.compile(r"^(?P<stem>.+?)[-_.](?P<number>\d{1,6})[-_]of[-_](?P<count>\d{1,6})(?P<rest>(?:\.\w+)+)$")
_PART = re.compile(r"^(?P<stem>consolidated)\.(?P<number>\d{2,5})(?P<rest>\.\w+)$")
_INDEX = re.compile(r"^(?P<stem>.+)\.(?P<format>safetensors|bin|msgpack|h5)\.index(?:\.\w+)?\.json$")
_NO_WEIGHTS = re.compile(
    r"^(optim|optimizer|sched|scheduler|lr_scheduler|training_args|rng_state|random_states?|scaler|trainer_state|"
    r"zero_pp_rank|imatrix|vocab|tokenizer|train_state|dataset|events|special_tokens|generation_config|args)([._-]|$)"
)
_OPTIMIZER = re.compile(r"optim(izer)?[_.-]?(state|\d|\.)|_optim_states")
_NO_FOLDER = re.compile(r"(^|/)(\.[^/]+|__pycache__|runs|logs|tokenizer|optimizer|assets)(/|$)")
_CHECKPOINT = re.compile(r"(^|/)(checkpoint|global_step|step|epoch)[-_]?\d+(/|$)")
_CANONICAL = frozenset(
    {"model", "pytorch_model", "tf_model", "flax_model", "diffusion_pytorch_model", "diffusion_flax_model",
     "model_state", "open_clip_pytorch_model", "open_clip_model", "saved_model", "variables", "weights", "bert_model",
     "decoder_model"}
)  # fmt: skip
_VARIANT = re.compile(r"[._-](fp16|fp32|bf16|int8|int4|fp8|ema|non_ema|q4|q4f16|uint8|bnb4|quantized|ext)$")
_REPEATED = re.compile(r"[._-](merged|with_past|optimized|o[1-4])$")


@dataclass(frozen=True, slots=True)
class Artifact:
    """Files that together hold one model in one format."""

    folder: str
    stem: str
    reader: WeightReader
    files: tuple[str, ...]
    """Files that are there, sorted."""
    missing: tuple[str, ...] = ()
    """Files that an index or the numbering names and that are not there."""
    index: str | None = None
    size: int = 0
    """Bytes of the files whose length is known."""

    @property
    def adapter(self) -> bool:
        """Whether the file is named as an adapter."""
        return self.stem.startswith(("adapter_model", "pytorch_lora_weights", "adapter_"))

    def rank(self) -> tuple[int, ...]:
        """Sorts the main model first: whole before adapter, root before folders, canonical before other names."""
        gguf = self.reader.format == "gguf"
        shown = self.stem.lower()
        return (
            "mmproj" in shown,
            bool(_CHECKPOINT.search(self.folder)),
            not self.files,
            self.adapter,
            0 if not self.folder else 1 + self.folder.count("/"),
            [reader.format for reader in READERS].index(self.reader.format),
            bool(_VARIANT.search(shown)) and not gguf,
            shown.startswith("consolidated"),
            shown not in _CANONICAL,
            bool(self.missing),
            len(self.files) if gguf else 0,
            0 if gguf else -self.size,
        )

    def sort_key(self) -> tuple[tuple[int, ...], str, str]:
        """`rank`, then path: the order never depends on how files were listed."""
        return self.rank(), self.folder, self.stem


def holds_weights(path: str) -> bool:
    """Whether a file can be a part of the model: a known format, and not an optimizer's state or training arguments."""
    name = basename(path).lower()
    if _NO_WEIGHTS.match(name) or _OPTIMIZER.search(name) or _NO_FOLDER.search(dirname(path).lower()):
        return False
    return reader_for(path) is not None


def find_artifacts(sizes: Mapping[str, int | None], indexes: Mapping[str, Iterable[str]]) -> list[Artifact]:
    """All artifacts of a package, the main one first.

    Args:
        sizes: files of the package with their lengths.
        indexes: path of each shard index -> the files that it names, as paths in the package.
    """
    found: list[Artifact] = []
    taken: set[str] = set()
    for path in sorted(indexes):
        match = _INDEX.match(basename(path))
        if match is None:
            continue
        folder = dirname(path)
        names = sorted(set(indexes[path]))
        reader = reader_for(f"x.{match['format']}")
        if reader is None or not names:
            continue
        present = tuple(name for name in names if name in sizes)
        taken.update(present)
        missing = tuple(name for name in names if name not in sizes)
        found.append(_artifact(folder, match["stem"], reader, present, sizes, missing=missing, index=path))
    rows: dict[tuple[str, str, str], dict[int, str]] = {}
    counts: dict[tuple[str, str, str], int] = {}
    for path in sorted(sizes):
        if path in taken or not holds_weights(path):
            continue
        folder, name = dirname(path), basename(path)
        match = _SHARD.match(name) or _PART.match(name)
        if match is None:
            reader = reader_for(path)
            if reader is not None:
                found.append(_artifact(folder, _stem(name), reader, (path,), sizes))
            continue
        count = match.groupdict().get("count") or ""
        key = (folder, match["stem"], f"{count}{match['rest']}")
        rows.setdefault(key, {})[int(match["number"])] = path
        counts[key] = int(count) if count else 0
    found.extend(_numbered(key, files, counts[key], sizes) for key, files in rows.items())
    return sorted(found, key=Artifact.sort_key)


def other_parts(artifact: Artifact, artifacts: Iterable[Artifact]) -> tuple[str, ...]:
    """Files with the other parts of a model that was exported to ONNX in parts (encoder_model, decoder_model, ...).

    Precision variants and the repetitions of a decoder with and without its cache are the same part.
    """
    own = _part(artifact.stem)
    if artifact.reader.format != "onnx" or own in {"", "model"}:
        return ()
    return tuple(
        path
        for other in artifacts
        if other.reader.format == "onnx" and other.folder == artifact.folder and _part(other.stem) not in {own, "model"}
        for path in other.files
    )


def _part(stem: str) -> str:
    stem = stem.lower()
    while (shorter := _REPEATED.sub("", _VARIANT.sub("", stem))) != stem:
        stem = shorter
    return stem


def is_index(path: str) -> bool:
    """Whether a file is a shard index."""
    return _INDEX.match(basename(path)) is not None


def complete_without(index: str, paths: Iterable[str]) -> bool:
    """Whether the shards that belong to an index are all there by their own numbering."""
    match = _INDEX.match(basename(index))
    if match is None:
        return False
    found: dict[str, set[int]] = {}
    for path in paths:
        shard = _SHARD.match(basename(path)) if dirname(path) == dirname(index) else None
        if shard is not None and shard["stem"] == match["stem"] and shard["rest"] == f".{match['format']}":
            found.setdefault(shard["count"], set()).add(int(shard["number"]))
    if len(found) != 1:
        return False
    ((count, numbers),) = found.items()
    return numbers == set(range(1, int(count) + 1))


def _numbered(
    key: tuple[str, str, str], files: dict[int, str], count: int, sizes: Mapping[str, int | None]
) -> Artifact:
    """Shards named NAME-00001-of-00003 without an index."""
    folder, stem, _ = key
    paths = [files[number] for number in sorted(files)]
    reader = reader_for(paths[0])
    assert reader is not None  # noqa: S101 - `holds_weights` let it through
    first = 0 if 0 in files else 1
    absent = [number for number in range(first, first + min(count, 2_000)) if number not in files]
    sample = paths[0]
    missing = tuple(_renumbered(sample, other) for other in absent)
    return _artifact(folder, stem, reader, tuple(paths), sizes, missing=missing)


def _renumbered(path: str, other: int) -> str:
    """`path` with its first shard number replaced."""
    head, tail = dirname(path), basename(path)
    match = _SHARD.match(tail)
    if match is None:
        return path
    start, end = match.span("number")
    return join(head, f"{tail[:start]}{other:0{end - start}d}{tail[end:]}")


def _artifact(
    folder: str,
    stem: str,
    reader: WeightReader,
    files: tuple[str, ...],
    sizes: Mapping[str, int | None],
    *,
    missing: tuple[str, ...] = (),
    index: str | None = None,
) -> Artifact:
    total = sum(sizes[path] or 0 for path in files)
    return Artifact(folder, stem, reader, files, missing, index, total)


def _stem(name: str) -> str:
    """File name without its suffix; dots inside (`Qwen2.5-7B.Q4_K_M.gguf`) stay."""
    return name.rsplit(".", 1)[0] if "." in name else name
