"""How long a hub is waited for, what was moved, and what a hub says about coming back."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

_RATE_LIMIT_RESET: Final = re.compile(r";\s*t\s*=\s*(\d{1,9})")


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to wait for a hub."""

    timeout: float = 10.0
    """Seconds for a connection, and for the next bytes."""
    attempts: int = 4
    first_wait: float = 0.5
    """Seconds before the second attempt; doubled each time."""
    longest_wait: float = 30.0
    """Longest single wait; a hub that asks for more is not waited for."""
    total_wait: float = 120.0
    """Seconds of waiting in one audit, all files together."""


@dataclass(slots=True)
class Transfer:
    """What was moved; shared by all files of a package."""

    requests: int = 0
    bytes: int = 0
    waited: float = 0.0
    lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def count(self, amount: int) -> None:
        """Adds received bytes."""
        with self.lock:
            self.bytes += amount

    def request(self) -> None:
        """Adds a request."""
        with self.lock:
            self.requests += 1

    def wait(self, seconds: float) -> float:
        """Adds waiting; returns the total."""
        with self.lock:
            self.waited += seconds
            return self.waited


class RetryError(Exception):
    """Something that may go away by itself."""

    def __init__(self, reason: str, after: float | None = None) -> None:
        super().__init__(reason)
        self.after = after


def retry_after(headers: Mapping[str, str], now: Callable[[], float] = time.time) -> float | None:
    """Seconds that a server asks to wait: `Retry-After` as seconds or date, else the hub's `RateLimit` header."""
    value = headers.get("retry-after", "").strip()
    if value.isdigit() and len(value) < 10:
        return float(value)
    if value:
        from email.utils import parsedate_to_datetime

        try:
            return max(0.0, parsedate_to_datetime(value).timestamp() - now())
        except (TypeError, ValueError):
            pass
    limit = headers.get("ratelimit", "")
    match = _RATE_LIMIT_RESET.search(limit) if re.search(r";\s*r\s*=\s*0\s*(;|$)", limit) else None
    return float(match.group(1)) if match else None
