"""From the files of a package to the tensor listing of its main model."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from posixpath import dirname, normpath
from threading import Lock
from typing import Any, TypeVar

import numpy as np

from clustering.bytesource import ByteSource, FileAccess
from clustering.collecting import no_collection
from clustering.columns import Columns
from clustering.errors import MissingExtraError, NoWeightsError, ReaderError
from clustering.quantization.logical import logical
from clustering.readers.artifacts import Artifact, complete_without, find_artifacts, is_index, other_parts
from clustering.readers.gguf_names import translated
from clustering.readers.limits import DEFAULT_LIMITS, Limits
from clustering.readers.local import Counted
from clustering.readers.messages import printable, refusal
from clustering.readers.slices import sliceable, sliced
from clustering.tensors import Tensor, TensorListing

LFS_HEAD = b"version https://git-lfs.github.com/spec/v1"
LFS_LONGEST = 1_024
"""A pointer file is about 130 bytes long; the specification allows 1,024."""
MAIN_COMPONENTS = ("unet", "transformer", "prior", "dit", "model")
"""Folders of a diffusers pipeline that hold the model which gives the package its name."""
ATTEMPTS = 4
"""Artifacts that are tried before a package counts as unreadable."""
CONFIG_BYTES = 5_000_000
INDEXES = 32
"""Shard indexes that are read; pipelines have one per folder."""

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class WeightsResult:
    """What could be read of a package's weights."""

    listing: TensorListing | None
    """The main model; None when nothing could be read."""
    components: Mapping[str, TensorListing] = field(default_factory=dict)
    """Parts of a diffusers pipeline by folder name; empty for plain packages."""
    skipped: tuple[tuple[str, str], ...] = ()
    """(check, reason) for what was there and could not be read."""
    damaged: tuple[tuple[str, str], ...] = ()
    """Entries of `skipped` that are not what they claim to be, or which the source failed to give."""
    considered: tuple[str, ...] = ()
    """Weight files of the package, sorted."""
    others: tuple[str, ...] = ()
    """Weight files that were left aside: other formats, other quantizations, checkpoints."""
    bytes_read: int = 0


def read_weights(files: FileAccess, limits: Limits = DEFAULT_LIMITS) -> WeightsResult:
    """The tensor listing of a package's main model: headers only, packed weights in logical form.

    Never raises for what the package holds: a damaged or hostile file becomes an entry of `skipped`. When `files` has
    an attribute `concurrency` (a whole number), that many shards are read at a time.
    """
    with no_collection():
        return _Reading(files, limits).run()


class _Reading:
    """One package being read."""

    def __init__(self, files: FileAccess, limits: Limits) -> None:
        self._files = files
        self._limits = limits
        self._sizes = files.sizes()
        self._skipped: dict[tuple[str, str], None] = {}
        self._damaged: dict[tuple[str, str], None] = {}
        self._indexes: dict[str, dict[str, str]] = {}
        self._bytes = 0
        self._lock = Lock()

    def run(self) -> WeightsResult:
        indexes = sorted(filter(is_index, self._sizes))[:INDEXES]
        # An index of 8 MB says nothing new when all shards of the numbering are there.
        idle = [path for path in indexes if complete_without(path, self._sizes)]
        artifacts = self._artifacts([path for path in indexes if path not in idle])
        considered = tuple(sorted({path for artifact in artifacts for path in artifact.files}))
        components = self._components(artifacts)
        listing = self._main(components) if components else self._first(artifacts)
        if listing is None and idle:
            artifacts = self._artifacts(idle)
            listing = self._names(artifacts)
        used = {path for part in (*components.values(), listing) if part is not None for path in part.files}
        others = tuple(path for path in considered if path not in used)
        return WeightsResult(
            listing=listing,
            components=components,
            skipped=tuple(sorted(self._skipped)),
            damaged=tuple(sorted(self._damaged)),
            considered=considered,
            others=others,
            bytes_read=self._bytes,
        )

    def _components(self, artifacts: list[Artifact]) -> dict[str, TensorListing]:
        """Listings of a diffusers pipeline's folders, in the order of model_index.json."""
        if "model_index.json" not in self._sizes:
            return {}
        pipeline = self._attempt("model_index.json", lambda: self._json("model_index.json", CONFIG_BYTES))
        if not isinstance(pipeline, dict):
            return {}
        found: dict[str, TensorListing] = {}
        for name, value in list(pipeline.items())[:64]:
            if not isinstance(value, list) or not isinstance(name, str):
                continue
            listing = self._first([artifact for artifact in artifacts if artifact.folder == name])
            if listing is not None:
                found[name] = listing
        return found

    @staticmethod
    def _main(components: Mapping[str, TensorListing]) -> TensorListing:
        name = next((name for name in MAIN_COMPONENTS if name in components), None)
        if name is not None:
            return components[name]
        return max(components.values(), key=lambda listing: sum(tensor.elements for tensor in listing.tensors))

    def _first(self, artifacts: list[Artifact]) -> TensorListing | None:
        """The first artifact that can be read; an index alone when none can."""
        for artifact in [one for one in artifacts if one.files][:ATTEMPTS]:
            listing = self._attempt(artifact.files[0], lambda one=artifact: self._read(one))  # type: ignore[misc]
            if listing is not None:
                unread = other_parts(artifact, artifacts)
                return replace(listing, incomplete=(*listing.incomplete, *unread)) if unread else listing
        return self._names(artifacts)

    def _read(self, artifact: Artifact) -> TensorListing | None:
        if len(artifact.files) > self._limits.shards:
            raise refusal(artifact.folder or ".", f"more than {self._limits.shards} shards")
        parts: list[TensorListing] = []
        missing = list(artifact.missing)
        for path, part in zip(artifact.files, self._each(artifact), strict=True):
            if part is None:
                missing.append(path)
            else:
                parts.append(part)
        if not parts:
            return None
        listing = sliced(parts) if sliceable(parts) else _joined(parts, tuple(sorted(missing)))
        if sliceable(parts) and missing:
            raise refusal(artifact.folder or ".", f"slices of a model without {missing[0]}")
        listing = replace(listing, adapter=self._adapter(artifact, listing))
        return logical(translated(listing), self._config(artifact.folder))

    def _config(self, folder: str) -> Mapping[str, Any] | None:
        """config.json beside the weights, or at the root; what is wrong with it is said elsewhere."""
        for path in dict.fromkeys((f"{folder}/config.json".lstrip("/"), "config.json")):
            if path in self._sizes:
                try:
                    config = self._json(path, CONFIG_BYTES)
                except ReaderError:
                    continue
                if isinstance(config, dict):
                    return config
        return None

    def _each(self, artifact: Artifact) -> Iterable[TensorListing | None]:
        """Listings of the files in order; None for a pointer."""
        concurrency = getattr(self._files, "concurrency", 1)
        if len(artifact.files) == 1 or not isinstance(concurrency, int) or concurrency < 2:
            return [self._file(path, artifact) for path in artifact.files]
        with ThreadPoolExecutor(min(concurrency, 16)) as pool:
            return list(pool.map(lambda path: self._file(path, artifact), artifact.files))

    def _file(self, path: str, artifact: Artifact) -> TensorListing | None:
        source = self._open(path)
        try:
            pointed = _pointer(source)
            if pointed is not None:
                self._skip(path, f"a Git LFS pointer to {pointed}, the weights themselves were not fetched")
                return None
            listing = artifact.reader.read(source, self._limits)
            return replace(listing, bytes_read=source.bytes_read)
        finally:
            self._close(source)

    def _close(self, source: Counted) -> None:
        with self._lock:
            self._bytes += source.bytes_read
        source.close()

    def _open(self, path: str) -> Counted:
        return Counted(_Named(self._files.open(path), path), self._limits.scan_bytes)

    def _artifacts(self, indexes: list[str]) -> list[Artifact]:
        """Artifacts of the package; these indexes are read first."""
        for path in indexes:
            table = self._attempt(path, lambda at=path: self._index(at))  # type: ignore[misc]
            if table:
                self._indexes[path] = table
        return find_artifacts(self._sizes, {path: table.values() for path, table in self._indexes.items()})

    def _names(self, artifacts: list[Artifact]) -> TensorListing | None:
        """Tensor names of the first index, when its shards are not there or cannot be read."""
        artifact = next((artifact for artifact in artifacts if artifact.index is not None), None)
        if artifact is None:
            return None
        table = self._indexes[artifact.index or ""]
        tensors = tuple(Tensor(name, (), "", file=shard) for name, shard in table.items())
        label = artifact.index or ""
        missing = tuple(sorted({*artifact.files, *artifact.missing}))
        listing = TensorListing(tensors, "index", (label,), names_only=True, incomplete=missing)
        return logical(listing, self._config(artifact.folder))

    def _adapter(self, artifact: Artifact, listing: TensorListing) -> str | None:
        path = f"{artifact.folder}/adapter_config.json".lstrip("/")
        if artifact.adapter and path in self._sizes:
            config = self._attempt(path, lambda: self._json(path, CONFIG_BYTES))
            kind = config.get("peft_type") if isinstance(config, dict) else None
            return printable(kind, 40).lower() if isinstance(kind, str) and kind else "adapter"
        return _adapter_by_names(listing) or ("adapter" if artifact.adapter else None)

    def _index(self, path: str) -> dict[str, str]:
        document = self._json(path, self._limits.index_bytes)
        table = document.get("weight_map") if isinstance(document, dict) else None
        if not isinstance(table, dict) or not table:
            raise refusal(path, "a shard index without weight_map")
        folder = dirname(path)
        for name, shard in table.items():
            if not isinstance(shard, str) or len(name) > self._limits.name_length or _outside(shard):
                raise refusal(path, f"weight_map sends {printable(name, 60)} to {printable(shard, 60)}")
        if len(set(table.values())) > self._limits.shards:
            raise refusal(path, f"names more than {self._limits.shards} shards")
        return {name: normpath(f"{folder}/{shard}" if folder else shard) for name, shard in table.items()}

    def _json(self, path: str, limit: int) -> Any:
        source = self._open(path)
        try:
            if source.size is not None and source.size > limit:
                raise refusal(path, f"{source.size} bytes are over the limit of {limit}")
            raw = source.read(0, limit + 1)
        finally:
            self._close(source)
        if len(raw) > limit:
            raise refusal(path, f"over the limit of {limit} bytes")
        try:
            return json.loads(raw)
        except (ValueError, RecursionError) as error:
            if raw.startswith(LFS_HEAD):
                raise refusal(path, "a Git LFS pointer") from None
            raise refusal(path, f"not JSON: {error}") from None

    def _attempt(self, path: str, action: Callable[[], _T]) -> _T | None:
        try:
            return action()
        except NoWeightsError as error:
            self._skip(path, str(error))
            return None
        except ReaderError as error:
            self._damaged[self._skip(path, str(error))] = None
            return None
        except MissingExtraError as error:
            self._skip(path, str(error))
            return None

    def _skip(self, path: str, reason: str) -> tuple[str, str]:
        shown = printable(path, 300)
        entry = (f"weights of {shown}", reason.removeprefix(f"{shown}: "))
        self._skipped[entry] = None
        return entry


class _Named(ByteSource):
    """A source under the path that it has inside its package."""

    def __init__(self, source: ByteSource, path: str) -> None:
        self.label = printable(path, 300)
        self._source = source

    @property
    def size(self) -> int | None:
        return self._source.size

    def read(self, offset: int, length: int) -> bytes:
        return self._source.read(offset, length)

    def close(self) -> None:
        self._source.close()


def _joined(parts: list[TensorListing], missing: tuple[str, ...]) -> TensorListing:
    """One listing of several shards; a name that occurs twice is kept once."""
    first = parts[0]
    if len(parts) == 1 and not missing:
        return first
    columns = Columns.joined([Columns.of(part.tensors) for part in parts])
    metadata = dict(first.metadata)
    if len(set(columns.names)) < len(columns):
        once = {name: row for row, name in reversed(list(enumerate(columns.names)))}
        metadata["repeated_names"] = len(columns) - len(once)
        columns = columns.take(np.array(sorted(once.values()), dtype=np.int64))
    if first.format == "safetensors" and all(_sorted(part) for part in parts):
        # A layer that two shards share is whole again, as in a single file of the same writer.
        columns = columns.by_name()
    return replace(
        first,
        tensors=columns,
        files=tuple(path for part in parts for path in part.files),
        metadata=metadata,
        incomplete=missing,
        bytes_read=sum(part.bytes_read for part in parts),
    )


def _sorted(part: TensorListing) -> bool:
    names = Columns.of(part.tensors).names
    return names == sorted(names)


def _adapter_by_names(listing: TensorListing) -> str | None:
    """The kind of adapter when most tensor names are those of one."""
    columns = Columns.of(listing.tensors)
    text = "\n".join(["0".join(texts) for texts in columns.patterns.texts]).lower()
    if not any(word in text for word in ("lora", "lokr_", "hada_w", "ia0_l")):
        return None  # told at once for nearly all
    names = [name.lower() for name in columns.names]
    low_rank = sum("lora_" in name or ".lora." in name or "lokr_" in name or "hada_w" in name for name in names)
    if low_rank * 2 > len(names):
        return "lora"
    return "ia3" if sum("ia3_l" in name for name in names) * 2 > len(names) else None


def _pointer(source: ByteSource) -> str | None:
    """What a Git LFS pointer points to, or None for a real file."""
    if source.size is not None and source.size > LFS_LONGEST:
        return None
    head = source.read(0, LFS_LONGEST)
    if not head.startswith(LFS_HEAD):
        return None
    size = next((line[5:] for line in head.split(b"\n") if line.startswith(b"size ")), b"")
    return f"{int(size)} bytes" if size.isdigit() and len(size) < 20 else "a file of unknown length"


def _outside(shard: str) -> bool:
    """Whether a shard's path would leave the folder."""
    return not shard or len(shard) > 1_000 or shard.startswith("/") or "\\" in shard or ".." in shard.split("/")
