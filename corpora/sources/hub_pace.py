"""The pace that a hub allows: requests of several threads pass one gate, which closes for as long as the hub says.

A hub states its limits in headers of every answer (https://huggingface.co/docs/hub/rate-limits):
`RateLimit: "api";r=12;t=55` (requests left, seconds until there are more again), and `Retry-After` with status 429.
Limits are counted apart for its API and for its files.
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from corpora.errors import OfflineError
from corpora.sources.hub_patience import retry_after

LONGEST: Final = 1_800.0
"""Seconds that the gate stays closed at most; the hub's windows have 300."""
_LIMIT: Final = re.compile(r"\br\s*=\s*(\d{1,9})\s*;\s*t\s*=\s*(\d{1,9})")


@dataclass(slots=True)
class _Bucket:
    """Requests of one kind."""

    left: int | None = None
    """Requests that may still be made until `until`; None when the hub has not said."""
    until: float = 0.0
    closed: float = 0.0
    """Moment before which nothing is asked."""


class Pace:
    """A gate for requests. Threads wait in it; nothing is lost."""

    def __init__(self, sleep: Callable[[float], None] | None = None, now: Callable[[], float] = time.monotonic) -> None:
        self._stopped = threading.Event()
        self._sleep = sleep or self.sleep
        self._now = now
        self._lock = threading.Lock()
        self._buckets: dict[str, _Bucket] = {}
        self.waited = 0.0
        """Seconds that requests have waited in the gate, all together."""

    def sleep(self, seconds: float) -> None:
        """Waits; not any longer when the gate is shut for good.

        Raises:
            OfflineError: it is shut.
        """
        if self._stopped.wait(seconds):
            raise OfflineError("stopped")

    def stop(self) -> None:
        """Shuts the gate for good: whoever waits, or asks later, is refused."""
        self._stopped.set()

    def enter(self, url: str) -> None:
        """Waits until a request may be made.

        Raises:
            OfflineError: the gate is shut for good.
        """
        if self._stopped.is_set():
            raise OfflineError("stopped")
        while pause := self._pause(_kind(url)):
            self._sleep(pause)

    def _pause(self, kind: str) -> float:
        """Seconds to wait before asking again whether the gate is open; 0 takes one of the requests that are left."""
        with self._lock:
            bucket = self._buckets.setdefault(kind, _Bucket())
            now = self._now()
            pause = max(0.0, bucket.closed - now)
            if not pause and bucket.left is not None:
                if now >= bucket.until:
                    bucket.left = None
                elif bucket.left <= 0:
                    pause = bucket.until - now
                else:
                    bucket.left -= 1
            self.waited += pause
            return pause

    def leave(self, url: str, status: int, headers: Mapping[str, str]) -> None:
        """Hears what the hub says about its limits."""
        match = _LIMIT.search(headers.get("ratelimit", ""))
        pause = min(retry_after(headers) or 0.0, LONGEST) if status == 429 else 0.0
        if match is None and not pause:
            return
        with self._lock:
            bucket = self._buckets.setdefault(_kind(url), _Bucket())
            now = self._now()
            bucket.closed = max(bucket.closed, now + pause)
            if match is not None:
                left, until = int(match.group(1)), now + min(float(match.group(2)), LONGEST)
                # answers overtake each other: within one window the smallest number is the latest
                same = bucket.left is not None and until <= bucket.until + 2
                bucket.left = min(left, bucket.left or 0) if same else left
                bucket.until = until


def _kind(url: str) -> str:
    if "/resolve/" in url or "/resolve-cache/" in url:  # small files are redirected to the latter, below /api/
        return "files"
    return "api" if "/api/" in url else "storage"
