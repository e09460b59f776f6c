"""The gate lets through what a hub allows, and no more."""

from __future__ import annotations

import threading

import pytest

from corpora.errors import OfflineError
from corpora.sources.hub_pace import LONGEST, Pace

API, FILE = "https://hub.example/api/models/a/b", "https://hub.example/a/b/resolve/main/config.json"


class Clock:
    def __init__(self) -> None:
        self.time = 100.0
        self.slept: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.time += seconds


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def pace(clock):
    return Pace(clock.sleep, lambda: clock.time)


def limit(left, seconds):
    return {"ratelimit": f'"api";r={left};t={seconds}', "ratelimit-policy": '"fixed window";"api";q=500;w=300'}


def test_a_silent_hub_is_not_waited_for(pace, clock):
    for _ in range(1_000):
        pace.enter(API)
        pace.leave(API, 200, {})
    assert clock.slept == []


def test_requests_that_are_left_are_made_and_then_waited(pace, clock):
    pace.enter(API)
    pace.leave(API, 200, limit(2, 55))
    pace.enter(API)
    pace.enter(API)
    assert clock.slept == []
    pace.enter(API)
    assert clock.slept == [55.0]
    pace.enter(API)  # a new window
    assert clock.slept == [55.0]


def test_answers_that_overtake_each_other_do_not_add_requests(pace, clock):
    for left in (3, 1, 2):
        pace.leave(API, 200, limit(left, 30))
    pace.enter(API)
    pace.enter(API)
    assert clock.slept == [30.0]


def test_too_many_requests_close_the_gate_for_all(pace, clock):
    pace.leave(API, 429, {"retry-after": "7"})
    pace.enter(API)
    assert clock.slept == [7.0]
    pace.leave(API, 429, limit(0, 12))
    pace.enter(API)
    assert sum(clock.slept) == 19.0


def test_files_and_api_are_counted_apart(pace, clock):
    pace.leave(API, 200, limit(0, 40))
    pace.enter(FILE)
    pace.enter("https://hub.example/api/resolve-cache/models/a/b/0123/config.json")
    pace.enter("https://storage.example/a/b?signature=x")
    assert clock.slept == []
    pace.enter(API)
    assert clock.slept == [40.0]


@pytest.mark.parametrize("value", ["", "x", '"api";r=;t=', '"api";t=5', "r=99999999999999;t=1", "\x00"])
def test_headers_that_say_nothing(pace, clock, value):
    pace.leave(API, 200, {"ratelimit": value})
    pace.enter(API)
    assert clock.slept == []


def test_a_hub_that_asks_for_a_year_is_asked_again_before(pace, clock):
    pace.leave(API, 429, {"retry-after": "30000000"})
    pace.enter(API)
    assert clock.slept == [LONGEST]


def test_threads_share_what_is_left():
    slept = []
    clock = [0.0]
    lock = threading.Lock()

    def sleep(seconds):
        with lock:
            slept.append(seconds)
            clock[0] = max(clock[0], 60.0)

    pace = Pace(sleep, lambda: clock[0])
    pace.leave(API, 200, limit(10, 60))
    passed = []

    def ask():
        pace.enter(API)
        passed.append(clock[0])

    threads = [threading.Thread(target=ask) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(moment < 60 for moment in passed) == 10
    assert len(passed) == 20


def test_stopped_is_refused_at_once_and_wakes_who_waits():
    pace = Pace()
    pace.leave(API, 429, {"retry-after": "600"})
    refused = []

    def ask():
        try:
            pace.enter(API)
        except OfflineError as error:
            refused.append(error)

    thread = threading.Thread(target=ask)
    thread.start()
    pace.stop()
    thread.join(5)
    assert not thread.is_alive()
    assert len(refused) == 1
    with pytest.raises(OfflineError):
        pace.enter(FILE)
