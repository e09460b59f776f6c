"""Listing a live hub page by page."""

from __future__ import annotations

import pytest

from corpora.errors import OfflineError, UnavailableError
from corpora.package import Package
from corpora.sources.hub_http import HubClient
from corpora.sources.hub_patience import Patience
from corpora.sources.hub_query import HubQuery, Query
from corpora.sources.interface import OpenOptions, SkippedPackage


@pytest.fixture
def ask(hub, opened):
    hub.page = 3
    for index in range(8):
        hub.add(
            f"acme/bert-{index}",
            {"config.json": "{}"},
            info={"config": {"model_type": "bert"}, "cardData": {"license": "mit"}, "tags": ["x"]},
        )
    hub.add("other/gpt", {"config.json": "{}"})

    def make(query: Query, **more: object) -> HubQuery:
        client = HubClient(hub.endpoint, False, Patience(timeout=2), opened.slept.append)
        return HubQuery(query, OpenOptions(endpoint=hub.endpoint), client=client, **more)

    return make


def names(source, *args):
    return [item.name for item in source.packages(*args) if isinstance(item, Package)]


def test_all_pages(ask, hub):
    assert names(ask(Query(author="acme"))) == [f"acme/bert-{index}" for index in range(8)]
    assert len(hub.requests("/api/models$")) == 3
    assert names(ask(Query(search="GPT"))) == ["other/gpt"]
    assert len(names(ask(Query()))) == 9


def test_metadata_comes_along(ask):
    package = next(iter(ask(Query(author="acme")).packages()))
    assert isinstance(package, Package)
    assert package.config().value == {"model_type": "bert"}
    assert package.card().license == "mit"
    assert package.paths == ("config.json",)


def test_range_of_entries_asks_for_no_page_too_many(ask, hub):
    assert names(ask(Query(author="acme")), 1, 3) == ["acme/bert-1", "acme/bert-2"]
    assert len(hub.requests("/api/models$")) == 1


def test_goes_on_at_the_cursor(ask):
    source = ask(Query(author="acme"))
    iterator = source.packages()
    first = [next(iterator).name for _ in range(4)]
    resumed = names(ask(Query(author="acme"), cursor=source.cursor))
    assert set(first) | set(resumed) == {f"acme/bert-{index}" for index in range(8)}
    assert len(resumed) == 5


def test_rate_limit_is_obeyed(ask, hub, opened):
    hub.fault("/api/models$", "status", status=429, headers={"Retry-After": "4"}, times=1)
    assert len(names(ask(Query(author="acme")))) == 8
    assert opened.slept == [4.0]


def test_damaged_entries_are_counted(ask, hub):
    hub.fault("/api/models$", "body", body=b'[{"id": "a/b"}, 3, {"sha": "x"}]')
    found = list(ask(Query()).packages())
    assert [type(item) for item in found] == [Package, SkippedPackage, SkippedPackage]


@pytest.mark.parametrize("body", [b"{}", b"<html>", b"null", b"[" * 100_000])
def test_something_that_is_no_hub(ask, hub, body):
    hub.fault("/api/models$", "body", body=body)
    with pytest.raises(UnavailableError):
        list(ask(Query()).packages())


@pytest.mark.parametrize(
    "cursor", ["http://elsewhere.example/api/models", "//elsewhere.example/x", "file:///etc/passwd"]
)
def test_pages_of_other_hosts_are_not_followed(ask, cursor):
    with pytest.raises(UnavailableError, match="another host"):
        ask(Query(), cursor=cursor)


def test_answer_that_is_too_long(ask, monkeypatch):
    monkeypatch.setattr("corpora.sources.hub_query._MAX_PAGE", 100)
    with pytest.raises(UnavailableError, match="longer than 100 bytes"):
        list(ask(Query()).packages())


def test_offline(monkeypatch):
    with pytest.raises(OfflineError):
        HubQuery(Query(), OpenOptions(offline=True))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(OfflineError):
        HubQuery(Query())
