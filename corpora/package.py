"""The `Package`: one thing that is audited, wherever it lies."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from clustering.bytesource import FileAccess
from clustering.errors import ReaderError
from clustering.text import escape
from corpora.card import CARD_PATH, ModelCard, parse_card
from corpora.errors import DamagedFileError, NotFoundError, PackageError
from corpora.jsontext import JsonDocument, parse_json

SourceKind = Literal["folder", "file", "hub-cache", "hub", "snapshot"]

NameBasis = Literal["given", "hub", "folder", "remote", "card", "weak"]
"""Who says what the package is called: the caller, the hub, a folder called `OWNER--REPO` or `models--OWNER--REPO`, the
git remote of a hub checkout, the card's `dara: {name: ...}`, or (weak) merely the name of a folder or file, which
nobody may have meant as a name."""

MAX_JSON: Final = 16 << 20
"""Largest JSON file that is parsed. Configurations have a few KB, the index of a 671B model 9 MB."""

MAX_CARD: Final = 2 << 20
"""Bytes of README.md that are looked at."""

_FIRST_OF_CARD: Final = 64 << 10
"""Bytes that hold the front matter of nearly every card; a hub is asked for more only when they do not."""

CONFIG_PATH: Final = "config.json"


_ALWAYS_READ: Final = (CONFIG_PATH, CARD_PATH, "model.safetensors", "model.safetensors.index.json")


@dataclass(frozen=True, slots=True)
class HubMetadata:
    """What a hub says about a package apart from its files. Declared, all of it."""

    tags: tuple[str, ...] = ()
    pipeline_tag: str | None = None
    library_name: str | None = None
    base_model: tuple[str, ...] = ()
    license: str | None = None
    gated: bool | None = None
    private: bool | None = None
    sha: str | None = None
    author: str | None = None
    created_at: str | None = None
    last_modified: str | None = None
    downloads: int | None = None
    likes: int | None = None
    safetensors_parameters: Mapping[str, int] = field(default_factory=dict)
    """Elements by dtype as the hub counted them; packed weights are counted packed."""
    safetensors_total: int | None = None
    gguf: Mapping[str, Any] = field(default_factory=dict)
    """The hub's digest of a GGUF header: total, architecture, context_length."""
    config: Mapping[str, Any] = field(default_factory=dict)
    """The hub's digest of config.json: architectures, model_type, quantization_config."""


@dataclass(frozen=True, slots=True)
class Package:
    """One repository of a hub at a revision, a local folder of the same layout, or a single weight file."""

    source: SourceKind
    location: str
    """Where it lies: a path as given, or an address; free of control characters."""
    files: FileAccess
    owner: str | None = None
    repo: str | None = None
    """The name proper; None when nothing names the package."""
    name_basis: NameBasis | None = None
    asked: str | None = None
    """The name that was asked for, where the hub serves the package under another one."""
    revision: str | None = None
    """Commit where it is known, else the revision that was asked for."""
    metadata: HubMetadata = field(default_factory=HubMetadata)
    skipped: tuple[tuple[str, str], ...] = ()
    """Paths that were left out, with the reason."""
    notes: tuple[str, ...] = ()
    """What a reader of the report should know: renamed on the hub, several snapshots in the cache."""
    listed: tuple[str, ...] = ()
    """Files that a snapshot names without holding them."""
    known_config: JsonDocument | None = None
    """The configuration where a snapshot records it apart from the files; possibly only the hub's digest of it."""
    known_card: ModelCard | None = None
    """The card's declarations where a snapshot records them apart from the files."""
    weight: int = 0
    """Bytes of the row that it was made of, where that is a long one: who holds many packages wants to know."""

    @property
    def name(self) -> str | None:
        """`owner/repo`, only `repo` when there is no owner, None when there is no name."""
        if self.repo is None:
            return None
        return f"{self.owner}/{self.repo}" if self.owner else self.repo

    @property
    def paths(self) -> tuple[str, ...]:
        """Paths of all files, sorted; of a snapshot also those whose content is not there."""
        return tuple(sorted({*self.files.sizes(), *self.listed})) if self.listed else tuple(self.files.sizes())

    def has(self, path: str) -> bool:
        """Whether the package holds a file of that path."""
        return path in self.files.sizes()

    def read_bytes(self, path: str, limit: int = MAX_JSON) -> bytes:
        """A whole file.

        Raises:
            NotFoundError: when there is no such file.
            DamagedFileError: when it is longer than `limit` or cannot be read.
            PackageError: when the source fails.
        """
        data = self.read_head(path, limit + 1)
        if len(data) > limit:
            raise DamagedFileError(f"{escape(path)}: larger than {limit:,} bytes; not read")
        return data

    def read_head(self, path: str, length: int) -> bytes:
        """The first `length` bytes of a file, fewer when it is shorter. Raises as `read_bytes`."""
        if not self.has(path):
            raise NotFoundError(f"{escape(path)}: no such file in {self.name or self.location}")
        try:
            source = self.files.open(path)
            try:
                return source.read(0, length)
            finally:
                source.close()
        except PackageError:
            raise
        except ReaderError as error:
            raise DamagedFileError(str(error)) from error

    def read_json(self, path: str, limit: int = MAX_JSON) -> JsonDocument:
        """A JSON file with bounded length, depth and number of values.

        Raises:
            NotFoundError: when there is no such file.
            DamagedFileError: naming the file and, for a syntax error, line and column.
            PackageError: when the source fails.
        """
        return parse_json(self.read_bytes(path, limit), escape(path))

    def config(self) -> JsonDocument | None:
        """config.json (or what a snapshot records of it), or None where the package has none.

        Raises:
            DamagedFileError: also when it is not a JSON object.
            PackageError: when the source fails.
        """
        if not self.has(CONFIG_PATH):
            return self.known_config
        document = self.read_json(CONFIG_PATH)
        if not isinstance(document.value, dict):
            raise DamagedFileError(f"{CONFIG_PATH}: not a JSON object")
        return document

    def card(self) -> ModelCard:
        """The model card; empty where there is none. A damaged one is described by its notes.

        Raises:
            PackageError: when the source fails.
        """
        if not self.has(CARD_PATH):
            return self.known_card or ModelCard()
        try:
            data = self.read_head(CARD_PATH, _FIRST_OF_CARD)
            if data.lstrip().startswith(b"---") and data.count(b"\n---") == 0:
                data = self.read_head(CARD_PATH, MAX_CARD)
        except DamagedFileError as error:
            return ModelCard(present=True, notes=(str(error),))
        # A cut in the middle of a character, or bytes that are not UTF-8, must not hide the rest of the card.
        return parse_card(data.decode("utf-8", errors="replace"))

    def prefetch(self) -> None:
        """Brings what every audit reads (config, card, the main weight file's header) at once instead of one by one.

        Only a hub gains by it; elsewhere nothing happens. Failures show when the files are read.
        """
        fetch = getattr(self.files, "prefetch", None)
        if fetch is not None:
            fetch(path for path in _ALWAYS_READ if self.has(path))

    def failures(self) -> tuple[PackageError, ...]:
        """Errors of the source (not of the files) so far: a hub that stopped answering in the middle of an audit."""
        found: tuple[PackageError, ...] = tuple(getattr(self.files, "failures", ()))
        return found
