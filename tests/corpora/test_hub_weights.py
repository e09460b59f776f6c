"""Weights over the network: the readers see the same as on disk, and a hub that fails is told from a damaged file."""

from __future__ import annotations

import json

import pytest
from hub_files import safetensors_file

from clustering.readers.select import read_weights
from corpora.errors import UnavailableError
from corpora.sources import open_package

SHARDS = 12
NAMES = [f"model-{i:05d}-of-{SHARDS:05d}.safetensors" for i in range(1, SHARDS + 1)]


def layout(shard: int) -> dict[str, tuple[str, tuple[int, ...]]]:
    return {f"model.layers.{shard}.mlp.{part}.weight": ("BF16", (64, 32)) for part in ("gate", "up", "down")}


@pytest.fixture
def files():
    weight_map = {name: NAMES[shard] for shard in range(SHARDS) for name in layout(shard)}
    return {
        "config.json": {"model_type": "llama", "num_hidden_layers": SHARDS},
        "model.safetensors.index.json": {"metadata": {"total_size": 1}, "weight_map": weight_map},
        **{name: safetensors_file(layout(shard)) for shard, name in enumerate(NAMES)},
    }


def test_same_listing_as_on_disk(hub, opened, files, tmp_path):
    hub.add("acme/sharded", files)
    folder = tmp_path / "acme--sharded"
    folder.mkdir()
    for path, content in files.items():
        data = json.dumps(content).encode() if isinstance(content, dict) else content.read(0, content.length)
        (folder / path).write_bytes(data)
    remote = read_weights(opened("acme/sharded").files)
    local = read_weights(open_package(str(folder)).files)
    assert remote.listing is not None
    assert remote.listing == local.listing
    assert len(remote.listing.tensors) == 3 * SHARDS
    assert remote.skipped == local.skipped == ()


def test_one_head_per_shard(hub, opened, files):
    hub.add("acme/sharded", files)
    read_weights(opened("acme/sharded").files)
    assert len(hub.requests("of-.*safetensors$", "cdn")) == SHARDS
    assert len(hub.requests("of-.*safetensors$", "hub")) == SHARDS


def test_passing_rate_limit_changes_nothing(hub, opened, files):
    hub.add("acme/sharded", files)
    # So few that a single file which meets them all is tried often enough: who meets which is up to the threads.
    hub.fault("safetensors$", "status", status=429, headers={"Retry-After": "1"}, times=2)
    result = read_weights(opened("acme/sharded").files)
    assert result.listing is not None
    assert result.listing.incomplete == ()
    assert opened.slept == [1.0] * 2


def test_shard_that_the_hub_withholds_is_a_failure_of_the_source(hub, opened, files):
    hub.add("acme/sharded", files)
    package = opened("acme/sharded")
    hub.fault(NAMES[3], "status", status=503, times=None)
    result = read_weights(package.files)
    assert result.listing is None or result.listing.incomplete or result.damaged
    assert [type(error) for error in package.failures()] == [UnavailableError]
    assert NAMES[3] in str(package.failures()[0])


def test_index_that_names_files_elsewhere(hub, opened, files):
    weight_map = {"a": "../../etc/passwd", "b": "/etc/passwd", "c": "https://example.org/x.safetensors"}
    hub.add("acme/evil", {"config.json": "{}", "model.safetensors.index.json": {"weight_map": weight_map}})
    package = opened("acme/evil")
    read_weights(package.files)
    assert {entry.path.rsplit("/", 1)[-1] for entry in hub.requests("resolve")} <= {
        "config.json",
        "model.safetensors.index.json",
    }
