"""A hub on 127.0.0.1, and a way to open its packages without waiting."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hub_server import HubServer

from corpora.package import Package
from corpora.sources.hub import HubSource
from corpora.sources.hub_patience import Patience
from corpora.sources.interface import OpenOptions


class Opener:
    """Opens packages of the test hub; waiting is recorded instead of done."""

    def __init__(self, hub: HubServer, cache: Path) -> None:
        self.hub = hub
        self.cache = cache
        self.slept: list[float] = []
        self.patience = Patience(timeout=10.0)  # longer than a busy machine takes

    def __call__(self, target: str, **options: object) -> Package:
        source = HubSource(self.patience, self.slept.append)
        settings = {"endpoint": self.hub.endpoint, "cache_dir": self.cache, "token": False, **options}
        return source.open(target, OpenOptions(**settings))  # type: ignore[arg-type]


@pytest.fixture
def hub() -> Iterator[HubServer]:
    with HubServer() as server:
        yield server
    from huggingface_hub import close_session

    close_session()


@pytest.fixture
def opened(hub: HubServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Opener:
    monkeypatch.delenv("HF_ENDPOINT", raising=False)
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    monkeypatch.delenv("TRANSFORMERS_OFFLINE", raising=False)
    return Opener(hub, tmp_path / "cache")
