"""A query to a live hub: all models of an author, a search, a filter. Page after page, resumable, metadata only."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Final
from urllib.parse import urlencode, urljoin, urlsplit

from clustering.text import escape
from corpora.errors import OfflineError, UnavailableError
from corpora.package import Package
from corpora.sources.hub import endpoint_of, offline_by_environment
from corpora.sources.hub_http import HubClient
from corpora.sources.hub_patience import Patience
from corpora.sources.interface import OpenOptions, SkippedPackage, SnapshotSource
from corpora.sources.rows import package_of_row

PAGE: Final = 500
"""Models in one answer; with their cards and lists of files they take 2 to 5 MB."""

_MAX_PAGE: Final = 64 << 20
EXPAND: Final = (
    "author",
    "baseModels",
    "cardData",
    "config",
    "createdAt",
    "downloads",
    "gated",
    "gguf",
    "lastModified",
    "library_name",
    "likes",
    "pipeline_tag",
    "private",
    "safetensors",
    "sha",
    "siblings",
    "tags",
)
"""What a hub is asked to tell of each model."""
_NEXT: Final = re.compile(r'<([^>]{1,4000})>\s*;\s*rel="?next"?')


@dataclass(frozen=True, slots=True)
class Query:
    """What to ask a hub for; empty fields do not restrict."""

    author: str = ""
    search: str = ""
    filter: tuple[str, ...] = ()
    """Tags that all have to be there: a library, a task, `license:mit`, `base_model:owner/repo`."""
    sort: str = ""
    """downloads, likes, lastModified, createdAt, trendingScore; largest first."""


class HubQuery(SnapshotSource):
    """One package per model that the hub lists.

    `cursor` is the address of the page that is being read. A query that is given it goes on there; at most one page of
    models comes twice.
    """

    kind: ClassVar[str] = "hub-query"

    def __init__(
        self,
        query: Query,
        options: OpenOptions | None = None,
        *,
        cursor: str | None = None,
        patience: Patience | None = None,
        client: HubClient | None = None,
        expand: Sequence[str] = EXPAND,
    ) -> None:
        options = options or OpenOptions()
        if options.offline or offline_by_environment():
            raise OfflineError("a query needs the network; go online, or use a snapshot file")
        self._client = client or HubClient(endpoint_of(options), options.token, patience)
        self.location = self._client.endpoint
        self.behind: str | None = None
        """Address of the page after the one that `pages` gave last; None behind the last one."""
        self.cursor: str | None = self._checked(cursor) if cursor else self._first(query, expand)

    def _first(self, query: Query, expand: Sequence[str]) -> str:
        values: list[tuple[str, str]] = [("limit", str(PAGE))]
        values += [(key, value) for key in ("author", "search", "sort") if (value := getattr(query, key))]
        values += [("filter", tag) for tag in query.filter]
        values += [("expand", name) for name in expand]
        return f"{self._client.endpoint}/api/models?{urlencode(values)}"

    def _checked(self, url: str) -> str:
        """The address of a page, which has to be the same hub's: it is asked with the user's token."""
        target = urljoin(self._client.endpoint + "/", url)
        asked, home = urlsplit(target), urlsplit(self._client.endpoint)
        if (asked.scheme, asked.netloc) != (home.scheme, home.netloc):
            raise UnavailableError(f"the next page lies on another host ({escape(asked.netloc, 60)}); not followed")
        return target

    def total(self) -> None:
        """Unknown: the hub does not count."""
        return

    def packages(self, start: int = 0, stop: int | None = None) -> Iterator[Package | SkippedPackage]:
        """One item per model, from the page at `cursor` on; `start` and `stop` count from there."""
        entry = 0
        for page in self.pages():
            for row in page:
                if stop is not None and entry >= stop:
                    return
                if entry >= start:
                    yield package_of_row(row, place_of(row, entry))
                entry += 1
            if stop is not None and entry >= stop:
                return

    def pages(self) -> Iterator[list[Any]]:
        """The hub's answers from the page at `cursor` on; `cursor` moves on when the next one is asked for.

        Raises:
            PackageError: the hub does not answer, or not as one.
        """
        while self.cursor is not None:
            page, headers = self._client.get_json("the list of models", self.cursor, _MAX_PAGE)
            if not isinstance(page, list):
                raise UnavailableError("the list of models: not what a hub answers; check HF_ENDPOINT")
            following = self._following(headers)
            self.behind = following
            yield page
            self.cursor = following

    def _following(self, headers: Mapping[str, str]) -> str | None:
        match = _NEXT.search(headers.get("link", ""))
        return self._checked(match.group(1)) if match else None


def place_of(row: Any, entry: int) -> str:
    """How an entry of a list of models is called in messages."""
    name = row.get("id") if isinstance(row, dict) else None
    return escape(name) if isinstance(name, str) else f"model {entry + 1}"
