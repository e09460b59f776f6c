"""A hub that limits, fails, stalls, lies or breaks off."""

from __future__ import annotations

import socket
import time
from email.utils import formatdate

import pytest
from hub_files import Sparse, safetensors_file

from clustering.errors import ReaderError
from corpora.errors import GatedError, PackageError, UnavailableError
from corpora.sources.hub_patience import Patience, retry_after

BIG = safetensors_file({f"layer.{i}.weight": ("F32", (1024, 1024)) for i in range(100)})
MODEL = "/api/models/acme/x"


@pytest.fixture
def package(hub, opened):
    hub.add("acme/x", {"config.json": {"model_type": "bert"}, "model.safetensors": BIG})
    return opened("acme/x")


def test_429_waits_as_long_as_the_hub_asks(hub, opened, package):
    hub.fault("config.json", "status", status=429, headers={"Retry-After": "7"}, times=2)
    assert package.config().value == {"model_type": "bert"}
    assert opened.slept == [7.0, 7.0]


def test_429_on_the_description(hub, opened, package):
    hub.fault(MODEL, "status", status=429, headers={"Retry-After": "3"}, times=1)
    assert opened("acme/x").name == "acme/x"
    assert opened.slept == [3.0]


def test_rate_limit_header_of_the_hub_counts_too(hub, opened, package):
    hub.fault("config.json", "status", status=429, headers={"RateLimit": '"api";r=0;t=11'})
    package.config()
    assert opened.slept == [11.0]


def test_429_that_asks_for_an_hour_is_not_waited_for(hub, opened, package):
    hub.fault("config.json", "status", status=429, headers={"Retry-After": "3600"})
    with pytest.raises(UnavailableError, match="too many requests; the hub asks to wait 3600 seconds") as caught:
        package.config()
    assert opened.slept == []
    assert caught.value.exit_code_hint == 4
    assert [str(error) for error in package.failures()] == [str(caught.value)]


def test_waiting_is_bounded_over_the_whole_audit(hub, opened):
    hub.add("acme/x", {f"{i}.json": "{}" for i in range(10)})
    opened.patience = Patience(timeout=2.0, total_wait=50.0)
    package = opened("acme/x")
    hub.fault("json", "status", status=429, headers={"Retry-After": "20"}, times=None)
    for path in package.paths:
        with pytest.raises(UnavailableError):
            package.read_json(path)
    assert sum(opened.slept) <= 50


@pytest.mark.parametrize("status", [408, 500, 502, 503, 504])
def test_passing_failures_are_tried_again_with_growing_pauses(hub, opened, package, status):
    hub.fault("config.json", "status", status=status, times=3)
    assert package.config().value == {"model_type": "bert"}
    assert opened.slept == [0.5, 1.0, 2.0]


def test_lasting_failure_is_one_clear_line(hub, opened, package):
    hub.fault("config.json", "status", status=503, times=None)
    with pytest.raises(UnavailableError) as caught:
        package.config()
    assert str(caught.value) == "acme/x/config.json: the hub answered 503; check the network or try again later"
    assert len(hub.requests("config.json")) == 4


def test_a_failed_file_is_not_tried_again(hub, opened, package):
    hub.fault("config.json", "status", status=503, times=None)
    for _ in range(3):
        with pytest.raises(UnavailableError):
            package.config()
    assert len(hub.requests("config.json")) == 4


@pytest.mark.parametrize("kind", ["truncate", "reset", "wrong-range"])
@pytest.mark.parametrize("side", ["hub", "cdn"])
def test_broken_answers_are_asked_for_again(hub, opened, package, kind, side):
    path = "config.json" if side == "hub" else "model.safetensors"
    hub.fault(path, kind, side=side, times=2)
    source = package.files.open(path)
    expected = b'{"model_type": "bert"}' if side == "hub" else BIG.head[:100]
    assert source.read(0, 100) == expected
    assert len(opened.slept) == 2


@pytest.mark.parametrize(
    ("kind", "reason"),
    [("truncate", "bytes|peer closed|incomplete"), ("reset", "reset|disconnected"), ("wrong-range", "another range")],
)
def test_answers_that_stay_broken_are_an_error(hub, opened, package, kind, reason):
    hub.fault("model.safetensors", kind, side="cdn", times=None)
    with pytest.raises(ReaderError, match=f"(?i)^acme/x/model.safetensors: .*({reason})") as caught:
        package.files.open("model.safetensors").read(0, 100)
    assert "\n" not in str(caught.value)


def test_silent_server_runs_into_the_time_out(hub, opened):
    hub.add("acme/x", {"config.json": "{}"})
    opened.patience = Patience(timeout=0.2, attempts=2)
    package = opened("acme/x")
    hub.fault("config.json", "slow", seconds=1.0, times=None)
    started = time.monotonic()
    with pytest.raises(UnavailableError, match=r"no answer within 0.2 seconds"):
        package.config()
    assert time.monotonic() - started < 3


def test_slow_description_runs_into_the_time_out(hub, opened):
    hub.add("acme/x", {"config.json": "{}"})
    hub.fault(MODEL, "slow", seconds=1.0, times=None)
    opened.patience = Patience(timeout=0.2, attempts=2)
    with pytest.raises(UnavailableError, match=r"acme/x: no answer within 0.2 seconds"):
        opened("acme/x")


def test_trickling_server_is_given_up(hub, opened):
    """Every byte arrives within the time-out, the whole never does."""
    hub.add("acme/x", {"config.json": "[" + "0," * 10_000 + "0]"})
    opened.patience = Patience(timeout=0.3, attempts=1)
    package = opened("acme/x")
    hub.fault("config.json", "trickle", seconds=0.02, times=None)
    started = time.monotonic()
    with pytest.raises(UnavailableError, match="came in time"):
        package.read_bytes("config.json")
    assert time.monotonic() - started < 20


def test_server_without_ranges_costs_only_the_head(hub, opened, package):
    hub.fault("model.safetensors", "ignore-range", side="cdn", times=None)
    source = package.files.open("model.safetensors")
    assert source.read(0, 1_000) == BIG.head[:1_000]
    assert package.files.client.transfer.bytes < 300_000


def test_server_without_ranges_is_refused_far_into_a_file(hub, opened, package):
    hub.fault("model.safetensors", "ignore-range", side="cdn", times=None)
    source = package.files.open("model.safetensors")
    with pytest.raises(UnavailableError, match="does not serve ranges of large files; download the package first"):
        source.read(100 << 20, 100)
    assert package.files.client.transfer.bytes < 5_000  # the description


def test_compressed_answers(hub, opened):
    import gzip

    text = b'{"model_type": "bert"}'
    hub.add("acme/x", {"config.json": text})
    package = opened("acme/x")
    hub.repos["acme/x"].files["config.json"] = type(hub.repos["acme/x"].files["config.json"])(gzip.compress(text))
    hub.fault("config.json", "gzip-whole", times=None)
    assert package.config().value == {"model_type": "bert"}


def test_compressed_ranges_are_refused(hub, opened, package):
    hub.fault("model.safetensors", "gzip", side="cdn", times=None)
    with pytest.raises(UnavailableError, match="compresses ranges"):
        package.files.open("model.safetensors").read(0, 10)


def test_header_of_30_mb_is_refused_after_its_head(hub, opened):
    header = (30_000_000).to_bytes(8, "little") + b'{"a":' + b" " * 29_999_995
    hub.add("acme/x", {"model.safetensors": Sparse(header, 10 << 30)})
    package = opened("acme/x")
    from clustering.readers.limits import DEFAULT_LIMITS
    from clustering.readers.safetensors import SafetensorsReader

    source = package.files.open("model.safetensors")
    with pytest.raises(ReaderError, match=r"^model\.safetensors: "):
        SafetensorsReader().read(source, DEFAULT_LIMITS)
    assert hub.sent < 200_000


def test_file_that_changes_under_the_audit(hub, opened, package):
    hub.repos["acme/x"].files["model.safetensors"] = Sparse(BIG.head, BIG.length + 1)
    with pytest.raises(UnavailableError, match="changed while it was read"):
        package.files.open("model.safetensors").read(0, 10)


def test_access_that_ends_in_the_middle(hub, opened, package):
    hub.repos["acme/x"].gated = "auto"
    with pytest.raises(GatedError):
        package.config()
    assert [type(error) for error in package.failures()] == [GatedError]


@pytest.mark.parametrize("answer", [b"<html>", b"[]", b"null", b'"x"', b"{}", b'{"id": 3, "siblings": [{}]}', b"\xff"])
def test_something_that_is_no_hub(hub, opened, answer):
    hub.add("acme/x", {"config.json": "{}"})
    hub.fault(MODEL, "body", body=answer, times=None)
    with pytest.raises(PackageError) as caught:
        opened("acme/x")
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code_hint == 4


@pytest.mark.parametrize("location", ["", "file:///etc/passwd", "ftp://x/y", "http://[", "http://", "//"])
def test_redirects_to_nowhere(hub, opened, package, location):
    hub.fault("config.json", "status", status=302, headers={"Location": location}, times=None)
    with pytest.raises(UnavailableError, match=r"unsafe address|more than 10 redirects"):
        package.config()


def test_endless_redirects(hub, opened, package):
    hub.fault(
        "config.json", "status", status=302, headers={"Location": f"{hub.endpoint}/again/config.json"}, times=None
    )
    with pytest.raises(UnavailableError, match="more than 10 redirects"):
        package.config()


def test_nobody_listens(opened):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(UnavailableError, match=r"acme/x: .*; check the network or try again later"):
        opened("acme/x", endpoint=f"http://127.0.0.1:{port}")


def test_copy_in_the_cache_is_mentioned_and_not_used_silently(hub, opened):
    from huggingface_hub import hf_hub_download

    hub.add("acme/x", {"config.json": "{}"})
    hf_hub_download("acme/x", "config.json", endpoint=hub.endpoint, cache_dir=opened.cache, token=False)
    hub.fault(MODEL, "status", status=503, times=None)
    with pytest.raises(UnavailableError, match=r"answered 503; .* or work offline: the cache holds a copy$"):
        opened("acme/x")


def test_message_of_the_hub_is_made_harmless(hub, opened, package):
    hub.fault("config.json", "status", status=418, headers={"X-Error-Message": "tea\x1b[31m"}, times=None)
    with pytest.raises(UnavailableError, match=r"answered 418 \(tea\\x1b\[31m\)"):
        package.config()


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "12"}, 12.0),
        ({"retry-after": formatdate(1_000_060)}, 60.0),
        ({"retry-after": formatdate(999_000)}, 0.0),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "9" * 50}, None),
        ({"ratelimit": '"api";r=0;t=55'}, 55.0),
        ({"ratelimit": '"api";r=3;t=55'}, None),
        ({"retry-after": "2", "ratelimit": '"api";r=0;t=55'}, 2.0),
        ({}, None),
    ],
)
def test_waiting_times(headers, seconds):
    assert retry_after(headers, lambda: 1_000_000.0) == seconds
